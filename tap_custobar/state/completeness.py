"""Whether a table came whole: the records that came, against the API's own `count` of them.

The specification does not mention `count`; one public reader of the API reads it, with a default.
So a table without one is never taken to be short, and one that is each page's own number of rows
says nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from tap_custobar.wording import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

#: Keys that are remembered where nothing depends on them but a warning, so that memory stays flat.
MAX_KEYS = 100_000

_PARTS = 256


class RepeatedKeys:
    """Counts records whose key came before, in about ten bytes a key; a set would take eighty.

    Keys are told apart by their 64-bit hashes, those of this process.
    """

    def __init__(self, limit: int | None) -> None:
        """Remember `limit` keys at the most, and count nothing beyond; None for no limit."""
        self._limit = limit
        self._added = 0
        self._distinct = 0
        self._new = array("q")
        # Sorted hashes, by their lowest byte.
        self._parts: list[array[int]] = []

    def add(self, keys: Iterable[Hashable]) -> None:
        """Add the keys of further records."""
        if self._limit is None or self._added < self._limit:
            before = len(self._new)
            self._new.extend(map(hash, keys))
            self._added += len(self._new) - before

    @property
    def count(self) -> int:
        """How many of the records added so far had a key that had come before."""
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
            place = bisect_left(part, key)
            if place == len(part) or part[place] != key:
                part.insert(place, key)
                self._distinct += 1


class Completeness:
    """What came of one table, over all runs of a resumed sync.

    Attributes:
        records: Records that the rows gave.
        skipped: Rows that gave none.
        ended_on_empty_page: Whether the API named a last page on which there was nothing.
        highest: The highest `count` of any page, 0 without one.
        lowest: The lowest, 0 without one.
    """

    def __init__(  # noqa: PLR0913 - one argument a number of a checkpoint, all by name
        self,
        *,
        records: int = 0,
        skipped: int = 0,
        repeated: int = 0,
        highest: int = 0,
        lowest: int = 0,
        key_limit: int | None = MAX_KEYS,
    ) -> None:
        """Go on from the numbers that a checkpoint holds, or begin with none.

        Args:
            records: See the class.
            skipped: See the class.
            repeated: See the property.
            highest: See the class.
            lowest: See the class.
            key_limit: Keys to remember, to tell which came twice; None for all.
        """
        self.records = records
        self.skipped = skipped
        self.ended_on_empty_page = False
        self.highest = highest
        self.lowest = lowest or highest
        self._fell_by = 0
        self._last_count: int | None = None
        self._is_per_page = not highest
        self._repeated_before = repeated
        self._keys = RepeatedKeys(key_limit)

    def add_page(
        self, *, records: int, skipped: int, count: int | None, keys: Iterable[Hashable] = ()
    ) -> None:
        """Add a page.

        Args:
            records: How many it gave, with those that are not new.
            skipped: How many of its rows gave none.
            count: How many records the API says there are on all pages, where it says so.
            keys: The keys of the records; none where no key is the API's own.
        """
        self.records += records
        self.skipped += skipped
        self._keys.add(keys)
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
        """How many records had a key that came before in the same run."""
        return self._repeated_before + self._keys.count

    @property
    def count(self) -> int | None:
        """How many records the API says there are: the highest that it said on any page."""
        return None if self._is_per_page else self.highest

    @property
    def fell_by(self) -> int:
        """How much the API's `count` fell from page to page of this run."""
        return 0 if self._is_per_page else self._fell_by

    @property
    def missing(self) -> int:
        """How many records fewer there were than the API said, once the table is drained."""
        return max((self.count or 0) - self._distinct_rows, 0)

    @property
    def surely_missing(self) -> int:
        """How many fewer there were than the API said on any page, once the table is drained.

        While a table grows, or shrinks behind the page that is read, more than those may be.
        """
        return max(self.lowest - self._distinct_rows, 0) if self.count else 0

    @property
    def surplus(self) -> int:
        """How many records more there were than the API said; 0 where it did not say."""
        return 0 if self.count is None else max(self._distinct_rows - self.count, 0)

    @property
    def _distinct_rows(self) -> int:
        return self.records - self.repeated + self.skipped

    @property
    def is_steady(self) -> bool:
        """Whether the API's `count` was the same on all pages."""
        return self.count is None or self.lowest == self.highest

    def shortfalls(self) -> Iterator[str]:
        """Yield what may be missing from a drained table that is read whole each time."""
        if self.fell_by:
            yield (
                f"Custobar's count fell while the table was read: up to "
                f"{counted(self.fell_by, 'record')} may have been passed over. The next run reads "
                "all again"
            )
        if self.missing:
            yield f"Received {counted(self.missing, 'record')} fewer than Custobar's count"

    def oddities(self) -> Iterator[str]:
        """Yield what else is odd of a drained table."""
        if self.surplus:
            yield f"Received {counted(self.surplus, 'record')} more than Custobar's count"
        if repeated := self.repeated:
            yield f"Received {counted(repeated, 'record')} whose key had come before in this sync"

    def gap(self) -> str | None:
        """Say why a drained table may lack records that exist; None where it is whole.

        Deletes depend on it, so whatever is not known to be whole is not.
        """
        if not self.records:
            return "no record came"
        if self.skipped:
            return f"{counted(self.skipped, 'row')} gave no record"
        if self.ended_on_empty_page:
            return "the last page was named by Custobar and came empty"
        if not self.is_steady:
            return f"Custobar's count changed between {self.lowest:,} and {self.highest:,}"
        if self.missing:
            return f"{counted(self.missing, 'record')} fewer than Custobar's count came"
        if self.repeated and (self.count is None or self.surplus):
            return f"{counted(self.repeated, 'record')} came twice, so others may not have come"
        return None
