from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_custobar.records.dict_records import DictRecords, Loss
from tap_custobar.records.schema import SelectedSchema
from tests.conftest import formats
from tests.unit.strategies import SCHEMAS, fitting, json_values, nested, schemas, valid_texts

UTC = ZoneInfo("UTC")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "price": {"type": ["integer", "null"]},
        "tags": {"type": ["array", "null"], "items": {"type": "integer"}},
        "must": {"type": "boolean"},
        "stock": {
            "type": ["array", "null"],
            "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
        },
        "seen": {"type": ["string", "null"], "format": "date-time"},
    },
    "required": ["id"],
}
encode = msgspec.json.Encoder(decimal_format="number").encode


def dict_records(
    schema: dict[str, Any] = SCHEMA,
    *,
    selected: list[str] | None = None,
    keys: tuple[str, ...] = ("id",),
    zone: str = "UTC",
) -> DictRecords:
    names = list(schema["properties"]) if selected is None else selected
    return DictRecords(
        SelectedSchema(schema["properties"], selected=names, keys=keys, zone=ZoneInfo(zone))
    )


def test_properties_are_in_schema_order_and_records_in_row_order() -> None:
    rows = [{"tags": [1], "price": 5, "id": "b"}, {"must": True, "id": "a"}]

    records = dict_records().convert(rows, 1)

    assert [list(record.items()) for record in records] == [
        [("id", "b"), ("price", 5), ("tags", [1])],
        [("id", "a"), ("must", True)],
    ]


def test_missing_properties_stay_missing_and_null_stays_null() -> None:
    assert dict_records().convert([{"id": "a", "price": None, "tags": ""}, {"id": "b"}], 1) == [
        {"id": "a", "price": None, "tags": None},
        {"id": "b"},
    ]


def test_timestamps_are_converted_from_the_zone_of_the_schema() -> None:
    row = {"id": "a", "seen": "2024-02-29"}

    assert dict_records(zone="Europe/Helsinki").convert([row], 1) == [
        {"id": "a", "seen": "2024-02-28T22:00:00Z"}
    ]


@pytest.mark.parametrize(
    ("key", "text"),
    [(7, "7"), (0, "0"), (10**30, str(10**30)), (Decimal("1.50"), "1.50"), (False, "false")],
)
def test_a_primary_key_becomes_a_string(key: object, text: str) -> None:
    stream = dict_records()

    assert stream.convert([{"id": key}], 1) == [{"id": text}]
    assert not stream.losses.skipped


def test_invalid_rows_are_skipped_and_counted_by_reason() -> None:
    stream = dict_records()
    assert stream.convert([{"id": "a"}], 1) == [{"id": "a"}]

    rows = [None, {"id": "b"}, {"id": None}, [{"id": "c"}], {"id": ""}, {}, 5, "d", True]

    assert stream.convert(rows, 2) == [{"id": "b"}]
    assert stream.losses.skipped == {"not an object": Loss(5, 2, 1), "no id": Loss(3, 2, 3)}
    assert not stream.losses.nulled


def test_a_row_without_one_of_several_keys_is_skipped() -> None:
    stream = dict_records(keys=("id", "seen"))

    assert stream.convert([{"id": "a"}, {"seen": "2024-02-29"}], 1) == []
    assert stream.losses.skipped == {"no id, seen": Loss(2, 1, 1)}


def test_invalid_values_become_null_and_are_counted_with_the_first_row() -> None:
    stream = dict_records()
    good: list[dict[str, object]] = [{"id": "a", "price": 5, "must": True}] * 2

    stream.convert(good, 1)
    second = stream.convert([*good, {"id": "b", "price": "x"}], 2)
    third = stream.convert([{"id": "c", "price": 1.5, "must": "x"}, {"id": "d", "price": []}], 3)

    assert second[-1] == {"id": "b", "price": None}
    assert third == [{"id": "c", "price": None}, {"id": "d", "price": None}]
    assert stream.losses.nulled == {"price": Loss(3, 2, 3), "must": Loss(1, 3, 1)}


