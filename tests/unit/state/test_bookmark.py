from __future__ import annotations

import logging
from datetime import UTC
from itertools import chain, pairwise
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from tap_custobar.state.bookmark import IncrementalBookmark
from tap_custobar.state.completeness import Completeness

Dates = list[str | None]

#: Few different ones, so that equal dates, borders and fractions are common.
instants = st.builds(
    lambda day, fraction: f"2024-01-{day:02}T00:00:00{fraction}Z",
    st.integers(1, 9),
    st.sampled_from(["", ".5", ".50", ".123456789"]),
)
dates = st.none() | instants
tables = st.lists(dates, max_size=24)


def rank(instant: str) -> tuple[str, float]:
    """Return what sorts as the instant does, by another way than the code's."""
    return instant[:19], float(f"0{instant[19:-1] or '.0'}")


def is_descending(table: Dates) -> bool:
    return all(rank(b) <= rank(a) for a, b in pairwise(filter(None, table)))


def in_pages(table: Dates, size: int) -> list[Dates]:
    return [table[start : start + size] for start in range(0, len(table), size)]


def read(pages: list[Dates], since: str, block: int) -> tuple[int, Dates, str]:
    """Read as a stream does: how many pages it took, what was new, and the bookmark then."""
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
    asked = 0
    for page in pages:
        asked += 1
        for part in in_pages(page, block):
            new += [
                date
                for date, wanted in zip(part, increment.select_new(part), strict=True)
                if wanted
            ]
        if increment.is_exhausted():
            break
    increment.commit(Completeness(), is_drained=asked == len(pages))
    return asked, new, bookmark["replication_key_value"]


def wanted(table: Dates, since: str) -> Dates:
    return [date for date in table if date is None or rank(date) >= rank(since)]


@given(st.lists(instants, max_size=24), instants, st.integers(1, 5), st.integers(1, 3))
def test_in_the_order_asked_for_all_that_is_new_is_read_and_no_page_more(
    table: list[str], since: str, size: int, block: int
) -> None:
    ordered: Dates = [*sorted(table, key=rank, reverse=True)]

    asked, new, _ = read(in_pages(ordered, size), since, block)

    assert new == wanted(ordered, since)
    if new:
        # One page that is wholly older proves the end.
        assert asked <= len(new) // size + 2


@given(tables, instants, st.integers(1, 5), st.integers(1, 3))
def test_in_any_other_order_all_that_is_new_is_read(
    table: Dates, since: str, size: int, block: int
) -> None:
    pages = in_pages(table, size)

    asked, new, reached = read(pages, since, block)

    seen = list(chain(*pages[:asked]))
    assert new == wanted(seen, since)
    latest = max([since, *filter(None, seen)], key=rank)
    assert rank(reached) == rank(latest)
    if asked < len(pages):
        event("stopped early")
        # Never where anything read so far tells that the order does not hold.
        assert is_descending(seen)
        assert rank(max(filter(None, pages[asked - 1]), key=rank)) < rank(since)
        assert len({*map(rank, filter(None, seen))}) > 1
    else:
        assert new == wanted(table, since)


@given(st.lists(instants, min_size=1, max_size=9), st.integers(1, 3))
def test_old_dates_that_are_all_the_same_prove_no_order(old: list[str], size: int) -> None:
    same: Dates = [old[0]] * len(old)

    asked, new, _ = read([*in_pages(same, size), ["2024-01-20T00:00:00Z"]], "2024-01-10", 2)

    assert new == ["2024-01-20T00:00:00Z"]
    assert asked == len(in_pages(same, size)) + 1
