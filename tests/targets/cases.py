"""The cases that the matrix of targets loads, and the edge values that they contain."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_custobar.sandbox import custom_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Rows as the API sends them, each as a JSON string, by stream.
Rows: TypeAlias = "Mapping[str, Sequence[str]]"
#: The records that the tap is expected to write, by stream.
Records: TypeAlias = "Mapping[str, list[dict[str, Any]]]"

STREAMS = ("customers", "products", "sales", "events", "campaigns")
KEYS = {"events": "event_key", "campaigns": "campaign_key"}
KEY = "external_id"


class _Any:
    """Equal to any value, for values whose conversion is not tested."""

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


ANY = _Any()

#: A value as the API sends it, as a JSON string, and the value that the tap writes for it.
Edge: TypeAlias = "tuple[str, Any]"

_MAX, _MIN = 2**63 - 1, -(2**63)
_NULLS: Sequence[Edge] = (("null", None), ("NaN", None))
_NO_LISTS: Sequence[Edge] = (("null", None), ("NaN", ANY))

EDGES: Mapping[str, Sequence[Edge]] = {
    "boolean": (*_NULLS, ("true", True), ("false", False), ('"TRUE"', True), ('"maybe"', None)),
    "integer": (
        *_NULLS,
        *((str(n), n) for n in (0, _MAX, _MIN, 9007199254740993)),
        *((str(n), None) for n in (_MAX + 1, _MIN - 1, 12345678901234567890, -(10**30))),
        *(("1E3", 1000), ("1E400", None), ("1.5E200000", None), ('"12345678901234567890"', None)),
    ),
    "number": (
        *_NULLS,
        *(("0", 0), ("-0.5", -0.5), ("0.1234567890123456789012345", 0.12345678901234568)),
        *(("1E400", None), ("-1E400", None), ("1E200000", None), ('"1E400"', None)),
        *(("12345678901234567890", 12345678901234567890), ("1.50", 1.5)),
    ),
    "string": (
        *_NULLS,
        *((r'"a\u0000b"', "a\ufffdb"), (r'"\u0000"', "\ufffd"), (r'"\ud83d"', "\ufffd")),
        *((r'"\u2028\u0085\ufeff"', "\u2028\x85\ufeff"), (r'"\u0001\u001f\u007f"', "\x01\x1f\x7f")),
        *((r'"a,\"b\"\t\r\nc"', 'a,"b"\t\r\nc'), (r'"\\N"', "\\N"), (r'"\\"', "\\")),
        *(('"⭐ ä"', "⭐ ä"), ('"NULL"', "NULL"), ('"\'; --"', "'; --"), ('" a "', " a ")),
        *(
            (f'"{"x" * 5000}"', "x" * 5000),
            ("1.50", "1.50"),
            (r'{"a": "\u0000"}', '{"a":"\ufffd"}'),
        ),
    ),
    "string date": (
        *_NULLS,
        *(('"9999-12-31"', "9999-12-31"), ('"0001-01-01"', "0001-01-01"), ('"2023-02-30"', None)),
    ),
    "string date-time": (
        *_NULLS,
        *(('"9999-12-31T23:59:59.9999999Z"', "9999-12-31T23:59:59.999999Z"),),
        *(('"2024-05-01T12:34:56.1234567891Z"', "2024-05-01T12:34:56.123456Z"),),
        *(('"2024-05-01T12:34:56.5+03:00"', "2024-05-01T09:34:56.5Z"),),
        *(('"2024-01-31T24:00:00Z"', "2024-02-01T00:00:00Z"),),
        *(('"2016-12-31T23:59:60Z"', "2016-12-31T23:59:59Z"), ('"yesterday"', None)),
        *(('"1001-01-01T00:00:00Z"', "1001-01-01T00:00:00Z"),),
    ),
    "array string": (
        *_NO_LISTS,
        *(("[]", []), ('["a", ["b", ["c"]]]', ["a", "b", "c"]), ('"a"', ["a"])),
        *((r'["a\u0000b", "\ud83d"]', ["a\ufffdb", "\ufffd"]), ('["a,b", "{}"]', ["a,b", "{}"])),
        (r'["\"", "\\", "NULL", ""]', ['"', "\\", "NULL", ""]),
    ),
    "array object": (
        *_NO_LISTS,
        *(("[]", []), ("[{}]", [{}]), ('{"quantity": 1}', [{"quantity": 1}])),
        (r'[{"shop_id": "a\u0000b", "\u0000": "\u0000"}]', ANY),
        ('[{"quantity": 1E400}, {"quantity": 12345678901234567890}]', ANY),
    ),
    "object": (
        *_NULLS,
        *(("{}", {}), ('"no object"', None), ('{"": null}', {"": None})),
        (r'{"a\u0000b": {"c\u0000": ["d\u0000"]}}', {"a\ufffdb": {"c\ufffd": ["d\ufffd"]}}),
        ('{"a": 1E400, "b": [1E200000, NaN]}', {"a": None, "b": [None, None]}),
        ('{"a": {"A": 1, "b.c-d e": "x", "é": true}}', {"a": {"A": 1, "b.c-d e": "x", "é": True}}),
    ),
}
"""The edge values of each type of property."""

BY_NAME: Mapping[str, Sequence[Edge]] = {
    # Of a sale: objects, or the identifiers of products as strings.
    "products": (
        *EDGES["array object"],
        ('["P1"]', [{"product_id": "P1"}]),
        (r'["a\u0000", {"product_id": "P2"}]', [{"product_id": "a\ufffd"}, {"product_id": "P2"}]),
    ),
    **dict.fromkeys(
        ("folder", "permissions", "stats"),
        (
            *_NULLS,
            ("{}", ANY),
            (r'{"id": 12345678901234567890, "name": "a\u0000b", "events": 1E400}', ANY),
            (r'{"odd": {"\u0000": 1}, "name": {"odd": "x"}}', ANY),
        ),
    ),
}
"""The edge values of properties whose schema is more specific than their type."""

ROWS = max(map(len, EDGES.values()))


def kind(schema: Mapping[str, Any]) -> str:
    """Return a property's type as one string, like the keys of EDGES."""
    declared = schema.get("type", [])
    types = declared if isinstance(declared, list) else [declared]
    main = next((name for name in types if name != "null"), "object")
    detail = kind(schema["items"]) if main == "array" else schema.get("format", "")
    return f"{main} {detail}".strip()


