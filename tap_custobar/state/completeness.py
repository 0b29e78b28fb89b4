"""Whether a table was received completely, by comparison with the API's `count` of its records.

The specification does not mention `count`; one public client of the API reads it, with a default.
So no records count as missing without it, and a `count` that is the number of each page's rows is
ignored.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from tap_custobar.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Maximum number of keys that are remembered if only a warning depends on them, to limit memory.
MAX_KEYS = 100_000

_PARTS = 256


class RepeatedKeys:
    """Counts records whose key was received before, in about ten bytes per key (a set needs 80).

    Keys are compared by their 64-bit hashes in this process.
    """

    def __init__(self, limit: int | None) -> None:
        """Create a counter.

        Args:
            limit: Maximum number of remembered keys, after which no further ones are counted; None
                for no limit.
        """
        self._limit = limit
        self._added = 0
        self._distinct = 0
        self._new = array("q")
        # Sorted hashes, by their lowest byte.
        self._parts: list[array[int]] = []

    def add(self, hashes: Iterable[int]) -> None:
        """Add the hashes of the keys of further records."""
        if self._limit is None or self._added < self._limit:
            before = len(self._new)
            self._new.extend(hashes)
            self._added += len(self._new) - before

    @property
    def count(self) -> int:
        """How many of the records added so far had a key that was added before."""
        if not self._parts:
            self._fill()
        else:
            self._merge()
        self._new = array("q")
        return self._added - self._distinct

    def _fill(self) -> None:
        parts: list[array[int]] = [array("q") for _ in range(_PARTS)]
        for key in self._new:
            parts[key % _PARTS].append(key)
        self._parts = [array("q", sorted(set(part))) for part in parts]
        self._distinct = sum(map(len, self._parts))

    def _merge(self) -> None:
        for key in self._new:
            part = self._parts[key % _PARTS]
            index = bisect_left(part, key)
            if index == len(part) or part[index] != key:
                part.insert(index, key)
                self._distinct += 1


class Completeness:
    """The counts of one table, over all runs of a resumed sync.

    Attributes:
        records: Number of records received, new or not.
        skipped: Number of rows that are not valid records.
        ended_on_empty_page: Whether the last page, which the API linked to, was empty.
        highest: The highest `count` of any page, 0 without one.
        lowest: The lowest `count` of any page, 0 without one.
        is_resumed: Whether an earlier run received the first records. Their keys are not known any
            more, so records that moved between pages since then cannot be noticed.
    """

    def __init__(  # noqa: PLR0913 - one argument a number of a checkpoint, all by name
        self,
        *,
        records: int = 0,
        skipped: int = 0,
        repeated: int = 0,
        highest: int = 0,
        lowest: int = 0,
        is_resumed: bool = False,
        key_limit: int | None = MAX_KEYS,
    ) -> None:
        """Create the counts, from those of a checkpoint or with zeros.

        Args:
            records: See the class.
            skipped: See the class.
            repeated: See the property.
            highest: See the class.
            lowest: See the class.
            is_resumed: See the class.
            key_limit: Maximum number of keys to remember, to detect repeated ones; None for all.
        """
        self.records = records
        self.skipped = skipped
        self.ended_on_empty_page = False
        self.highest = highest
        self.lowest = lowest or highest
        self.is_resumed = is_resumed
        self._fell_by = 0
        self._last_count: int | None = None
        self._is_per_page = not highest
        self._repeated_before = repeated
        self._keys = RepeatedKeys(key_limit)

    def add_page(
        self, *, records: int, skipped: int, count: int | None, key_hashes: Iterable[int] = ()
    ) -> None:
        """Add the counts of a page.

        Args:
            records: Number of its records, new or not.
            skipped: Number of its rows that are not valid records.
            count: The API's number of records on all pages; None if the page does not have it.
            key_hashes: The hashes of the primary keys of the records; none if they are surrogate
                keys.
        """
        self.records += records
        self.skipped += skipped
        self._keys.add(key_hashes)
        if count is None:
            return
        self._is_per_page = self._is_per_page and count == records + skipped
        self.lowest = min(self.lowest, count) if self.highest else count
        self.highest = max(self.highest, count)
        if self._last_count is not None:
            self._fell_by += max(self._last_count - count, 0)
        self._last_count = count

    @property
    def repeated(self) -> int:
        """The number of records whose key was received before in the same run."""
        return self._repeated_before + self._keys.count

    @property
    def count(self) -> int | None:
        """The API's number of records, the highest of all pages; None if it is not known."""
        return None if self._is_per_page else self.highest

    @property
    def fell_by(self) -> int:
        """By how much in total the API's `count` fell between the pages of this run."""
        return 0 if self._is_per_page else self._fell_by

    @property
    def missing(self) -> int:
        """The API's number of records minus those received, after all pages were read."""
        return max((self.count or 0) - self._distinct_rows, 0)

    @property
    def surely_missing(self) -> int:
        """The lowest `count` of any page minus the records received, after all pages were read.

        More may be missing if the table grew, or lost records that had been read already.
        """
        return max(self.lowest - self._distinct_rows, 0) if self.count else 0

    @property
    def surplus(self) -> int:
        """The number of records received minus the API's; 0 if that is not known."""
        return 0 if self.count is None else max(self._distinct_rows - self.count, 0)

    @property
    def _distinct_rows(self) -> int:
        return self.records - self.repeated + self.skipped

    @property
    def is_steady(self) -> bool:
        """Whether the API's `count` was the same on all pages."""
        return self.count is None or self.lowest == self.highest

    def shortfalls(self) -> Iterator[str]:
        """Yield warnings about records that may be missing, after a full-table sync."""
        if self.fell_by:
            yield (
                f"Custobar's count fell while reading the table: up to "
                f"{counted(self.fell_by, 'record')} may have been missed. The next run reads all "
                "records again"
            )
        if self.missing:
            yield f"Received {counted(self.missing, 'record')} fewer than Custobar's count"

    def oddities(self) -> Iterator[str]:
        """Yield warnings about surplus and repeated records, after all pages were read."""
        if self.surplus:
            yield f"Received {counted(self.surplus, 'record')} more than Custobar's count"
        if repeated := self.repeated:
            yield f"Received {counted(repeated, 'record')} whose key was already received"

    def gap(self) -> str | None:
        """Return why existing records may be missing after all pages were read; None if complete.

        Deletes depend on it, so a table that is not known to be complete is not.
        """
        if not self.records:
            return "no records were received"
        if self.skipped:
            return f"{counted(self.skipped, 'row')} skipped"
        if self.ended_on_empty_page:
            return "the last page that Custobar linked to was empty"
        if not self.is_steady:
            return f"Custobar's count changed between {self.lowest:,} and {self.highest:,}"
        if self.missing:
            return f"received {counted(self.missing, 'record')} fewer than Custobar's count"
        if self.repeated and (self.count is None or self.surplus):
            return f"received {counted(self.repeated, 'record')} twice, so others may be missing"
        if self.is_resumed:
            return (
                "the sync was resumed, so records that moved meanwhile may be missing. The next "
                "sync that is not interrupted sends them"
            )
        return None