def test_an_invalid_value_that_may_not_be_null_is_left_out() -> None:
    stream = dict_records()

    assert stream.convert([{"id": "a", "must": None}, {"id": "b", "must": "x"}], 1) == [
        {"id": "a"},
        {"id": "b"},
    ]
    assert stream.losses.nulled == {"must": Loss(2, 1, 1)}


def test_discarded_parts_of_one_value_count_as_one_loss() -> None:
    stream = dict_records()
    rows = [
        {"id": "a", "tags": [1, "x", "y", 2], "stock": [{"n": "x"}, {"n": 1}, "z"], "price": 1},
        {"id": "b", "tags": [3], "stock": [], "price": "x"},
        {"id": "c", "tags": ["x"]},
    ]

    assert stream.convert(rows, 1) == [
        {"id": "a", "price": 1, "tags": [1, 2], "stock": [{}, {"n": 1}]},
        {"id": "b", "price": None, "tags": [3], "stock": []},
        {"id": "c", "tags": []},
    ]
    assert stream.losses.nulled == {
        "tags": Loss(2, 1, 1),
        "stock": Loss(1, 1, 1),
        "price": Loss(1, 1, 2),
    }


def test_extreme_nesting_discards_only_its_value() -> None:
    stream = dict_records()

    records = stream.convert([{"id": "a", "tags": nested(1, 100_000), "price": 5}], 1)

    assert records == [{"id": "a", "price": 5, "tags": None}]
    assert stream.losses.nulled == {"tags": Loss(1, 1, 1)}


def test_empty_strings_and_null_are_not_counted_as_losses() -> None:
    stream = dict_records()
    stream.convert([{"id": "a", "price": "", "tags": None, "seen": "", "stock": ""}], 1)

    assert not stream.losses.nulled


def test_deselected_properties_are_dropped_silently() -> None:
    stream = dict_records(selected=["id", "price"])

    assert stream.convert([{"id": "a", "price": 1, "tags": ["x"], "must": "x"}], 1) == [
        {"id": "a", "price": 1}
    ]
    assert not stream.losses.nulled
    assert not stream.losses.unknown


def test_unknown_properties_are_recorded_without_their_values() -> None:
    stream = dict_records()
    stream.note_unknown({"id", "shoe", "age", "price"})

    records = stream.convert([{"id": "a", "shoe": 1}, {"id": "b"}, {"id": "c", "age": "SECRET"}], 1)

    assert records == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert stream.losses.unknown == {"shoe", "age"}
    assert "SECRET" not in repr(stream.losses)


def test_the_rows_are_not_modified() -> None:
    row = {"id": 1, "stock": [{"n": "x"}], "tags": ["1"]}
    before = json.dumps(row)

    dict_records().convert([row], 1)

    assert json.dumps(row) == before


def test_a_string_becomes_a_list_in_the_shipped_schema() -> None:
    stream = dict_records(SCHEMAS["products"], keys=("external_id",))

    assert stream.convert([{"external_id": 1, "category": "books", "category_id": [["1"]]}], 1) == [
        {"external_id": "1", "category": ["books"], "category_id": ["1"]}
    ]


def encode_record(record: dict[str, Any]) -> bytes:
    return encode(record)


def check_line(line: bytes, schema: dict[str, Any]) -> None:
    """Check a line as a target reads it: strict JSON in UTF-8 that fits the schema."""

    def reject(name: str) -> None:
        raise AssertionError(name)

    record = json.loads(line.decode("utf-8"), parse_constant=reject)
    Draft202012Validator(schema, format_checker=formats).validate(record)
    json.dumps(record, ensure_ascii=False).encode()  # a lone surrogate would raise


