"""Strategies of the property tests: JSON values, schemas, and values that fit them."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

SCHEMAS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parents[2] / "schemas").glob("*.json"))
}

#: Any string that JSON can encode, also with lone surrogates.
texts = st.text(st.characters(exclude_categories=()), max_size=20)
#: Any string that all targets accept.
valid_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)

EDGE_STRINGS = [
    *("", " ", "0", "1", "true", "FALSE", "19.90", "-7", "1e5", "007", "NaN", "Infinity", "-inf"),
    *("2024-02-29", "2023-02-29", "2024-02-29T10:00:00+05:30", "2024-02-29 10:00", "24:00"),
    *("0000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2024-01-01T24:00"),
    *("2024-01-01T24:00:00Z", "9999-12-31T24:00:00Z", "9999-12-31T23:59:59.9999999Z", "a\0b"),
    *("2024-06-30T23:59:60Z", "2024-06-30T10:00:00.1234567890123Z", "[1]", '{"a": 1}', "\ufeffx"),
]

fractions = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**18), 10**18),
    st.integers(-30, 30),
)
#: Numbers at the limits of a 64-bit integer and of a double, and beyond them.
EDGES = [
    *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**308, 10**309, -(10**400)),
    *map(Decimal, ["1E+308", "1.8E+308", "-1E+400", "1E-323", "1E-400", "0E-400", "0E+400"]),
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**60), 10**60)
    | fractions
    | texts
    | st.sampled_from(EDGE_STRINGS)
    | st.sampled_from(EDGES)
    | st.datetimes().map(datetime.isoformat)
    | st.dates().map(date.isoformat)
)


def nested(value: object, depth: int) -> list[object]:
    for _ in range(depth):
        value = [value]
    return [value]


json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
) | st.builds(nested, scalars, st.sampled_from([10, 100, 400]))

_DATE_TIME = {"type": "string", "format": "date-time"}
_DATE = {"type": "string", "format": "date"}
SIMPLE: list[dict[str, Any]] = [
    *({"type": name} for name in ("string", "integer", "number", "boolean", "array", "object")),
    _DATE_TIME,
    _DATE,
]


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


simple_schemas = st.sampled_from([*SIMPLE, *map(nullable, SIMPLE)])
object_schemas = st.builds(
    lambda members, types: {"type": types, "properties": members},
    st.dictionaries(st.sampled_from("abc"), simple_schemas, max_size=3),
    st.sampled_from(["object", ["object", "null"]]),
)
array_schemas = st.builds(
    lambda items, types: {"type": types, "items": items},
    simple_schemas | object_schemas,
    st.sampled_from(["array", ["array", "null"]]),
)
schemas = (
    simple_schemas
    | object_schemas
    | array_schemas
    | array_schemas.map(lambda items: {"type": "array", "items": items})
)
#: Schemas with several types, as in some catalogs.
mixed_schemas = st.builds(
    lambda types, extra: {"type": types, **extra},
    st.lists(
        st.sampled_from(["string", "integer", "number", "boolean", "array", "object"]),
        min_size=2,
        max_size=4,
        unique=True,
    ).flatmap(lambda types: st.sampled_from([types, [*types, "null"], ["null", *types]])),
    st.sampled_from(
        [{}, {"format": "date-time"}, {"format": "date"}, {"items": {"type": "integer"}}]
    ),
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return the strategy of values that the schema allows, as they are in a page."""
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return st.one_of([_of_type(name, schema) for name in types])


def _of_type(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match name:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-(2**63), 2**63 - 1)
        case "number":
            return st.integers() | fractions.filter(lambda n: n.as_tuple().exponent != 0)
        case "string":
            return _strings(schema.get("format"))
        case "array":
            return st.lists(fitting(schema["items"]) if "items" in schema else _plain, max_size=4)
        case _:
            members = schema.get("properties", {})
            others = st.dictionaries(
                valid_texts.filter(lambda name: name not in members), _plain, max_size=2
            )
            known = st.fixed_dictionaries({}, optional={n: fitting(m) for n, m in members.items()})
            return st.builds(lambda a, b: {**a, **b}, known, others)


def _strings(kind: str | None) -> st.SearchStrategy[str]:
    if kind == "date":
        return st.dates().map(date.isoformat)
    if kind == "date-time":
        return st.builds(
            lambda start, fraction: f"{start.isoformat()}{fraction}Z",
            st.datetimes().map(lambda start: start.replace(microsecond=0)),
            st.sampled_from(["", ".5", ".000", ".123456"]),
        )
    return valid_texts


_plain = st.none() | st.booleans() | st.integers() | fractions | valid_texts
