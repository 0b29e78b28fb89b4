"""Streams that are read by date: all that is new comes, whatever the server does."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.catalogs import catalog, incremental, replicate
from tests.conftest import entry_of, started_sandbox
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

Rows = list[dict[str, Any]]


def day(number: float | None) -> str | None:
    """A date-time: so many days into January 2024; none for none."""
    return None if number is None else f"2024-01-{int(number):02}T{number % 1 * 24:02.0f}:00:00Z"


def state(value: object, key: str = "date", **more: object) -> dict[str, Any]:
    """A state of products, read up to a value."""
    bookmark = {"replication_key": key, "replication_key_value": value, **more}
    return {"bookmarks": {"products": bookmark}}


def rows_of(pages: Sequence[Sequence[object]]) -> list[Rows]:
    """Pages of products with these dates, each with a key of its own."""
    return [
        [
            {"external_id": f"P{number}-{place}", **({} if date is None else {"date": date})}
            for place, date in enumerate(page)
        ]
        for number, page in enumerate(pages)
    ]


def serve(server: Server, pages: list[Rows], *, fails_at: int | None = None) -> None:
    """Give these pages of products in this order, whatever order is asked for."""

    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", "0"))
        if number == fails_at:
            return Reply({"error": {"reason": "cursor expired"}}, status=400)
        following = {"next_url": f"?cursor={number + 1}"} if number + 1 < len(pages) else {}
        count = sum(map(len, pages))
        return Reply({"products": pages[number], "count": count, **following})

    server.answer = answer


@dataclass
class Read:
    """What a run of products gave."""

    run: Run
    requests: int

    @property
    def dates(self) -> list[str | None]:
        return [record.get("date") for record in self.run.records("products")]

    @property
    def bookmark(self) -> dict[str, Any]:
        bookmark = self.run.of_type("STATE")[-1]["value"]["bookmarks"]["products"]
        assert isinstance(bookmark, dict)
        return bookmark

    @property
    def reached(self) -> str | None:
        """How far the bookmark says that was read."""
        value = self.bookmark.get("replication_key_value")
        assert value is None or isinstance(value, str)
        return value

    def warned(self, text: str) -> bool:
        lines = [line for line in self.run.log.splitlines() if "| WARNING" in line]
        return sum(text in line for line in lines) == 1

    @property
    def is_silent(self) -> bool:
        return "| WARNING" not in self.run.log and "| ERROR" not in self.run.log


@pytest.fixture
def read(run_tap: RunTap, server: Server) -> Callable[..., Read]:
    """Read products incrementally from a server that has these dates in its pages."""

    def read(
        pages: Sequence[Sequence[object]],
        state: object = None,
        *,
        chosen: object = None,
        fails_at: int | None = None,
        **settings: object,
    ) -> Read:
        serve(server, rows_of(pages), fails_at=fails_at)
        server.requests.clear()
        config = {**server.config, **settings}
        run = run_tap(config, catalog=chosen or incremental("products"), state=state)
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
            id="equal dates over page borders",
        ),
        pytest.param([[5, 6], [7, 8], [9, 10], [11, 12]], [9, 10, 11, 12], 4, True, id="ascending"),
        pytest.param([[12, 3], [7, 6], [5, 4], [11, 2]], [12, 11], 4, True, id="no order"),
        pytest.param(
            [[12, 10], [11, 9], [8, 7], [6, 10]], [12, 10, 11, 9, 10], 4, True, id="at a border"
        ),
        pytest.param([[8, 8], [8, 8], [12, 11]], [12, 11], 3, True, id="old and equal first"),
        pytest.param([[8, 7], [6, 5]], [], 2, False, id="not even what the bookmark is of"),
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
def test_reading_stops_behind_what_is_new_where_the_order_holds(
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
    assert result.reached == max(filter(None, map(day, [10, *new])))


def test_the_latest_are_asked_for_first(read: Callable[..., Read], server: Server) -> None:
    chosen = incremental("products")
    for item in entry_of(chosen, "products")["metadata"]:
        if item["breadcrumb"]:
            item["metadata"]["selected"] = item["breadcrumb"][1] == "title"

    result = read([[day(12)]], chosen=chosen)

    query = dict(server.requests[0].query)
    assert set(query["fields"].split(",")) == {"external_id", "title", "date"}
    assert query["order"] == "-date"
    schema = result.run.of_type("SCHEMA")[0]
    assert schema["bookmark_properties"] == ["date"]
    assert set(schema["schema"]["properties"]) == {"external_id", "title", "date"}


def test_what_comes_late_is_found_within_the_look_back_only(read: Callable[..., Read]) -> None:
    pages = [[day(12), day(6), day(5.5)], [day(5), day(4)]]

    assert read(pages, state(day(10.5)), lookback_days=5).dates == [day(12), day(6), day(5.5)]
    assert read(pages, state(day(10.5)), lookback_days=0).dates == [day(12)]


def test_instants_are_compared_whatever_their_fractions(read: Callable[..., Read]) -> None:
    noon = "2024-01-10T12:00:00"
    dates = [f"{noon}.500001Z", f"{noon}.5Z", f"{noon}.50Z", f"{noon}.4999Z", f"{noon}Z"]

    first = read([dates], state(f"{noon}.500Z"), lookback_days=0)
    whole = read([[f"{noon}Z", "2024-01-10T11:59:59.999Z"]], state(f"{noon}Z"), lookback_days=0)

    assert first.dates == dates[:3]
    assert first.is_silent
    assert first.reached == dates[0]
    assert whole.dates == [f"{noon}Z"]


def test_dates_without_a_zone_are_of_the_configured_one(read: Callable[..., Read]) -> None:
    dates = ["2024-01-10T02:00:00", "2024-01-09T23:59:00Z", "2024-01-10T01:59:00"]

    result = read(
        [dates],
        state("2024-01-10T02:00:00"),
        lookback_days=0,
        timezone="Europe/Helsinki",
    )

    assert result.dates == ["2024-01-10T00:00:00Z"]
    assert result.reached == "2024-01-10T00:00:00Z"
    assert result.is_silent


def test_an_interrupted_run_moves_no_bookmark_and_the_next_loses_nothing(
    read: Callable[..., Read],
) -> None:
    pages = [[day(14), day(13)], [day(12), day(11)], [day(8), day(7)]]

    first = read(pages, state(day(11)), fails_at=1)
    second = read(pages, first.run.of_type("STATE")[-1]["value"])

    assert first.run.exit_code == 1
    assert first.dates == [day(14), day(13)]
    assert first.bookmark == state(day(11))["bookmarks"]["products"]
    assert second.dates == [day(14), day(13), day(12), day(11)]
    assert second.reached == day(14)


def test_what_was_read_before_goes_on_being_read_from_its_bookmark(
    read: Callable[..., Read],
) -> None:
    first = read([[day(12), day(11)], [day(2), day(1)]])
    last = first.run.of_type("STATE")[-1]["value"]

    second = read([[day(13), day(12)], [day(2), day(1)]], last, lookback_days=0)

    assert first.dates == [day(12), day(11), day(2), day(1)]
    assert first.bookmark == {"replication_key": "date", "replication_key_value": day(12)}
    assert second.dates == [day(13), day(12)]
    assert second.reached == day(13)


def test_a_bookmark_in_the_future_is_warned_about(read: Callable[..., Read]) -> None:
    result = read([[day(12)]], state("2999-01-01T00:00:00Z"))

    assert result.run.exit_code == 0
    assert result.warned("The bookmark 2999-01-01T00:00:00Z is in the future")
    assert "--full-refresh" in result.run.log
    assert result.reached == "2999-01-01T00:00:00Z"


def test_a_record_of_the_future_does_not_hide_what_comes_until_then(
    read: Callable[..., Read],
) -> None:
    future = "2999-01-01T00:00:00Z"
    first = read([[future, day(12), day(2)]], state(day(10)))
    second = read([[future, day(14), day(12)], [day(2)]], first.run.messages[-1]["value"])

    assert first.reached == day(12)
    assert second.dates == [future, day(14), day(12)]
    assert second.reached == day(14)


@pytest.mark.parametrize("value", ["yesterday", 1704844800])
def test_with_a_bookmark_that_is_no_date_everything_is_read(
    read: Callable[..., Read], value: object
) -> None:
    result = read([[day(12), day(2)]], state(value))

    assert result.dates == [day(12), day(2)]
    assert result.warned("The bookmark is not a valid date-time")
    assert str(value) not in result.run.log
    assert result.reached == day(12)


def test_a_bookmark_of_another_key_counts_for_nothing(read: Callable[..., Read]) -> None:
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
def test_nothing_older_than_the_start_date_is_read(
    read: Callable[..., Read], start_date: str, bookmark: int | None, new: list[int]
) -> None:
    result = read(
        [[day(12), day(8)], [day(7), day(6)], [day(5)]],
        bookmark and state(day(bookmark)),
        start_date=start_date,
    )

    assert result.dates == list(map(day, new))
    assert result.requests == 2
    assert result.reached == day(12)


def test_the_mark_of_an_interrupted_whole_read_is_given_up(read: Callable[..., Read]) -> None:
    pages = [[day(12)], [day(11)], [day(10)]]
    mark = read(pages, chosen=catalog(products=True), fails_at=2)
    assert mark.bookmark["resume"]["next"] == "/api/data/products/?cursor=2"

    result = read(pages, mark.run.of_type("STATE")[-1]["value"])

    assert result.dates == [day(12), day(11), day(10)]
    assert result.bookmark == {**state(day(12))["bookmarks"]["products"], "resume": None}


def by_metadata() -> dict[str, Any]:
    return replicate(catalog(products=True), "products", replication_method="INCREMENTAL")


def by_top_level() -> dict[str, Any]:
    made = catalog(products=True)
    entry_of(made, "products").update(replication_method="INCREMENTAL", replication_key="date")
    return made


def whole_by_metadata() -> dict[str, Any]:
    return replicate(by_top_level(), "products", replication_method="FULL_TABLE")


@pytest.mark.parametrize(
    ("make", "is_incremental"),
    [(by_metadata, True), (by_top_level, True), (whole_by_metadata, False)],
)
def test_the_method_is_the_catalogs(
    read: Callable[..., Read],
    server: Server,
    make: Callable[[], dict[str, Any]],
    *,
    is_incremental: bool,
) -> None:
    result = read([[day(12), day(2)]], state(day(10)), chosen=make())

    assert result.dates == ([day(12)] if is_incremental else [day(12), day(2)])
    assert ("order" in dict(server.requests[0].query)) is is_incremental
    bookmark_properties = result.run.of_type("SCHEMA")[0].get("bookmark_properties")
    assert bookmark_properties == (["date"] if is_incremental else None)
    assert result.reached == day(12 if is_incremental else 10)


def test_the_catalog_tells_which_keys_are_valid() -> None:
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
    ("stream", "metadata", "said"),
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
def test_what_a_stream_cannot_be_read_by_is_refused(
    run_tap: RunTap, server: Server, stream: str, metadata: dict[str, str], said: str
) -> None:
    chosen = replicate(catalog(**{stream: True}), stream, **metadata)

    run = run_tap(server.config, catalog=chosen)

    assert run.exit_code == 1
    assert run.errors == [f"The catalog's replication-{said}."]
    assert run.stdout == ""
    assert server.requests == []


def test_another_order_is_refused_where_the_order_is_what_counts(
    run_tap: RunTap, server: Server
) -> None:
    config = {**server.config, "stream_options": {"products": {"order": ["title"]}}}

    run = run_tap(config, catalog=incremental("products"))

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert run.errors[0].startswith("stream_options.products.order: cannot be chosen")
    assert server.requests == []


@pytest.mark.parametrize("start_date", ["2024-02-30", 20240101])
def test_a_start_date_that_is_none_is_refused(
    run_tap: RunTap, server: Server, start_date: object
) -> None:
    run = run_tap({**server.config, "start_date": start_date})

    assert run.exit_code == 1
    assert "start_date: must be" in run.log
    assert str(start_date) not in run.log
    assert server.requests == []


def test_deletes_are_never_told_by_what_is_new(read: Callable[..., Read]) -> None:
    result = read([[day(12), day(2)]], emit_activate_version_messages=True)

    assert result.run.of_type("ACTIVATE_VERSION") == []
    assert [m for m in result.run.of_type("RECORD") if m.get("version")] == []


def test_a_stream_map_changes_nothing_of_what_is_new(read: Callable[..., Read]) -> None:
    pages = [[day(12), None, day(11)], [day(9), day(8)], [day(7)]]

    plain = read(pages, state(day(10)))
    # Without the key itself, which the reading needs and the target does not.
    mapped = read(pages, state(day(10)), stream_maps={"products": {"id": "external_id"}})

    assert mapped.dates == plain.dates
    assert [r["id"] for r in mapped.run.records("products")] == plain.run.ids("products")
    assert mapped.bookmark == plain.bookmark
    assert mapped.requests == plain.requests == 3


def test_a_stream_map_may_hide_the_date(read: Callable[..., Read]) -> None:
    pages = [[day(12), day(11)], [day(8), day(7)], [day(6)]]

    result = read(pages, state(day(10)), stream_maps={"products": {"date": None}})

    assert result.dates == [None, None]
    assert result.reached == day(12)
    assert result.requests == 2


# Sales and events of the sandbox come up to eight days late.
LATEST = 8


@pytest.fixture(scope="module")
def days() -> Iterator[list[Sandbox]]:
    """The sandbox on its first day and three days later."""
    sizes = ["--sales", "200", "--events", "400"]
    with ExitStack() as stack:
        yield [
            stack.enter_context(started_sandbox("--day", number, *sizes)) for number in ("0", "3")
        ]


def all_of(sandbox: Sandbox, stream: str) -> dict[str, str]:
    """Return the dates of all records, by what tells them apart."""
    answer = requests.get(
        f"{sandbox.url}/data/{stream}/?limit=10000",
        headers={"Authorization": "Token APISANDBOX"},
        timeout=60,
    ).json()
    return {json.dumps(row, sort_keys=True): row["date"] for row in answer[stream]}


def test_day_by_day_nothing_is_lost_and_little_is_read_again(
    run_tap: RunTap, days: list[Sandbox]
) -> None:
    chosen = incremental("sales", "events")
    config = {"page_size": 20, "lookback_days": LATEST}
    first, second = days

    before = run_tap({**first.config, **config}, catalog=chosen)
    last = before.of_type("STATE")[-1]["value"]
    after = run_tap({**second.config, **config}, catalog=chosen, state=last)

    assert before.exit_code == after.exit_code == 0
    assert UNORDERED not in before.log + after.log
    for stream, key in (("sales", "external_id"), ("events", "event_key")):
        ids = [{record[key] for record in run.records(stream)} for run in (before, after)]
        assert len(ids[0] | ids[1]) == len(all_of(second, stream))
        assert 0 < len(ids[1]) < len(ids[0] | ids[1])
        bookmark = after.of_type("STATE")[-1]["value"]["bookmarks"][stream]
        latest = max(date.removesuffix("Z") for date in all_of(second, stream).values())
        assert bookmark["replication_key_value"] == f"{latest}Z"
