"""Logs the progress and the summary of each stream."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_custobar.redaction import one_line
from tap_custobar.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from logging import Logger

    from tap_custobar.api.client import RequestStats
    from tap_custobar.records.dict_records import Loss, Losses

#: Maximum number of properties that a log line names.
MAX_NAMES = 50

#: Seconds between two progress lines.
INTERVAL = 10.0

_NOT_IN_CATALOG = (
    "Not in the catalog and discarded: %s. To include them, discover again "
    "(Meltano: --refresh-catalog), or declare them in custom_fields"
)
_NOT_IN_SCHEMA = (
    "Not in the schema and discarded: %s. To include them, declare them in custom_fields"
)


@dataclass(slots=True)
class Progress:
    """Counts the records and pages of one stream's sync, and logs them.

    Attributes:
        logger: The stream's logger.
        stats: The counters of the client.
        clock: Returns seconds since any fixed moment.
        records: Number of records written.
        pages: Number of pages read.
        is_over: Whether the sync is complete.
        has_catalog: Whether the schema comes from a catalog, which discovery can create again.
    """

    logger: Logger
    stats: RequestStats
    clock: Callable[[], float] = time.monotonic
    records: int = 0
    pages: int = 0
    is_over: bool = False
    has_catalog: bool = True
    _before: RequestStats = field(init=False)
    _started: float = field(init=False)
    _logged_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Store the start time, and the counters of the client at that time."""
        self._before = replace(self.stats)
        self._started = self._logged_at = self.clock()

    def count_page(self, records: int, *, done: int = 0, total: int | None = None) -> None:
        """Count a page, and log the progress every `INTERVAL` seconds.

        Args:
            records: Number of its records that were written.
            done: Number of the table's records received, previous runs of the sync included.
            total: Number of the table's records; None if it is not known.
        """
        self.pages += 1
        self.records += records
        if self.clock() - self._logged_at >= INTERVAL:
            self._logged_at = self.clock()
            if total is not None and 0 < done < total and self.records:
                self.logger.info("%s", self._share(done, total))
            else:
                self.logger.info("%s so far", self._figures())

    def _share(self, done: int, total: int) -> str:
        seconds = self.clock() - self._started
        left = seconds / self.records * (total - done)
        percent = min(round(100 * done / total), 99)
        return (
            f"{done:,} of {counted(total, 'record')} ({percent} %), {seconds:.1f} s, "
            f"about {_duration(left)} left"
        )

    def summarize(self, losses: Losses) -> None:
        """Log a line per property for what was lost, then the summary of the stream."""
        self._warn_of_values(
            losses.nulled, "did not match the schema type and became null (or left their list)"
        )
        self._warn_of_values(
            losses.replaced, "had invalid Unicode or U+0000, which was replaced by U+FFFD"
        )
        for reason, loss in losses.skipped.items():
            self.logger.warning(
                "%s skipped (%s); first at page %d, row %d",
                counted(loss.count, "record"),
                reason,
                loss.page,
                loss.row,
            )
        if losses.missing_fields:
            self.logger.warning(
                "Requested but not in the CSV, so missing from all records: %s",
                ", ".join(map(one_line, sorted(losses.missing_fields)[:MAX_NAMES])),
            )
        if losses.unknown:
            self.logger.warning(
                _NOT_IN_CATALOG if self.has_catalog else _NOT_IN_SCHEMA,
                ", ".join(map(one_line, sorted(losses.unknown)[:MAX_NAMES])),
            )
        self.logger.info(
            "%s%s, %s, %.1f MB received, %s, %s nulled, %s skipped",
            "" if self.is_over else "stopped after ",
            self._figures(),
            counted(self.stats.requests - self._before.requests, "request"),
            (self.stats.bytes_received - self._before.bytes_received) / 1e6,
            counted(self.stats.retries - self._before.retries, "retry", "retries"),
            counted(losses.nulled_count, "value"),
            counted(losses.skipped_count, "record"),
        )

    def _warn_of_values(self, losses: Mapping[str, Loss], effect: str) -> None:
        for name, loss in losses.items():
            self.logger.warning(
                "%s of %s %s; first at page %d, row %d",
                counted(loss.count, "value"),
                one_line(name),
                effect,
                loss.page,
                loss.row,
            )

    def _figures(self) -> str:
        seconds = self.clock() - self._started
        rate = self.records / seconds if seconds else 0.0
        records, pages = counted(self.records, "record"), counted(self.pages, "page")
        return f"{records}, {pages}, {seconds:.1f} s, {rate:,.0f} records/s"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - a minute and a half
