"""What a stream asks the API for, by the settings and the catalog."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.singerlib import Schema

from tap_custobar.catalog.personal_data import Protection
from tap_custobar.config import settings
from tap_custobar.errors import CatalogError
from tap_custobar.filters import FilterCheck
from tap_custobar.pages.json_pages import JsonPageParser
from tap_custobar.pages.paginators import NextUrlPaginator
from tap_custobar.pages.reader import LastPageProbe
from tap_custobar.query import build_query
from tap_custobar.records.converters import with_text_members
from tap_custobar.records.hashing import ColumnHasher
from tap_custobar.records.schema import SelectedSchema, fields_parameter
from tap_custobar.records.timestamps import to_utc
from tap_custobar.singer.stream import CustobarBaseStream
from tap_custobar.state.bookmark import IncrementalBookmark
from tap_custobar.state.checkpoint import Checkpoint, fingerprint
from tap_custobar.state.hash_key import hash_key_fingerprint, note_hash_key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from collections.abc import Set as AbstractSet

    from singer_sdk import Tap
    from singer_sdk.singerlib import Catalog

    from tap_custobar.connection import Connection
    from tap_custobar.pages.json_pages import Page
    from tap_custobar.pages.paginators import Paginator

#: How the names of settings begin that change the records, though not what is asked for.
_SHAPING = ("timezone", "stream_map", "faker", "flattening")


#: Records that the shape of a list is told by.
SHAPE_SAMPLE = 100


class LineItemShape(NamedTuple):
    """A list of rows, several of which make up what another company gets as one record.

    Attributes:
        schema: The name of its JSON schema.
        keys: The keys of a row. The first is in no other shape.
        replication_keys: Properties that may be its replication key.
    """

    schema: str
    keys: Sequence[str]
    replication_keys: Sequence[str]


class AskingStream(CustobarBaseStream):
    """A list of the API, and the question that it is read by."""

    #: Below the base URL, with its closing slash, as the scopes of API keys name it.
    path: ClassVar[str]

    #: How a page names the next one.
    paginator: ClassVar[type[Paginator]] = NextUrlPaginator

    #: Records to ask for at once, the most that the API gives; None to leave it to the API.
    max_page_size: ClassVar[int | None] = settings.MAX_JSON_PAGE

    #: Whether the API takes `fields` and `format` for this list, as the data API does.
    is_data: ClassVar[bool] = True

    #: A key that the API does not give: the digest of the record.
    surrogate_key: ClassVar[str | None] = None

    #: The other shape that the list may come in, where it has one.
    line_items: LineItemShape | None = None

    def __init__(self, tap: Tap, connection: Connection, schema: dict[str, Any]) -> None:
        """Make a stream of the tap.

        Args:
            tap: The tap.
            connection: The one that all streams of the tap share.
            schema: All properties that are known, the company's own included.
        """
        self.protection = Protection(tap.config, self.name, schema["properties"])
        # No target has to know the keywords of our own.
        super().__init__(tap, Schema.from_dict(self.protection.described(schema)).to_dict())
        self._documented = schema["properties"]
        self.tap = tap
        self.connection = connection

    @classmethod
    def sample(cls, connection: Connection, size: int) -> Page:
        """Return so many records of the list, as they are when nothing else is asked for.

        Raises:
            CustobarError: they cannot be read.
        """
        url = connection.api.endpoint(cls.path, {"limit": str(size)})
        parse = JsonPageParser(cls.name, cls.paginator).parse
        return connection.client.get(url, parse, first_page=True)

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog, unless it contradicts the settings.

        Raises:
            CatalogError: an incremental stream's order is not to be chosen.
        """
        super().apply_catalog(catalog)
        if self.replication_key and self._order:
            msg = (
                f"stream_options.{self.name}.order: cannot be chosen while {self.name} is read "
                f"incrementally, by {self.replication_key}."
            )
            raise CatalogError(msg)

        self.check_protection(also_known=() if self.selected else None)

    def check_protection(self, *, also_known: Collection[str] | None = ()) -> None:
        """Compare what the settings say of personal data with the properties there are.

        Args:
            also_known: Names that need not be among them; None where any may be.

        Raises:
            ConfigValidationError: they name what is not there or cannot be hashed.
        """
        problems = self.protection.problems(
            {**self._documented, **self.effective_schema["properties"]},
            replication_keys=self.valid_replication_keys,
            surrogate_key=self.surrogate_key,
            also_known=also_known,
        )
        if errors := list(problems):
            msg = "The config is not valid"
            raise ConfigValidationError(msg, errors=errors)

    def use_line_items(self) -> None:
        """Take the keys of the other shape that the list may come in."""
        if self.line_items:
            self.primary_keys = self.line_items.keys
            self.valid_replication_keys = self.line_items.replication_keys

    def check_shape(self, names: AbstractSet[str]) -> None:
        """Compare the shape that the list came in with the one that its key is of.

        Raises:
            CatalogError: they differ: the key would be no key.
        """
        if self.line_items is None or not names:
            return
        told = self.line_items.keys[0] in self.primary_keys
        if told != (self.line_items.keys[0] in names):
            is_looked_for = self.config["discover_custom_fields"]
            how = "" if is_looked_for else ", with discover_custom_fields: true, which finds it out"
            msg = (
                f"{self.name} come with{'out' if told else ''} {self.line_items.keys[0]}, so their "
                f"key is not {', '.join(self.primary_keys)}: discover again "
                f"(Meltano: --refresh-catalog){how}."
            )
            raise CatalogError(msg)

    def look_at_shape(self) -> None:
        """Compare the shapes by whole records, where what is asked for would not show them.

        Raises:
            CustobarError: they differ, or it cannot be read.
        """
        if self.line_items is None or not self._fields:
            return
        # The key of rows is always asked for, and JSON has it only where there is one.
        if self.is_csv or self.line_items.keys[0] not in self.primary_keys:
            self.check_shape(self.sample(self.connection, SHAPE_SAMPLE).sample_names())

    def selected_schema(self) -> SelectedSchema:
        """Return what the records must look like.

        Raises:
            CatalogError: nothing is selected that the key could be made of.
        """
        if self._selected == {self.surrogate_key}:
            msg = f"{self.surrogate_key} is made of the other fields of {self.name}: select some."
            raise CatalogError(msg)
        properties = {
            name: with_text_members(definition, self._documented.get(name) or {})
            for name, definition in self.effective_schema["properties"].items()
        }
        return SelectedSchema(
            properties,
            selected=self._selected,
            keys=[key for key in self.primary_keys if key != self.surrogate_key],
            zone=settings.zone(self.config["timezone"]),
            surrogate_key=self.surrogate_key,
            hashed=self._hashed,
        )

    def hasher(self, schema: SelectedSchema) -> ColumnHasher:
        """Return what hashes the records, and note in the state which key it has."""
        columns = {name: schema.fields[name] for name in self._hashed}
        if columns:
            note_hash_key(self.stream_state, self.config["hash_key"], self.logger)
        return ColumnHasher(
            self.config.get("hash_key") or "",
            columns,
            emails=list(filter(self.protection.is_email, columns)),
        )

    def bookmark(self) -> IncrementalBookmark | None:
        """Return what is new since the last run; None where the table is read whole."""
        if self.replication_key is None:
            return None
        return IncrementalBookmark(
            self.stream_state,
            key=self.replication_key,
            start_date=self.config.get("start_date"),
            lookback_days=self.config["lookback_days"],
            zone=settings.zone(self.config["timezone"]),
            now=to_utc(datetime.now(UTC).isoformat(), UTC) or "",
            logger=self.logger,
        )

    def checkpoint(self, first_url: str) -> Checkpoint:
        """Return where an interrupted sync of the same question goes on."""
        shaping = [name for name in self.config if name.startswith(_SHAPING)]
        asked = fingerprint(
            first_url,
            self.emit_activate_version_messages,
            self.effective_schema,
            sorted(self._selected),
            [(name, self.config[name]) for name in sorted(shaping)],
            *(
                [self._hashed, hash_key_fingerprint(self.config["hash_key"])]
                if self._hashed
                else []
            ),
        )
        may_resume = self.config["resume"]
        checkpoint = Checkpoint(
            self.stream_state,
            fingerprint=asked,
            now=self.tap.initialized_at // 1000,
            enabled=(
                may_resume
                and not self.partial_reason
                and not self._orders_by_personal_data
                and self.replication_key is None
            ),
            counts_all_keys=self.sends_deletes or self.replication_key is not None,
            **({} if may_resume else {"rejection": "the setting resume is false"}),
        )
        if checkpoint.rejection and self._hashed:
            checkpoint.discard()  # its cursor may show what is hashed by now
        return checkpoint

    @property
    def partial_reason(self) -> str | None:
        """Why the sync must neither be resumed nor send deletes; None where it may.

        Filters hold personal data, and a checkpoint would show them.
        """
        if self._filters:
            return "with filters only a part of the table is read"
        if self.get_batch_config(self.config) is not None:
            return "batch files hold no version"
        return None

    @property
    def _orders_by_personal_data(self) -> bool:
        """Whether a cursor may show values that do not leave as they are."""
        names = [name.removeprefix("-") for name in self._order]
        return any(self.protection.hashes(n) or self.protection.withholds(n) for n in names)

    def first_url(self) -> str:
        """Return where the table begins, with the only query of our own."""
        if self.config["response_format"] == "csv" and not self.is_csv:
            self.logger.info("read as JSON, for Custobar has no CSV of them")
        return self._url(self._page_size)

    def last_page_probe(self) -> LastPageProbe | None:
        """Return how to doubt a full page without a next link; None where it cannot be lost."""
        size = self._page_size or 0
        if not self.is_csv or size <= 1:
            return None
        return LastPageProbe(size, self._url(1), self.paginator.next_header)

    @property
    def names_fields(self) -> bool:
        """Whether the request names the fields that are wanted."""
        return "fields" in self._query(self._page_size)

    def _url(self, page_size: int | None) -> str:
        return self.connection.api.endpoint(self.path, self._query(page_size))

    def _query(self, page_size: int | None) -> dict[str, str]:
        return build_query(
            page_size=page_size,
            fields=self._fields,
            filters=self._filters,
            order=[f"-{self.replication_key}"] if self.replication_key else self._order,
            format_="csv" if self.is_csv else None,
        )

    def filter_check(self, schema: SelectedSchema) -> FilterCheck:
        """Return what compares records of this schema with the filters."""
        return FilterCheck(self.name, self._filters, schema, self.logger)

    @property
    def _page_size(self) -> int | None:
        size = settings.MAX_CSV_PAGE if self.is_csv else self.max_page_size
        if chosen := self.config.get("page_size"):
            size = min(chosen, size or settings.MAX_JSON_PAGE)
        if self.ABORT_AT_RECORD_COUNT is None:
            return size
        # --test, which stops at the record after so many.
        needed = self.ABORT_AT_RECORD_COUNT + 1
        return min(size or needed, needed)

    @property
    def _fields(self) -> str | None:
        if not self.is_data:
            return None
        known = {**self.effective_schema["properties"], **self.schema["properties"]}
        given = [name for name in known if name != self.surrogate_key]
        # As CSV, every field there could be would come, with columns of no use.
        return fields_parameter(given, self._selected, always=self.is_csv)

    @property
    def is_csv(self) -> bool:
        """Whether the records travel as CSV."""
        return self.is_data and self.config["response_format"] == "csv"

    @cached_property
    def _selected(self) -> frozenset[str]:
        """The properties that leave; the catalog always selects the keys."""
        properties = self.effective_schema["properties"]
        return frozenset(name for name in properties if self.mask["properties", name])

    @property
    def selected_names(self) -> frozenset[str]:
        """The properties that leave."""
        return self._selected

    @cached_property
    def _hashed(self) -> list[str]:
        """The properties that leave as hashes."""
        return sorted(filter(self.protection.hashes, self._selected))

    @property
    def _order(self) -> list[str]:
        return settings.options_of(self.config, self.name).get("order") or []

    @cached_property
    def _filters(self) -> dict[str, str]:
        return settings.filters(self.config, self.name)
