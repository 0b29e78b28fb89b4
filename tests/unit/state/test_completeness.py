"""Counts of received records are correct, in one run or in several."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.state.checkpoint import Checkpoint
from tap_custobar.state.completeness import Completeness, RepeatedKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

some_keys = st.text(min_size=1, max_size=2) | st.tuples(st.text(max_size=1), st.text(max_size=1))


@given(st.lists(st.lists(some_keys) | st.none(), max_size=8))
def test_repeated_keys_are_counted_like_a_set_does(
    steps: list[list[Any] | None],
) -> None:
    repeated, all_keys = RepeatedKeys(None), list[Any]()

    for keys in steps:
        if keys is None:  # the count is read in between, as for checkpoints
            assert repeated.count == len(all_keys) - len(set(all_keys))
        else:
            repeated.add(map(hash, keys))
            all_keys += keys

    assert repeated.count == len(all_keys) - len(set(all_keys))
    assert repeated.count == len(all_keys) - len(set(all_keys))


@given(st.integers(1, 9), st.lists(st.lists(some_keys), max_size=8))
def test_beyond_a_limit_no_page_of_keys_is_remembered(limit: int, pages: list[list[Any]]) -> None:
    repeated, remembered = RepeatedKeys(limit), list[Any]()

    for keys in pages:
        repeated.add(map(hash, keys))
        if len(remembered) < limit:
            remembered += keys

    assert repeated.count == len(remembered) - len(set(remembered))


class Counts(NamedTuple):
    """The counts of one page."""

    keys: Sequence[str]
    skipped: int
    total: int | None

    def add_to(self, table: Completeness) -> None:
        table.add_page(
            records=len(self.keys),
            skipped=self.skipped,
            count=self.total,
            key_hashes=map(hash, self.keys),
        )


@st.composite
def pages_of_a_table(draw: st.DrawFn) -> list[Counts]:
    """Return pages with distinct keys, which may repeat within a page, and total counts."""
    numbers = count()
    counts = st.sampled_from([None, 100]) if draw(st.booleans()) else st.integers(100, 103)
    pages = []
    for _ in range(draw(st.integers(1, 8))):
        keys = [str(next(numbers)) for _ in range(draw(st.integers(0, 5)))]
        keys += keys[: draw(st.integers(0, 1))]
        pages.append(Counts(keys, draw(st.integers(0, 2)), draw(counts)))
    return pages


def checkpoint(bookmark: dict[str, Any]) -> Checkpoint:
    return Checkpoint(bookmark, fingerprint="f", now=1000, counts_all_keys=True)


@given(pages_of_a_table(), st.sets(st.integers(0, 7)))
def test_completeness_is_the_same_in_one_run_and_in_several(
    pages: list[Counts], interruptions: set[int]
) -> None:
    whole, bookmark = Completeness(key_limit=None), dict[str, Any]()
    resumed = checkpoint(bookmark)

    for number, page in enumerate(pages):
        page.add_to(whole)
        page.add_to(resumed.table)
        resumed.advance(f"https://acme.example/api/?cursor={number}")
        if number in interruptions:
            bookmark = json.loads(json.dumps(bookmark))
            resumed = checkpoint(bookmark)
            assert resumed.next == f"/api/?cursor={number}"

    table = resumed.table
    assert (table.records, table.skipped, table.repeated) == (
        whole.records,
        whole.skipped,
        whole.repeated,
    )
    assert (table.count, table.missing, table.surplus) == (
        whole.count,
        whole.missing,
        whole.surplus,
    )
    # Records may have moved between the runs, so a resumed table is never known to be complete.
    assert table.gap() == whole.gap() or (table.is_resumed and whole.gap() is None)
    assert table.gap() or not interruptions & {*range(len(pages))}


def table_of(*pages: Counts) -> Completeness:
    table = Completeness()
    for page in pages:
        page.add_to(table)
    return table


@pytest.mark.parametrize(
    ("pages", "gap"),
    [
        ([Counts("ab", 0, 3), Counts("c", 0, 3)], None),
        ([Counts("ab", 0, None), Counts("c", 0, None)], None),
        ([Counts("ab", 0, 2), Counts("c", 0, 1)], None),  # each page's own number of rows
        ([], "no records were received"),
        ([Counts("", 0, 0)], "no records were received"),
        ([Counts("ab", 1, 3)], "1 row skipped"),
        ([Counts("ab", 0, 4), Counts("cd", 0, 5)], "Custobar's count changed between 4 and 5"),
        ([Counts("ab", 0, 4), Counts("c", 0, 4)], "received 1 record fewer than Custobar's count"),
        # A repeated record does not replace a missing one.
        ([Counts("ab", 0, 4), Counts("bc", 0, 4)], "received 1 record fewer than Custobar's count"),
        ([Counts("ab", 0, 3), Counts("bc", 0, 3)], None),
        (
            [Counts("ab", 0, None), Counts("bc", 0, None)],
            "received 1 record twice, so others may be missing",
        ),
    ],
    ids=str,
)
def test_a_table_not_read_completely_has_a_gap(pages: list[Counts], gap: str | None) -> None:
    assert table_of(*pages).gap() == gap


def test_a_count_that_decreased_and_rose_again_is_a_shortfall() -> None:
    table = table_of(Counts("ab", 0, 9), Counts("cd", 0, 7), Counts("efghi", 0, 9))

    assert [line.partition(":")[0] for line in table.shortfalls()] == [
        "Custobar's count fell while reading the table"
    ]
    assert table.fell_by == 2


def test_surplus_records_and_repeated_keys_are_reported() -> None:
    table = table_of(Counts("abc", 0, 4), Counts("adef", 0, 4))

    assert list(table.oddities()) == [
        "Received 2 records more than Custobar's count",
        "Received 1 record whose key was already received",
    ]


def test_keys_are_counted_only_up_to_the_limit() -> None:
    read = Completeness(key_limit=2)
    for keys in ("ab", "ab"):
        read.add_page(records=2, skipped=0, count=None, key_hashes=map(hash, keys))

    assert read.repeated == 0


def test_skipped_rows_are_summed_and_count_as_rows_of_their_page() -> None:
    # Each page counts its own rows, so the total is unknown.
    read = table_of(Counts("ab", 1, 3), Counts("cd", 2, 4))

    assert (read.skipped, read.count) == (3, None)


def test_a_new_table_has_no_counts() -> None:
    read = Completeness()

    assert (read.records, read.skipped, read.repeated, read.highest, read.lowest) == (0,) * 5
    assert read.ended_on_empty_page is False


def test_missing_records_of_a_table_are_reported() -> None:
    table = table_of(Counts("ab", 0, 1009), Counts("cd", 0, 1007))

    fell, missing = table.shortfalls()

    assert fell.startswith("Custobar's count fell while ")
    assert "the table" in fell
    assert "up to 2 records may" in fell
    assert fell.endswith("again")
    assert missing == "Received 1,005 records fewer than Custobar's count"


def test_an_empty_last_page_is_a_gap() -> None:
    table = table_of(Counts("ab", 0, None))
    table.ended_on_empty_page = True

    assert fnmatchcase(str(table.gap()), "the last page * Custobar *empty")


def test_a_resumed_table_may_have_a_gap_although_all_counts_agree() -> None:
    table = Completeness(records=1, highest=3, lowest=3, is_resumed=True)
    Counts("bc", 0, 3).add_to(table)

    assert table.missing == 0
    assert table.gap() == (
        "the sync was resumed, so records that moved meanwhile may be missing. The next sync that "
        "is not interrupted sends them"
    )
