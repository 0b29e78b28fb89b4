"""Rows have the same values in each format of a page."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import UNSET

from tap_custobar.records.json_codec import encode
from tap_custobar.records.raw_rows import ColumnRows, JsonRows, JsonValues, names_in
from tap_custobar.records.schema import SelectedSchema
from tap_custobar.records.struct_records import FallbackRequired, StructRecords

if TYPE_CHECKING:
    from tap_custobar.records.raw_rows import RawRows

PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "size": {"type": ["number", "null"]},
    "note": {"type": ["string", "null"]},
}
ROWS: list[Any] = [{"id": "1", "size": Decimal("2.50")}, {"id": "2", "note": "x"}]


def structs() -> StructRecords:
    return StructRecords(SelectedSchema(PROPERTIES, PROPERTIES, ["id"], UTC))


def json_rows(*rows: str) -> JsonRows:
    return JsonRows([msgspec.Raw(row.encode()) for row in rows])


@pytest.mark.parametrize(
    "rows",
    [
        json_rows(*map(encode, ROWS)),
        JsonValues(ROWS),
        ColumnRows({"id": ["1", "2"], "size": [Decimal("2.50"), UNSET], "note": [UNSET, "x"]}, 2),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_are_the_same_as_values_and_as_structs(rows: RawRows) -> None:
    made = structs()

    assert len(rows) == 2
    assert rows.to_values() == ROWS
    assert made.to_dicts(rows.to_structs(made)) == ROWS
    assert rows.names() == {"id", "size", "note"}


@pytest.mark.parametrize(
    "rows",
    [
        json_rows('{"id": "1", "size": 1e400}'),
        json_rows("5"),
        JsonValues([{"id": "\ud800"}]),
        JsonValues([{"id": "1", "size": Decimal("NaN")}]),
        ColumnRows({"id": ["a\0"]}, 1, is_tidy=False),
        ColumnRows({"note": ["x"]}, 1),
        json_rows('{"size": 5}'),
    ],
    ids=["too large", "no object", "half a pair", "no number", "untidy", "no key", "no key JSON"],
)
def test_rows_that_structs_cannot_decode_require_the_fallback(rows: RawRows) -> None:
    with pytest.raises(FallbackRequired):
        rows.to_structs(structs())
    assert len(rows.to_values()) == 1


def test_names_are_found_in_rows_that_cannot_be_decoded() -> None:
    assert json_rows('{"a": 1e400}', '{"b": 1}').names() == {"a", "b"}
    assert json_rows('{"a": 1}', "5", "[1]", "null").names() == {"a"}
    assert names_in([]) == frozenset()


def test_rows_without_columns_are_empty() -> None:
    assert ColumnRows({}, 2).to_values() == [{}, {}]
