"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from itertools import compress
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_custobar import settings
from tap_custobar.compiled import CompiledRows
from tap_custobar.csv_pages import CsvPages
from tap_custobar.digests import digests
from tap_custobar.incremental import Increment
from tap_custobar.instants import to_utc
from tap_custobar.pages import JsonPages
from tap_custobar.pagination import NextUrlPaginator
from tap_custobar.progress import Progress
from tap_custobar.query import first_query
from tap_custobar.reading import PageReader
from tap_custobar.records import Conformer
from tap_custobar.resuming import Resumption, fingerprint
from tap_custobar.sdk.stream import CustobarBaseStream
from tap_custobar.selection import fields_parameter
from tap_custobar.shapes import Shape
from tap_custobar.values import encode_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_custobar.connection import Connection
    from tap_custobar.pagination import Paginator

#: Records that are encoded and written at once: their memory is used again for the next ones.
BLOCK = 256

#: Records that the API gives at once at the most as CSV (section "limit" of the specification).
MAX_CSV_PAGE_SIZE = 100_000

#: How the names of settings begin that change the records, though not what is asked for.
_SHAPING = ("timezone", "stream_map", "faker", "flattening")


def schema_directory() -> Any:  # noqa: ANN401 - importlib.resources' own type moves about
    """Return the folder of the JSON schemas: in the package, or beside it in a checkout."""
    packaged = files("tap_custobar") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "schemas"


