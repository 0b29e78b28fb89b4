"""Parses the cells of a CSV column into the values that JSON would have.

The specification (section "Data format") does not define how values are written in cells. Strings
are written unchanged, lists as their elements with commas between them, objects as JSON. Numbers
and booleans in JSON syntax are parsed all at once; others stay strings, and are converted later
like strings in JSON.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from tap_custobar.records.converters import type_names
from tap_custobar.records.json_codec import decode, decode_lenient, parse_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# First characters of arrays, objects and numbers. Any other cell that is not JSON is a string.
_OPENINGS = "[{-0123456789"

_BOOLEANS = {"": UNSET, "true": True, "false": False, "True": True, "False": False}

_decoder = msgspec.json.Decoder(list[Any], float_hook=parse_decimal)


def column_reader(definition: Mapping[str, Any]) -> Callable[[Sequence[str]], Sequence[Any]]:
    """Return a function that parses the cells of a property: one value each, UNSET if empty."""
    match type_names(definition):
        case ["array"] if "object" in type_names(definition.get("items") or {}):
            return _lists_of_objects
        case ["array"]:
            return _lists
        case ["integer"]:
            return partial(_numbers, frozenset({int, NoneType}))
        case ["number"]:
            return partial(_numbers, frozenset({int, Decimal, NoneType}))
        case ["boolean"]:
            return _booleans
        case ["string"]:
            return _strings
        case _:
            return _values


def _strings(cells: Sequence[str]) -> Sequence[Any]:
    return cells if all(cells) else [cell or UNSET for cell in cells]


def _booleans(cells: Sequence[str]) -> Sequence[Any]:
    values = list(map(_BOOLEANS.get, cells))
    return _strings(cells) if None in values else values


def _numbers(types: frozenset[type], cells: Sequence[str]) -> Sequence[Any]:
    try:
        values = _decoder.decode("[" + ",".join([cell or "null" for cell in cells]) + "]")
    except (ArithmeticError, ValueError, RecursionError):
        return _strings(cells)
    # A cell may contain a comma, or be the word null.
    if len(values) != len(cells) or not types.issuperset(map(type, values)) or "null" in cells:
        return _strings(cells)
    return [UNSET if value is None else value for value in values]


def _lists(cells: Sequence[str]) -> list[Any]:
    if not {"[", "{"}.isdisjoint([cell[:1] for cell in cells]):
        return [_list(cell) if cell else UNSET for cell in cells]
    return [cell.split(",") if cell else UNSET for cell in cells]


def _lists_of_objects(cells: Sequence[str]) -> list[Any]:
    # Something like JSON, such as the text of a Python list, is not split into parts of objects.
    return [(_json(c) if c[0] in "[{" else c.split(",")) if c else UNSET for c in cells]


def _values(cells: Sequence[str]) -> list[Any]:
    return [_json(cell) if cell else UNSET for cell in cells]


def _list(cell: str) -> Any:  # noqa: ANN401 - any JSON value
    value = _json(cell) if cell[0] in "[{" else cell
    return cell.split(",") if isinstance(value, str) else value


def _json(cell: str) -> Any:  # noqa: ANN401 - any JSON value
    decoders = [decode]
    if cell[0] in _OPENINGS:
        decoders.append(decode_lenient)
    for decoder in decoders:
        with suppress(ArithmeticError, ValueError, RecursionError):
            return decoder(cell)
    return cell
