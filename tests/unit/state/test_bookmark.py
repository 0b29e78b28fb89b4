from __future__ import annotations

import logging
from datetime import UTC
from fnmatch import fnmatchcase
from itertools import chain, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tap_custobar.state.bookmark import MAX_SHORT_RUNS, IncrementalBookmark
from tap_custobar.state.completeness import Completeness

Dates = list[str | None]

#: Few different values, so that equal timestamps, bounds and fractions are common.
timestamps = st.builds(
    lambda day, fraction: f"2024-01-{day:02}T00:00:00{fraction}Z",
    st.integers(1, 9),
    st.sampled_from(["", ".5", ".50", ".123456789"]),
)
dates = st.none() | timestamps
tables = st.lists(dates, max_size=24)


def rank(timestamp: str) -> tuple[str, float]:
    """Return a sort key of a timestamp, computed differently than in the code."""
    return timestamp[:19], float(f"0{timestamp[19:-1] or '.0'}")


def is_descending(table: Dates) -> bool:
    return all(rank(b) <= rank(a) for a, b in pairwise(filter(None, table)))


def in_pages(table: Dates, size: int) -> list[Dates]:
    return [table[start : start + size] for start in range(0, len(table), size)]


def read(pages: list[Dates], since: str, block: int) -> tuple[int, Dates, str]:
    """Read as a stream does.

    Returns:
        The number of pages read, the new dates, and the bookmark afterwards.
    """
    bookmark: dict[str, Any] = {"replication_key_value": since}
    increment = IncrementalBookmark(
        bookmark,
        key="date",
        start_date=None,
        lookback_days=0,
        zone=UTC,
        now="2024-02-01T00:00:00Z",
        logger=logging.getLogger("test"),
    )
    new: Dates = []
    requested = 0
    for page in pages:
        requested += 1
        for part in in_pages(page, block):
            new += [
                date
                for date, wanted in zip(part, increment.select_new(part), strict=True)
                if wanted
            ]
        if increment.end_page():
            break
    increment.commit(Completeness(), is_drained=requested == len(pages))
    return requested, new, bookmark["replication_key_value"]


def wanted(table: Dates, since: str) -> Dates:
    return [date for date in table if date is None or rank(date) >= rank(since)]


@given(st.lists(timestamps, max_size=24), timestamps, st.integers(1, 5), st.integers(1, 3))
def test_in_the_requested_order_all_new_records_are_read_and_at_most_one_page_more(
    table: list[str], since: str, size: int, block: int
) -> None:
    ordered: Dates = [*sorted(table, key=rank, reverse=True)]

    requested, new, _ = read(in_pages(ordered, size), since, block)

    assert new == wanted(ordered, since)
    if new:
        # One page that is completely older proves the end.
        assert requested <= len(new) // size + 2


@given(tables, timestamps, st.integers(1, 5), st.integers(1, 3))
def test_in_any_other_order_all_new_records_are_read(
    table: Dates, since: str, size: int, block: int
) -> None:
    pages = in_pages(table, size)

    requested, new, reached = read(pages, since, block)

    seen = list(chain(*pages[:requested]))
    assert new == wanted(seen, since)
    latest = max([since, *filter(None, seen)], key=rank)
    assert rank(reached) == rank(latest)
    if requested < len(pages):
        event("stopped early")
        # Never if the dates read so far are not in descending order.
        assert is_descending(seen)
        assert rank(max(filter(None, pages[requested - 1]), key=rank)) < rank(since)
        assert len({*map(rank, filter(None, seen))}) > 1
    else:
        assert new == wanted(table, since)


@given(st.lists(timestamps, min_size=1, max_size=9), st.integers(1, 3))
def test_equal_old_dates_do_not_prove_the_order(old: list[str], size: int) -> None:
    same: Dates = [old[0]] * len(old)

    requested, new, _ = read([*in_pages(same, size), ["2024-01-20T00:00:00Z"]], "2024-01-10", 2)

    assert new == ["2024-01-20T00:00:00Z"]
    assert requested == len(in_pages(same, size)) + 1


OLD, NEW = "2024-01-05T00:00:00Z", "2024-01-09T00:00:00Z"
NOW, FUTURE = "2024-02-01T00:00:00Z", "2024-02-01T00:00:01Z"
EARLIER = "2024-01-01T00:00:00Z"


def load(state: dict[str, Any], **options: Any) -> IncrementalBookmark:
    """Return the bookmark of a run that starts with a state."""
    defaults = {"key": "date", "start_date": None, "lookback_days": 0, "zone": UTC, "now": NOW}
    return IncrementalBookmark(state, logger=logging.getLogger("test"), **{**defaults, **options})


