"""Incremental streams: every new record is read, in whatever order the server sends records."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.catalogs import catalog, incremental, replicate
from tests.conftest import entry_of, started_sandbox
from tests.pages import serve_pages
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.behaviour.conftest import Start
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Server

Rows = list[dict[str, Any]]


def day(number: float | None) -> str | None:
    """Return the timestamp of a day of January 2024, which may have a fraction; None for None."""
    return None if number is None else f"2024-01-{int(number):02}T{number % 1 * 24:02.0f}:00:00Z"


def state(value: object, key: str = "date", **more: object) -> dict[str, Any]:
    """Return a state in which products were read up to a value."""
    bookmark = {"replication_key": key, "replication_key_value": value, **more}
    return {"bookmarks": {"products": bookmark}}


def rows_of(pages: Sequence[Sequence[object]]) -> list[Rows]:
    """Return pages of products with the given dates, each with a different primary key."""
    return [
        [
            {"external_id": f"P{number}-{index}", **({} if date is None else {"date": date})}
            for index, date in enumerate(page)
        ]
        for number, page in enumerate(pages)
    ]


@dataclass
class Read:
    """A run that read products."""

    run: Run
    requests: int

    @property
    def dates(self) -> list[str | None]:
        return [record.get("date") for record in self.run.records("products")]

    @property
    def bookmark(self) -> dict[str, Any]:
        bookmark: dict[str, Any] = self.run.state["bookmarks"]["products"]
        return bookmark

    @property
    def bookmark_value(self) -> str | None:
        """The replication-key value of the bookmark."""
        value = self.bookmark.get("replication_key_value")
        assert value is None or isinstance(value, str)
        return value

    def warned(self, text: str) -> bool:
        return sum(text in warning for warning in self.run.warnings) == 1

    @property
    def is_silent(self) -> bool:
        return not self.run.warnings + self.run.errors


@pytest.fixture
def read(run_tap: RunTap, server: Server) -> Callable[..., Read]:
    """Read products incrementally from a server whose pages have the given dates."""

    def read(
        pages: Sequence[Sequence[object]],
        state: object = None,
        *,
        selected: object = None,
        fails_at: int | None = None,
        **settings: object,
    ) -> Read:
        # In this order, regardless of the requested one.
        served, count = rows_of(pages), sum(map(len, pages))
        failure = {} if fails_at is None else {fails_at: lambda: Reply(status=400)}
        serve_pages(server, *served, stream="products", count=count, at=failure)
        server.requests.clear()
        config = {**server.config, **settings}
        run = run_tap(config, catalog=selected or incremental("products"), state=state)
        return Read(run, len(server.requests))

    return read


UNORDERED = "does not return the latest date first"


@pytest.mark.parametrize(
    ("pages", "new", "requests", "warned"),
    [
        pytest.param([[12, 11], [10, 9], [8, 7], [6, 5]], [12, 11, 10, 9], 3, False, id="ordered"),
        pytest.param(
            [[12, 10], [10, 9], [9, 9], [9, 8], [8, 8], [8, 7]],
            [12, 10, 10, 9, 9, 9, 9],
            5,
            False,
            id="equal dates on two pages",
        ),
        pytest.param([[5, 6], [7, 8], [9, 10], [11, 12]], [9, 10, 11, 12], 4, True, id="ascending"),
        pytest.param([[12, 3], [7, 6], [5, 4], [11, 2]], [12, 11], 4, True, id="no order"),
        pytest.param(
            [[12, 10], [11, 9], [8, 7], [6, 10]],
            [12, 10, 11, 9, 10],
            4,
            True,
            id="wrong order between pages",
        ),
        pytest.param([[8, 8], [8, 8], [12, 11]], [12, 11], 3, True, id="old equal dates first"),
        pytest.param([[8, 7], [6, 5]], [], 2, False, id="no record of the bookmark"),
        pytest.param([[10, 7], [6, 5], [4]], [10], 2, False, id="nothing new"),
        pytest.param(
            [[None, None], [12, None], [None, None], [10, 8], [None, 7], [6, 5]],
            [None, None, 12, None, None, None, 10, None],
            5,
            False,
            id="records without a date",
        ),
        pytest.param([[12], [], [8], [11]], [12], 3, False, id="an empty page"),
    ],
)
def test_reading_stops_after_the_new_records_if_the_order_is_correct(
    read: Callable[..., Read],
    pages: list[list[float | None]],
    new: list[float | None],
    requests: int,
    *,
    warned: bool,
) -> None:
    result = read([list(map(day, page)) for page in pages], state(day(10)))

    assert result.run.exit_code == 0
    assert result.dates == list(map(day, new))
    assert result.requests == requests
    assert result.warned(UNORDERED) == warned
    assert result.is_silent != warned
    assert result.bookmark_value == max(filter(None, map(day, [10, *new])))


def test_the_latest_records_are_requested_first(read: Callable[..., Read], server: Server) -> None:
    selected = incremental("products")
    for item in entry_of(selected, "products")["metadata"]:
        if item["breadcrumb"]:
            item["metadata"]["selected"] = item["breadcrumb"][1] == "title"

    result = read([[day(12)]], selected=selected)

    query = dict(server.requests[0].query)
    assert set(query["fields"].split(",")) == {"external_id", "title", "date"}
    assert query["order"] == "-date"
    schema = result.run.of_type("SCHEMA")[0]
    assert schema["bookmark_properties"] == ["date"]
    assert set(schema["schema"]["properties"]) == {"external_id", "title", "date"}


def test_late_records_are_read_only_within_lookback_days(read: Callable[..., Read]) -> None:
    pages = [[day(12), day(6), day(5.5)], [day(5), day(4)]]

    assert read(pages, state(day(10.5)), lookback_days=5).dates == [day(12), day(6), day(5.5)]
    assert read(pages, state(day(10.5)), lookback_days=0).dates == [day(12)]


def test_timestamps_are_compared_regardless_of_the_digits_of_their_fractions(
    read: Callable[..., Read],
) -> None:
    noon = "2024-01-10T12:00:00"
    dates = [f"{noon}.500001Z", f"{noon}.5Z", f"{noon}.50Z", f"{noon}.4999Z", f"{noon}Z"]

    first = read([dates], state(f"{noon}.500Z"), lookback_days=0)
    without = read([[f"{noon}Z", "2024-01-10T11:59:59.999Z"]], state(f"{noon}Z"), lookback_days=0)

    assert first.dates == dates[:3]
    assert first.is_silent
    assert first.bookmark_value == dates[0]
    assert without.dates == [f"{noon}Z"]


def test_dates_without_a_timezone_are_in_the_configured_one(read: Callable[..., Read]) -> None:
    dates = ["2024-01-10T02:00:00", "2024-01-09T23:59:00Z", "2024-01-10T01:59:00"]

    result = read(
        [dates],
        state("2024-01-10T02:00:00"),
        lookback_days=0,
        timezone="Europe/Helsinki",
    )

    assert result.dates == ["2024-01-10T00:00:00Z"]
    assert result.bookmark_value == "2024-01-10T00:00:00Z"
    assert result.is_silent


def test_an_interrupted_run_does_not_move_the_bookmark_and_no_record_is_lost(
    read: Callable[..., Read],
) -> None:
    pages = [[day(14), day(13)], [day(12), day(11)], [day(8), day(7)]]

    first = read(pages, state(day(11)), fails_at=2)
    second = read(pages, first.run.state)

    assert first.run.exit_code == 1
    assert first.dates == [day(14), day(13)]
    assert first.bookmark == state(day(11))["bookmarks"]["products"]
    assert second.dates == [day(14), day(13), day(12), day(11)]
    assert second.bookmark_value == day(14)


def test_the_second_run_reads_from_the_bookmark_of_the_first(
    read: Callable[..., Read],
) -> None:
    first = read([[day(12), day(11)], [day(2), day(1)]])
    last = first.run.state

    second = read([[day(13), day(12)], [day(2), day(1)]], last, lookback_days=0)

    assert first.dates == [day(12), day(11), day(2), day(1)]
    assert first.bookmark == {"replication_key": "date", "replication_key_value": day(12)}
    assert second.dates == [day(13), day(12)]
    assert second.bookmark_value == day(13)


def test_a_bookmark_in_the_future_causes_a_warning(read: Callable[..., Read]) -> None:
    result = read([[day(12)]], state("2999-01-01T00:00:00Z"))

    assert result.run.exit_code == 0
    assert result.warned("The bookmark 2999-01-01T00:00:00Z is in the future")
    assert "--full-refresh" in result.run.log
    assert result.bookmark_value == "2999-01-01T00:00:00Z"


CHANGED = "older records that were left out until then are not read"


def filtered(value: object) -> dict[str, Any]:
    return {"stream_options": {"products": {"filters": {"brand": value}}}}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"start_date": day(10)}, {"start_date": day(9)}, "start_date"),
        ({"start_date": day(10)}, {}, "start_date"),
        ({"start_date": day(10)}, {"start_date": day(11)}, None),
        ({}, {"start_date": day(10)}, None),
        (filtered("358401234567"), filtered("358401234568"), "filters"),
        (filtered("358401234567"), {}, "filters"),
        ({}, filtered("358401234567"), None),
        (
            {"start_date": day(10), **filtered("a")},
            {"start_date": day(9), **filtered("b")},
            "start_date and filters",
        ),
    ],
)
def test_records_that_earlier_settings_left_out_are_mentioned_once(
    read: Callable[..., Read],
    before: dict[str, object],
    after: dict[str, object],
    changed: str | None,
) -> None:
    def run(settings: dict[str, object], state: object = None) -> Read:
        return read([[day(12), day(11)]], state, **settings)

    first = run(before)
    second = run(after, first.run.of_type("STATE")[-1]["value"])
    third = run(after, second.run.of_type("STATE")[-1]["value"])

    assert not first.warned(CHANGED)
    assert second.warned(f"{changed} changed since the last run: {CHANGED}") is bool(changed)
    assert second.warned(CHANGED) is bool(changed)
    assert not third.warned(CHANGED)
    assert "35840" not in "".join(run.run.stdout + run.run.log for run in (first, second, third))


def test_a_failed_run_does_not_forget_what_earlier_settings_left_out(
    read: Callable[..., Read],
) -> None:
    pages = [[day(12)], [day(11)]]
    first = read(pages, start_date=day(10))
    failed = read(pages, first.run.of_type("STATE")[-1]["value"], fails_at=1)
    third = read(pages, failed.run.of_type("STATE")[-1]["value"])

    assert failed.warned(CHANGED)
    assert third.warned(CHANGED)


@pytest.mark.parametrize("value", [7, [], {}, "x", True])
def test_limits_of_any_type_in_the_state_are_accepted(
    read: Callable[..., Read], value: object
) -> None:
    result = read([[day(12)]], state(day(11), start_date=value, filters=value))

    assert result.run.exit_code == 0
    assert result.bookmark_value == day(12)


def test_a_record_before_start_date_does_not_move_the_bookmark(read: Callable[..., Read]) -> None:
    pages = [[day(12), day(11)], [day(10), day(9)]]
    first = read(pages, start_date=day(20))
    second = read(pages, first.run.of_type("STATE")[-1]["value"], start_date=day(10))

    assert first.dates == []
    assert second.dates == [day(12), day(11), day(10)]
    assert second.bookmark_value == day(12)


def test_a_record_dated_in_the_future_does_not_hide_later_records(
    read: Callable[..., Read],
) -> None:
    future = "2999-01-01T00:00:00Z"
    first = read([[future, day(12), day(2)]], state(day(10)))
    second = read([[future, day(14), day(12)], [day(2)]], first.run.messages[-1]["value"])

    assert first.bookmark_value == day(12)
    assert second.dates == [future, day(14), day(12)]
    assert second.bookmark_value == day(14)


@pytest.mark.parametrize("value", ["yesterday", 1704844800])
def test_a_bookmark_that_is_not_a_valid_date_reads_the_whole_table(
    read: Callable[..., Read], value: object
) -> None:
    result = read([[day(12), day(2)]], state(value))

    assert result.dates == [day(12), day(2)]
    assert result.warned("The bookmark is not a valid date-time")
    assert str(value) not in result.run.log
    assert result.bookmark_value == day(12)


def test_a_bookmark_of_another_replication_key_is_ignored(read: Callable[..., Read]) -> None:
    result = read([[day(12), day(2)]], state(day(10), key="sale_date"))

    assert result.dates == [day(12), day(2)]
    assert result.bookmark == state(day(12))["bookmarks"]["products"]


@pytest.mark.parametrize(
    ("start_date", "bookmark", "new"),
    [
        ("2024-01-08", None, [12, 8]),
        ("2024-01-08T02:00:00+02:00", None, [12, 8]),
        ("2024-01-08T00:00:01Z", None, [12]),
        ("2024-01-08", 12, [12]),
        ("2024-01-08", 5, [12, 8]),
    ],
)
def test_no_record_before_the_start_date_is_written(
    read: Callable[..., Read], start_date: str, bookmark: int | None, new: list[int]
) -> None:
    result = read(
        [[day(12), day(8)], [day(7), day(6)], [day(5)]],
        bookmark and state(day(bookmark)),
        start_date=start_date,
    )

    assert result.dates == list(map(day, new))
    assert result.requests == 2
    assert result.bookmark_value == day(12)


def test_an_incremental_read_discards_the_checkpoint_of_a_full_read(
    read: Callable[..., Read],
) -> None:
    pages = [[day(12)], [day(11)], [day(10)]]
    interrupted = read(pages, selected=catalog(products=True), fails_at=3)
    assert interrupted.bookmark["resume"]["next"] == "/api/data/products/?page=3"

    result = read(pages, interrupted.run.state)

    assert result.dates == [day(12), day(11), day(10)]
    assert result.bookmark == {**state(day(12))["bookmarks"]["products"], "resume": None}


def incremental_by_metadata() -> dict[str, Any]:
    return replicate(catalog(products=True), "products", replication_method="INCREMENTAL")


def incremental_by_entry() -> dict[str, Any]:
    result = catalog(products=True)
    entry_of(result, "products").update(replication_method="INCREMENTAL", replication_key="date")
    return result


def full_by_metadata() -> dict[str, Any]:
    return replicate(incremental_by_entry(), "products", replication_method="FULL_TABLE")


@pytest.mark.parametrize(
    ("make", "is_incremental"),
    [(incremental_by_metadata, True), (incremental_by_entry, True), (full_by_metadata, False)],
)
def test_the_catalog_sets_the_replication_method(
    read: Callable[..., Read],
    server: Server,
    make: Callable[[], dict[str, Any]],
    *,
    is_incremental: bool,
) -> None:
    result = read([[day(12), day(2)]], state(day(10)), selected=make())

    assert result.dates == ([day(12)] if is_incremental else [day(12), day(2)])
    assert ("order" in dict(server.requests[0].query)) is is_incremental
    bookmark_properties = result.run.of_type("SCHEMA")[0].get("bookmark_properties")
    assert bookmark_properties == (["date"] if is_incremental else None)
    assert result.bookmark_value == day(12 if is_incremental else 10)


def test_the_catalog_lists_the_valid_replication_keys() -> None:
    roots = {
        entry["tap_stream_id"]: next(m for m in entry["metadata"] if not m["breadcrumb"])
        for entry in catalog()["streams"]
    }
    keys = {name: root["metadata"].get("valid-replication-keys") for name, root in roots.items()}

    assert keys == {
        "customers": None,
        "products": ["date"],
        "sales": ["date"],
        "events": ["date"],
        "campaigns": None,
    }


@pytest.mark.parametrize(
    ("stream", "metadata", "problem"),
    [
        (
            "products",
            {"replication_method": "INCREMENTAL", "replication_key": "title"},
            "key title is not valid for products; valid: date",
        ),
        (
            "customers",
            {"replication_method": "INCREMENTAL", "replication_key": "date_joined"},
            "key date_joined is not valid for customers; valid: none",
        ),
        (
            "customers",
            {"replication_method": "INCREMENTAL"},
            "method INCREMENTAL is not valid for customers; valid: FULL_TABLE",
        ),
        (
            "products",
            {"replication_method": "LOG_BASED"},
            "method LOG_BASED is not valid for products; valid: FULL_TABLE, INCREMENTAL",
        ),
    ],
)
def test_a_replication_the_stream_does_not_support_is_rejected(
    run_tap: RunTap, server: Server, stream: str, metadata: dict[str, str], problem: str
) -> None:
    selected = replicate(catalog(**{stream: True}), stream, **metadata)

    run = run_tap(server.config, catalog=selected)

    assert run.exit_code == 1
    assert run.errors == [f"The catalog's replication-{problem}."]
    assert run.stdout == ""
    assert server.requests == []


def test_the_option_order_is_rejected_for_an_incremental_stream(
    run_tap: RunTap, server: Server
) -> None:
    config = {**server.config, "stream_options": {"products": {"order": ["title"]}}}

    run = run_tap(config, catalog=incremental("products"))

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert run.errors[0].startswith("stream_options.products.order: cannot be chosen")
    assert server.requests == []


@pytest.mark.parametrize("start_date", ["2024-02-30", 20240101])
def test_an_invalid_start_date_is_rejected(
    run_tap: RunTap, server: Server, start_date: object
) -> None:
    run = run_tap({**server.config, "start_date": start_date})

    assert run.exit_code == 1
    assert "start_date: must be" in run.log
    assert str(start_date) not in run.log
    assert server.requests == []


@pytest.mark.parametrize(
    ("settings", "has_total"), [({}, True), ({"start_date": "2024-01-01"}, False)]
)
def test_progress_has_a_total_only_if_the_whole_table_is_read(
    server: Server, start: Start, settings: dict[str, Any], *, has_total: bool
) -> None:
    pages = rows_of([[day(12)], [day(11)]])
    serve_pages(server, *pages, stream="products", count=2)
    always = "import tap_custobar.progress as p; p.INTERVAL = 0"

    run = start({**server.config, **settings}, catalog=incremental("products"), before=always).end()

    assert run.ids("products") == ["P0-0", "P1-0"]
    assert run.log.count("1 of 2 records (50 %)") == has_total
    assert ("1 record, 1 page" in run.log) != has_total


def test_an_incremental_read_sends_no_deletes(read: Callable[..., Read]) -> None:
    result = read([[day(12), day(2)]], emit_activate_version_messages=True)

    assert result.run.of_type("ACTIVATE_VERSION") == []
    assert [m for m in result.run.of_type("RECORD") if m.get("version")] == []


def test_a_stream_map_does_not_change_which_records_are_read(read: Callable[..., Read]) -> None:
    pages = [[day(12), None, day(11)], [day(9), day(8)], [day(7)]]

    plain = read(pages, state(day(10)))
    # Without the replication key, which the tap needs and the target does not.
    mapped = read(pages, state(day(10)), stream_maps={"products": {"id": "external_id"}})

    assert mapped.dates == plain.dates
    assert [r["id"] for r in mapped.run.records("products")] == plain.run.ids("products")
    assert mapped.bookmark == plain.bookmark
    assert mapped.requests == plain.requests == 3


def test_a_stream_map_may_remove_the_replication_key(read: Callable[..., Read]) -> None:
    pages = [[day(12), day(11)], [day(8), day(7)], [day(6)]]

    result = read(pages, state(day(10)), stream_maps={"products": {"date": None}})

    assert result.dates == [None, None]
    assert result.bookmark_value == day(12)
    assert result.requests == 2


# Sales and events of the sandbox appear up to eight days after their date.
MAX_DAYS_LATE = 8


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[list[Sandbox]]:
    """Two sandboxes: on the first day, and three days later."""
    sizes = ["--sales", "200", "--events", "400"]
    with ExitStack() as stack:
        yield [
            stack.enter_context(started_sandbox("--day", number, *sizes)) for number in ("0", "3")
        ]


def dates_by_row(sandbox: Sandbox, stream: str) -> dict[str, str]:
    """Return the dates of all rows, by the JSON of the row."""
    body = requests.get(
        f"{sandbox.url}/data/{stream}/?limit=10000",
        headers={"Authorization": "Token APISANDBOX"},
        timeout=60,
    ).json()
    return {json.dumps(row, sort_keys=True): row["date"] for row in body[stream]}


def test_daily_runs_lose_no_record_and_read_few_again(
    run_tap: RunTap, sandboxes: list[Sandbox]
) -> None:
    selected = incremental("sales", "events")
    config = {"page_size": 20, "lookback_days": MAX_DAYS_LATE}
    first, second = sandboxes

    before = run_tap({**first.config, **config}, catalog=selected)
    last = before.state
    after = run_tap({**second.config, **config}, catalog=selected, state=last)

    assert before.exit_code == after.exit_code == 0
    assert UNORDERED not in before.log + after.log
    for stream, key in (("sales", "external_id"), ("events", "event_key")):
        ids = [{record[key] for record in run.records(stream)} for run in (before, after)]
        assert len(ids[0] | ids[1]) == len(dates_by_row(second, stream))
        assert 0 < len(ids[1]) < len(ids[0] | ids[1])
        bookmark = after.state["bookmarks"][stream]
        latest = max(date.removesuffix("Z") for date in dates_by_row(second, stream).values())
        assert bookmark["replication_key_value"] == f"{latest}Z"
