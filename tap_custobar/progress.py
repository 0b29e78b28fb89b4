"""What a person watching a run is told: progress now and then, a summary of each stream."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_custobar.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from tap_custobar.client import Traffic
    from tap_custobar.records import Losses

#: Unknown properties that are named.
MAX_NAMES = 50

#: Seconds between two progress lines.
INTERVAL = 10.0


@dataclass(slots=True)
class Progress:
    """Counts what one stream's run does."""

    logger: Logger
    traffic: Traffic
    clock: Callable[[], float] = time.monotonic
    records: int = 0
    pages: int = 0
    _before: Traffic = field(init=False)
    _started: float = field(init=False)
    _said: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._before = replace(self.traffic)
        self._started = self._said = self.clock()

    def count_page(self, records: int) -> None:
        """Count a page of so many records, and say so when nothing was said for a while."""
        self.pages += 1
        self.records += records
        if self.clock() - self._said >= INTERVAL:
            self._said = self.clock()
            self.logger.info("%s so far", self._figures())

    def summarize(self, losses: Losses) -> None:
        """Log what was lost, a line a field, then the summary of the stream."""
        for name, loss in losses.nulled.items():
            self.logger.warning(
                "%s: %d values fit no type of the schema and became null or left their list; "
                "the first on page %d, row %d",
                *(name, loss.count, loss.page, loss.row),
            )
        for reason, loss in losses.skipped.items():
            self.logger.warning(
                "%d rows skipped (%s); the first on page %d, row %d",
                *(loss.count, reason, loss.page, loss.row),
            )
        if losses.unknown:
            self.logger.warning(
                "Not in the catalog and dropped: %s. To get them, discover again "
                "(Meltano: --refresh-catalog)",
                ", ".join(map(one_line, sorted(losses.unknown)[:MAX_NAMES])),
            )
        self.logger.info(
            "%s, %d requests, %.1f MB received, %d retries, %d values nulled, %d records skipped",
            self._figures(),
            self.traffic.requests - self._before.requests,
            (self.traffic.received - self._before.received) / 1e6,
            self.traffic.retries - self._before.retries,
            losses.nulled_count,
            losses.skipped_count,
        )

    def _figures(self) -> str:
        seconds = self.clock() - self._started
        rate = self.records / seconds if seconds else 0.0
        return f"{self.records} records, {self.pages} pages, {seconds:.1f} s, {rate:.0f} records/s"
