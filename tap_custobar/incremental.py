"""Reads only what is new (docs/behaviour.md, "Incremental reading"): the API has no filter for it.

The records are asked for from the latest to the oldest, so that the first page that holds nothing
new ends the reading. That order is checked as it comes: where it does not hold, all is read.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tap_custobar.instants import comparable, days_before, to_utc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo
    from logging import Logger

#: The keys of a bookmark, as Singer has them.
KEY = "replication_key"
VALUE = "replication_key_value"


class Increment:
    """What is new in one stream, and how far its bookmark may move.

    Attributes:
        key: The replication key.
        since: What is older is not wanted, as `comparable` has it; empty where all is.
    """

    def __init__(  # noqa: PLR0913 - one argument a setting, all by name
        self,
        bookmark: dict[str, Any],
        *,
        key: str,
        start_date: str | None,
        lookback_days: int,
        zone: tzinfo,
        now: str,
        logger: Logger,
    ) -> None:
        """Take up the bookmark of the last run.

        Args:
            bookmark: The stream's bookmark; its value may be anything, for it comes from a file.
            key: The replication key, a date-time.
            start_date: The oldest that is wanted at all; a date-time or a date.
            lookback_days: How far behind the bookmark to read again, for what comes late.
            zone: That of date-times without one.
            now: This moment, in UTC.
            logger: The stream's.
        """
        self.key = key
        self._bookmark = bookmark
        self._logger = logger
        self._now = comparable(now)
        self._reached = self._take_up(zone)
        bounds = [start_date and to_utc(start_date, zone)]
        if self._reached:
            bounds.append(days_before(self._reached, lookback_days))
        self.since = max((comparable(bound) for bound in bounds if bound), default="")
        self._in_order = True
        self._descends = False
        self._last: str | None = None
        self._latest_on_page: str | None = None

    def _take_up(self, zone: tzinfo) -> str | None:
        value = self._bookmark.get(VALUE)
        if value is None or self._bookmark.get(KEY, self.key) != self.key:
            return None
        if (reached := to_utc(str(value), zone)) is None:
            self._logger.warning("The bookmark is no date-time: everything is read")
        elif comparable(reached) > self._now:
            self._logger.warning(
                "The bookmark %s is in the future: nothing older than it, less lookback_days, "
                "is read. To reset it, take it out of the state (Meltano: --full-refresh)",
                reached,
            )
        return reached

    def sift(self, values: Sequence[Any]) -> list[bool]:
        """Tell which of the next records are wanted, by the values of their key.

        Those without a value are: whether they are new cannot be known.
        """
        instants = [comparable(value) if value else None for value in values]
        known = [instant for instant in instants if instant is not None]
        if known:
            self._check_order(known)
            latest = max(known)
            self._latest_on_page = max(self._latest_on_page or "", latest)
            # A record of the future must not hide what comes until then.
            past = max((instant for instant in known if instant <= self._now), default="")
            if past > comparable(self._reached or ""):
                self._reached = values[instants.index(past)]
        return [instant is None or instant >= self.since for instant in instants]

    def is_over(self) -> bool:
        """Tell, behind a page, whether no later one can hold anything new.

        One that holds nothing new is no proof by itself that the rest is older still: something
        new before it is, or an order that was seen to descend.
        """
        latest, self._latest_on_page = self._latest_on_page, None
        return latest is not None and latest < self.since and self._in_order and self._descends

    def _check_order(self, known: Sequence[str]) -> None:
        run = known if self._last is None else [self._last, *known]
        if self._in_order and any(later > earlier for earlier, later in pairwise(run)):
            self._in_order = False
            self._logger.warning(
                "Custobar does not give the latest %s first, as it was asked to: "
                "all pages are read",
                self.key,
            )
        past = [instant for instant in run if instant <= self._now]
        if past and (past[0] >= self.since or past[-1] < past[0]):
            self._descends = True
        self._last = known[-1]

    def finish(self) -> None:
        """Move the bookmark to the latest instant seen, now that all that is new is written."""
        if self._reached:
            self._bookmark |= {KEY: self.key, VALUE: self._reached}
