"""What a person watching a run is told: progress now and then, a summary of each stream."""

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

#: Unknown properties that are named.
MAX_NAMES = 50

#: Seconds between two progress lines.
INTERVAL = 10.0

_NOT_IN_CATALOG = (
    "Not in the catalog and dropped: %s. To get them, discover again "
    "(Meltano: --refresh-catalog), or name them in custom_fields"
)
_NOT_IN_SCHEMA = "In no schema and dropped: %s. To get them, name them in custom_fields"


@dataclass(slots=True)
class Progress:
    """Counts what one stream's run does.

    Attributes:
        is_over: Whether all of it is read.
        has_catalog: Whether the schema comes from a catalog, which discovery can make anew.
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
    _said: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._before = replace(self.stats)
        self._started = self._said = self.clock()

    def count_page(self, records: int, *, done: int = 0, total: int | None = None) -> None:
        """Count a page, and say so when nothing was said for a while.

        Args:
            records: How many it gave.
            done: How many of the table have come, by the runs before too.
            total: How many there are in all, where that is known.
        """
        self.pages += 1
        self.records += records
        if self.clock() - self._said >= INTERVAL:
            self._said = self.clock()
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
        """Log what was lost, a line a field, then the summary of the stream."""
        self._warn_of_values(losses.nulled, "not of its type: now null, or left out of its list")
        self._warn_of_values(losses.replaced, "with characters that no target takes: now U+FFFD")
        for reason, loss in losses.skipped.items():
            self.logger.warning(
                "%s skipped (%s); the first on page %d, row %d",
                counted(loss.count, "record"),
                reason,
                loss.page,
                loss.row,
            )
        if losses.missing_fields:
            self.logger.warning(
                "Asked for and not in the CSV that came, so in no record: %s",
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

    def _warn_of_values(self, losses: Mapping[str, Loss], fate: str) -> None:
        for name, loss in losses.items():
            self.logger.warning(
                "%s of %s %s; the first on page %d, row %d",
                counted(loss.count, "value"),
                name,
                fate,
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
