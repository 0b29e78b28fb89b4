"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import compress
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_custobar.asking import AskingStream
from tap_custobar.pages.csv_pages import CsvPages
from tap_custobar.pages.json_pages import BLOCK, JsonPages
from tap_custobar.pages.reader import PageIterator
from tap_custobar.progress import Progress
from tap_custobar.records.dict_records import Conformer
from tap_custobar.records.json_codec import encode_rows
from tap_custobar.records.struct_records import CompiledRows
from tap_custobar.records.surrogate_keys import digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_custobar.filters import FilterCheck
    from tap_custobar.records.schema import SelectedSchema
    from tap_custobar.state.bookmark import IncrementalBookmark
    from tap_custobar.state.checkpoint import Checkpoint
    from tap_custobar.state.completeness import Completeness


class CustobarStream(AskingStream):
    """A list of the API, read page by page: URL -> client -> page -> rows -> lines."""

    # `records` makes the values fit, for every type and with the losses counted.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's hook
        """Write every record of the stream, or yield it where the SDK has to see it."""
        schema, bookmark, first_url = self.selected_schema(), self.bookmark(), self.first_url()
        checkpoint = self.checkpoint(first_url)
        compiled = CompiledRows.of(schema) if self.writes_rows else None
        conformer = Conformer(schema)
        progress = Progress(self.logger, self.connection.client.traffic)
        progress.is_over = self.ABORT_AT_RECORD_COUNT is not None  # --test asks for no more
        pages = self._pages(checkpoint, first_url, self._parser(schema, compiled), bookmark)
        filter_check = self.filter_check()
        is_drained = True
        try:
            self.look_at_shape()
            for page in pages:
                self.use_version(checkpoint.started_at)
                self.check_shape(page.names)
                self.extracted_at, written, skipped = (
                    datetime.now(UTC),
                    0,
                    conformer.losses.skipped_count,
                )
                listed, keys = 0, list[Any]()
                blocks = conformer.conform(page, progress.pages + 1, compiled)
                for block in self._checked(filter_check, blocks, compiled):
                    self._add_digests(block, compiled)
                    listed += len(block)
                    keys += self._keys(block, compiled)
                    records = self._select_new(block, bookmark, compiled)
                    # Only now, so that surrogate keys are those of the whole fractions.
                    (compiled or conformer).cut_fractions(records)
                    written += len(records)
                    if compiled:
                        self._write(records)
                    else:
                        yield from records
                progress.count_page(written)
                checkpoint.table.add_page(
                    records=listed,
                    skipped=conformer.losses.skipped_count - skipped,
                    count=page.count,
                    keys=keys,
                )
                if bookmark and bookmark.is_exhausted():
                    is_drained = False
                    break
                pages.commit(page)
                self.write_state_when_due(checkpoint.table.records)
            self.when_announced(
                partial(self._finish, checkpoint.table, bookmark, is_drained=is_drained)
            )
            progress.is_over = True
        finally:
            pages.close()
            progress.summarize(conformer.losses)

    def _values(
        self, name: str, records: Sequence[Any], compiled: CompiledRows | None
    ) -> Iterable[Any]:
        """Return what records have for a property; UNSET or None where they lack it."""
        get = compiled.columns[name].get if compiled else methodcaller("get", name)
        return map(get, records)

    def _checked(
        self,
        filter_check: FilterCheck,
        blocks: Iterable[Sequence[Any]],
        compiled: CompiledRows | None,
    ) -> Iterable[Sequence[Any]]:
        """Return a page's blocks, all of them compared with the filters, if there are any."""
        if not filter_check:
            return blocks
        # All of a page before any of it leaves: lines cannot be taken back.
        held = list(blocks)
        for block in held:
            filter_check.check(partial(self._values, records=block, compiled=compiled))
        return held

    def _keys(self, records: Sequence[Any], compiled: CompiledRows | None) -> Iterable[Any]:
        """Return the keys of records; none where equal ones are no fault and nobody counts them."""
        if self.digest_key and not self.sends_deletes:
            return ()
        values = [self._values(name, records, compiled) for name in self.primary_keys]
        return values[0] if len(values) == 1 else zip(*values, strict=True)

    def _add_digests(self, records: Sequence[Any], compiled: CompiledRows | None) -> None:
        if self.digest_key is None:
            return
        held = compiled.as_dicts(records) if compiled else records
        for record, digest in zip(records, digests(held), strict=True):
            if compiled:
                setattr(record, compiled.columns[self.digest_key].attribute, digest)
            else:
                record[self.digest_key] = digest

    def _select_new(
        self,
        records: Sequence[Any],
        bookmark: IncrementalBookmark | None,
        compiled: CompiledRows | None,
    ) -> Sequence[Any]:
        if bookmark is None:
            return records
        values = list(self._values(bookmark.key, records, compiled))
        return list(compress(records, bookmark.select_new(values)))

    def _write(self, records: Sequence[Any]) -> None:
        """Write records that fit."""
        for start in range(0, len(records), BLOCK):
            block = records[start : start + BLOCK]
            self.write_rows(encode_rows(block), len(block))

    def _finish(
        self, table: Completeness, bookmark: IncrementalBookmark | None, *, is_drained: bool
    ) -> None:
        """Say what is odd of what came, and move the bookmark or send deletes."""
        if is_drained:
            for oddity in table.oddities():
                self.logger.warning("%s", oddity)
        if bookmark:
            bookmark.commit(table, is_drained=is_drained)
            return
        for shortfall in table.shortfalls():
            self.logger.warning("%s", shortfall)
        if self.sends_deletes:
            if gap := self.partial_reason or table.gap():
                self.logger.warning("No deletes are sent to the target: %s", gap)
            else:
                self.activate_version()

    def _pages(
        self,
        checkpoint: Checkpoint,
        first_url: str,
        parser: JsonPages | CsvPages,
        bookmark: IncrementalBookmark | None,
    ) -> PageIterator:
        ends_early = self.ABORT_AT_RECORD_COUNT is not None or (bookmark and bookmark.lower_bound)
        return PageIterator(
            self.connection,
            checkpoint,
            first_url,
            paginator=self.paginator,
            parse=parser.parse,
            prefetch=not ends_early,
            probe=self.last_page_probe(),
            logger=self.logger,
        )

    def _parser(
        self, schema: SelectedSchema, compiled: CompiledRows | None
    ) -> JsonPages | CsvPages:
        if self.is_csv:
            return CsvPages(schema, self.paginator, compiled, names_fields=self.names_fields)
        return JsonPages(self.name, self.paginator, compiled)
