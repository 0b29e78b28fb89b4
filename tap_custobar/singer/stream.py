"""Where the SDK's stream is bent."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import Schema
from singer_sdk.singerlib.catalog import Metadata

from tap_custobar.catalog.replication import (
    FULL_TABLE,
    INCREMENTAL,
    replication_key,
    without_demands,
)

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Generator, Sequence
    from datetime import datetime

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import Catalog, MetadataMapping, RecordMessage


class CustobarBaseStream(Stream):
    """A stream that keeps its keys, and that tells a target to delete only when it is safe."""

    name: str

    #: Properties that may be a replication key; none where a stream is read as a whole only.
    valid_replication_keys: Sequence[str] = ()

    replication_key: str | None = None

    #: Whether `get_records` writes what it reads, by `write_rows`, instead of yielding it.
    writes_rows = False

    #: When the page came that the next records are of.
    extracted_at: datetime

    def __init__(self, tap: Tap, schema: dict[str, Any]) -> None:
        """Make a stream of the tap with this JSON schema."""
        super().__init__(tap, schema)
        self.logger.addFilter(_in_lines_of(self.name))
        self._records_in_state = 0
        self._commit: Callable[[], None] | None = None

    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Write nothing yet.

        The SDK sends the message before the records: a target that deletes for good would empty
        its table before anything of the new one has come.
        """

    def use_version(self, version: int) -> None:
        """Give the records another version than the run's own: that of the sync it goes on with."""
        if self._stream_version is not None:
            self._stream_version = version

    def get_record_counter(self, **options: Any) -> Counter:
        """Return the SDK's counter, after keeping it: it counts what `write_rows` writes too."""
        self._record_counter = super().get_record_counter(**options)
        return self._record_counter

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Read the records, noting whether they may be written as they are, by the page.

        The SDK's own loop is for all that takes them one by one: stream maps, flattening, batch
        files, --test, the selection of parts of a property, and writers that know nothing else.
        """
        self.writes_rows = (
            write_messages
            and [type(stream_map) for stream_map in self.stream_maps] == [SameRecordTransform]
            and not self.config.get("flattening_enabled")
            and self.ABORT_AT_RECORD_COUNT is None
            and not any(len(place) > 2 and not self.mask[place] for place in self.metadata)  # noqa: PLR2004 - ("properties", name)
            and hasattr(self._tap.message_writer, "write_records")
        )
        try:
            yield from super()._sync_records(context, write_messages=write_messages)
        finally:
            self.writes_rows = False

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Give the records of a page one time, as `write_rows` does; the SDK takes its own."""
        for message in super()._generate_record_messages(record):
            message.time_extracted = self.extracted_at
            yield message

    def write_rows(self, rows: bytes, count: int) -> None:
        """Write so many records, as `encode_rows` makes them, and count them for the SDK."""
        self._tap.message_writer.write_records(  # type: ignore[attr-defined] # see writes_rows
            self.name,
            rows,
            count=count,
            time_extracted=self.extracted_at,
            version=self._stream_version,
        )
        self._record_counter.increment(count)
        self.state_manager.is_flushed = False

    @property
    def sends_deletes(self) -> bool:
        """Whether ACTIVATE_VERSION is to be sent, once the table is known to be whole."""
        return self._stream_version is not None

    def when_announced(self, commit: Callable[[], None]) -> None:
        """Call `commit` once all records are written: in batch mode, once their files are."""
        if self.get_batch_config(self.config) is None:
            commit()
        else:
            self._commit = commit

    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        """Write the batch files, then move the bookmark.

        The SDK exhausts `get_records` before it writes the message of the last file, and a file
        that is not announced is lost.
        """
        super()._sync_batches(batch_config, context)
        if self._commit:
            self._commit()
            self.state_manager.is_flushed = False
            self._write_state_message()

    def write_state_when_due(self, records: int) -> None:
        """Write the state at the first page end at or past so many records since the last time.

        The SDK writes it within a page, where the mark has not moved: a line that says nothing.
        """
        if records - self._records_in_state >= self.STATE_MSG_FREQUENCY:
            self._records_in_state = records
            self._tap.state_writer.write_state(self.tap_state)

    def activate_version(self) -> None:
        """Tell the target, after the last record, to drop the rows that did not come again."""
        if self._stream_version is not None:
            super()._write_activate_version_message(self._stream_version)

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog, after completing what an edited one may lack.

        Without `key_properties`, or with a key deselected, the SDK would write a SCHEMA without
        the key; and one with demands that no value can be bent to would not fit its records.
        """
        if entry := catalog.get_stream(self.name):
            key = replication_key(
                self.name,
                entry.replication_method,
                entry.replication_key,
                self.valid_replication_keys,
            )
            entry.replication_key = entry.metadata.root.replication_key = key
            entry.replication_method = INCREMENTAL if key else FULL_TABLE
            entry.key_properties = self.primary_keys
            entry.schema = Schema.from_dict(without_demands(entry.schema.to_dict()))
            properties = entry.schema.properties = entry.schema.properties or {}
            for name in [*self.primary_keys, *([key] if key else [])]:
                properties[name] = Schema.from_dict(self.schema["properties"][name])
                entry.metadata[("properties", name)].inclusion = Metadata.InclusionType.AUTOMATIC
        super().apply_catalog(catalog)

    @property
    def metadata(self) -> MetadataMapping:
        """The SDK's, with the replication keys that may be chosen."""
        metadata = super().metadata
        metadata.root.valid_replication_keys = list(self.valid_replication_keys) or None
        return metadata

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return none: a bookmark may be in the future, and is warned about."""

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Write nothing: `incremental` reads and moves the bookmark.

        The SDK's way compares texts and moves back, and fails on records without the key.
        """

    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Move nothing, for the same reason."""


@cache
def _in_lines_of(stream: str) -> Callable[[logging.LogRecord], bool]:
    """Return a filter that names the stream in its lines, for Meltano shows nothing else of them.

    Held back is the SDK's line on a failure: the cause follows, in a line of its own.
    """
    is_named = re.compile(rf"\b{stream}\b").search

    def name(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if not is_named(message):
            record.msg, record.args = f"{stream}: {message}", None
        return not message.startswith("An unhandled error occurred while syncing")

    return name
