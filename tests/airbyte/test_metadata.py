"""airbyte/metadata.yaml is what Airbyte's registry takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import (
    ConnectorMetadataDefinitionV0,
)
from pydantic import ValidationError

CONNECTOR = Path(__file__).parents[2] / "airbyte"
METADATA: dict[str, Any] = yaml.safe_load((CONNECTOR / "metadata.yaml").read_text())


def test_the_metadata_is_valid_by_the_published_model() -> None:
    data = ConnectorMetadataDefinitionV0.model_validate(METADATA).data

    assert isinstance(data.definition_id, UUID)
    assert (CONNECTOR / str(data.icon)).is_file()
    # The registry checks this too, beside the model.
    assert "language:python" in (data.tags or [])


@pytest.mark.parametrize("name", ["definitionId", "dockerImageTag", "license"])
def test_the_model_notices_what_is_missing(name: str) -> None:
    data = {key: value for key, value in METADATA["data"].items() if key != name}

    with pytest.raises(ValidationError, match=name):
        ConnectorMetadataDefinitionV0.model_validate({**METADATA, "data": data})
