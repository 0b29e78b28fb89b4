"""airbyte/metadata.yaml: the metadata that Airbyte's registry requires of a connector."""

from __future__ import annotations

from importlib.metadata import metadata
from typing import TYPE_CHECKING, Any

from scripts.documents import meltano
from tap_custobar.airbyte.source import DOCUMENTATION
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from scripts.documents.about import About

_HEAD = """\
# For Airbyte's registry. Written by make docs.
# dockerRepository and documentationUrl are those of a connector in the registry; a custom connector
# needs neither. There are no allowedHosts, because a company may have its own domain.
"""

_NAME = "source-custobar"

#: The identity of this connector in every workspace: it must never change.
_DEFINITION_ID = "ee5d56b7-6767-49e0-a202-7f6e76041b76"


def render(_: str, tap: About) -> str:
    """Return the metadata."""
    data: dict[str, Any] = {
        "name": "Custobar",
        "icon": "icon.svg",
        "definitionId": _DEFINITION_ID,
        "connectorType": "source",
        "connectorSubtype": "api",
        "dockerRepository": f"airbyte/{_NAME}",
        "dockerImageTag": tap.version,
        "githubIssueLabel": _NAME,
        "documentationUrl": "https://docs.airbyte.com/integrations/sources/custobar",
        "externalDocumentationUrls": [
            {"title": "Data API", "url": DOCUMENTATION, "type": "api_reference"}
        ],
        "license": metadata("tap-custobar")["License-Expression"],
        "releaseStage": "alpha",
        "supportLevel": "community",
        "tags": ["language:python"],
        "suggestedStreams": {"streams": [s.name for s in STREAMS if s.selected_by_default]},
        "registryOverrides": {"oss": {"enabled": True}, "cloud": {"enabled": False}},
        "remoteRegistries": {"pypi": {"enabled": False, "packageName": "tap-custobar"}},
    }
    return _HEAD + meltano.as_yaml({"metadataSpecVersion": "1.0", "data": data})
