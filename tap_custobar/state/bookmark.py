"""Incremental reading (docs/behaviour.md, "Incremental reading"): the API has no filter for it.

The records are asked for from the latest to the oldest, so that the first page that holds nothing
new ends the reading. That order is checked as it comes: where it does not hold, all is read.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tap_custobar.records.timestamps import days_before, sort_key, to_utc
from tap_custobar.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo
    from logging import Logger

    from tap_custobar.state.completeness import Completeness

#: The keys of a bookmark, as Singer has them.
KEY = "replication_key"
VALUE = "replication_key_value"

#: Keys of our own: that the order once did not hold, how many records the last drained table
#: lacked, and how many runs in a row did so.
UNORDERED = "unordered"
MISSING = "missing"
SHORT_RUNS = "short_runs"

#: Runs in a row whose shortfall, another one each time, keeps the bookmark where it is.
MAX_SHORT_RUNS = 5


class IncrementalBookmark:
    """What is new in one stream, and how far its bookmark may move.

    Attributes:
        key: The replication key.
        lower_bound: What is older is not wanted, as `sort_key` has it; empty where all is.
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
        """Load the bookmark of the last run.

        Args:
            bookmark: The stream's bookmark, changed in place; its values may be anything, for
                they come from a file.
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
        self._now = sort_key(now)
        self._high_watermark = self._load(zone)
        start = sort_key((start_date and to_utc(start_date, zone)) or "")
        self.lower_bound = start
        if self._high_watermark:
            looked_back = days_before(self._high_watermark, lookback_days)
            self.lower_bound = max(start, sort_key(looked_back))
        self._bookmark_before = self._high_watermark and sort_key(self._high_watermark)
        self._start = start
        self._in_order = True
        self._saw_latest = False
        self._last: str | None = None
        self._latest_on_page: str | None = None
        if self._is_unordered:
            logger.info(
                "All pages are read: an earlier run did not get the latest %s first", self.key
            )

    def _load(self, zone: tzinfo) -> str | None:
        value = self._bookmark.get(VALUE)
        if value is None or self._bookmark.get(KEY, self.key) != self.key:
            return None
        if (loaded := to_utc(str(value), zone)) is None:
            self._logger.warning("The bookmark is no date-time: everything is read")
        elif sort_key(loaded) > self._now:
            self._logger.warning(
                "The bookmark %s is in the future: nothing older than it, less lookback_days, "
                "is read. To reset it, take it out of the state (Meltano: --full-refresh)",
                loaded,
            )
        return loaded

    @property
    def _is_unordered(self) -> bool:
        return bool(self._bookmark.get(UNORDERED))

    def select_new(self, values: Sequence[Any]) -> list[bool]:
        """Return which of the next records are wanted.

        Args:
            values: The values of their replication key (RFC 3339 in UTC) or None; records
                without one are wanted, for whether they are new cannot be known.
        """
        instants = [sort_key(value) if value else None for value in values]
        known = [instant for instant in instants if instant is not None]
        if known:
            self._check_order(known)
            latest = max(known)
            self._latest_on_page = max(self._latest_on_page or "", latest)
            # A record of the future must not hide what comes until then.
            past = max((instant for instant in known if instant <= self._now), default="")
            self._saw_latest = self._saw_latest or self._is_latest(past)
            if past > sort_key(self._high_watermark or ""):
                self._high_watermark = values[instants.index(past)]
        return [instant is None or instant >= self.lower_bound for instant in instants]

    def _is_latest(self, instant: str) -> bool:
        """Tell whether a record of this time must be on the first page, if the order holds."""
        if self._bookmark_before:
            return instant >= self._bookmark_before
        return instant > self._start

    @property
    def has_news(self) -> bool:
        """Whether the page so far holds a record that is dated and new: it is not the last one."""
        return self._latest_on_page is not None and self._latest_on_page >= self.lower_bound

    def is_exhausted(self) -> bool:
        """Tell, behind a page, whether no later one can hold anything new.

        A page that holds nothing new is no proof by itself that the rest is older still. The
        latest record there was has to have come before it: a server that does not order by the
        key need not give that one first.
        """
        latest, self._latest_on_page = self._latest_on_page, None
        return (
            latest is not None
            and latest < self.lower_bound
            and self._in_order
            and self._saw_latest
            and not self._is_unordered
        )

    def _check_order(self, known: Sequence[str]) -> None:
        run = known if self._last is None else [self._last, *known]
        self._last = known[-1]
        if self._in_order and any(later > earlier for earlier, later in pairwise(run)):
            self._in_order = False
            self._bookmark[UNORDERED] = True
            self._logger.warning(
                "Custobar does not give the latest %s first, as it was asked to: "
                "all pages are read, until a run meets no other order",
                self.key,
            )

    def commit(self, table: Completeness, *, is_drained: bool) -> None:
        """Move the bookmark to the latest instant seen, now that all that is new is written.

        It stays where records may be missing that only a run from here would bring.

        Args:
            table: What came.
            is_drained: Whether the read went to the table's end.
        """
        if table.fell_by:
            self._logger.warning(
                "Custobar's count fell while %s was read: up to %s may have been passed over. "
                "A run in full brings them (Meltano: --full-refresh)",
                "the table" if is_drained else "what is new",
                counted(table.fell_by, "record"),
            )
        if is_drained and not self._may_move(table):
            return
        if not is_drained:
            self._note_shortfall(0)
        elif self._in_order and self._is_unordered and not table.ended_on_empty_page:
            self._bookmark[UNORDERED] = None
        if self._high_watermark:
            self._bookmark |= {KEY: self.key, VALUE: self._high_watermark}

    def _may_move(self, table: Completeness) -> bool:
        """Return whether a drained table gives no reason to leave the bookmark where it is."""
        if table.ended_on_empty_page and table.count is None:
            self._logger.warning(
                "The bookmark stays, for the last page was named by Custobar and came empty"
            )
            return False
        missing, before = table.surely_missing, self._bookmark.get(MISSING)
        short_runs = self._note_shortfall(missing)
        if not missing:
            return True
        what = f"{counted(missing, 'record')} fewer than Custobar's count came"
        if missing == before:
            what += " again, as in the run before"
        elif short_runs > MAX_SHORT_RUNS:
            what += f", and too few in the {MAX_SHORT_RUNS} runs before"
        else:
            self._logger.warning(
                "%s: the bookmark stays, and the next run reads the same again", what
            )
            return False
        self._logger.warning(
            "%s: the bookmark moves. Custobar seems to count what it does not list", what
        )
        return True

    def _note_shortfall(self, missing: int) -> int:
        """Keep how many records were missing, and return for how many runs in a row some were."""
        before = self._bookmark.get(SHORT_RUNS)
        runs = (before if isinstance(before, int) else 0) + 1 if missing else 0
        for key, number in ((MISSING, missing), (SHORT_RUNS, runs)):
            if number or self._bookmark.get(key) is not None:
                self._bookmark[key] = number or None
        return runs
