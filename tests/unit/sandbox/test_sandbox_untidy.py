"""`--untidy`: every case of untidy data, the same in every response, and no other change."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.sandbox import untidy
from tap_custobar.sandbox.customers import customers
from tap_custobar.sandbox.events import events
from tap_custobar.sandbox.products import products
from tap_custobar.sandbox.sales import sales

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.unit.sandbox.conftest import Sandbox

    Start = Callable[..., AbstractContextManager[Sandbox]]

STREAMS = {
    "customers": customers(300),
    "products": products(150),
    "sales": sales(150, shape="rows"),
    "events": events(300),
}
SIZES = (
    *("--customers=300", "--products=150", "--sales=150", "--events=300", "--campaigns=150"),
    "--sales-shape=rows",
)
LISTS = {
    "customers": "tags",
    "products": "tags",
    "sales": "sale_coupon_codes",
    "events": "mailing_lists",
}
QUERIES = {
    "customers": {"language": "fi", "order": "-shop_id,tags"},
    "products": {"language": "fi", "order": "-shop_id,tags"},
    "sales": {"sale_shop_id": "helsinki", "order": "-product_id,sale_coupon_codes"},
    "events": {"type": "BROWSE", "order": "-path,date"},
}

every_stream = pytest.mark.parametrize("stream", STREAMS)

HUGE = 123456789012345678901234567890
STRING = [1000, Decimal("12.50"), HUGE, True, False, ["a", 1], "\ud83d", "", None]
STRING += [{"a": [Decimal("1.50"), "ä"]}]
INTEGER = [Decimal("1000.0"), "1000", 9007199254740993, "12,50", "", None]
LIST = ["a", 7, ["a", ["b", ["c"]]], ["a", 1, Decimal("12.50"), True], ["a", None], "", None]
CASES: dict[str, list[Any]] = {
    "boolean": ["TRUE", "false", 0, 1, "0", "1", "maybe", "", None],
    "date": ["1999-12-31T00:00:00", "31.12.1999", "", None],
    "datetime": [
        "2024-03-31T03:30:00",
        "2024-10-27T03:30:00",
        "2024-03-31",
        "2024-05-01T12:34:56+03:00",
        "2024-05-01T12:34:56-0530",
        "2024-05-01T12:34:56z",
        "2024-05-01 12:34:56Z",
        "2024-05-01T12:34:56.123456789Z",
        "yesterday",
        "2016-12-31T25:59:00Z",
        "2023-02-30",
        "",
        None,
    ],
    "number": ["19.90", Decimal("0.1234567890123456789012345"), "n/a", "", None],
    "object": ["no object", "", None],
    **dict.fromkeys(["integer", "money"], INTEGER),
    **dict.fromkeys(["list", "set", "category", "category_id"], LIST),
    "stock": [
        {"shop_id": "helsinki", "quantity": 1},
        [{"shop_id": 7, "quantity": "1.50"}],
        [{"shop_id": "helsinki"}, "no object"],
        "",
        None,
    ],
}
UNFIT: list[Any] = ["12,50", "maybe", "31.12.1999", "n/a", "no object", ["a", None]]
UNFIT += ["yesterday", "2016-12-31T25:59:00Z", "2023-02-30", [{"shop_id": "helsinki"}, "no object"]]


@pytest.fixture(scope="module")
def sandbox(start: Start) -> Iterator[Sandbox]:
    with start(*SIZES, "--untidy") as running:
        yield running


@pytest.fixture(scope="module")
def tidy(start: Start) -> Iterator[Sandbox]:
    with start(*SIZES) as running:
        yield running


def page(sandbox: Sandbox, path: str, **query: Any) -> dict[str, Any]:
    reply = sandbox.get(path, query)
    assert reply.status_code == 200
    content: dict[str, Any] = json.loads(reply.content.decode("utf-8-sig"), parse_float=Decimal)
    return content


def rows(sandbox: Sandbox, stream: str, **query: Any) -> list[Any]:
    found: list[Any] = page(sandbox, f"{stream}/", limit=1000, **query)[stream]
    return found


def is_record(row: object, stream: str) -> bool:
    keys = STREAMS[stream].keys
    return isinstance(row, dict) and all(row.get(key) not in (None, "") for key in keys)


def records(sandbox: Sandbox, stream: str, **query: Any) -> list[dict[str, Any]]:
    return [row for row in rows(sandbox, stream, **query) if is_record(row, stream)]


def kinds(stream: str) -> dict[str, str]:
    """Return the kind of each field in the table above: mostly its type."""
    special = {"stock", "category", "category_id"}
    portions = (STREAMS[stream].own, *STREAMS[stream].shared)
    return {
        field.name: field.name if field.name in special else field.type
        for portion in portions
        for field in portion
    }


def value_counts(sandbox: Sandbox, stream: str) -> dict[str, Counter[str]]:
    """Return by field how often its values occur; `repr` distinguishes 1, 1.0 and true."""
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for row in records(sandbox, stream):
        for name, value in row.items():
            values[name][repr(value)] += 1
    return values


@every_stream
def test_every_field_gets_every_case_of_its_type(sandbox: Sandbox, stream: str) -> None:
    values = value_counts(sandbox, stream)
    for name, kind in kinds(stream).items():
        if name not in (*STREAMS[stream].keys, "acme__unused"):
            assert {repr(case) for case in CASES.get(kind, STRING)} <= values[name].keys(), name
    assert "acme__unused" not in values


@every_stream
def test_each_row_has_few_untidy_values(sandbox: Sandbox, tidy: Sandbox, stream: str) -> None:
    pairs = list(zip(rows(sandbox, stream), rows(tidy, stream), strict=True))
    for row, was in pairs:
        if is_record(row, stream):
            assert was.keys() <= row.keys()
            assert sum(was.get(name, "absent") != row[name] for name in row) <= 3
    same = sum(row == was for row, was in pairs)
    assert same < 0.1 * len(pairs)


@every_stream
def test_some_rows_are_not_records_and_are_counted(
    sandbox: Sandbox, tidy: Sandbox, stream: str
) -> None:
    found = rows(sandbox, stream)
    odd = [row for row in found if not is_record(row, stream)]
    keys = [row.get("external_id", "absent") for row in odd if isinstance(row, dict)]
    if STREAMS[stream].keys:
        assert {type(row) for row in odd} == {str, type(None), list, dict}
        assert {*keys} == {"absent", None, ""}
    else:
        assert {type(row) for row in odd} == {str, type(None), list}
    assert len(odd) == untidy.skipped(STREAMS[stream])

    whole = page(tidy, f"{stream}/", limit=1000)
    assert page(sandbox, f"{stream}/", limit=1000)["count"] == whole["count"] == len(found)


@pytest.mark.parametrize("stream", ["customers", "products", "sales"])
def test_some_keys_are_numbers_and_no_two_are_equal(sandbox: Sandbox, stream: str) -> None:
    keys = [row["external_id"] for row in records(sandbox, stream)]
    assert {type(key) for key in keys} == {str, int}
    assert len({str(key) for key in keys}) == len(keys)


@every_stream
def test_invalid_values_are_counted_by_field(sandbox: Sandbox, stream: str) -> None:
    counts = {
        name: sum(values[repr(value)] for value in UNFIT)
        for name, values in value_counts(sandbox, stream).items()
    }
    assert untidy.unfit(STREAMS[stream]) == {name: count for name, count in counts.items() if count}
    assert sum(counts.values()) > 20


@every_stream
def test_every_response_has_the_same_rows(sandbox: Sandbox, start: Start, stream: str) -> None:
    whole = rows(sandbox, stream)
    with start(*SIZES, "--untidy") as other:
        assert rows(other, stream) == whole

    paged: list[Any] = []
    path: str | None = f"{stream}/?limit=40"
    while path:
        content = page(sandbox, path)
        paged += content[stream]
        path = content.get("next_url")
    assert paged == whole
    if "external_id" in STREAMS[stream].keys:
        assert rows(sandbox, stream, order="-external_id") == whole[::-1]


@every_stream
def test_filters_and_order_use_tidy_values(sandbox: Sandbox, tidy: Sandbox, stream: str) -> None:
    keys = [str(row) for row in rows(tidy, stream)]
    whole = dict(zip(keys, rows(sandbox, stream), strict=True))
    query = QUERIES[stream]
    found = [str(row) for row in rows(tidy, stream, **query)]
    assert 0 < len(found) < len(whole)
    assert rows(sandbox, stream, **query) == [whole[key] for key in found]


@every_stream
def test_the_first_and_every_second_page_has_a_byte_order_mark(
    sandbox: Sandbox, stream: str
) -> None:
    marks = []
    url: str | None = f"{stream}/?limit=40"
    while url:
        reply = sandbox.get(url)
        marks.append(reply.content.startswith(BOM_UTF8))
        url = reply.headers.get("X-Custobar-Next-Url")
    assert marks == [number % 2 == 0 for number in range(len(marks))]
    assert len(marks) > 3


def test_strings_are_sent_escaped_and_numbers_with_every_digit(sandbox: Sandbox) -> None:
    body = sandbox.get("customers/", {"limit": 300}).content
    for text in (rb'"\ud83d"', b":12.50,", b":0.1234567890123456789012345,", b":1000.0,"):
        assert text in body


@every_stream
def test_csv_and_errors_stay_tidy(sandbox: Sandbox, tidy: Sandbox, stream: str) -> None:
    for query in ({}, {"fields": "tags,acme__note"}):
        replies = [each.get(f"{stream}/", {"format": "csv", **query}) for each in (sandbox, tidy)]
        assert replies[0].content == replies[1].content
    header = next(csv.reader(sandbox.get(f"{stream}/?format=csv").text.splitlines()))
    assert "surprise" not in header
    replies = [each.get(f"{stream}/", "limit=0") for each in (sandbox, tidy)]
    assert [reply.content for reply in replies] == [replies[1].content] * 2


@every_stream
def test_a_property_without_a_field_comes_only_where_no_fields_are_named(
    sandbox: Sandbox, stream: str
) -> None:
    def names(**query: Any) -> set[str]:
        return {name for record in records(sandbox, stream, **query) for name in record}

    everything = set(STREAMS[stream].properties) - {"acme__unused"}
    assert names() == names(fields="") == everything | {"surprise"}
    assert names(fields=",".join(STREAMS[stream].properties)) == everything
    list_ = LISTS[stream]
    assert names(fields=f"{list_},surprise") == {*STREAMS[stream].keys, list_}


@every_stream
def test_fields_leave_the_values_as_they_are(sandbox: Sandbox, stream: str) -> None:
    expected = [
        {name: row[name] for name in row if name in (*STREAMS[stream].keys, LISTS[stream])}
        if isinstance(row, dict)
        else row
        for row in rows(sandbox, stream)
    ]
    assert rows(sandbox, stream, fields=LISTS[stream]) == expected


def test_campaigns_are_untidy_too(sandbox: Sandbox, tidy: Sandbox) -> None:
    path = f"{sandbox.url}/campaign/actions/"
    found = page(sandbox, path, limit=150)["campaigns"]
    was = page(tidy, path.replace(sandbox.url, tidy.url), limit=150)["campaigns"]
    assert sum(row != tidy_row for row, tidy_row in zip(found, was, strict=True)) > 140
    assert "no object" in [row.get("stats") for row in found if isinstance(row, dict)]
