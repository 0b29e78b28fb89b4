"""Overrides of the SDK's stream: catalogs, batches of records, versions and state."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers._flattening import flatten_key
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import RecordMessage, Schema
from singer_sdk.singerlib.catalog import Metadata
from singer_sdk.singerlib.json import serialize_json

from tap_custobar.catalog.normalization import strip_constraints
from tap_custobar.catalog.replication import FULL_TABLE, INCREMENTAL, replication_key
from tap_custobar.records.flattening import Projection, flat_columns, plain_columns
from tap_custobar.records.members import (
    drop_from_record,
    drop_from_schema,
    is_array_of_objects,
)
from tap_custobar.redaction import one_line
from tap_custobar.singer.batch_files import BatchFiles
from tap_custobar.singer.stream_maps import apply_stream_map

if TYPE_CHECKING:
    import logging
    from collections.abc import (
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import Catalog, MetadataMapping, SchemaMessage

    from tap_custobar.catalog.personal_data import Protection
    from tap_custobar.records.decoder import Batch
    from tap_custobar.records.flattening import ProjectedColumn
    from tap_custobar.records.members import Place


class BaseStream(Stream):
    """A stream whose SCHEMA always has its keys, and that sends deletes only when it is safe."""

    name: str

    #: Properties that may be the replication key; empty where only FULL_TABLE is possible.
    valid_replication_keys: Sequence[str] = ()

    replication_key: str | None = None

    # The decoder converts values of all types, and counts those that are lost.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    #: The names of renamed custom fields: Custobar's name to the written one.
    safe_names: Mapping[str, str]

    #: Which properties are hashed, and which are withheld.
    protection: Protection

    #: Names of the properties that are written.
    selected_names: frozenset[str]

    def __init__(self, tap: Tap, schema: dict[str, Any]) -> None:
        """Create a stream of a tap, with its JSON schema."""
        super().__init__(tap, schema)
        self.logger.addFilter(_in_lines_of(self.name))
        self._records_in_state = 0
        self._commit: Callable[[], None] | None = None
        self._writes_batches = False
        self._record_counter: Counter | None = None
        self.extracted_at = datetime.now(UTC)

    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Write nothing yet: see `activate_version`.

        The SDK sends the message before the records, so that a target with hard deletes would empty
        its table before it receives any record.
        """

    def use_version(self, version: int) -> None:
        """Set the version of the records to that of the sync that is resumed."""
        if self._stream_version is not None:
            self._stream_version = version

    def get_record_counter(self, **options: Any) -> Counter:
        """Return the SDK's counter; it is also kept, to count the records that `_write` writes."""
        counter = super().get_record_counter(**options)
        self._record_counter = counter
        return counter

    def batches(self) -> Iterator[Batch]:
        """Yield the records that are to be written, in batches."""
        raise NotImplementedError

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's hook
        """Write all records of the stream, or yield them where the SDK must process each."""
        for batch in self._selected_batches():
            if self._writes_batches:
                self._write(self._project(batch))
            else:
                yield from batch.dicts()

    def _selected_batches(self) -> Iterator[Batch]:
        """Yield the batches, with the deselected members removed from their properties."""
        for batch in self.batches():
            for place in self._deselected_members:
                name = place[1]
                if self.mask["properties", name]:
                    for value in batch.column(name):
                        drop_from_record({name: value}, place)
            yield batch

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Read the records, after deciding whether they can be written in whole batches.

        The SDK's own loop handles everything that needs single records: stream maps, --test, and
        writers without `write_batch`.
        """
        self._writes_batches = (
            write_messages
            and self._is_unmapped
            and self.ABORT_AT_RECORD_COUNT is None
            and hasattr(self._tap.message_writer, "write_batch")
        )
        try:
            yield from super()._sync_records(context, write_messages=write_messages)
        finally:
            self._writes_batches = False

    def generate_child_contexts(
        self,
        record: Record,  # noqa: ARG002 - the SDK's hook
        context: Context | None,  # noqa: ARG002
    ) -> Iterable[Context | None]:
        """Return no contexts, because there are no child streams.

        The SDK would evaluate the stream map's filter again for each record, and its error would
        not name the expression.
        """
        return ()

    @property
    def _is_unmapped(self) -> bool:
        return [type(stream_map) for stream_map in self.stream_maps] == [SameRecordTransform]

    @cached_property
    def _projection(self) -> Projection | None:
        """Gives records the columns of SCHEMA; None where those are the properties."""
        properties = self.stream_maps[0].raw_schema["properties"]
        names = self.safe_names
        if self.stream_maps[0].flattening_enabled:
            columns = self._flat_columns(properties)
        elif names.keys() & properties.keys():
            columns = plain_columns(properties)
        else:
            return None
        renamed = [column._replace(name=names.get(column.name, column.name)) for column in columns]
        return Projection(renamed, serialize_json)

    def _flat_columns(self, properties: Mapping[str, Any]) -> Iterator[ProjectedColumn]:
        options: Any = self.stream_maps[0].flattening_options

        def name_of(path: Sequence[str]) -> str:
            *parents, name = path
            return flatten_key(
                name, parents, options.separator, max_key_length=options.max_key_length
            )

        return flat_columns(properties, options.max_level, name_of)

    def _project(self, batch: Batch) -> Batch:
        return self._projection.apply(batch) if self._projection else batch

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield the messages of a record, which matches the schema and the selection already.

        The SDK's own method traverses the record twice for that, and gives each record another
        `time_extracted`.
        """
        for stream_map in self.stream_maps:
            mapped = apply_stream_map(self.name, stream_map, record)
            if mapped is not None:
                yield RecordMessage(
                    stream=stream_map.stream_alias,
                    record=self._renamed(mapped),
                    version=self._stream_version,
                    time_extracted=self.extracted_at,
                )

    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        """Yield the SCHEMA messages, with the names that the properties have in the records."""
        for message in super()._generate_schema_messages():
            properties = self._renamed(message.schema["properties"])
            message.schema = {**message.schema, "properties": properties}
            yield message

    def _renamed(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record, or the properties of its schema, with names that databases accept."""
        names = self.safe_names
        return {names.get(name, name): record[name] for name in record} if names else record

    def _write(self, batch: Batch) -> None:
        """Write records, and count them for the SDK."""
        if not len(batch):
            return
        self._tap.message_writer.write_batch(  # type: ignore[attr-defined] # see _sync_records
            self.name,
            batch.lines(),
            count=len(batch),
            time_extracted=self.extracted_at,
            version=self._stream_version,
        )
        self._count(batch)

    @property
    def sends_deletes(self) -> bool:
        """Whether ACTIVATE_VERSION is to be sent once the whole table was read."""
        return self._stream_version is not None

    def discard_unprotected_checkpoint(self) -> None:
        """Discard what the state must not show any more, before it is first written."""

    def call_when_written(self, commit: Callable[[], None]) -> None:
        """Call `commit` once all records are written; in batch mode, once their files are."""
        if self._is_in_batch_mode:
            self._commit = commit
        else:
            commit()

    @property
    def _is_in_batch_mode(self) -> bool:
        return self.get_batch_config(self.config) is not None

    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        """Write the batch files and their BATCH messages, then move the bookmark.

        The SDK would exhaust `get_records` before it writes the message of the last file, and a
        file without a message is lost. It would also write records without applying stream maps.
        """
        if not self._is_unmapped or batch_config.encoding.format != "jsonl":
            super()._sync_batches(batch_config, context)
        else:
            files = BatchFiles(batch_config, tap=self.tap_name, stream=self.name)
            with self.get_record_counter(), self.get_batch_counter() as counter:
                for manifest in files.write(map(self._project, self._counted_batches())):
                    counter.increment()
                    self._write_batch_message(encoding=batch_config.encoding, manifest=manifest)
                    self._write_state_message()
        if commit := self._commit:
            self._commit = None
            commit()

    def _counted_batches(self) -> Iterator[Batch]:
        for batch in self._selected_batches():
            self._count(batch)
            yield batch

    def _count(self, batch: Batch) -> None:
        if self._record_counter:
            self._record_counter.increment(len(batch))

    def post_process(self, row: Record, context: Context | None = None) -> Record | None:  # noqa: ARG002
        """Return a record as it is written to batch files, where the SDK applies no stream map."""
        if not self._is_in_batch_mode:
            return row
        mapped = apply_stream_map(self.name, self.stream_maps[0], row)
        return mapped and self._renamed(mapped)

    def write_state_when_due(self, records: int) -> None:
        """Write the state after a page, if `STATE_MSG_FREQUENCY` records were read since the last.

        The SDK writes it within a page, where the checkpoint has not advanced.

        Args:
            records: The number of records that were read so far.
        """
        if records - self._records_in_state >= self.STATE_MSG_FREQUENCY:
            self._records_in_state = records
            self._tap.state_writer.write_state(self.tap_state)

    def activate_version(self) -> None:
        """Write ACTIVATE_VERSION: the target deletes the rows that this sync did not write."""
        if self._stream_version is not None:
            super()._write_activate_version_message(self._stream_version)

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog, after adding what an edited one may lack.

        Without `key_properties`, or with a key deselected, the SDK would write a SCHEMA without
        the key; and records would not match a schema with constraints.

        Args:
            catalog: The catalog; the entry of this stream is changed in place.

        Raises:
            CatalogError: the replication method or key is not valid for the stream.
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
            schema = self.schema if entry.schema.properties is None else entry.schema.to_dict()
            schema = strip_constraints({**schema, "type": "object"})
            for place in deselected_members(entry.metadata):
                drop_from_schema(schema, place)
            entry.schema = Schema.from_dict(schema)
            properties = entry.schema.properties = entry.schema.properties or {}
            self._warn_of_withheld(entry.metadata, properties)
            for name in [*self.primary_keys, *([key] if key else [])]:
                properties[name] = Schema.from_dict(self.schema["properties"][name])
                entry.metadata[("properties", name)].inclusion = Metadata.InclusionType.AUTOMATIC
            for name in self.protection.kept_members.keys() & properties.keys():
                # Members can only be removed from objects, not from their JSON in a string.
                if not is_array_of_objects(properties[name].to_dict()):
                    properties[name] = Schema.from_dict(self.schema["properties"][name])
        super().apply_catalog(catalog)
        if self._input_schema is not None:
            self._warn_of_lost_members()

    def _warn_of_withheld(self, metadata: MetadataMapping, names: Iterable[str]) -> None:
        """Warn about properties that the catalog selects and the settings withhold."""
        withheld = [
            name
            for name in names
            if self.protection.withholds(name) and metadata[("properties", name)].selected
        ]
        if withheld and metadata.root.selected:
            self.logger.warning(
                "Selected in the catalog, but left out by personal_data: %s. "
                "To write them, name them in stream_options.%s.keep",
                ", ".join(map(one_line, withheld)),
                self.name,
            )

    def _warn_of_lost_members(self) -> None:
        """Warn about deselected properties with selected members: none of those is written."""
        if not self.selected:
            return
        selected = [
            place
            for place, metadata in self.metadata.items()
            if metadata.selected and not (place and self.protection.withholds(place[1]))
        ]
        for name in sorted({name for place in selected if (name := self._deselected(place))}):
            self.logger.warning(
                "%s is not selected in the catalog, although members of it are: "
                "select it too to get them",
                one_line(name),
            )

    def _deselected(self, place: Place) -> str | None:
        """Return the dotted name of the outermost deselected parent of a member, if any."""
        parents = (place[:length] for length in range(2, len(place)))
        for outer in parents:
            if outer[-2] == "properties" and not self.mask[outer]:
                return ".".join(step for step in outer if step not in {"properties", "items"})
        return None

    @cached_property
    def _deselected_members(self) -> list[Place]:
        """The breadcrumbs of members that are not selected."""
        return deselected_members(self.metadata)

    @property
    def partitions(self) -> None:
        """None; else the stream would be read once for each partition in another tap's state."""

    @property
    def metadata(self) -> MetadataMapping:
        """The SDK's metadata, with the valid replication keys and without withheld properties."""
        metadata = super().metadata
        metadata.root.valid_replication_keys = list(self.valid_replication_keys) or None
        for name in filter(self.protection.withholds, self.effective_schema["properties"]):
            withheld = metadata[("properties", name)]
            withheld.selected = withheld.selected_by_default = False
            withheld.inclusion = Metadata.InclusionType.AVAILABLE
        return metadata

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return None, because a bookmark may be in the future; there is a warning for it."""

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Write nothing, because `IncrementalBookmark` reads and moves the bookmark.

        The SDK compares strings, moves the bookmark back, and fails on records without the key.
        """

    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Move nothing, because `IncrementalBookmark` moves the bookmark."""


def deselected_members(metadata: MetadataMapping) -> list[Place]:
    """Return the breadcrumbs of members of properties that the metadata do not select."""
    mask = metadata.resolve_selection()
    return [place for place in metadata if len(place) > 2 and not mask[place]]  # noqa: PLR2004 - ("properties", name)


@cache
def _in_lines_of(stream: str) -> Callable[[logging.LogRecord], bool]:
    """Return a log filter that puts the stream's name before messages without it.

    Meltano shows the message only. The SDK's message about a failed stream is dropped, because
    the tap logs the cause itself.
    """
    is_named = re.compile(rf"\b{stream}\b").search

    def name(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if not is_named(message):
            record.msg, record.args = f"{stream}: {message}", None
        return not message.startswith("An unhandled error occurred while syncing")

    return name
