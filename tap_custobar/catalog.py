"""Makes the schema of an edited catalog one that any value can be made to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT = ("title", "description", "x-sql-datatype")
_FORMATS = ("date", "date-time")


def plain(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with its types and without further demands.

    `anyOf` and `oneOf` become a list of types, as common catalogs mean them; limits, patterns,
    enumerations and other formats than those of dates go, for no value can be bent to them.
    """
    schema = {name: definition[name] for name in _KEPT if name in definition}
    choices = definition.get("anyOf") or definition.get("oneOf") or [definition]
    types = [name for choice in choices for name in _types(choice)]
    if types:
        schema["type"] = types[0] if len(types) == 1 else list(dict.fromkeys(types))
    for choice in choices:
        if choice.get("format") in _FORMATS and types.count("string") == 1:
            schema["format"] = choice["format"]
        if "items" in choice:
            schema["items"] = plain(choice["items"])
        if "properties" in choice:
            members = choice["properties"].items()
            schema["properties"] = {name: plain(member) for name, member in members}
    return schema


def _types(definition: Mapping[str, Any]) -> list[str]:
    declared = definition.get("type") or []
    return [declared] if isinstance(declared, str) else list(declared)
