from __future__ import annotations

from decimal import Decimal
from typing import Any

from tap_custobar.records.surrogate_keys import digests


def test_equal_records_have_equal_digests_in_whatever_order_they_are_told() -> None:
    one, other = digests([{"a": 1, "b": Decimal("1.50")}, {"b": Decimal("1.50"), "a": 1}])

    assert one == other
    assert len(one) == 64


def test_what_csv_cannot_tell_apart_makes_no_difference() -> None:
    assert len(set(digests([{"a": 1}, {"a": 1, "b": None}, {"a": 1, "b": ""}]))) == 1


def test_records_that_differ_have_different_digests() -> None:
    records: list[dict[str, Any]] = [
        {"a": 1},
        {"a": "1"},
        {"b": 1},
        {"a": 0},
        {"a": False},
        {"a": []},
        {},
    ]

    assert len(set(digests(records))) == len(records)
