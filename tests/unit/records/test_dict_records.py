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


def conformer(
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


def test_keys_leave_in_schema_order_and_records_in_their_own() -> None:
    rows = [{"tags": [1], "price": 5, "id": "b"}, {"must": True, "id": "a"}]

    records = conformer().convert(rows, 1)

    assert [list(record.items()) for record in records] == [
        [("id", "b"), ("price", 5), ("tags", [1])],
        [("id", "a"), ("must", True)],
    ]


def test_what_is_left_out_stays_out_and_null_stays_null() -> None:
    assert conformer().convert([{"id": "a", "price": None, "tags": ""}, {"id": "b"}], 1) == [
        {"id": "a", "price": None, "tags": None},
        {"id": "b"},
    ]


def test_the_zone_is_that_of_the_stream() -> None:
    row = {"id": "a", "seen": "2024-02-29"}

    assert conformer(zone="Europe/Helsinki").convert([row], 1) == [
        {"id": "a", "seen": "2024-02-28T22:00:00Z"}
    ]


@pytest.mark.parametrize(
    ("key", "text"),
    [(7, "7"), (0, "0"), (10**30, str(10**30)), (Decimal("1.50"), "1.50"), (False, "false")],
)
def test_a_key_that_is_no_text_becomes_one(key: object, text: str) -> None:
    stream = conformer()

    assert stream.convert([{"id": key}], 1) == [{"id": text}]
    assert not stream.losses.skipped


def test_rows_that_are_no_records_are_skipped_and_counted_by_reason() -> None:
    stream = conformer()
    assert stream.convert([{"id": "a"}], 1) == [{"id": "a"}]

    rows = [None, {"id": "b"}, {"id": None}, [{"id": "c"}], {"id": ""}, {}, 5, "d", True]

    assert stream.convert(rows, 2) == [{"id": "b"}]
    assert stream.losses.skipped == {"not an object": Loss(5, 2, 1), "no id": Loss(3, 2, 3)}
    assert not stream.losses.nulled


def test_every_one_of_several_keys_is_needed() -> None:
    stream = conformer(keys=("id", "seen"))

    assert stream.convert([{"id": "a"}, {"seen": "2024-02-29"}], 1) == []
    assert stream.losses.skipped == {"no id, seen": Loss(2, 1, 1)}


def test_what_does_not_fit_becomes_null_and_is_counted_with_its_first_place() -> None:
    stream = conformer()
    good: list[dict[str, object]] = [{"id": "a", "price": 5, "must": True}] * 2

    stream.convert(good, 1)
    second = stream.convert([*good, {"id": "b", "price": "x"}], 2)
    third = stream.convert([{"id": "c", "price": 1.5, "must": "x"}, {"id": "d", "price": []}], 3)

    assert second[-1] == {"id": "b", "price": None}
    assert third == [{"id": "c", "price": None}, {"id": "d", "price": None}]
    assert stream.losses.nulled == {"price": Loss(3, 2, 3), "must": Loss(1, 3, 1)}


def test_what_may_not_be_null_is_left_out() -> None:
    stream = conformer()

    assert stream.convert([{"id": "a", "must": None}, {"id": "b", "must": "x"}], 1) == [
        {"id": "a"},
        {"id": "b"},
    ]
    assert stream.losses.nulled == {"must": Loss(2, 1, 1)}


def test_parts_lost_of_one_value_are_one_loss_of_its_field() -> None:
    stream = conformer()
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


def test_nesting_without_end_costs_one_value_only() -> None:
    stream = conformer()

    records = stream.convert([{"id": "a", "tags": nested(1, 100_000), "price": 5}], 1)

    assert records == [{"id": "a", "price": 5, "tags": None}]
    assert stream.losses.nulled == {"tags": Loss(1, 1, 1)}


def test_an_empty_text_and_null_are_no_loss() -> None:
    stream = conformer()
    stream.convert([{"id": "a", "price": "", "tags": None, "seen": "", "stock": ""}], 1)

    assert not stream.losses.nulled


def test_deselected_properties_are_dropped_silently() -> None:
    stream = conformer(selected=["id", "price"])

    assert stream.convert([{"id": "a", "price": 1, "tags": ["x"], "must": "x"}], 1) == [
        {"id": "a", "price": 1}
    ]
    assert not stream.losses.nulled
    assert not stream.losses.unknown


def test_properties_that_the_schema_does_not_have_are_named_without_their_values() -> None:
    stream = conformer()
    stream.note_unknown({"id", "shoe", "age", "price"})

    records = stream.convert([{"id": "a", "shoe": 1}, {"id": "b"}, {"id": "c", "age": "SECRET"}], 1)

    assert records == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert stream.losses.unknown == {"shoe", "age"}
    assert "SECRET" not in repr(stream.losses)


def test_the_rows_themselves_are_left_as_they_came() -> None:
    row = {"id": 1, "stock": [{"n": "x"}], "tags": ["1"]}
    before = json.dumps(row)

    conformer().convert([row], 1)

    assert json.dumps(row) == before


def test_a_text_for_a_list_of_texts_is_one_in_the_shipped_schema() -> None:
    stream = conformer(SCHEMAS["products"], keys=("external_id",))

    assert stream.convert([{"external_id": 1, "category": "books", "category_id": [["1"]]}], 1) == [
        {"external_id": "1", "category": ["books"], "category_id": ["1"]}
    ]


def line_of(record: dict[str, Any]) -> bytes:
    return encode(record)


def leaves(line: bytes, schema: dict[str, Any]) -> None:
    """Check what a target would read: strict JSON in UTF-8 that fits the schema."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    record = json.loads(line.decode("utf-8"), parse_constant=refuse)
    Draft202012Validator(schema, format_checker=formats).validate(record)
    json.dumps(record, ensure_ascii=False).encode()  # half a surrogate pair would not encode


def check(schema: dict[str, Any], rows: list[dict[str, object]], key: str) -> None:
    stream = conformer(schema, keys=(key,))
    records = stream.convert(rows, 1)
    lines = [line_of(record) for record in records]
    for line in lines:
        leaves(line, schema)
        assert b"\n" not in line

    again = conformer(schema, keys=(key,))
    assert [line_of(record) for record in again.convert(records, 1)] == lines
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
def test_any_row_leaves_as_the_shipped_schema_says(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    key = schema["required"][0]

    check({**schema, "required": [key]}, data.draw(rows_of(schema, key)), key)


@given(st.dictionaries(st.sampled_from("abcdef"), schemas, min_size=1), st.data())
def test_any_row_leaves_as_any_schema_says(
    properties: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, **properties}}

    check({**schema, "required": ["id"]}, data.draw(rows_of(schema, "id")), "id")


@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_a_record_that_fits_leaves_as_it_came(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    properties: dict[str, Any] = schema["properties"]
    key = next(iter(properties))
    record = data.draw(
        st.fixed_dictionaries(
            {key: valid_texts.filter(bool)},
            optional={n: fitting(d) for n, d in properties.items() if n != key},
        )
    )
    stream = conformer(schema, keys=(key,), zone="Europe/Helsinki")

    [result] = stream.convert([record], 1)

    in_order = {n: record[n] for n in properties if n in record}
    assert line_of(result) == encode(in_order)
    assert not stream.losses.nulled


@given(st.lists(json_values))
def test_any_list_is_a_page(rows: list[object]) -> None:
    stream = conformer()

    records = stream.convert(rows, 1)

    skipped = sum(loss.count for loss in stream.losses.skipped.values())
    assert len(records) + skipped == len(rows)


def test_a_text_with_a_character_that_no_target_takes_is_counted_with_its_first_place() -> None:
    properties = {"id": {"type": "string"}, "name": {"type": ["string", "null"]}, "any": {}}
    stream = conformer({"properties": properties})

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
def test_a_key_that_would_be_another_skips_the_record(key: str) -> None:
    stream = conformer()

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
    ids=["of another type", "deeper than can be told"],
)
def test_a_key_that_cannot_be_kept_skips_the_record(definition: object, key: object) -> None:
    stream = conformer({"properties": {"id": definition}})

    assert stream.convert([{"id": key}], 1) == []
    assert stream.losses.skipped == {"no id": Loss(1, 1, 1)}
    assert stream.losses.nulled == {}
