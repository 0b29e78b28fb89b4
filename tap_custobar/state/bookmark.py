"""Incremental replication (docs/behaviour.md, "Incremental reading"), which the API does not offer.

Records are requested in descending order of the replication key, so that the first page without a
new record ends the sync. The order is checked: if it does not hold, all pages are read.
"""

from __future__ import annotations

from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tap_custobar.records.timestamps import days_before, sort_key, to_utc
from tap_custobar.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo
    from logging import Logger

    from tap_custobar.state.completeness import Completeness

#: The keys of a Singer bookmark.
KEY = "replication_key"
VALUE = "replication_key_value"

#: Custom keys: whether an earlier run received records in another order, how many records were
#: missing when the last run had read all pages, and in how many consecutive runs some were missing.
UNORDERED = "unordered"
MISSING = "missing"
SHORT_RUNS = "short_runs"

#: Custom keys of what the runs up to now left out: records before a date, and those that filters
#: exclude. Absent or null where nothing was left out.
START_DATE = "start_date"
FILTERS = "filters"

#: Maximum number of consecutive runs with differing numbers of missing records in which the
#: bookmark does not move.
MAX_SHORT_RUNS = 5


class IncrementalBookmark:
    """The bookmark of an incremental stream: selects new records, and moves after a sync.

    Attributes:
        key: The replication key.
        lower_bound: Older records are not new. In the form of `sort_key`; empty if all are new.
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
        filters: str | None = None,
    ) -> None:
        """Load the bookmark of the last run.

        Args:
            bookmark: The stream's bookmark, changed in place. It comes from a file, so its values
                can have any type.
            key: The replication key, a date-time.
            start_date: The earliest lower bound; a date-time or a date.
            lookback_days: Days before the bookmark that are read again, for records that Custobar
                adds late.
            zone: Time zone of date-times without one.
            now: The current time, RFC 3339 in UTC.
            logger: The stream's logger.
            filters: A fingerprint of the filters; None without any.
        """
        self.key = key
        self._bookmark = bookmark
        self._logger = logger
        self._now = sort_key(now)
        self._high_watermark = self._load(zone)
        self._start_date = start_date and to_utc(start_date, zone)
        start = sort_key(self._start_date or "")
        self.lower_bound = start
        if self._high_watermark:
            lookback_start = days_before(self._high_watermark, lookback_days)
            self.lower_bound = max(start, sort_key(lookback_start))
            self._warn_of_changes(filters)
        self._bookmark_before = self._high_watermark and sort_key(self._high_watermark)
        self._filters = filters
        self._start = start
        self._in_order = True
        self._saw_latest = False
        self._last: str | None = None
        self._latest_on_page: str | None = None
        if self._is_unordered:
            logger.info(
                "Reading all pages, because an earlier run did not receive the latest %s first",
                self.key,
            )

    def _load(self, zone: tzinfo) -> str | None:
        value = self._bookmark.get(VALUE)
        if value is None or self._bookmark.get(KEY, self.key) != self.key:
            return None
        if (loaded := to_utc(str(value), zone)) is None:
            self._logger.warning("The bookmark is not a valid date-time: reading all records")
        elif sort_key(loaded) > self._now:
            self._logger.warning(
                "The bookmark %s is in the future: records older than it minus lookback_days are "
                "not read. To reset it, remove it from the state (Meltano: --full-refresh)",
                loaded,
            )
        return loaded

    def _warn_of_changes(self, filters: str | None) -> None:
        """Warn about records that earlier runs left out and this one would not, if it read them."""
        changed = ["start_date"] if self._starts_earlier else []
        if self._bookmark.get(FILTERS) not in (None, filters):
            changed.append("filters")
        if changed:
            self._logger.warning(
                "%s changed since the last run: older records that were left out until then are "
                "not read. A full run reads them (Meltano: --full-refresh)",
                " and ".join(changed),
            )

    @property
    def _starts_earlier(self) -> bool:
        """Whether `start_date` is earlier than that of earlier runs, or was removed."""
        before = to_utc(str(self._bookmark.get(START_DATE)), UTC)
        return before is not None and sort_key(self._start_date or "") < sort_key(before)

    def _note_limits(self) -> None:
        """Store what the runs up to now left out."""
        start_date = self._bookmark.get(START_DATE)
        if self._bookmark_before is None or self._starts_earlier:
            start_date = self._start_date
        for key, value in ((START_DATE, start_date), (FILTERS, self._filters)):
            if value or self._bookmark.get(key) is not None:
                self._bookmark[key] = value

    @property
    def _is_unordered(self) -> bool:
        return bool(self._bookmark.get(UNORDERED))

    def select_new(self, values: Sequence[Any]) -> list[bool]:
        """Return a keep/drop mask for consecutive records.

        Args:
            values: Their replication-key values (RFC 3339, UTC) or None; records without one are
                kept, because they may be new.
        """
        timestamps = [sort_key(value) if value else None for value in values]
        known = [timestamp for timestamp in timestamps if timestamp is not None]
        if known:
            self._check_order(known)
            latest = max(known)
            self._latest_on_page = max(self._latest_on_page or "", latest)
            # A bookmark in the future would exclude all records until then.
            past = max((timestamp for timestamp in known if timestamp <= self._now), default="")
            self._saw_latest = self._saw_latest or self._is_latest(past)
            # Nor may it move to a record before `start_date`, which is not written.
            if past >= self.lower_bound and past > sort_key(self._high_watermark or ""):
                self._high_watermark = values[timestamps.index(past)]
        return [timestamp is None or timestamp >= self.lower_bound for timestamp in timestamps]

    def _is_latest(self, timestamp: str) -> bool:
        """Return whether a record is not older than the latest one of the previous run.

        Without a bookmark: whether it is newer than `start_date`.
        """
        if self._bookmark_before:
            return timestamp >= self._bookmark_before
        return timestamp > self._start

    @property
    def has_news(self) -> bool:
        """Whether the current page has a new record with a timestamp, so that it is not the last.

        Records that `select_new` has not received yet are not considered.
        """
        return self._latest_on_page is not None and self._latest_on_page >= self.lower_bound

    def end_page(self) -> bool:
        """End the current page, and return whether no later page can have a new record.

        A page without a new record does not prove that all later records are older. The latest
        record must have been received before, which a server that ignores the order need not send
        first.
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
                "Custobar does not return the latest %s first, as requested: "
                "all pages are read, until a run receives them in order",
                self.key,
            )

    def commit(self, table: Completeness, *, is_drained: bool) -> None:
        """Move the bookmark to the latest timestamp, after all new records are written.

        It does not move if records may be missing that only another run from here would read.

        Args:
            table: The completeness of the received table.
            is_drained: Whether all pages were read.
        """
        if table.fell_by:
            self._logger.warning(
                "Custobar's count fell while reading %s: up to %s may have been missed. "
                "A full run reads them (Meltano: --full-refresh)",
                "the table" if is_drained else "new records",
                counted(table.fell_by, "record"),
            )
        if is_drained and not self._may_move(table):
            return
        if not is_drained:
            self._note_shortfall(0)
        elif self._in_order and self._is_unordered and not table.ended_on_empty_page:
            self._bookmark[UNORDERED] = None
        if self._high_watermark:
            self._note_limits()
            self._bookmark |= {KEY: self.key, VALUE: self._high_watermark}

    def _may_move(self, table: Completeness) -> bool:
        """Return whether the bookmark may move after all pages were read."""
        if table.ended_on_empty_page and table.count is None:
            self._logger.warning(
                "The bookmark does not move, because the last page that Custobar linked to was "
                "empty"
            )
            return False
        missing, before = table.surely_missing, self._bookmark.get(MISSING)
        short_runs = self._note_shortfall(missing)
        if not missing:
            return True
        shortfall = f"Received {counted(missing, 'record')} fewer than Custobar's count"
        if missing == before:
            shortfall += ", as in the previous run"
        elif short_runs > MAX_SHORT_RUNS:
            shortfall += f", and too few in the {MAX_SHORT_RUNS} previous runs"
        else:
            self._logger.warning(
                "%s: the bookmark does not move, and the next run reads the same records again",
                shortfall,
            )
            return False
        self._logger.warning(
            "%s: the bookmark moves. Custobar seems to count records that it does not list",
            shortfall,
        )
        return True

    def _note_shortfall(self, missing: int) -> int:
        """Store how many records were missing; return in how many consecutive runs some were."""
        before = self._bookmark.get(SHORT_RUNS)
        runs = (before if isinstance(before, int) else 0) + 1 if missing else 0
        for key, number in ((MISSING, missing), (SHORT_RUNS, runs)):
            if number or self._bookmark.get(key) is not None:
                self._bookmark[key] = number or None
        return runs