class CustobarStream(CustobarBaseStream):
    """A list of the API, read page by page: URL -> client -> page -> rows -> lines."""

    #: Below the base URL, with its closing slash, as the scopes of API keys name it.
    path: ClassVar[str]

    #: How a page names the next one.
    paginator: ClassVar[type[Paginator]] = NextUrlPaginator

    #: Records to ask for at once, the most that the API gives; None to leave it to the API.
    max_page_size: ClassVar[int | None] = 10_000

    #: Whether the API takes `fields` and `format` for this list, as the data API does.
    is_data: ClassVar[bool] = True

    #: A key that the API does not give: the digest of the record.
    digest_key: ClassVar[str | None] = None

    # `records` makes the values fit, for every type and with the losses counted.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, connection: Connection, schema: dict[str, Any]) -> None:
        """Make a stream of the tap.

        Args:
            tap: The tap.
            connection: The one that all streams of the tap share.
            schema: All properties that are known, the company's own included.
        """
        super().__init__(tap, schema)
        self.tap = tap
        self.connection = connection

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's hook
        """Write every record of the stream, or yield it where the SDK has to see it."""
        shape, increment, first_url = self._shape(), self._increment(), self._first_url()
        compiled = self._compiled(shape)
        conformer = Conformer(shape)
        resumption = self._resumption(first_url)
        progress = Progress(self.logger, self.connection.client.traffic)
        reader = PageReader(
            self.connection,
            resumption,
            first_url,
            paginator=self.paginator,
            parse=self._pages(shape, compiled).parse,
            looks_ahead=self.ABORT_AT_RECORD_COUNT is None and increment is None,
            logger=self.logger,
        )
        try:
            while page := reader.read():
                self.use_version(resumption.began)
                self.check_shape(page.names)
                conformer.notice(page.names)
                written = 0
                for block in conformer.conform(page, progress.pages + 1, compiled):
                    records = self._wanted(block, increment, compiled)
                    written += len(records)
                    if compiled:
                        self._write(records)
                    else:
                        yield from records
                progress.count_page(written)
                resumption.add_page(
                    records=written, skipped=conformer.losses.skipped_count, count=page.count
                )
                if increment:
                    if increment.is_over():
                        break
                    reader.ask_ahead(page.following)
                reader.advance(page)
                self.write_state_when_due(resumption.records)
            self._finish(resumption, increment)
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
            for record, digest in zip(records, digests(records), strict=True):
                if compiled:
                    setattr(record, compiled.columns[self.digest_key].attribute, digest)
                else:
                    record[self.digest_key] = digest
        return records

    def _write(self, records: Sequence[Any]) -> None:
        """Write records that fit, all of them with the time that their page came at."""
        now = datetime.now(UTC)
        for start in range(0, len(records), BLOCK):
            block = records[start : start + BLOCK]
            self.write_rows(encode_rows(block), len(block), now)

    def _finish(self, resumption: Resumption, increment: Increment | None) -> None:
        """Tell what a drained stream is known to be: whole, or new up to an instant."""
        if increment:
            increment.finish()
            return
        if resumption.missing:
            self.logger.warning("Custobar told of %d more records", resumption.missing)
        if resumption.is_whole and not self._is_partial:
            self.activate_version()

    def _shape(self) -> Shape:
        return Shape(
            self.effective_schema["properties"],
            selected=self._selected,
            keys=[key for key in self.primary_keys if key != self.digest_key],
            zone=settings.zone(self.config["timezone"]),
        )

    def _compiled(self, shape: Shape) -> CompiledRows | None:
        next_key = self.paginator.next_key
        return (
            CompiledRows(shape, envelope=self.name, next_key=next_key) if self.writes_rows else None
        )

    def _pages(self, shape: Shape, compiled: CompiledRows | None) -> JsonPages | CsvPages:
        if self._is_csv:
            return CsvPages(shape, self.paginator, compiled)
        return JsonPages(self.name, self.paginator, compiled)

    def _increment(self) -> Increment | None:
        if self.replication_key is None:
            return None
        return Increment(
            self.stream_state,
            key=self.replication_key,
            start_date=self.config.get("start_date"),
            lookback_days=self.config["lookback_days"],
            zone=settings.zone(self.config["timezone"]),
            now=to_utc(datetime.now(UTC).isoformat(), UTC) or "",
            logger=self.logger,
        )

    def _resumption(self, first_url: str) -> Resumption:
        shaping = [name for name in self.config if name.startswith(_SHAPING)]
        asked = fingerprint(
            first_url,
            self.emit_activate_version_messages,
            self.effective_schema,
            sorted(self._selected),
            [(name, self.config[name]) for name in sorted(shaping)],
        )
        now = self.tap.initialized_at // 1000
        return Resumption(self.stream_state, asked=asked, now=now, kept=not self._is_partial)

    @property
    def _is_partial(self) -> bool:
        """Whether the sync must neither be resumed nor tell deletes.

        Filters read a part of a table, and hold personal data; batch mode writes late; what is
        read incrementally goes on from its bookmark.
        """
        return (
            bool(self._filters)
            or self.get_batch_config(self.config) is not None
            or self.replication_key is not None
        )

    def _first_url(self) -> str:
        page_size = self.config.get("page_size") or self.max_page_size
        if self._is_csv and not self.config.get("page_size"):
            page_size = MAX_CSV_PAGE_SIZE
        if self.ABORT_AT_RECORD_COUNT is not None:  # --test, which stops at the record after these
            most = self.ABORT_AT_RECORD_COUNT + 1
            page_size = min(page_size or most, most)
        order = settings.options_of(self.config, self.name).get("order") or []
        query = first_query(
            page_size=page_size,
            fields=self._fields,
            filters=self._filters,
            order=[f"-{self.replication_key}"] if self.replication_key else order,
            format_="csv" if self._is_csv else None,
        )
        return self.connection.api.endpoint(self.path, query)

    @property
    def _fields(self) -> str | None:
        if not self.is_data:
            return None
        known = {**self.effective_schema["properties"], **self.schema["properties"]}
        given = [name for name in known if name != self.digest_key]
        # As CSV, every field there could be would come, with columns of no use.
        return fields_parameter(given, self._selected, always=self._is_csv)

    @property
    def _is_csv(self) -> bool:
        return self.is_data and self.config["response_format"] == "csv"

    @cached_property
    def _selected(self) -> frozenset[str]:
        """The properties that leave; the catalog always selects the keys."""
        properties = self.effective_schema["properties"]
        return frozenset(name for name in properties if self.mask["properties", name])

    @cached_property
    def _filters(self) -> dict[str, str]:
        return settings.filters(self.config, self.name)
