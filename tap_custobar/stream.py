"""The base of all streams, where the parts of a sync are joined."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.singerlib import Schema

from tap_custobar.catalog.custom_fields import UnseenFields
from tap_custobar.catalog.declaration import StreamDeclaration
from tap_custobar.catalog.discovery import fetch_shape
from tap_custobar.catalog.shapes import check_shape
from tap_custobar.errors import CatalogError
from tap_custobar.pages.csv_pages import CsvPageParser
from tap_custobar.pages.json_pages import JsonPageParser
from tap_custobar.pages.reader import PageIterator
from tap_custobar.progress import MAX_NAMES, Progress
from tap_custobar.records.converters import with_text_members
from tap_custobar.records.decoder import RecordDecoder
from tap_custobar.records.filter_check import FilterCheck
from tap_custobar.records.hashing import ColumnHasher
from tap_custobar.records.members import MemberFilter
from tap_custobar.records.schema import SelectedSchema
from tap_custobar.records.surrogate_keys import surrogate_keys
from tap_custobar.records.timestamps import to_utc
from tap_custobar.redaction import one_line
from tap_custobar.request import DATA_API, StreamRequest, page_size, requested_fields
from tap_custobar.singer.stream import BaseStream
from tap_custobar.state.bookmark import IncrementalBookmark
from tap_custobar.state.checkpoint import RESUME_KEY, Checkpoint, fingerprint
from tap_custobar.state.hash_key import hash_key_fingerprint, note_hash_key
from tap_custobar.sync import Sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from singer_sdk.singerlib import Catalog

    from tap_custobar.catalog.discovery import DiscoveredStream
    from tap_custobar.catalog.shapes import LineItemShape
    from tap_custobar.config.settings import Settings
    from tap_custobar.records.decoder import Batch
    from tap_custobar.request import Endpoint
    from tap_custobar.singer.tap import BaseTap
    from tap_custobar.state.completeness import Completeness

#: Prefixes of the settings that change records without changing the request.
_RECORD_SETTINGS = ("timezone", "stream_map", "faker", "flattening")


class CustobarStream(BaseStream):
    """A list of the API: request -> pages -> raw rows -> batches -> whatever writes them."""

    #: Path below the base URL, with its closing slash; also the scope of the API key.
    path: ClassVar[str]

    #: The API that the list belongs to.
    endpoint: ClassVar[Endpoint] = DATA_API

    #: The primary key where the API gives none: computed from the other properties.
    surrogate_key: ClassVar[str | None] = None

    #: The other shape that the list may come in.
    line_items: ClassVar[LineItemShape | None] = None

    def __init__(self, tap: BaseTap, found: DiscoveredStream) -> None:
        """Create the stream of a tap, with what discovery found out about it."""
        self.protection = found.protection
        self.safe_names = found.safe_names
        # Targets need not know keywords of our own.
        schema = Schema.from_dict(self.protection.catalog_schema(found.schema)).to_dict()
        super().__init__(tap, schema)
        self._known = found.schema["properties"]
        self._settings: Settings = tap.settings
        self._options = self._settings.options_for(self.name)
        self._connection = tap.connection
        self._initialized_at: int = tap.initialized_at
        self._has_catalog = tap.input_catalog is not None
        if found.is_line_items and self.line_items:
            self.primary_keys = self.line_items.keys
            self.valid_replication_keys = self.line_items.replication_keys

    @classmethod
    def declaration(cls) -> StreamDeclaration:
        """Return what the class declares."""
        return StreamDeclaration(
            name=cls.name,
            path=cls.path,
            endpoint=cls.endpoint,
            surrogate_key=cls.surrogate_key,
            line_items=cls.line_items,
            valid_replication_keys=cls.valid_replication_keys,
            selected_by_default=cls.selected_by_default,
        )

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog.

        Raises:
            CatalogError: it asks for a replication that the stream does not have, or one that
                does not go with the option `order`.
            InvalidConfigError: the settings name unknown properties.
        """
        super().apply_catalog(catalog)
        if self.replication_key and self._options.order:
            msg = (
                f"stream_options.{self.name}.order: cannot be chosen while {self.name} is read "
                f"incrementally, by {self.replication_key}."
            )
            raise CatalogError(msg)
        self.protection.check(
            self._definitions,
            replication_keys=self.valid_replication_keys,
            surrogate_key=self.surrogate_key,
            also_known=() if self.selected else None,
        )

    def batches(self) -> Iterator[Batch]:
        """Yield every record of the stream that is to be written.

        What follows from a batch (state, bookmark, deletes) moves once the next one is requested.

        Raises:
            CustobarError: the stream cannot be read any further.
        """
        schema = self._selected_schema()
        sync = self._sync(schema)
        try:
            self._check_shape_of_sample()
            for page in sync.pages:
                self.use_version(sync.checkpoint.started_at)
                self._check_shape(page.sample_names())
                self.extracted_at = datetime.now(UTC)
                for batch in sync.decode(page):
                    self._unseen.look_in(batch)
                    if schema.surrogate_key:
                        batch.set_column(schema.surrogate_key, surrogate_keys(batch.dicts()))
                    selected = sync.select(batch, page)
                    # After the surrogate keys, which are computed from untruncated timestamps.
                    selected.cut_fractions()
                    yield selected
                if not sync.commit(page):
                    break
                self.write_state_when_due(sync.checkpoint.table.records)
            self.call_when_written(partial(self._finish, sync))
            sync.end()
        finally:
            sync.close()
            self._warn_of_removed_members()

    def _sync(self, schema: SelectedSchema) -> Sync:
        """Create the parts of one sync of this stream."""
        request, bookmark, checkpoint = self._request, self._bookmark(), self._checkpoint
        is_test = self.ABORT_AT_RECORD_COUNT is not None  # it requests no more than it shows
        pages = PageIterator(
            self._connection,
            checkpoint,
            request.first_url,
            paginator=self.endpoint.paginator,
            parse=self._parser(schema, request).parse,
            prefetch=not is_test and not (bookmark and bookmark.lower_bound),
            probe=request.last_page_probe(),
            logger=self.logger,
        )
        progress = Progress(
            self.logger,
            self._connection.client.stats,
            is_over=is_test,
            has_catalog=self._has_catalog,
        )
        # Equal records share a surrogate key, which is no error: only deletes depend on them.
        counts_keys = self.sends_deletes or schema.surrogate_key is None
        return Sync(
            pages=pages,
            decoder=RecordDecoder(schema),
            checkpoint=checkpoint,
            bookmark=bookmark,
            filter_check=self._filter_check(schema, request),
            hasher=self._hasher(schema),
            member_filter=self._member_filter,
            progress=progress,
            counted_keys=self.primary_keys if counts_keys else (),
            has_surrogate_key=schema.surrogate_key is not None,
            may_prefetch=not is_test,
        )

    def _filter_check(self, schema: SelectedSchema, request: StreamRequest) -> FilterCheck:
        selectors = request.endpoint.selectors
        filters = {name: v for name, v in request.filters.items() if name not in selectors}
        return FilterCheck(self.name, filters, schema, self.logger)

    def _parser(
        self, schema: SelectedSchema, request: StreamRequest
    ) -> JsonPageParser | CsvPageParser:
        if request.is_csv:
            return CsvPageParser(
                schema, request.endpoint.paginator, names_fields=request.names_fields
            )
        return JsonPageParser(self.name, request.endpoint.paginator)

    @cached_property
    def _request(self) -> StreamRequest:
        """The request for the list, by settings and catalog."""
        if self._settings.response_format == "csv" and not self._is_csv:
            self.logger.info("Read as JSON, because Custobar has no CSV of this list")
        request = StreamRequest(
            base_url=self._connection.base_url,
            path=self.path,
            endpoint=self.endpoint,
            page_size=page_size(
                self.endpoint,
                is_csv=self._is_csv,
                wanted=self._settings.page_size,
                # --test stops when it receives one record more than it needs.
                needed=self.ABORT_AT_RECORD_COUNT and self.ABORT_AT_RECORD_COUNT + 1,
            ),
            fields=self._fields,
            filters=self._options.filter_parameters,
            order=[f"-{self.replication_key}"] if self.replication_key else self._options.order,
            is_csv=self._is_csv,
        )
        if request.fields and not request.names_fields:
            self.logger.log(
                logging.WARNING if self._is_csv else logging.INFO,
                "Requesting all fields, because a list of the selected ones would be too long for "
                "a URL, or the name of one is empty, has a comma, or begins or ends with a space",
            )
        return request

    @property
    def _is_csv(self) -> bool:
        return self.endpoint.is_data_api and self._settings.response_format == "csv"

    @property
    def _fields(self) -> list[str]:
        """The fields that are requested by name; empty for all of them."""
        if not self.endpoint.is_data_api:
            return []
        names = [name for name in self._definitions if name != self.surrogate_key]
        requested = self.selected_names | self._compared_names
        # As CSV every field there is would come, mostly as empty columns.
        return requested_fields(names, requested, always=self._is_csv)

    @cached_property
    def selected_names(self) -> frozenset[str]:  # type: ignore[override] # computed once
        """Names of the properties that are written; the catalog always selects the keys."""
        properties = self.effective_schema["properties"]
        return frozenset(name for name in properties if self.mask["properties", name])

    @property
    def _definitions(self) -> dict[str, Any]:
        """The JSON schemas of all known properties; the catalog's in its order, then the others."""
        properties: dict[str, Any] = self.effective_schema["properties"]
        return properties | {n: d for n, d in self._known.items() if n not in properties}

    @property
    def _compared_names(self) -> AbstractSet[str]:
        """Names of the properties that are compared with filters, selected or not."""
        return self._options.filters.keys() & self._definitions.keys() - {self.surrogate_key}

    @cached_property
    def _hashed(self) -> list[str]:
        """Names of the properties that are hashed."""
        return sorted(filter(self.protection.hashes, self.selected_names))

    def _selected_schema(self) -> SelectedSchema:
        """Return the schema of the records.

        Raises:
            CatalogError: nothing is selected that the surrogate key could be computed from.
        """
        if self.selected_names == {self.surrogate_key}:
            msg = (
                f"{self.surrogate_key} is computed from the other fields of {self.name}: select "
                "some."
            )
            raise CatalogError(msg)
        compared = self._compared_names
        properties = {
            name: with_text_members(definition, self._known.get(name) or {})
            for name, definition in self._definitions.items()
            if name in self.effective_schema["properties"] or name in compared
        }
        return SelectedSchema(
            properties,
            selected=self.selected_names,
            keys=[key for key in self.primary_keys if key != self.surrogate_key],
            zone=self._settings.zone,
            surrogate_key=self.surrogate_key,
            hashed=self._hashed,
            compared=compared,
        )

    def _hasher(self, schema: SelectedSchema) -> ColumnHasher:
        """Return what hashes the records; the fingerprint of its key goes into the state."""
        key = self._settings.hash_key or ""
        if self._hashed:
            note_hash_key(self.stream_state, key, self.logger)
        return ColumnHasher(
            key,
            {name: schema.fields[name] for name in self._hashed},
            emails=list(filter(self.protection.is_email, self._hashed)),
            protects_emails=self.protection.protects_emails,
        )

    @cached_property
    def _member_filter(self) -> MemberFilter:
        kept = self.protection.kept_members
        return MemberFilter({name: kept[name] for name in kept.keys() & self.selected_names})

    def _warn_of_removed_members(self) -> None:
        for name, members in self._member_filter.removed.items():
            if members:
                self.logger.warning(
                    "Left out of %s by personal_data, because they describe a person or are not "
                    "documented: %s. To write them, name %s in stream_options.%s.keep",
                    name,
                    ", ".join(map(one_line, sorted(members)[:MAX_NAMES])),
                    name,
                    self.name,
                )

    def _bookmark(self) -> IncrementalBookmark | None:
        """Return the bookmark of an incremental stream; None where the whole table is read."""
        if self.replication_key is None:
            return None
        filters = sorted(self._options.filter_parameters.items())
        return IncrementalBookmark(
            self.stream_state,
            key=self.replication_key,
            start_date=self._settings.start_date,
            lookback_days=self._settings.lookback_days,
            zone=self._settings.zone,
            now=to_utc(datetime.now(UTC).isoformat(), UTC) or "",
            logger=self.logger,
            # Too short to tell which of a company's customers a filter names.
            filters=fingerprint(filters)[:2] if filters else None,
        )

    def discard_unprotected_checkpoint(self) -> None:
        """Discard a stored checkpoint that is not used: it may be from a run without hashes.

        Its cursor may show values that are hashed or withheld by now.
        """
        stored = self.tap_state.get("bookmarks", {}).get(self.name, {})
        if not self.protection or stored.get(RESUME_KEY) is None:
            return
        if not self.selected or self._checkpoint.rejection:
            stored[RESUME_KEY] = None

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        """The checkpoint of an interrupted sync of the same request, or an empty one."""
        names = sorted(name for name in self.config if name.startswith(_RECORD_SETTINGS))
        hashing = [self._hashed, hash_key_fingerprint(self._settings.hash_key or "")]
        return Checkpoint(
            self.stream_state,
            fingerprint=fingerprint(
                self._request.first_url,
                self.emit_activate_version_messages,
                self.effective_schema,
                sorted(self.selected_names),
                [(name, self.config[name]) for name in names],
                *(hashing if self.protection else []),
            ),
            now=self._initialized_at // 1000,
            disabled_by=self._not_resumable_reason,
            counts_all_keys=self.sends_deletes or self.replication_key is not None,
        )

    @property
    def _not_resumable_reason(self) -> str | None:
        """Why an interrupted sync must not be resumed; None if it may be."""
        if not self._settings.resume:
            return "the setting resume is false"
        if self.replication_key:
            return "an incremental sync continues from its bookmark"
        if self._orders_by_personal_data:
            return "with this order a checkpoint would show personal data"
        return self._partial_reason

    @property
    def _partial_reason(self) -> str | None:
        """Why a sync must neither be resumed nor send deletes; None where it may.

        A checkpoint would show the values of filters, which are personal data.
        """
        if self._options.filters:
            return "with filters only a part of the table is read"
        if self.get_batch_config(self.config) is not None:
            return "batch files hold no version"
        return None

    @property
    def _orders_by_personal_data(self) -> bool:
        """Whether a next link may contain values that are hashed or left out."""
        names = [name.removeprefix("-") for name in self._options.order]
        return any(self.protection.hashes(n) or self.protection.withholds(n) for n in names)

    def _check_shape(self, names: AbstractSet[str]) -> None:
        """Compare the shape of records with the primary key.

        Raises:
            CatalogError: they differ.
        """
        if self.line_items:
            check_shape(
                self.name,
                self.line_items,
                primary_keys=self.primary_keys,
                names=names,
                is_discovered=self._settings.discover_custom_fields,
            )

    def _check_shape_of_sample(self) -> None:
        """Compare the shape of whole records, where those that are requested do not show it.

        Raises:
            CatalogError: they differ.
            CustobarError: no records can be read.
        """
        shape = self.line_items
        if shape is None or not self._fields:
            return
        # The key of line items is always requested, and JSON has it only where it exists.
        if self._is_csv or not shape.is_shape_of(self.primary_keys):
            names = fetch_shape(self._connection, self.declaration(), is_csv=self._is_csv)
            self._check_shape(names)

    def _finish(self, sync: Sync) -> None:
        """Warn about what may be missing, and move the bookmark or send deletes."""
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
            if gap := self._partial_reason or table.gap():
                self.logger.warning("No deletes are sent to the target: %s", gap)
            else:
                self.activate_version()

    @cached_property
    def _unseen(self) -> UnseenFields:
        return UnseenFields(self.selected_names & self._options.custom_fields.keys())

    def _warn_of_unseen(self, table: Completeness) -> None:
        is_all = self._unseen.rows == table.records > 0 and not self._options.filters
        if self._unseen.names and is_all:
            self.logger.warning(
                "Declared in custom_fields, but in no record: %s. They are not used at Custobar, "
                "or misspelled",
                ", ".join(map(one_line, sorted(self._unseen.names))),
            )
