"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from tap_custobar.asking import AskingStream
from tap_custobar.catalog.custom_fields import UnseenFields
from tap_custobar.config import settings
from tap_custobar.pages.csv_pages import CsvPageParser
from tap_custobar.pages.json_pages import JsonPageParser
from tap_custobar.pages.reader import PageIterator
from tap_custobar.progress import Progress
from tap_custobar.records.decoder import RecordDecoder
from tap_custobar.records.surrogate_keys import surrogate_keys
from tap_custobar.redaction import one_line
from tap_custobar.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_custobar.pages.json_pages import Page
    from tap_custobar.records.decoder import Batch
    from tap_custobar.records.schema import SelectedSchema
    from tap_custobar.state.completeness import Completeness


class CustobarStream(AskingStream):
    """A list of the API: URL -> response -> page -> raw rows -> batches -> whatever writes them."""

    def batches(self) -> Iterator[Batch]:
        """Yield every record of the stream that is to be written.

        What is behind a batch (state, bookmark, deletes) moves once the next one is asked for.
        """
        schema = self.selected_schema()
        sync = self._sync(schema)
        try:
            self.look_at_shape()
            for page in sync.pages:
                self.use_version(sync.checkpoint.started_at)
                self._check_page(page)
                self.extracted_at = datetime.now(UTC)
                for batch in sync.decode(page):
                    self._unseen.look_in(batch)
                    if schema.surrogate_key:
                        batch.set_column(schema.surrogate_key, surrogate_keys(batch.dicts()))
                    selected = sync.select(batch, page)
                    # Only now, so that surrogate keys are those of the whole fractions.
                    selected.cut_fractions()
                    yield selected
                if not sync.commit(page):
                    break
                self.write_state_when_due(sync.checkpoint.table.records)
            self.when_announced(partial(self._finish, sync))
            sync.end()
        finally:
            sync.close()

    def _check_page(self, page: Page) -> None:
        if self.line_items:
            self.check_shape(page.sample_names())

    def _sync(self, schema: SelectedSchema) -> Sync:
        first_url, bookmark = self.first_url(), self.bookmark()
        checkpoint = self.checkpoint(first_url)
        is_test = self.ABORT_AT_RECORD_COUNT is not None  # it asks for no more
        pages = PageIterator(
            self.connection,
            checkpoint,
            first_url,
            paginator=self.paginator,
            parse=self._parser(schema).parse,
            prefetch=not is_test and not (bookmark and bookmark.lower_bound),
            probe=self.last_page_probe(),
            logger=self.logger,
        )
        progress = Progress(
            self.logger,
            self.connection.client.stats,
            is_over=is_test,
            has_catalog=self.tap.input_catalog is not None,
        )
        # Equal records share a surrogate key, which is no fault: only deletes depend on them.
        counts_keys = self.sends_deletes or schema.surrogate_key is None
        return Sync(
            pages=pages,
            decoder=RecordDecoder(schema),
            checkpoint=checkpoint,
            bookmark=bookmark,
            filter_check=self.filter_check(schema),
            hasher=self.hasher(schema),
            progress=progress,
            counted_keys=self.primary_keys if counts_keys else (),
            may_prefetch=not is_test,
        )

    def _parser(self, schema: SelectedSchema) -> JsonPageParser | CsvPageParser:
        if self.is_csv:
            return CsvPageParser(schema, self.paginator, names_fields=self.names_fields)
        return JsonPageParser(self.name, self.paginator)

    def _finish(self, sync: Sync) -> None:
        """Say what is odd of what came, and move the bookmark or send deletes."""
        table = sync.checkpoint.table
        if sync.is_drained:
            for oddity in table.oddities():
                self.logger.warning("%s", oddity)
        if sync.bookmark:
            sync.bookmark.commit(table, is_drained=sync.is_drained)
            return
        self._warn_of_unseen(table)
        for shortfall in table.shortfalls():
            self.logger.warning("%s", shortfall)
        if self.sends_deletes:
            if gap := self.partial_reason or table.gap():
                self.logger.warning("No deletes are sent to the target: %s", gap)
            else:
                self.activate_version()

    @cached_property
    def _unseen(self) -> UnseenFields:
        declared = settings.options_of(self.config, self.name).get("custom_fields") or {}
        return UnseenFields(self._selected & declared.keys())

    def _warn_of_unseen(self, table: Completeness) -> None:
        is_all = self._unseen.rows == table.records > 0 and not self._filters
        if self._unseen.names and is_all:
            self.logger.warning(
                "Declared in custom_fields, but in no record: %s. They are not used at Custobar, "
                "or mistyped",
                ", ".join(map(one_line, sorted(self._unseen.names))),
            )
