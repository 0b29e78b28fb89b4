"""What a catalog asks for: its schemas, keys and ways of replication, however it was edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_custobar.errors import CatalogError
from tap_custobar.records.converters import MAX_INTEGER, MIN_INTEGER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INCREMENTAL = "INCREMENTAL"
FULL_TABLE = "FULL_TABLE"

_KEPT = ("title", "description", "x-sql-datatype")
_FORMATS = ("date", "date-time")
# Of integers that databases hold: every value is made to keep them.
_LIMITS = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER}


def without_demands(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema with its types and without further demands.

    `anyOf` and `oneOf` become a list of types, as common catalogs mean them; limits, patterns,
    enumerations and other formats than those of dates go, for no value can be bent to them; but
    for the limits of 64 bits, which every integer keeps.
    """
    if not isinstance(definition, dict):
        return {}
    schema = {name: definition[name] for name in _KEPT if name in definition}
    choices = definition.get("anyOf") or definition.get("oneOf") or [definition]
    choices = [choice for choice in choices if isinstance(choice, dict)]
    types = [name for choice in choices for name in _types(choice)]
    if types:
        schema["type"] = types[0] if len(types) == 1 else list(dict.fromkeys(types))
    for choice in choices:
        if choice.get("format") in _FORMATS and types.count("string") == 1:
            schema["format"] = choice["format"]
        if _LIMITS.items() <= choice.items() and "number" not in types:
            schema |= _LIMITS
        if "items" in choice:
            schema["items"] = without_demands(choice["items"])
        if "properties" in choice:
            members = choice["properties"].items()
            schema["properties"] = {name: without_demands(member) for name, member in members}
    return schema


def _types(definition: Mapping[str, Any]) -> list[str]:
    declared = definition.get("type") or []
    return [declared] if isinstance(declared, str) else list(declared)


def settle_replication(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """Return a catalog in which each stream says once how it is replicated.

    Meltano and hand-edited catalogs say it in the metadata, where the SDK does not look for
    `replication-method`; the top level then still has what discovery wrote.
    """
    return {**catalog, "streams": [_settled(entry) for entry in catalog["streams"]]}


def _settled(entry: Mapping[str, Any]) -> dict[str, Any]:
    roots = [m["metadata"] for m in entry.get("metadata") or [] if not m["breadcrumb"]]
    root = roots[0] if roots else {}
    method = root.get("replication-method") or root.get("forced-replication-method")
    key = root.get("replication-key")
    return {
        **entry,
        "replication_method": method or entry.get("replication_method"),
        "replication_key": key or entry.get("replication_key"),
    }


def replication_key(
    stream: str, method: str | None, key: str | None, valid: Sequence[str]
) -> str | None:
    """Return the key that a stream is to be read incrementally by; None to read it whole.

    Args:
        stream: The stream's name.
        method: What the catalog asks for; by default FULL_TABLE.
        key: The replication key that it names; by default the first that is valid.
        valid: Those that the stream can be read by.

    Raises:
        CatalogError: it asks for what the stream does not have.
    """
    if key and key not in valid:
        choices = ", ".join(valid) or "none"
        msg = f"The catalog's replication-key {key} is not valid for {stream}: {choices} is."
        raise CatalogError(msg)
    if method == INCREMENTAL and valid:
        return key or valid[0]
    if method not in {None, FULL_TABLE}:
        choices = "FULL_TABLE or INCREMENTAL" if valid else "only FULL_TABLE"
        msg = f"The catalog asks for {method} replication of {stream}: {choices} is."
        raise CatalogError(msg)
    return None
