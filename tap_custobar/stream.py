"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import compress
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_custobar.asking import AskingStream
from tap_custobar.compiled import CompiledRows
from tap_custobar.csv_pages import CsvPages
from tap_custobar.digests import digests
from tap_custobar.json_text import encode_rows
from tap_custobar.pages import BLOCK, JsonPages
from tap_custobar.progress import Progress
from tap_custobar.reading import PageReader
from tap_custobar.records import Conformer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.helpers.types import Context, Record

    from tap_custobar.incremental import Increment
    from tap_custobar.resuming import Resumption
    from tap_custobar.selection import SelectedSchema


class CustobarStream(AskingStream):
    """A list of the API, read page by page: URL -> client -> page -> rows -> lines."""

    # `records` makes the values fit, for every type and with the losses counted.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's hook
        """Write every record of the stream, or yield it where the SDK has to see it."""
        schema, increment, first_url = self.selected_schema(), self.increment(), self.first_url()
        resumption = self.resumption(first_url)
        compiled = CompiledRows.of(schema) if self.writes_rows else None
        conformer = Conformer(schema)
        progress = Progress(self.logger, self.connection.client.traffic)
        progress.is_over = self.ABORT_AT_RECORD_COUNT is not None  # --test asks for no more
        reader = self._reader(resumption, first_url, self._pages(schema, compiled), increment)
        try:
            self.look_at_shape()
            while page := reader.read():
                self.use_version(resumption.began)
                self.check_shape(page.names)
                self.extracted_at, written = datetime.now(UTC), 0
                for block in conformer.conform(page, progress.pages + 1, compiled):
                    records = self._wanted(block, increment, compiled)
                    # Only now, so that surrogate keys are those of the whole fractions.
                    (compiled or conformer).cut_fractions(records)
                    written += len(records)
                    if compiled:
                        self._write(records)
                    else:
                        yield from records
                progress.count_page(written)
                resumption.add_page(
                    records=written, skipped=conformer.losses.skipped_count, count=page.count
                )
                if increment and increment.is_over():
                    break
                reader.advance(page)
                self.write_state_when_due(resumption.records)
            self._finish(resumption, increment)
            progress.is_over = True
        finally:
            reader.close()
            progress.summarize(conformer.losses)

    def _wanted(
        self,
        records: Sequence[Any],
        increment: Increment | None,
        compiled: CompiledRows | None,
    ) -> Sequence[Any]:
        """Return the records that are new enough, each with its key."""
        if increment:
            key = increment.key
            get = compiled.columns[key].get if compiled else methodcaller("get", key)
            records = list(compress(records, increment.sift(list(map(get, records)))))
        if self.digest_key:
            held = compiled.as_dicts(records) if compiled else records
            for record, digest in zip(records, digests(held), strict=True):
                if compiled:
                    setattr(record, compiled.columns[self.digest_key].attribute, digest)
                else:
                    record[self.digest_key] = digest
        return records

    def _write(self, records: Sequence[Any]) -> None:
        """Write records that fit."""
        for start in range(0, len(records), BLOCK):
            block = records[start : start + BLOCK]
            self.write_rows(encode_rows(block), len(block))

    def _finish(self, resumption: Resumption, increment: Increment | None) -> None:
        """Tell what a drained stream is known to be: whole, or new up to an instant."""
        if increment:
            increment.finish()
            return
        if resumption.missing:
            self.logger.warning(
                "Fewer records came than Custobar told of: %d missing", resumption.missing
            )
        if resumption.is_whole and not self.is_partial:
            self.activate_version()

    def _reader(
        self,
        resumption: Resumption,
        first_url: str,
        pages: JsonPages | CsvPages,
        increment: Increment | None,
    ) -> PageReader:
        ends_early = self.ABORT_AT_RECORD_COUNT is not None or (increment and increment.since)
        return PageReader(
            self.connection,
            resumption,
            first_url,
            paginator=self.paginator,
            parse=pages.parse,
            looks_ahead=not ends_early,
            logger=self.logger,
        )

    def _pages(self, schema: SelectedSchema, compiled: CompiledRows | None) -> JsonPages | CsvPages:
        if self.is_csv:
            return CsvPages(schema, self.paginator, compiled)
        return JsonPages(self.name, self.paginator, compiled)
