"""The extractor's definition in meltano.yml."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from scripts.documents import region

if TYPE_CHECKING:
    from scripts.documents.about import About, Setting

# Not `decimal` for numbers: Meltano 4.4 reads one from the environment as a Decimal, and fails to
# write that into the config of the tap. The tap also accepts numbers as strings.
_KINDS = {"number": "string"}


def render(text: str, tap: About) -> str:
    """Return meltano.yml with the capabilities and settings of the tap."""
    return region.fill(text, "settings", indent(as_yaml(definition(tap)), "    "))


def definition(tap: About) -> dict[str, Any]:
    """Return the part of the extractor's definition that comes from the tap."""
    return {
        "capabilities": tap.capabilities,
        "settings_group_validation": [["api_token", "company"], ["api_token", "api_url"]],
        "settings": [_setting(setting) for setting in tap.settings],
    }


def as_yaml(content: dict[str, Any]) -> str:
    """Return the content as YAML, in its own order."""
    return yaml.safe_dump(content, sort_keys=False, width=94)


def _setting(setting: Setting) -> dict[str, Any]:
    kind = "options" if setting.options else _KINDS.get(setting.type, setting.type)
    return {
        "name": setting.name,
        "label": setting.title,
        "kind": kind,
        **({"sensitive": True} if setting.is_secret else {}),
        **({} if setting.default is None else {"value": setting.default}),
        **(
            {"options": [{"label": value, "value": value} for value in setting.options]}
            if setting.options
            else {}
        ),
        "description": setting.description,
    }
