from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from tap_custobar.records.members import drop_from_record, drop_from_schema
from tests.unit.strategies import json_values

TEXT = {"type": "string"}
ITEMS = {"a": 1, "items": [{"b": 2, "c": 3}, {"c": 4}, 5]}


@pytest.mark.parametrize(
    ("place", "left"),
    [
        (["properties", "a"], {"items": ITEMS["items"]}),
        (["properties", "items", "properties", "c"], {"a": 1, "items": [{"b": 2}, {}, 5]}),
        (["properties", "items", "items", "properties", "c"], {"a": 1, "items": [{"b": 2}, {}, 5]}),
        (["properties", "x"], ITEMS),
        (["properties", "a", "properties", "b"], ITEMS),
        (["items"], ITEMS),
        ([], ITEMS),
    ],
    ids=str,
)
def test_a_property_is_dropped_from_a_record(place: list[str], left: dict[str, Any]) -> None:
    record = copy.deepcopy(ITEMS)

    drop_from_record(record, place)

    assert record == left


@given(json_values)
def test_dropping_a_property_from_any_value_raises_nothing(value: object) -> None:
    drop_from_record(value, ["properties", "a", "items", "properties", "b"])
    drop_from_schema(value, ["properties", "a", "items", "properties", "b"])


@pytest.mark.parametrize(
    ("place", "left"),
    [
        (["properties", "a"], ["list"]),
        (["properties", "list", "items", "properties", "b"], ["a", "list"]),
        (["properties", "list", "properties", "b"], ["a", "list"]),
        (["properties", "x"], None),
        (["properties", "a", "properties", "b"], None),
        (["items", "properties", "a"], None),
    ],
    ids=str,
)
def test_a_property_is_dropped_from_the_schema(place: list[str], left: list[str] | None) -> None:
    member = {"type": "object", "properties": {"b": TEXT, "c": TEXT}}
    before = {"properties": {"a": TEXT, "list": {"type": "array", "items": member}}}
    schema: dict[str, Any] = copy.deepcopy(before)

    drop_from_schema(schema, place)

    if left is None:
        assert schema == before
        return
    assert [*schema["properties"]] == left
    has_b = "b" in schema["properties"]["list"]["items"]["properties"]
    assert has_b is (place[-1] != "b")