def key_of(stream: str) -> str:
    return KEYS.get(stream, KEY)


def properties_of(stream: str) -> dict[str, Any]:
    path = Path(__file__).parent.parent.parent / "schemas" / f"{stream}.json"
    properties: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["properties"]
    return properties


def _edge_rows(stream: str, kinds: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """Return rows with their records; each property has all its edge values in turn."""
    pairs = []
    for row in range(ROWS):
        key = f"{stream} {row} 'ä'"
        members, record = [f'"{key_of(stream)}": "{key}"'], {key_of(stream): key}
        for column, (name, its_kind) in enumerate(kinds.items()):
            edges = BY_NAME.get(name, EDGES[its_kind])
            sent, written = edges[(row + column) % len(edges)]
            members.append(f"{json.dumps(name)}: {sent}")
            record[name] = written
        pairs.append(("{" + ", ".join(members) + "}", record))
    return pairs


@cache
def documented() -> tuple[Rows, Records]:
    """Return edge values in every documented property of every stream."""
    pairs = {
        stream: _edge_rows(
            stream,
            {
                name: kind(schema)
                for name, schema in properties_of(stream).items()
                if name != key_of(stream)
            },
        )
        for stream in STREAMS
    }
    return _split(pairs)


CUSTOM_TYPES = {f"acme__{name}": name for name in custom_fields.CUSTOMERS.values()}
"""Custom fields of all of Custobar's types."""

CUSTOM_KINDS = {
    "boolean": "boolean",
    "date": "string date",
    "datetime": "string date-time",
    **dict.fromkeys(("integer", "money"), "integer"),
    **dict.fromkeys(("list", "set"), "array string"),
    "number": "number",
    "object": "object",
}
"""The schema types of Custobar's types, except those that are strings."""


@cache
def custom() -> tuple[Rows, Records]:
    """Return edge values in a custom field of each of Custobar's types."""
    kinds = {name: CUSTOM_KINDS.get(type_, "string") for name, type_ in CUSTOM_TYPES.items()}
    return _split(
        {stream: _edge_rows(stream, kinds) for stream in STREAMS if stream != "campaigns"}
    )


def _split(pairs: Mapping[str, list[tuple[str, dict[str, Any]]]]) -> tuple[Rows, Records]:
    rows = {stream: [row for row, _ in of_stream] for stream, of_stream in pairs.items()}
    records = {stream: [record for _, record in of_stream] for stream, of_stream in pairs.items()}
    return rows, records


ODD_NAMES = (
    *("x" * 62, "x" * 64, "acme__" + "ä" * 29, *("acme__" + "long_" * 20 + end for end in "ab")),
    *(
        "acme__points",
        "acme__Points",
        "acme__POINTS",
        "Email",
        "E-mail",
        "first name",
        "first.name",
    ),
    *("a b", "a-b", "a.b", "a:b", "a/b", "a - b", "fooBar", "foo_bar", "väri", "vöri"),
    *("select", "order", "1st", "über", "per%cent"),
)
"""Names that are too long for a database, or equal after a target has normalized them."""


def _row(key: str, **values: object) -> str:
    return json.dumps({KEY: key, **values})


@dataclass(frozen=True)
class Case:
    """The data of one or more consecutive runs of the tap, which are loaded into the same place."""

    name: str
    what: str
    #: The rows of the API in each run; if empty, one run reads the sandbox.
    loads: Sequence[Rows] = ()
    #: The records that the tap is expected to write in the first run; empty if not compared.
    records: Records = field(default_factory=dict)
    streams: Sequence[str] = ("customers", "products")
    #: Types of custom fields, by name; the same in all streams that may have custom fields.
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    #: Additional settings of the tap.
    config: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the sandbox that is read, if there are no loads, is the untidy one.
    is_untidy: bool = False
    #: Whether products are read incrementally, each run from the state that the target returned.
    keeps_state: bool = False
    #: Whether `make test` runs it, too.
    in_ci: bool = False


CASES = (
    Case("plain", "customers and products of the sandbox"),
    Case(
        "untidy",
        "all five streams of the untidy sandbox, with its custom fields declared",
        streams=STREAMS,
        is_untidy=True,
        config={
            "timezone": "Europe/Helsinki",
            "stream_options": {
                stream: {"custom_fields": dict(getattr(custom_fields, stream.upper()))}
                for stream in STREAMS
                if stream != "campaigns"
            },
        },
    ),
    Case(
        "edges",
        "edge values in every documented property",
        (documented()[0],),
        documented()[1],
        streams=STREAMS,
        in_ci=True,
    ),
    Case(
        "custom",
        "edge values in custom fields of all 15 types",
        (custom()[0],),
        custom()[1],
        streams=STREAMS[:4],
        custom_fields=CUSTOM_TYPES,
        in_ci=True,
    ),
    Case(
        "doubles",
        "the largest and the smallest numbers that a double can represent",
        (
            {
                "customers": [
                    _row(str(number), acme__number=number, lifetime_value_month=-number)
                    for number in (1.7976931348623157e308, 5e-324)
                ]
            },
        ),
        streams=("customers",),
        custom_fields={"acme__number": "number"},
    ),
    Case(
        "names",
        "custom fields with names longer than 63 bytes, or that differ only by case or punctuation",
        ({"customers": [_row("1", **{name: f"of {name}" for name in ODD_NAMES})]},),
        streams=("customers",),
        custom_fields=dict.fromkeys(ODD_NAMES, "string"),
        in_ci=True,
    ),
    Case(
        "twice",
        "loaded twice, with changes in between: no duplicates, and the latest values",
        (
            {"customers": [_row("a", city="Turku", can_email=True, tags=["x"]), _row("b")]},
            {"customers": [_row("a", city="Oulu", can_email=None, tags=[]), _row("c", city="c")]},
        ),
        streams=("customers",),
        in_ci=True,
    ),
    Case(
        "state",
        "products, incrementally by `date`, each run from the state that the target returned",
        (
            {"products": [_row("b", date="2024-02-01T00:00:00Z"), _row("a", date="2024-01-01")]},
            {"products": [_row("c", date="2024-03-01T00:00:00Z"), _row("b", date="2024-02-01")]},
        ),
        streams=("products",),
        keeps_state=True,
    ),
    Case(
        "deletes",
        "a customer deleted at Custobar between two runs, with ACTIVATE_VERSION",
        (
            {"customers": [_row("a"), _row("b"), _row("c")]},
            {"customers": [_row("a"), _row("c")]},
        ),
        streams=("customers",),
        config={"emit_activate_version_messages": True},
    ),
    Case(
        "flattened",
        "edge values in every documented property, flattened two levels deep",
        (documented()[0],),
        streams=STREAMS,
        config={"flattening_enabled": True, "flattening_max_depth": 2},
    ),
    Case(
        "mapped",
        "a stream map: a property hashed, one added, one dropped, the stream renamed",
        (documented()[0],),
        streams=("customers",),
        config={
            "stream_maps": {
                "customers": {
                    "email": "md5(record['email']) if record.get('email') else None",
                    "name_and_city": "str(record.get('first_name')) + str(record.get('city'))",
                    "street_address": "__NULL__",
                    "__alias__": "people",
                }
            }
        },
    ),
)
"""The cases, in the order of docs/targets.md."""
