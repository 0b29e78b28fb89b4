"""The data of the tables: customers as Custobar documents them, and records of other shapes.

All fields of the other shapes except the key are custom fields.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tap_custobar.sandbox.csv_format import encode_csv
from tap_custobar.sandbox.customers import customers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[2]

KEY = "external_id"
DOCUMENTED = "customers"

#: A JSON schema, and a function that makes a value for it.
Kind: TypeAlias = "tuple[Mapping[str, Any], Callable[[Random], Any]]"

_STRING = {"type": ["string", "null"]}


def _text(random: Random) -> str:
    return " ".join(random.choices(("Aino", "Järvi", "Oy", "Katu 3", "vip"), k=2))


def _long_text(random: Random) -> str:
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyzäö, .", k=1_150))


def _timestamp(random: Random) -> str:
    return f"20{random.randint(10, 25)}-{random.randint(10, 12)}-{random.randint(10, 28)}T10:20:30Z"


KINDS: Mapping[str, Kind] = {
    "string": (_STRING, _text),
    "boolean": ({"type": ["boolean", "null"]}, lambda random: random.random() < 0.5),
    "integer": ({"type": ["integer", "null"]}, lambda random: random.randint(0, 10**6)),
    "number": ({"type": ["number", "null"]}, lambda random: random.randint(0, 10**6) / 100),
    "timestamp": ({**_STRING, "format": "date-time"}, _timestamp),
    "date": ({**_STRING, "format": "date"}, lambda random: _timestamp(random)[:10]),
    "list": (
        {"type": ["array", "null"], "items": {"type": ["string"]}},
        lambda random: random.choices(("vip", "b2b", "ale"), k=2),
    ),
    "long string": (_STRING, _long_text),
}
_MIXED = ("string", "string", "string", "boolean", "boolean", "timestamp", "number", "list")


@dataclass(frozen=True)
class Shape:
    """Records of another shape than documented customers.

    Attributes:
        kinds: Kinds of the fields, repeated as often as necessary.
        fields: Number of fields, including the key.
        size: Number of different records.
    """

    kinds: tuple[str, ...]
    fields: int
    size: int = 1_000

    @property
    def kind_of(self) -> dict[str, Kind]:
        """The kind of each field except the key."""
        kinds = [self.kinds[number % len(self.kinds)] for number in range(self.fields - 1)]
        return {f"acme__{number}": KINDS[kind] for number, kind in enumerate(kinds)}


SHAPES: Mapping[str, Shape] = {
    "10-fields": Shape(_MIXED, 10),
    "100-fields": Shape(_MIXED, 100),
    "numbers": Shape(("integer", "number", "boolean"), 30),
    "timestamps-and-lists": Shape(("timestamp", "date", "list"), 30),
    "60-bytes": Shape(("boolean", "integer"), 3),
    "6-kB": Shape(("long string",), 6),
}


@cache
def documented() -> dict[str, Any]:
    """Return the JSON schemas of the documented fields."""
    schema = json.loads((ROOT / "schemas/customers.json").read_text("utf-8"))
    properties: dict[str, Any] = schema["properties"]
    return properties


def properties(data: str) -> dict[str, Any]:
    """Return the JSON schemas of the fields of a table."""
    if data == DOCUMENTED:
        return documented()
    kinds = SHAPES[data].kind_of
    return {KEY: {"type": "string"}, **{name: dict(schema) for name, (schema, _) in kinds.items()}}


@cache
def records(data: str, fields: tuple[str, ...]) -> list[Any]:
    """Return the different records of a table, with these fields; longer tables repeat them."""
    if data == DOCUMENTED:
        size = 10_000
        return list(customers(size).records(range(size), fields))
    shape, random = SHAPES[data], Random(1)  # noqa: S311 - the same in each run
    found = []
    for number in range(shape.size):
        record = {KEY: f"C{number:08}"}
        record |= {name: make(random) for name, (_, make) in shape.kind_of.items()}
        found.append({name: record[name] for name in fields if name in record})
    return found


@cache
def rendered(data: str, fields: tuple[str, ...]) -> list[bytes]:
    """Return each record as JSON."""
    return [msgspec.json.encode(record) for record in records(data, fields)]


@cache
def json_page(data: str, start: int, size: int, fields: tuple[str, ...]) -> bytes:
    """Return the JSON of a page up to the end of its list, from a record number on."""
    found = rendered(data, fields)
    rows = (found[place % len(found)] for place in range(start, start + size))
    return b'{"customers":[' + b",".join(rows) + b"]"


@cache
def csv_page(data: str, start: int, size: int, fields: tuple[str, ...]) -> bytes:
    """Return the CSV of a page, from a record number on."""
    found = records(data, fields)
    return encode_csv(fields, (found[n % len(found)] for n in range(start, start + size)))