def at(value: object) -> dict[str, Any]:
    return {"replication_key": "date", "replication_key_value": value}


def table(*counts: int | None, records: int = 2, ended_on_empty_page: bool = False) -> Completeness:
    """Return the completeness of a table, with one page for each count of the API."""
    read = Completeness()
    for count in counts:
        read.add_page(records=records, skipped=0, count=count)
    read.ended_on_empty_page = ended_on_empty_page
    return read


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def assert_logged(logged: pytest.LogCaptureFixture, *patterns: str) -> None:
    """Compare the lines logged since the last call with shell-style patterns."""
    lines = list(logged.messages)
    logged.clear()
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert fnmatchcase(line, pattern), line


@pytest.mark.parametrize(
    ("state", "options", "lower_bound"),
    [
        ({}, {}, ""),
        ({}, {"start_date": "2024-01-05"}, "2024-01-05T00:00:00"),
        ({}, {"start_date": "2024-01-05T10:00:00+02:00"}, "2024-01-05T08:00:00"),
        ({}, {"start_date": "2024-01-05", "zone": ZoneInfo("Asia/Tokyo")}, "2024-01-04T15:00:00"),
        (at("2024-01-05"), {}, "2024-01-05T00:00:00"),
        (at("2024-01-05T10:00:00.50Z"), {}, "2024-01-05T10:00:00.5"),
        (at("2024-01-05"), {"zone": ZoneInfo("Asia/Tokyo")}, "2024-01-04T15:00:00"),
        (at(OLD), {"lookback_days": 3}, "2024-01-02T00:00:00"),
        (at(OLD), {"lookback_days": 999_999}, "0001-01-01T00:00:00"),
        (at(OLD), {"start_date": "2024-01-03"}, "2024-01-05T00:00:00"),
        (at(OLD), {"start_date": "2024-01-03", "lookback_days": 9}, "2024-01-03T00:00:00"),
        (at(OLD), {"start_date": "2024-01-07"}, "2024-01-07T00:00:00"),
        ({"replication_key_value": OLD}, {}, "2024-01-05T00:00:00"),
        ({"replication_key": "date"}, {"start_date": "2024-01-03"}, "2024-01-03T00:00:00"),
        ({**at(OLD), "replication_key": "created"}, {}, ""),
    ],
    ids=str,
)
def test_the_lower_bound_is_the_bookmark_less_the_lookback_or_the_start_date(
    logged: pytest.LogCaptureFixture,
    state: dict[str, Any],
    options: dict[str, Any],
    lower_bound: str,
) -> None:
    bookmark = load(state, **options)

    assert bookmark.lower_bound == lower_bound
    assert bookmark.select_new([f"{lower_bound}Z", None]) == [True, True]
    assert_logged(logged)


@pytest.mark.parametrize("value", [5, "soon", "", [OLD], {"a": 1}, False], ids=str)
def test_with_an_invalid_bookmark_everything_is_read(
    logged: pytest.LogCaptureFixture, value: object
) -> None:
    assert load(at(value)).lower_bound == ""
    assert_logged(logged, "The bookmark is no*date-time: *")


@pytest.mark.parametrize(
    ("value", "lines"),
    [(NOW, []), (FUTURE, [f"The bookmark {FUTURE} is in the future*(Meltano: --full-refresh)"])],
)
def test_a_bookmark_in_the_future_is_logged(
    logged: pytest.LogCaptureFixture, value: str, lines: list[str]
) -> None:
    load(at(value))

    assert_logged(logged, *lines)


@pytest.mark.parametrize(
    ("dates", "state"),
    [
        ([FUTURE, NOW, OLD], at(NOW)),
        ([FUTURE], at(OLD)),
        ([FUTURE, None], at(OLD)),
        ([NEW, "2024-01-09T00:00:00.0Z", OLD], at(NEW)),
        ([EARLIER], at(OLD)),
        ([None], at(OLD)),
        ([], at(OLD)),
    ],
    ids=str,
)
def test_the_bookmark_moves_to_the_latest_date_not_in_the_future(
    dates: Dates, state: dict[str, Any]
) -> None:
    stored = at(OLD)
    bookmark = load(stored)

    bookmark.select_new(dates)
    bookmark.commit(table(), is_drained=False)

    assert stored == state


def test_a_first_run_without_dated_records_stores_no_bookmark() -> None:
    for dates in ([], [None], [FUTURE]):
        state: dict[str, Any] = {}
        bookmark = load(state)
        bookmark.select_new(dates)
        bookmark.commit(table(), is_drained=True)
        assert state == {}


CHANGED = (
    "{} changed since the last run: older records that were left out until then are not read. A "
    "full run reads them (Meltano: --full-refresh)"
)


