from __future__ import annotations

import logging
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from tap_custobar.errors import FilterIgnoredError
from tap_custobar.records.filter_check import FilterCheck
from tap_custobar.records.schema import SelectedSchema

PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "city": {"type": ["string", "null"]},
    "born": {"type": ["string", "null"], "format": "date-time"},
    "is_member": {"type": ["boolean", "null"]},
    "visits": {"type": ["integer", "null"]},
    "spent": {"type": ["number", "null"]},
    "tags": {"type": ["array", "null"], "items": {"type": "string"}},
    "deselected": {"type": "string"},
}
SELECTED = [name for name in PROPERTIES if name != "deselected"]


def check_of(filters: dict[str, str]) -> FilterCheck:
    schema = SelectedSchema(PROPERTIES, SELECTED, ["id"], UTC, compared=SELECTED)
    return FilterCheck("customers", filters, schema, logging.getLogger("test"))


def check(name: str, wanted: str, *came: object) -> None:
    values = {name: came}
    check_of({name: wanted}).check(lambda asked: values[asked])


SAME: list[tuple[str, str, object]] = [
    ("id", "A1", "A1"),
    ("id", " a1", "A1 "),
    ("city", "Oulu", "OULU"),
    ("city", "Oulu (FI)", "oulu-fi"),
    ("born", "2024-01-31T02:00:00+02:00", "2024-01-31T00:00:00Z"),
    ("is_member", "TRUE ", True),
    ("is_member", "0", False),
    ("visits", "5", 5),
    ("visits", "5.0", 5),
    ("spent", "5", Decimal("5.00")),
    ("tags", "a", ["b", "A"]),
    ("tags", "a", []),
    # A filter that has no value of the type proves nothing.
    ("is_member", "perhaps", False),
    ("visits", "many", 5),
    ("visits", "NaN", 5),
    *((name, "true", None) for name in SELECTED),
]
OTHER_TEXT: list[tuple[str, str, object]] = [
    ("city", "Oulu", "Turku"),
    ("born", "2024-01-31", "2024-01-30T00:00:00Z"),
    ("tags", "red", ["blue", "green"]),
]
PROOF: list[tuple[str, str, object]] = [
    ("id", "A1", "A2"),
    ("is_member", "true", False),
    ("is_member", "0", True),
    ("visits", "5", 6),
    ("spent", "5.0", Decimal("5.01")),
    ("city", "true", "False"),  # a boolean of the company's own, not declared
]


@pytest.mark.parametrize(("name", "wanted", "came"), SAME, ids=str)
def test_values_the_api_may_consider_equal_are_accepted(
    name: str, wanted: str, came: object, caplog: pytest.LogCaptureFixture
) -> None:
    check(name, wanted, came)

    assert caplog.messages == []


@pytest.mark.parametrize(("name", "wanted", "came"), OTHER_TEXT, ids=str)
def test_another_string_is_logged_once_without_showing_it(
    name: str, wanted: str, came: object, caplog: pytest.LogCaptureFixture
) -> None:
    checking = check_of({name: wanted})
    for _ in range(2):
        checking.check(lambda _: [wanted, came])

    [line] = caplog.messages
    assert line.startswith(f"stream_options.customers.filters.{name}: ")
    assert wanted not in line.split()
    assert str(came) not in line


@pytest.mark.parametrize(("name", "wanted", "came"), PROOF, ids=str)
def test_a_value_that_proves_a_filter_without_effect_raises(
    name: str, wanted: str, came: object
) -> None:
    with pytest.raises(FilterIgnoredError, match=rf"customers\.filters\.{name}") as raised:
        check(name, wanted, None, came)

    assert str(came) not in str(raised.value)


def test_a_filter_on_a_missing_property_is_not_checked() -> None:
    assert not check_of({"deselected": "x", "unknown": "y"})
    assert check_of({"deselected": "x", "city": "y"})
