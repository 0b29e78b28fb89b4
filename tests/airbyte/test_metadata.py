"""airbyte/metadata.yaml is valid for Airbyte's registry."""

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


def test_the_metadata_is_valid_for_the_published_model() -> None:
    data = ConnectorMetadataDefinitionV0.model_validate(METADATA).data

    assert isinstance(data.definition_id, UUID)
    assert (CONNECTOR / str(data.icon)).is_file()
    # The registry requires this, too, but the model does not.
    assert "language:python" in (data.tags or [])


@pytest.mark.parametrize("name", ["definitionId", "dockerImageTag", "license"])
def test_the_published_model_rejects_metadata_with_a_missing_member(name: str) -> None:
    data = {key: value for key, value in METADATA["data"].items() if key != name}

    with pytest.raises(ValidationError, match=name):
        ConnectorMetadataDefinitionV0.model_validate({**METADATA, "data": data})
