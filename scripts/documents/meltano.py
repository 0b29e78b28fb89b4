"""The extractor's definition in meltano.yml."""

from __future__ import annotations

from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from scripts.documents import region

if TYPE_CHECKING:
    from scripts.documents.about import About, Setting

# Not `decimal` for numbers: Meltano 4.4 reads one from the environment as a Decimal, and stops
# when it is to write that into the tap's config. The tap takes a number's text as well.
_KINDS = {"number": "string"}


def render(text: str, tap: About) -> str:
    """Return meltano.yml with the capabilities and settings that the tap has."""
    return region.fill(text, "settings", indent(as_yaml(definition(tap)), "    "))


def definition(tap: About) -> dict[str, Any]:
    """Return what Meltano has to know of the tap."""
    return {
        "capabilities": tap.capabilities,
        "settings_group_validation": [["api_token", "company"], ["api_token", "api_url"]],
        "settings": [_setting(setting) for setting in tap.settings],
    }


def as_yaml(content: dict[str, Any]) -> str:
    """Return it as YAML, in the order that it has."""
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
