"""Requests of every stream of the data API, and of both shapes of sales."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.sandbox.sales import sales
from tests.unit.sandbox.conftest import COUNTS, csv_cell

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandbox

SOURCES = {
    "customers": ("sandbox", "customers", ["external_id"], "date_joined"),
    "products": ("later_sandbox", "products", ["external_id"], "date"),
    "sales": ("sandbox", "sales", ["external_id"], "date"),
    "rows of sales": ("rows_sandbox", "sales", ["external_id", "sale_external_id"], "sale_date"),
    "later sales": ("later_sandbox", "sales", ["external_id"], "date"),
    "events": ("sandbox", "events", [], "date"),
    "later events": ("later_sandbox", "events", [], "date"),
}
DELIMITERS = {"sandbox": ",", "rows_sandbox": ";", "later_sandbox": "\t"}


@dataclass
class Source:
    """A stream of a sandbox, and all its records."""

    sandbox: Sandbox
    stream: str
    keys: list[str]
    date: str
    delimiter: str

    def records(self, **query: Any) -> list[dict[str, Any]]:
        return self.sandbox.records(self.stream, **{"limit": 10_000, **query})


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    fixture, stream, keys, date = SOURCES[request.param]
    return Source(request.getfixturevalue(fixture), stream, keys, date, DELIMITERS[fixture])


def paged(source: Source, **query: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    url: str | None = f"{source.stream}/"
    while url:
        reply = source.sandbox.get(url, query)
        records += reply.json()[source.stream]
        url, query = reply.json().get("next_url"), {}
        assert reply.headers.get("X-Custobar-Next-Url") == url
    return records


def texts(records: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(each, sort_keys=True) for each in records]


@pytest.mark.parametrize("order", ["", "{date}", "-{date}", "acme__legacy_code,-{date}"])
def test_pages_cover_every_record_once_and_in_order(source: Source, order: str) -> None:
    order = order.format(date=source.date)
    whole = source.records()
    ordered = source.records(order=order)
    assert paged(source, limit=97, order=order) == ordered
    assert sorted(texts(ordered)) == sorted(texts(whole))
    if order.endswith(source.date) and "," not in order:
        dates = [each[source.date].removesuffix("Z") for each in ordered]
        assert dates == sorted(dates, reverse=order.startswith("-"))


def test_filters_give_exactly_the_records_that_have_the_value(source: Source) -> None:
    whole = source.records()
    example = whole[len(whole) // 2]
    for name in (source.date, *source.keys, *(each for each in example if "acme__" in each)):
        value = example[name]
        if isinstance(value, str):
            found = source.records(**{name: value})
            assert found == [each for each in whole if each.get(name) == value]
            newest_first = source.records(**{name: value}, order=f"-{source.date}")
            assert sorted(texts(newest_first)) == sorted(texts(found))


def test_fields_are_the_keys_and_those_named(source: Source) -> None:
    names = {*source.keys, source.date, "acme__legacy_code"}
    expected = [{name: each[name] for name in each if name in names} for each in source.records()]
    assert source.records(fields=f"{source.date},acme__legacy_code,no_such_field") == expected


def test_csv_has_the_values_of_json(source: Source) -> None:
    reply = source.sandbox.get(f"{source.stream}/", {"limit": 10_000, "format": "csv"})
    lines = reply.content.decode().splitlines(keepends=True)
    header, *rows = csv.reader(lines, delimiter=source.delimiter)

    records = source.records()
    assert rows == [[csv_cell(each[n]) if n in each else "" for n in header] for each in records]
    assert {name for each in records for name in each} <= set(header)


def test_list_elements_have_no_comma_and_are_not_empty(source: Source) -> None:
    lists = [value for each in source.records() for value in each.values() if type(value) is list]
    assert lists
    for elements in lists:
        assert elements
        assert not [each for each in elements if isinstance(each, str) and "," in each]


def test_a_day_later_no_record_is_missing_and_only_states_have_changed(
    sandbox: Sandbox, later_sandbox: Sandbox
) -> None:
    def without_state(record: dict[str, Any]) -> dict[str, Any]:
        return {name: record[name] for name in record if name != "state"}

    for stream, grows in (("customers", 0), ("products", 0), ("sales", 1), ("events", 1)):
        then = sandbox.records(stream, limit=10_000)
        now = later_sandbox.records(stream, limit=10_000)
        assert (len(now) > len(then)) == grows
        if stream == "sales":
            changed = sum(a["state"] != b["state"] for a, b in zip(then, now, strict=False))
            assert 0 < changed < len(then)
            assert [*map(without_state, now[: len(then)])] == [*map(without_state, then)]
        else:
            assert now[: len(then)] == then
        if grows:
            newest = max(each["date"] for each in then)
            late = [each for each in now[len(then) :] if each["date"] < newest]
            assert 0 < len(late) < len(now) - len(then)


def test_rows_have_the_states_of_their_sales(later_sandbox: Sandbox) -> None:
    found = later_sandbox.records("sales", limit=10_000)
    states = {each["external_id"]: each["state"] for each in found}
    rows = sales(COUNTS["sales"], day=3, shape="rows")
    own = list(rows.records(range(rows.size), ("sale_external_id", "sale_state")))
    assert {each["sale_external_id"] for each in own} == states.keys()
    assert all(each["sale_state"] == states[str(each["sale_external_id"])] for each in own)
