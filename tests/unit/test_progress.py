from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.api.client import RequestStats
from tap_custobar.progress import Progress
from tap_custobar.records.dict_records import Loss, Losses
from tap_custobar.wording import counted
from tests.unit.conftest import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("tests.progress")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.levels: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        self.levels.append(record.levelno)


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_progress_line_is_logged_at_most_every_ten_seconds(clock: Clock, lines: Lines) -> None:
    progress = Progress(logger, RequestStats(), clock)
    for seconds in (4, 5.9, 0.1, 0, 9.9, 0.1, 35, 1):
        clock.work(seconds)
        progress.count_page(100)

    assert lines.texts == [
        "300 records, 3 pages, 10.0 s, 30 records/s so far",
        "600 records, 6 pages, 20.0 s, 30 records/s so far",
        "700 records, 7 pages, 55.0 s, 13 records/s so far",
    ]
    assert set(lines.levels) == {logging.INFO}


def test_a_progress_line_has_the_total_if_it_is_known(clock: Clock, lines: Lines) -> None:
    progress = Progress(logger, RequestStats(), clock)
    clock.work(10)
    progress.count_page(26_321, done=26_321, total=120_000)
    clock.work(10)
    progress.count_page(10_000, done=40_000, total=4_000_000)
    clock.work(10)
    progress.count_page(10_000, done=120_000, total=120_000)

    assert lines.texts == [
        "26,321 of 120,000 records (22 %), 10.0 s, about 36 s left",
        "40,000 of 4,000,000 records (1 %), 20.0 s, about 36 min left",
        "46,321 records, 3 pages, 30.0 s, 1,544 records/s so far",
    ]


@given(st.lists(st.floats(0, 25), max_size=30))
def test_no_two_lines_are_closer_than_ten_seconds(steps: list[float]) -> None:
    clock, handler, said = Clock(), Lines(), [1000.0]
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        progress = Progress(logger, RequestStats(), clock)
        for count, seconds in enumerate(steps, 1):
            clock.work(seconds)
            before = len(handler.texts)
            progress.count_page(1)
            if len(handler.texts) > before:
                assert clock.now - said[-1] >= 10
                said.append(clock.now)
                begins = f"{counted(count, 'record')}, {counted(count, 'page')}, "
                assert handler.texts[-1].startswith(begins)
            else:
                assert clock.now - said[-1] < 10
    finally:
        logger.removeHandler(handler)


def test_a_summary_has_every_total(clock: Clock, lines: Lines) -> None:
    stats = RequestStats(requests=1, bytes_received=1_000_000, retries=1)
    progress = Progress(logger, stats, clock)
    progress.is_over = True
    stats.requests, stats.bytes_received, stats.retries = 4, 3_500_000, 9
    progress.count_page(0)
    clock.work(2.5)
    progress.count_page(25)
    losses = Losses(
        nulled={"price": Loss(3, 1, 7), "tags": Loss(4, 2, 1)},
        skipped={"not an object": Loss(5, 1, 2), "no external_id": Loss(6, 3, 4)},
        unknown={"shoe_size", "age"},
    )

    progress.summarize(losses)

    price, tags, no_object, no_key, unknown, total = lines.texts
    assert "3 values of price" in price
    assert "page 1, row 7" in price
    assert "4 values of tags" in tags
    assert "page 2, row 1" in tags
    assert "5 records skipped (not an object)" in no_object
    assert "6 records skipped (no external_id)" in no_key
    assert "page 3, row 4" in no_key
    assert "age, shoe_size" in unknown
    assert "--refresh-catalog" in unknown
    assert total == (
        "25 records, 2 pages, 2.5 s, 10 records/s, 3 requests, 2.5 MB received, "
        "8 retries, 7 values nulled, 11 records skipped"
    )
    assert lines.levels == [*[logging.WARNING] * 5, logging.INFO]


def test_without_losses_the_summary_is_the_only_line(clock: Clock, lines: Lines) -> None:
    progress = Progress(logger, RequestStats(), clock, is_over=True)
    progress.summarize(Losses())

    [summary] = lines.texts
    assert summary == (
        "0 records, 0 pages, 0.0 s, 0 records/s, 0 requests, 0.0 MB received, "
        "0 retries, 0 values nulled, 0 records skipped"
    )


def test_the_summary_of_an_incomplete_read_says_so(clock: Clock, lines: Lines) -> None:
    stats = RequestStats()
    progress = Progress(logger, stats, clock)
    clock.work(1)
    progress.count_page(1_000)
    stats.requests, stats.retries = 2, 1

    progress.summarize(Losses(nulled={"price": Loss(1, 1, 7)}))

    nulled, summary = lines.texts
    assert nulled.startswith("1 value of price did not match the schema type ")
    assert summary == (
        "stopped after 1,000 records, 1 page, 1.0 s, 1,000 records/s, 2 requests, "
        "0.0 MB received, 1 retry, 1 value nulled, 0 records skipped"
    )
