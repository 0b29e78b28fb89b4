"""What a cell of CSV stands for, as the value that JSON would have (section "Data format").

The specification does not say how values are written in cells. A text is what it is; numbers,
booleans and dates are left to the conversions that JSON's untidy texts go through as well; a list
stands in one cell with commas between its elements, and an object as JSON.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tap_custobar.records.converters import type_names
from tap_custobar.records.json_codec import decode, decode_lenient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# Of a list, an object, a number. Any other cell that is not JSON is a text.
_OPENINGS = "[{-0123456789"


def cell_reader(definition: Mapping[str, Any]) -> Callable[[str], Any] | None:
    """Return what reads the cells of a property, never empty ones; None where they are texts."""
    match type_names(definition):
        case ["array"]:
            return _list
        case ["string"] | ["integer"] | ["number"] | ["boolean"]:
            return None
        case _:
            return _json


def _list(cell: str) -> Any:  # noqa: ANN401 - any JSON value
    value = _json(cell) if cell[0] in "[{" else cell
    return cell.split(",") if isinstance(value, str) else value


def _json(cell: str) -> Any:  # noqa: ANN401 - any JSON value
    readers = [decode]
    if cell[0] in _OPENINGS:
        readers.append(decode_lenient)
    for read in readers:
        with suppress(ArithmeticError, ValueError, RecursionError):
            return read(cell)
    return cell