def check(schema: dict[str, Any], rows: list[dict[str, object]], key: str) -> None:
    stream = dict_records(schema, keys=(key,))
    records = stream.convert(rows, 1)
    lines = [encode_record(record) for record in records]
    for line in lines:
        check_line(line, schema)
        assert b"\n" not in line

    again = dict_records(schema, keys=(key,))
    assert [encode_record(record) for record in again.convert(records, 1)] == lines
    assert not again.losses.nulled
    assert not again.losses.skipped
    assert len(records) + sum(loss.count for loss in stream.losses.skipped.values()) == len(rows)


def rows_of(schema: dict[str, Any], key: str) -> st.SearchStrategy[list[dict[str, object]]]:
    names = st.sampled_from([name for name in schema["properties"] if name != key])
    keys = st.one_of(st.text(), st.integers(), st.none(), st.booleans())
    return st.lists(
        st.builds(
            lambda identity, values: {**values, key: identity},
            keys,
            st.dictionaries(names | st.text(), json_values, max_size=5),
        ),
        max_size=2,
    )


@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_records_of_any_row_fit_the_shipped_schema(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    key = schema["required"][0]

    check({**schema, "required": [key]}, data.draw(rows_of(schema, key)), key)


@given(st.dictionaries(st.sampled_from("abcdef"), schemas, min_size=1), st.data())
def test_records_of_any_row_fit_any_schema(
    properties: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, **properties}}

    check({**schema, "required": ["id"]}, data.draw(rows_of(schema, "id")), "id")


@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_a_valid_record_is_unchanged(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    properties: dict[str, Any] = schema["properties"]
    key = next(iter(properties))
    record = data.draw(
        st.fixed_dictionaries(
            {key: valid_texts.filter(bool)},
            optional={n: fitting(d) for n, d in properties.items() if n != key},
        )
    )
    stream = dict_records(schema, keys=(key,), zone="Europe/Helsinki")

    [result] = stream.convert([record], 1)

    in_order = {n: record[n] for n in properties if n in record}
    assert encode_record(result) == encode(in_order)
    assert not stream.losses.nulled


@given(st.lists(json_values))
def test_any_list_of_rows_is_converted_or_skipped(rows: list[object]) -> None:
    stream = dict_records()

    records = stream.convert(rows, 1)

    skipped = sum(loss.count for loss in stream.losses.skipped.values())
    assert len(records) + skipped == len(rows)


def test_replaced_characters_are_counted_with_the_first_row() -> None:
    properties = {"id": {"type": "string"}, "name": {"type": ["string", "null"]}, "any": {}}
    stream = dict_records({"properties": properties})

    records = stream.convert(
        [{"id": "a"}, {"id": "b", "name": "x\0"}, {"id": "c", "any": ["\ud800", "\0"]}], 2
    )

    assert records == [
        {"id": "a"},
        {"id": "b", "name": "x\ufffd"},
        {"id": "c", "any": ["\ufffd"] * 2},
    ]
    assert stream.losses.replaced == {"name": Loss(1, 2, 2), "any": Loss(1, 2, 3)}
    assert not stream.losses.nulled


@pytest.mark.parametrize("key", ["a\0", "a\ud800"], ids=ascii)
def test_a_primary_key_with_invalid_characters_skips_the_row(key: str) -> None:
    stream = dict_records()

    records = stream.convert([{"id": key}, {"id": "a\ufffd"}], 1)

    assert records == [{"id": "a\ufffd"}]
    assert stream.losses.skipped == {"no id": Loss(1, 1, 1)}
    assert not stream.losses.replaced


@pytest.mark.parametrize(
    ("definition", "key"),
    [
        ({"type": "integer"}, "no number"),
        ({"type": "string"}, nested("C1", 2000)),
    ],
    ids=["of another type", "nested too deeply"],
)
def test_a_primary_key_that_cannot_be_converted_skips_the_row(
    definition: object, key: object
) -> None:
    stream = dict_records({"properties": {"id": definition}})

    assert stream.convert([{"id": key}], 1) == []
    assert stream.losses.skipped == {"no id": Loss(1, 1, 1)}
    assert stream.losses.nulled == {}
