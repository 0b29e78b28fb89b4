from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tap_custobar.pages.cells import cell_reader


def read(cell: str, *types: str) -> Any:  # noqa: ANN401 - any JSON value
    reader = cell_reader({"type": [*types, "null"]})
    return cell if reader is None else reader(cell)


@pytest.mark.parametrize("name", ["string", "integer", "number", "boolean"])
@pytest.mark.parametrize("cell", ["1", "true", "a,b", '["a"]', "null", " "])
def test_a_single_value_is_the_text_of_its_cell(name: str, cell: str) -> None:
    assert read(cell, name) == cell


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
    assert read(cell, "array") == elements


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('{"width": 1.0, "unit": "cm"}', {"width": Decimal("1.0"), "unit": "cm"}),
        ("no object", "no object"),
        ("[1]", [1]),
    ],
)
def test_an_object_is_json(cell: str, value: object) -> None:
    assert read(cell, "object") == value
    assert read(cell, "string", "array") == value
    assert read(cell) == value