@pytest.mark.parametrize(
    ("limits", "settings", "changed", "stored"),
    [
        ({}, {}, "", {}),
        ({}, {"start_date": OLD, "filters": "ab"}, "", {"filters": "ab"}),
        ({"start_date": OLD}, {"start_date": OLD}, "", {"start_date": OLD}),
        ({"start_date": OLD}, {"start_date": NEW}, "", {"start_date": OLD}),
        ({"start_date": OLD}, {"start_date": EARLIER}, "start_date", {"start_date": EARLIER}),
        ({"start_date": OLD}, {}, "start_date", {"start_date": None}),
        ({"start_date": None, "filters": None}, {}, "", {"start_date": None, "filters": None}),
        ({"filters": "ab"}, {"filters": "ab"}, "", {"filters": "ab"}),
        ({"filters": "ab"}, {"filters": "cd"}, "filters", {"filters": "cd"}),
        ({"filters": "ab"}, {}, "filters", {"filters": None}),
        (
            {"start_date": OLD, "filters": "ab"},
            {},
            "start_date and filters",
            {"start_date": None, "filters": None},
        ),
    ],
    ids=str,
)
def test_records_that_the_limits_of_earlier_runs_left_out_are_mentioned(
    logged: pytest.LogCaptureFixture,
    limits: dict[str, Any],
    settings: dict[str, Any],
    changed: str,
    stored: dict[str, Any],
) -> None:
    state = {**at(NEW), **limits}
    bookmark = load(state, **settings)
    bookmark.select_new([NEW])
    bookmark.commit(table(), is_drained=True)

    assert_logged(logged, *([CHANGED.format(changed)] if changed else []))
    assert state == {**at(NEW), **stored}


def test_the_limits_of_a_first_run_are_stored(logged: pytest.LogCaptureFixture) -> None:
    state: dict[str, Any] = {}
    bookmark = load(state, start_date="2024-01-05", filters="ab")
    bookmark.select_new([NEW, EARLIER])
    bookmark.commit(table(), is_drained=True)

    assert_logged(logged)
    assert state == {**at(NEW), "start_date": OLD, "filters": "ab"}


def test_a_bookmark_of_another_replication_key_is_replaced() -> None:
    state = {**at(NEW), "replication_key": "created"}
    bookmark = load(state)

    bookmark.select_new([OLD])
    bookmark.commit(table(), is_drained=True)

    assert state == at(OLD)


@pytest.mark.parametrize(
    ("dates", "has_news"),
    [
        ([], False),
        ([None], False),
        ([EARLIER], False),
        ([OLD], True),
        ([NEW, EARLIER], True),
    ],
    ids=str,
)
def test_a_page_has_news_if_a_dated_record_is_new(dates: Dates, *, has_news: bool) -> None:
    bookmark = load(at(OLD))
    bookmark.select_new(dates)

    assert bookmark.has_news is has_news
    bookmark.end_page()
    assert not bookmark.has_news  # it was about the previous page


@pytest.mark.parametrize(
    ("state", "start_date", "pages", "exhausted"),
    [
        (at(OLD), None, [[NEW], [EARLIER]], [False, True]),
        (at(OLD), None, [[NEW, EARLIER], [EARLIER]], [False, True]),
        (at(OLD), None, [[NEW], [None], [EARLIER]], [False, False, True]),
        # The record of the bookmark is still there, so the latest date was first ...
        (at(OLD), None, [[OLD], [EARLIER]], [False, True]),
        # ... and without it the order is not known.
        (at(OLD), None, [[EARLIER], [EARLIER]], [False, False]),
        (at(OLD), None, [[FUTURE], [EARLIER]], [False, False]),
        (at(OLD), None, [[EARLIER, NEW], [EARLIER]], [False, False]),
        # No record with the start date itself is required.
        ({}, OLD, [[NEW], [EARLIER]], [False, True]),
        ({}, OLD, [[OLD], [EARLIER]], [False, False]),
        ({}, None, [[NEW], [EARLIER]], [False, False]),
        ({**at(OLD), "unordered": True}, None, [[NEW], [EARLIER]], [False, False]),
    ],
    ids=str,
)
def test_reading_ends_with_a_page_without_news_if_the_latest_date_was_first(
    state: dict[str, Any], start_date: str | None, pages: list[Dates], exhausted: list[bool]
) -> None:
    bookmark = load(state, start_date=start_date)
    ends = []
    for page in pages:
        bookmark.select_new(page)
        ends.append(bookmark.end_page())

    assert ends == exhausted


