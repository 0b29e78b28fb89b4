"""What the matrix of targets loads: a table of cases, and the edge values that they hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tap_custobar.sandbox import custom_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Rows as the API gives them, each as JSON text, by stream.
Rows: TypeAlias = "Mapping[str, Sequence[str]]"
#: Records as the tap is to write them, by stream.
Records: TypeAlias = "Mapping[str, list[dict[str, Any]]]"

STREAMS = ("customers", "products", "sales", "events", "campaigns")
KEYS = {"events": "event_key", "campaigns": "campaign_key"}
KEY = "external_id"


class _Any:
    """Equal to anything, where a value's conversion is not the point."""

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


ANY = _Any()

#: A value as the API sends it, in JSON text, and what leaves the tap for it.
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
"""The edge values of each kind of property."""

BY_NAME: Mapping[str, Sequence[Edge]] = {
    # Of a sale: objects, or the texts of products' identifiers.
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
"""Those of properties that hold more than their kind says."""

ROWS = max(map(len, EDGES.values()))


def kind(schema: Mapping[str, Any]) -> str:
    """Return a property's type in one line, like the keys of EDGES."""
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
    """Return rows in which each property has all its edge values, and the records of them."""
    made = []
    for row in range(ROWS):
        key = f"{stream} {row} 'ä'"
        members, record = [f'"{key_of(stream)}": "{key}"'], {key_of(stream): key}
        for column, (name, its_kind) in enumerate(kinds.items()):
            edges = BY_NAME.get(name, EDGES[its_kind])
            text, fitting = edges[(row + column) % len(edges)]
            members.append(f"{json.dumps(name)}: {text}")
            record[name] = fitting
        made.append(("{" + ", ".join(members) + "}", record))
    return made


@cache
def documented() -> tuple[Rows, Records]:
    """Return edge values in every documented property of every stream."""
    made = {
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
    return _split(made)


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
"""The kinds of their types, where that is not a text."""


@cache
def custom() -> tuple[Rows, Records]:
    """Return edge values in a custom field of each of Custobar's types."""
    kinds = {name: CUSTOM_KINDS.get(of, "string") for name, of in CUSTOM_TYPES.items()}
    return _split(
        {stream: _edge_rows(stream, kinds) for stream in STREAMS if stream != "campaigns"}
    )


def _split(made: Mapping[str, list[tuple[str, dict[str, Any]]]]) -> tuple[Rows, Records]:
    rows = {stream: [text for text, _ in pairs] for stream, pairs in made.items()}
    return rows, {stream: [record for _, record in pairs] for stream, pairs in made.items()}


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
"""Names that are too long for a database, or the same once a target has normalized them."""


def _row(key: str, **values: object) -> str:
    return json.dumps({KEY: key, **values})


@dataclass(frozen=True)
class Case:
    """What is loaded, in one run of the tap after the other into the same place."""

    name: str
    what: str
    #: What the API has at each run; without any, the sandbox is read, at each as it is.
    loads: Sequence[Rows] = ()
    #: What the tap is to write in all, where that is known.
    records: Records = field(default_factory=dict)
    streams: Sequence[str] = ("customers", "products")
    #: Types of custom fields, by name; the same in all streams that have any.
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    #: Further settings of the tap.
    config: Mapping[str, Any] = field(default_factory=dict)
    #: The sandbox that is read where there are no loads.
    is_untidy: bool = False
    #: Products are read by their date, each run from the state that the target gave back.
    keeps_state: bool = False
    #: Whether `make test` has it, too.
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
