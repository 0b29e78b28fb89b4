"""docs/streams.md: every column of every stream, and the tables as target-postgres creates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.documents.table import table
from tap_custobar.catalog.discovery import shipped_schema
from tap_custobar.catalog.personal_data import PERSONAL
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.documents.about import About

_HEAD = """\
# Streams and columns

Written by `make docs` from [schemas/](../schemas). Your company's own fields (`acme__...`) are
added. *PK*: part of the primary key. *RK*: may be the replication key. *Personal*: whether
`personal_data: pseudonymize` hashes the column (identifier) or leaves it out (attribute). Every
column may be null except the primary key. Timestamps are in UTC. Members of objects are listed
below their column: `stock[].quantity` is a member of each object in the array `stock`.
"""

_TABLES = """
## As tables

As [target-postgres](https://github.com/MeltanoLabs/target-postgres) creates them with its defaults.
The columns `_sdc_...` are its own; `add_record_metadata` and `activate_version`, both false, leave
them out.
"""

#: The PostgreSQL type that target-postgres makes of each type.
_COLUMN_TYPES = {
    "string": "text",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "integer": "bigint",
    "number": "numeric",
    "object": "jsonb",
    "array of strings": "text[]",
    "array of objects": "jsonb[]",
}

#: The columns that target-postgres adds.
_TARGET_COLUMNS = {
    "_sdc_extracted_at": "timestamp",
    "_sdc_received_at": "timestamp",
    "_sdc_batched_at": "timestamp",
    "_sdc_deleted_at": "timestamp",
    "_sdc_sequence": "bigint",
    "_sdc_table_version": "bigint",
    "_sdc_sync_started_at": "bigint",
}


def render(_: str, __: About) -> str:
    """Return the document."""
    sections = [_section(*shape) for shape in shapes()]
    tables = [f"\n```sql\n{create_table(name, keys)}\n```\n" for name, keys, _ in shapes()]
    return "".join([_HEAD, *sections, _TABLES, *tables])


def shapes() -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """Yield the schema name, primary key and replication keys of each shape of each stream."""
    for stream in STREAMS:
        declared = stream.declaration()
        keys: Any = stream.primary_keys
        yield stream.name, keys, declared.valid_replication_keys
        if shape := declared.line_items:
            yield shape.schema, shape.keys, shape.replication_keys


def _section(name: str, keys: Sequence[str], replication_keys: Sequence[str]) -> str:
    schema = shipped_schema(name)
    rows = [
        [
            f"`{column}`",
            f"{type_of(definition)}, cents"
            if "in cents of" in definition["description"]
            else type_of(definition),
            ", ".join(["PK"] * (column in keys) + ["RK"] * (column in replication_keys)),
            definition.get(PERSONAL, ""),
            definition["description"],
        ]
        for column, definition in _columns(schema["properties"])
    ]
    columns = table(("column", "type", "key", "personal", "description"), rows)
    return f"\n## {_title(name)}\n\n{schema['description']}\n\n{columns}"


def _columns(properties: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and definition of each column, each followed by its members, if it has any."""
    for column, definition in properties.items():
        yield column, definition
        for owner, schema in ((column, definition), (f"{column}[]", definition.get("items", {}))):
            for member, about in _columns(schema.get("properties", {})):
                yield f"{owner}.{member}", about


def _title(name: str) -> str:
    return name.replace("_as_rows", " as line items")


def type_of(definition: Mapping[str, Any]) -> str:
    """Return a property's type in words."""
    declared = definition["type"]
    [kind] = {declared} if isinstance(declared, str) else {*declared} - {"null"}
    if kind == "array":
        return f"array of {type_of(definition['items'])}s"
    return {"date": "date", "date-time": "timestamp"}.get(definition.get("format", ""), kind)


def create_table(name: str, keys: Sequence[str]) -> str:
    """Return the statement that creates a stream's table as target-postgres does.

    Args:
        name: Name of the JSON schema.
        keys: The primary key.
    """
    properties = shipped_schema(name)["properties"]
    columns = {column: _COLUMN_TYPES[type_of(about)] for column, about in properties.items()}
    lines = [f"    {column} {kind}" for column, kind in (columns | _TARGET_COLUMNS).items()]
    lines.append(f"    PRIMARY KEY ({', '.join(keys)})")
    body = ",\n".join(lines)
    return f"CREATE TABLE {name.removesuffix('_as_rows')} (\n{body}\n);"