def test_a_wrong_order_is_stored_until_a_complete_run_finds_the_requested_one(
    logged: pytest.LogCaptureFixture,
) -> None:
    state = at(OLD)
    bookmark = load(state)
    for page in ([OLD], [NEW]):  # the order applies across pages too
        bookmark.select_new(page)
        assert not bookmark.end_page()
    bookmark.commit(table(), is_drained=True)
    assert state == {**at(NEW), "unordered": True}
    assert_logged(logged, "Custobar does not * the latest date first, as *: all pages are read, *")

    bookmark = load(state)
    assert_logged(logged, "*ll pages*the latest date first")
    bookmark.select_new([NEW, OLD])
    bookmark.commit(table(ended_on_empty_page=True), is_drained=False)
    assert state["unordered"]  # the rest of the table was not read

    bookmark = load(state)
    bookmark.select_new([NEW, OLD])
    bookmark.commit(table(5, 5, records=2, ended_on_empty_page=True), is_drained=True)
    assert state["unordered"]

    bookmark = load(state)
    bookmark.select_new([NEW, OLD])
    bookmark.commit(table(), is_drained=True)
    assert state["unordered"] is None
    logged.clear()
    load(state)
    assert_logged(logged)


@pytest.mark.parametrize(("is_drained", "what"), [(True, "the table"), (False, "new")])
def test_a_decreased_count_is_logged_and_the_bookmark_moves(
    logged: pytest.LogCaptureFixture, what: str, *, is_drained: bool
) -> None:
    state = at(OLD)
    bookmark = load(state)
    bookmark.select_new([NEW])

    bookmark.commit(table(5, 4), is_drained=is_drained)

    assert state == at(NEW)
    assert_logged(
        logged,
        f"Custobar's count fell while *{what}*: up to 1 record may *(Meltano: --full-refresh)",
    )


@pytest.mark.parametrize(
    ("read", "state", "lines"),
    [
        (table(None, ended_on_empty_page=True), at(OLD), ["The bookmark *last page*empty"]),
        (table(4, 4, ended_on_empty_page=True), at(NEW), []),
        (table(None), at(NEW), []),
    ],
)
def test_the_bookmark_stays_if_the_last_page_was_empty_and_there_is_no_count(
    logged: pytest.LogCaptureFixture, read: Completeness, state: dict[str, Any], lines: list[str]
) -> None:
    stored = at(OLD)
    bookmark = load(stored)
    bookmark.select_new([NEW])

    bookmark.commit(read, is_drained=True)

    assert stored == state
    assert_logged(logged, *lines)


def commit(state: dict[str, Any], *, missing: int, is_drained: bool = True) -> None:
    bookmark = load(state)
    bookmark.select_new([NEW])
    bookmark.commit(table(4 + missing, 4 + missing), is_drained=is_drained)


def test_the_bookmark_stays_until_the_same_number_of_records_is_missing_again(
    logged: pytest.LogCaptureFixture,
) -> None:
    state = at(OLD)
    commit(state, missing=1)
    assert state == {**at(OLD), "missing": 1, "short_runs": 1}
    assert_logged(logged, "*1 record fewer than Custobar's count*: the bookmark *, and *again")

    commit(state, missing=3)
    assert state == {**at(OLD), "missing": 3, "short_runs": 2}
    assert_logged(logged, "*3 records fewer than Custobar's count*: the bookmark *, and *again")

    commit(state, missing=3)
    assert state == {**at(NEW), "missing": 3, "short_runs": 3}
    assert_logged(logged, "*3 records fewer than *as in the *: the bookmark moves. Custobar *")

    commit(state, missing=0)
    assert state == {**at(NEW), "missing": None, "short_runs": None}  # Meltano merges states
    assert_logged(logged)

    commit(state, missing=2)
    assert (state["missing"], state["short_runs"]) == (2, 1)


def test_the_bookmark_moves_after_five_runs_with_different_missing_counts(
    logged: pytest.LogCaptureFixture,
) -> None:
    state = at(OLD)
    for run in range(MAX_SHORT_RUNS):
        commit(state, missing=run + 1)
        assert state["replication_key_value"] == OLD
    logged.clear()

    commit(state, missing=9)

    assert state == {**at(NEW), "missing": 9, "short_runs": 6}
    assert_logged(logged, "*9 records fewer than *, and too few in the 5 *: the bookmark moves*")


def test_a_run_that_stops_early_resets_the_short_runs() -> None:
    state = at(OLD)
    commit(state, missing=1)

    commit(state, missing=1, is_drained=False)

    assert state == {**at(NEW), "missing": None, "short_runs": None}


@pytest.mark.parametrize("short_runs", ["many", None, [1], 2.5], ids=str)
def test_an_invalid_number_of_short_runs_restarts_the_count(short_runs: object) -> None:
    state = {**at(OLD), "short_runs": short_runs}

    commit(state, missing=1)

    assert state["short_runs"] == 1
