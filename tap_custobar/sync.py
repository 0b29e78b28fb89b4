"""The mutable parts of one stream's sync, and the order in which they change."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_custobar.pages.json_pages import Page
    from tap_custobar.pages.reader import PageIterator
    from tap_custobar.progress import Progress
    from tap_custobar.records.decoder import Batch, RecordDecoder
    from tap_custobar.records.filter_check import FilterCheck
    from tap_custobar.records.hashing import ColumnHasher
    from tap_custobar.records.members import MemberFilter
    from tap_custobar.state.bookmark import IncrementalBookmark
    from tap_custobar.state.checkpoint import Checkpoint


@dataclass(slots=True)
class PageCounts:
    """The counts of one page.

    Attributes:
        listed: Number of its records.
        written: Number of its new records.
        skipped: Number of skipped rows on this run's previous pages.
        key_hashes: Hashes of the primary keys of its records, of 64 bits; empty if keys are not
            counted. The keys themselves would take ten times the memory.
    """

    listed: int = 0
    written: int = 0
    skipped: int = 0
    key_hashes: array[int] = field(default_factory=partial(array, "q"))


class Sync:
    """One sync of one stream: its pages, and the counts and state that change with them.

    Attributes:
        pages: The stream's pages.
        checkpoint: The checkpoint, with the completeness of the table.
        bookmark: The bookmark of an incremental stream; None for a full table.
        is_drained: Whether the sync reads all pages: false once the bookmark ended it early.
    """

    def __init__(  # noqa: PLR0913 - one argument a part, all by name
        self,
        *,
        pages: PageIterator,
        decoder: RecordDecoder,
        checkpoint: Checkpoint,
        bookmark: IncrementalBookmark | None,
        filter_check: FilterCheck,
        hasher: ColumnHasher,
        member_filter: MemberFilter,
        progress: Progress,
        counted_keys: Sequence[str],
        has_surrogate_key: bool,
        may_prefetch: bool,
    ) -> None:
        """Create a sync.

        Args:
            pages: See the class.
            decoder: Decodes the rows of pages.
            checkpoint: See the class.
            bookmark: See the class.
            filter_check: Compares records with the filters.
            hasher: Hashes the properties that the settings name.
            member_filter: Removes the members that the settings leave out.
            progress: Logs progress and the summary.
            counted_keys: The properties of the primary key; empty if keys are not counted.
            has_surrogate_key: Whether records that differ at Custobar may have the same key.
            may_prefetch: Whether the next page may be requested while this one is processed.
        """
        self.pages = pages
        self.checkpoint = checkpoint
        self.bookmark = bookmark
        self.is_drained = True
        self._decoder = decoder
        self._filter_check = filter_check
        self._hasher = hasher
        self._member_filter = member_filter
        self._progress = progress
        self._counted_keys = counted_keys
        self._has_surrogate_key = has_surrogate_key
        self._may_prefetch = may_prefetch
        self._page = PageCounts()

    def decode(self, page: Page) -> Iterator[Batch]:
        """Yield all records of a page, new or not, with personal data hashed and left out.

        Raises:
            FilterIgnoredError: a filter has no effect.
        """
        self._page = PageCounts(skipped=self._decoder.losses.skipped_count)
        self._decoder.note_header(page.names, page.missing_fields)
        self._hasher.start_page()
        for batch in self._checked(self._decoder.decode(page.chunks, self._progress.pages + 1)):
            self._hasher.apply(batch)
            self._member_filter.apply(batch)
            yield batch

    def _checked(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Return the batches of a page, after comparing all of them with the filters.

        Nothing after this sees the properties that are only compared.
        """
        if not self._filter_check:
            return batches
        # The whole page is checked first, because records that are written cannot be withdrawn.
        decoded = list(batches)
        for batch in decoded:
            self._filter_check.check(batch.column)
            batch.drop_unselected()
        return decoded

    def select(self, batch: Batch, page: Page) -> Batch:
        """Count the records of a batch, and return those that are new: all without a bookmark."""
        counts = self._page
        counts.listed += len(batch)
        counts.key_hashes.extend(map(hash, self._keys(batch)))
        if self.bookmark:
            batch = batch.keep(self.bookmark.select_new(batch.column(self.bookmark.key)))
            if self._may_prefetch and self.bookmark.has_news:
                # A page with a new record never ends the sync, so its next page is always needed.
                self.pages.prefetch(page.next_link)
        counts.written += len(batch)
        return batch

    def _keys(self, batch: Batch) -> Iterable[Any]:
        columns = [batch.column(name) for name in self._counted_keys]
        return columns[0] if len(columns) == 1 else zip(*columns, strict=True)

    def commit(self, page: Page) -> bool:
        """Advance counts, progress and checkpoint, after a page's records are written.

        Returns:
            Whether the sync continues with the next page.

        Raises:
            CustobarError: the next page must not be requested.
        """
        counts, table = self._page, self.checkpoint.table
        skipped = self._decoder.losses.skipped_count - counts.skipped
        table.add_page(
            records=counts.listed,
            skipped=skipped,
            count=page.count,
            key_hashes=counts.key_hashes,
        )
        is_bounded = self.bookmark is not None and bool(self.bookmark.lower_bound)
        self._progress.count_page(
            counts.written, done=table.records, total=None if is_bounded else table.count
        )
        if self.bookmark and self.bookmark.end_page():
            self.is_drained = False
            return False
        # The values of skipped rows are not known.
        may_show_values = (self._hasher and skipped) or self._hasher.is_shown_by(
            page.next_link or ""
        )
        self.pages.commit(
            page,
            records=counts.listed,
            keys_hash=None if self._has_surrogate_key else hash(counts.key_hashes.tobytes()),
            keeps_checkpoint=not may_show_values,
        )
        return True

    def close(self) -> None:
        """Cancel the pending prefetch, and log the summary."""
        self.pages.close()
        self._progress.summarize(self._decoder.losses)

    def end(self) -> None:
        """Mark the sync as complete."""
        self._progress.is_over = True
