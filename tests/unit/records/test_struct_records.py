"""Valid rows are decoded to structs; test_decoder.py compares both paths."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest

from tap_custobar.records.schema import SelectedSchema
from tap_custobar.records.struct_records import MAX_IGNORED, FallbackRequired, StructRecords

PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "count": {"type": ["integer", "null"]},
    "note": {"type": ["string", "null"]},
    "at": {"type": ["string", "null"], "format": "date-time"},
}


def structs(**options: Any) -> StructRecords:
    return StructRecords(SelectedSchema(PROPERTIES, PROPERTIES, ["id"], UTC, **options))


def decoded(records: StructRecords, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return records.to_dicts(records.decode(json.dumps(rows).encode()))


def test_records_have_the_order_of_the_schema_and_no_missing_properties() -> None:
    records = structs()
    rows = records.decode(b'[{"note": null, "id": "1", "count": 5}, {"id": "2"}]')

    assert records.encode_lines(rows) == b'{"id":"1","count":5,"note":null}\n{"id":"2"}\n'
    assert records.from_dicts(records.to_dicts(rows)) == rows


@pytest.mark.parametrize(
    ("row", "may_adapt"),
    [
        ({"id": "1", "count": "5"}, True),
        ({"id": "1", "new": 1}, True),
        ({"count": 5}, False),
        ({"id": ""}, False),
        ({"id": "1", "note": "a\0b"}, False),
        ({"id": "1", "at": "soon"}, False),
    ],
    ids=str,
)
def test_invalid_rows_require_the_fallback(row: dict[str, Any], *, may_adapt: bool) -> None:
    with pytest.raises(FallbackRequired) as raised:
        decoded(structs(), row)

    assert raised.value.may_adapt is may_adapt


def test_a_column_stays_relaxed_after_the_first_deviation() -> None:
    records = structs()
    row = {"id": "1", "count": "5", "new": [1]}

    assert records.adapt([row])
    assert not records.adapt([row])

    assert decoded(records, row) == [{"id": "1", "count": 5}]
    with pytest.raises(FallbackRequired):  # a property that was in no row so far
        decoded(records, {"id": "1", "newer": 1})


def test_with_too_many_unknown_properties_none_is_noticed() -> None:
    records = structs()
    names = [f"new_{number}" for number in range(MAX_IGNORED)]

    noticed = []
    for row in (dict.fromkeys(names, 1), {"another": 1}):
        assert records.adapt([row])
        noticed.append(records.notices_unknown)

    assert noticed == [True, False]
    assert decoded(records, {"id": "1", "any": 1}) == [{"id": "1"}]


def test_fractions_stay_whole_for_the_surrogate_key_alone() -> None:
    row = {"id": "1", "at": "2024-02-29T10:00:00.123456789Z"}
    cut = {**row, "at": "2024-02-29T10:00:00.123456Z"}
    assert decoded(structs(), row) == [cut]

    records = structs(surrogate_key="key")
    rows = records.decode(json.dumps([row]).encode())
    assert records.to_dicts(rows) == [row]
    records.cut_fractions(rows)
    assert records.to_dicts(rows) == [cut]


def test_a_column_can_be_set() -> None:
    records = structs()
    rows = records.decode(b'[{"id": "1", "note": "a"}, {"id": "2"}]')

    records.set_column(rows, "note", ["b", "c"])

    assert [each["note"] for each in records.to_dicts(rows)] == ["b", "c"]


def test_names_that_json_must_escape_require_the_fallback() -> None:
    odd = 'size "EU"'
    schema = SelectedSchema({"id": {"type": "string"}, odd: {}}, ["id", odd], ["id"], UTC)
    records = StructRecords(schema)

    with pytest.raises(FallbackRequired):
        records.decode(b'[{"id": "1"}]')
    assert records.encode_lines(records.from_dicts([{"id": "1", odd: 5}])) == (
        b'{"id":"1","size \\"EU\\"":5}\n'
    )
