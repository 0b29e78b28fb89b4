"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_custobar import settings
from tap_custobar.compiled import CompiledRows
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

#: How the names of settings begin that change the records, though not what is asked for.
_SHAPING = ("timezone", "stream_map", "faker", "flattening")


def schema_directory() -> Any:  # noqa: ANN401 - importlib.resources' own type moves about
    """Return the folder of the JSON schemas: in the package, or beside it in a checkout."""
    packaged = files("tap_custobar") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "schemas"


class CustobarStream(CustobarBaseStream):
    """A list of the API, read page by page: URL -> client -> page -> rows -> lines."""

    replication_key = None

    #: Below the base URL, with its closing slash, as the scopes of API keys name it.
    path: ClassVar[str]

    #: How a page names the next one.
    paginator: ClassVar[type[Paginator]] = NextUrlPaginator

    #: Records that the API gives at once at the most (specification, parameter `limit`).
    max_page_size: ClassVar[int] = 10_000

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
        first_url = self._first_url()
        resumption = self._resumption(first_url)
        shape = self._shape()
        conformer = Conformer(shape)
        writes_rows = self.writes_rows
        next_key = self.paginator.next_key
        compiled = (
            CompiledRows(shape, envelope=self.name, next_key=next_key) if writes_rows else None
        )
        progress = Progress(self.logger, self.connection.client.traffic)
        reader = PageReader(
            self.connection,
            resumption,
            first_url,
            paginator=self.paginator,
            parse=JsonPages(self.name, self.paginator, compiled).parse,
            looks_ahead=self.ABORT_AT_RECORD_COUNT is None,
            logger=self.logger,
        )
        try:
            while page := reader.read():
                self.use_version(resumption.began)
                conformer.notice(page.names)
                records: Sequence[Any] = page.rows
                if not page.fits:
                    records = conformer.conform_page(page.rows, progress.pages + 1)
                if writes_rows:
                    self._write(records)
                else:
                    yield from records
                progress.count_page(len(records))
                resumption.add_page(
                    records=len(records), skipped=len(page.rows) - len(records), count=page.count
                )
                reader.advance(page)
                self.write_state_when_due(resumption.records)
            if resumption.missing:
                self.logger.warning("Custobar told of %d more records", resumption.missing)
            if resumption.is_whole and not self._is_partial:
                self.activate_version()
        finally:
            reader.close()
            progress.summarize(conformer.losses)

    def _write(self, records: Sequence[Any]) -> None:
        """Write records that fit, all of them with the time that their page came at."""
        now = datetime.now(UTC)
        for start in range(0, len(records), BLOCK):
            block = records[start : start + BLOCK]
            self.write_rows(encode_rows(block), len(block), now)

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

    def _shape(self) -> Shape:
        return Shape(
            self.effective_schema["properties"],
            selected=self._selected,
            keys=self.primary_keys,
            zone=settings.zone(self.config["timezone"]),
        )

    @property
    def _is_partial(self) -> bool:
        """Whether the sync must neither be resumed nor tell deletes.

        Filters read a part of a table, and hold personal data; batch mode writes late.
        """
        return bool(self._filters) or self.get_batch_config(self.config) is not None

    def _first_url(self) -> str:
        page_size = self.config.get("page_size") or self.max_page_size
        if self.ABORT_AT_RECORD_COUNT is not None:  # --test, which stops at the record after these
            page_size = min(page_size, self.ABORT_AT_RECORD_COUNT + 1)
        properties = {**self.effective_schema["properties"], **self.schema["properties"]}
        query = first_query(
            page_size=page_size,
            fields=fields_parameter(properties, self._selected),
            filters=self._filters,
            order=settings.options_of(self.config, self.name).get("order") or [],
        )
        return self.connection.api.endpoint(self.path, query)

    @cached_property
    def _selected(self) -> frozenset[str]:
        """The properties that leave; the catalog always selects the keys."""
        properties = self.effective_schema["properties"]
        return frozenset(name for name in properties if self.mask["properties", name])

    @cached_property
    def _filters(self) -> dict[str, str]:
        return settings.filters(self.config, self.name)
