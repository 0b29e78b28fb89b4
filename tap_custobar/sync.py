"""What changes while one stream is read, and the order in which it changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_custobar.pages.json_pages import Page
    from tap_custobar.pages.reader import PageIterator
    from tap_custobar.progress import Progress
    from tap_custobar.records.decoder import Batch, RecordDecoder
    from tap_custobar.records.filter_check import FilterCheck
    from tap_custobar.records.hashing import ColumnHasher
    from tap_custobar.state.bookmark import IncrementalBookmark
    from tap_custobar.state.checkpoint import Checkpoint


@dataclass(slots=True)
class PageCounts:
    """What one page gave.

    Attributes:
        listed: Its records.
        written: Those that are new.
        skipped: Rows that gave no record, of this run's pages before it.
        keys: The keys of the records, where they are counted.
    """

    listed: int = 0
    written: int = 0
    skipped: int = 0
    keys: list[Any] = field(default_factory=list)


class Sync:
    """One sync of one stream: its pages, and all that moves with them."""

    def __init__(  # noqa: PLR0913 - one argument a part, all by name
        self,
        *,
        pages: PageIterator,
        decoder: RecordDecoder,
        checkpoint: Checkpoint,
        bookmark: IncrementalBookmark | None,
        filter_check: FilterCheck,
        hasher: ColumnHasher,
        progress: Progress,
        counted_keys: Sequence[str],
        may_prefetch: bool,
    ) -> None:
        """Take the parts.

        Args:
            pages: The stream's pages.
            decoder: Decodes their rows.
            checkpoint: Where an interrupted sync goes on.
            bookmark: What is new; None where the table is read whole.
            filter_check: Compares what comes with the filters.
            hasher: Hashes what the settings name.
            progress: What a person watching is told.
            counted_keys: The properties that make up the key; none where keys are not counted.
            may_prefetch: Whether the next page may be asked for while this one is worked on.
        """
        self.pages = pages
        self.checkpoint = checkpoint
        self.bookmark = bookmark
        self.is_drained = True
        self._decoder = decoder
        self._filter_check = filter_check
        self._hasher = hasher
        self._progress = progress
        self._counted_keys = counted_keys
        self._may_prefetch = may_prefetch
        self._page = PageCounts()

    def decode(self, page: Page) -> Iterator[Batch]:
        """Yield all records of a page, with hashes where there are to be any."""
        self._page = PageCounts(skipped=self._decoder.losses.skipped_count)
        self._decoder.note_header(page.names, page.lacking)
        for batch in self._checked(self._decoder.decode(page.blocks, self._progress.pages + 1)):
            self._hasher.apply(batch)
            yield batch

    def _checked(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Return the batches of a page, all of them compared with the filters, if there are any."""
        if not self._filter_check:
            return batches
        # All of a page before any of it leaves: lines cannot be taken back.
        held = list(batches)
        for batch in held:
            self._filter_check.check(batch.column)
        return held

    def select(self, batch: Batch, page: Page) -> Batch:
        """Count the records of a batch, and return those that are new."""
        counts = self._page
        counts.listed += len(batch)
        counts.keys += self._keys(batch)
        if self.bookmark:
            batch = batch.keep(self.bookmark.select_new(batch.column(self.bookmark.key)))
            if self._may_prefetch and self.bookmark.has_news:
                # A page that holds something new is never the one that ends the read.
                self.pages.prefetch(page.next_link)
        counts.written += len(batch)
        return batch

    def _keys(self, batch: Batch) -> Iterable[Any]:
        columns = [batch.column(name) for name in self._counted_keys]
        return columns[0] if len(columns) == 1 else zip(*columns, strict=True)

    def commit(self, page: Page) -> bool:
        """Move counts, progress and checkpoint behind a page whose records are written.

        Returns:
            Whether to go on to the next page.

        Raises:
            CustobarError: the next page must not be asked for.
        """
        counts, table = self._page, self.checkpoint.table
        table.add_page(
            records=counts.listed,
            skipped=self._decoder.losses.skipped_count - counts.skipped,
            count=page.count,
            keys=counts.keys,
        )
        is_bounded = self.bookmark is not None and bool(self.bookmark.lower_bound)
        self._progress.count_page(
            counts.written, done=table.records, total=None if is_bounded else table.count
        )
        if self.bookmark and self.bookmark.is_exhausted():
            self.is_drained = False
            return False
        may_be_stored = not self._hasher.is_shown_by(page.next_link or "")
        self.pages.commit(page, records=counts.listed, keeps_checkpoint=may_be_stored)
        return True

    def close(self) -> None:
        """Ask for nothing more, and summarize."""
        self.pages.close()
        self._progress.summarize(self._decoder.losses)

    def end(self) -> None:
        """Note that the stream was read to its end."""
        self._progress.is_over = True
