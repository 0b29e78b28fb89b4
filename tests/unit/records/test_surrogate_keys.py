from __future__ import annotations

from decimal import Decimal
from typing import Any

from tap_custobar.records.surrogate_keys import surrogate_keys


def test_equal_records_have_equal_keys_in_any_property_order() -> None:
    one, other = surrogate_keys([{"a": 1, "b": Decimal("1.50")}, {"b": Decimal("1.50"), "a": 1}])

    assert one == other
    assert len(one) == 64


def test_values_that_csv_cannot_distinguish_have_equal_keys() -> None:
    assert len(set(surrogate_keys([{"a": 1}, {"a": 1, "b": None}, {"a": 1, "b": ""}]))) == 1


def test_records_that_differ_have_different_surrogate_keys() -> None:
    records: list[dict[str, Any]] = [
        {"a": 1},
        {"a": "1"},
        {"b": 1},
        {"a": 0},
        {"a": False},
        {"a": []},
        {},
    ]

    assert len(set(surrogate_keys(records))) == len(records)
