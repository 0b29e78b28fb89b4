from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from tap_custobar.pages.csv_cells import column_reader
from tests.unit.strategies import EDGE_STRINGS, EDGES, valid_texts


def read(cells: list[str], *types: str) -> list[Any]:
    return list(column_reader({"type": [*types, "null"]})(cells))


@pytest.mark.parametrize(
    ("name", "cells", "values"),
    [
        ("integer", ["1", "", "-7"], [1, UNSET, -7]),
        ("number", ["1", "", "19.90", "1e5"], [1, UNSET, Decimal("19.90"), Decimal("1E+5")]),
        ("boolean", ["true", "", "False"], [True, UNSET, False]),
        ("string", ["true", "", "007"], ["true", UNSET, "007"]),
    ],
)
def test_cells_in_the_notation_of_json_are_read_as_json(
    name: str, cells: list[str], values: list[object]
) -> None:
    assert list(map(repr, read(cells, name))) == list(map(repr, values))


@pytest.mark.parametrize("name", ["integer", "number", "boolean", "string"])
@pytest.mark.parametrize("cell", ["x", "a,b", '["a"]', "null", " ", "007", "1,2", "1e99999", "NaN"])
def test_a_column_with_any_other_cell_is_read_as_strings(name: str, cell: str) -> None:
    assert read(["1", "", cell], name) == ["1", UNSET, cell]


@given(
    st.sampled_from(["string", "integer", "number", "boolean", "array", "object"]),
    st.lists(st.sampled_from([*EDGE_STRINGS, *map(str, EDGES), "null"]) | valid_texts),
)
def test_any_column_has_a_value_for_each_cell(name: str, cells: list[str]) -> None:
    values = read(cells, name)

    assert [value is UNSET for value in values] == [not cell for cell in cells]


@pytest.mark.parametrize(
    ("cell", "elements"),
    [
        ("vip", ["vip"]),
        ("vip,ale", ["vip", "ale"]),
        ("vip, ale", ["vip", " ale"]),
        ("1,2", ["1", "2"]),
        ("a,,b", ["a", "", "b"]),
        ('["vip, b2b", "ale"]', ["vip, b2b", "ale"]),
        ("[vip],ale", ["[vip]", "ale"]),
        ('[{"product_id": "P1", "total": 1.50}]', [{"product_id": "P1", "total": Decimal("1.50")}]),
        ('{"product_id": "P1"}', {"product_id": "P1"}),
        ("null", ["null"]),
        ('"vip"', ['"vip"']),
        ("[" * 5000, ["[" * 5000]),
    ],
)
def test_a_list_is_one_cell_with_commas_or_json(cell: str, elements: object) -> None:
    assert read([cell], "array") == [elements]
    # The same among cells that are written otherwise.
    assert read(["", cell, "x,y", "[1]"], "array") == [UNSET, elements, ["x", "y"], [1]]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("P1,P2", ["P1", "P2"]),
        ('[{"a": 1, "b": 2}]', [{"a": 1, "b": 2}]),
        # Parts of an object that is not JSON would be taken for strings.
        ("[{'a': 1, 'b': 2}]", "[{'a': 1, 'b': 2}]"),
        ('{"a": 1, "b": ', '{"a": 1, "b": '),
    ],
)
def test_something_like_objects_is_not_split(cell: str, value: object) -> None:
    parse = column_reader({"type": ["array", "null"], "items": {"type": "object"}})

    assert parse([cell, ""]) == [value, UNSET]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('{"width": 1.0, "unit": "cm"}', {"width": Decimal("1.0"), "unit": "cm"}),
        ("no object", "no object"),
        ("[1]", [1]),
    ],
)
def test_an_object_is_json(cell: str, value: object) -> None:
    assert read([cell, ""], "object") == [value, UNSET]
    assert read([cell, ""], "string", "array") == [value, UNSET]
    assert read([cell, ""]) == [value, UNSET]
