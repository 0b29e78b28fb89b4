"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_custobar import settings
from tap_custobar.errors import (
    CertificateError,
    ConnectionFailedError,
    CustobarError,
    ForbiddenError,
    PaginationLoopError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnknownHostError,
    UrlError,
)
from tap_custobar.pages import parse_json
from tap_custobar.pagination import NextUrlPaginator
from tap_custobar.progress import Progress
from tap_custobar.records import Conformer
from tap_custobar.resuming import Resumption, fingerprint
from tap_custobar.sdk.stream import CustobarBaseStream
from tap_custobar.selection import fields_parameter
from tap_custobar.urls import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_custobar.connection import Connection
    from tap_custobar.pages import ParsedPage


#: Failures that another page would meet too: the mark stays, for the next run.
_NOT_THE_MARKS_FAULT = (
    CertificateError,
    ConnectionFailedError,
    ForbiddenError,
    RateLimitedError,
    TimedOutError,
    UnauthorizedError,
    UnknownHostError,
)

#: How the names of settings begin that change the records, though not what is asked for.
_SHAPING = ("timezone", "stream_map", "faker", "flattening")


def schema_directory() -> Any:  # noqa: ANN401 - importlib.resources' own type moves about
    """Return the folder of the JSON schemas: in the package, or beside it in a checkout."""
    packaged = files("tap_custobar") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "schemas"


class CustobarStream(CustobarBaseStream):
    """A list of the data API, read page by page: URL -> client -> page -> records."""

    replication_key = None

    #: Below the base URL, with its closing slash, as the scopes of API keys name it.
    path: ClassVar[str]

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
        """Yield every record of the stream, as it fits the schema."""
        first_url = self._first_url()
        resumption = self._resumption(first_url)
        conformer = self._conformer()
        progress = Progress(self.logger)
        retries_before = self.connection.client.retries
        try:
            for page in self._pages(first_url, resumption):
                records = conformer.conform_page(page.rows)
                skipped = len(page.rows) - len(records)
                yield from records
                progress.count_page(len(records))
                resumption.add_page(records=len(records), skipped=skipped, count=page.count)
            if resumption.missing:
                self.logger.warning("Custobar told of %d more records", resumption.missing)
            if resumption.is_whole and not self._is_partial:
                self.activate_version()
        finally:
            progress.summarize(self.connection.client.retries - retries_before, conformer.losses)

    def _pages(self, first_url: str, resumption: Resumption) -> Iterator[ParsedPage]:
        """Yield page after page, moving the mark when the one before has been written."""
        client, api = self.connection.client, self.connection.api
        parse = partial(parse_json, envelope=self.name)
        paginator = NextUrlPaginator(self._start_url(first_url, resumption), api.follow)
        while url := paginator.current_url:
            try:
                page = client.get(url, parse, first_page=paginator.page_count == 0)
            except _NOT_THE_MARKS_FAULT:
                raise
            except CustobarError as error:
                if resumption.next is None or paginator.page_count:
                    raise
                self._start_over(resumption, str(error))
                paginator = NextUrlPaginator(first_url, api.follow)
                continue
            yield page
            try:
                paginator.advance(page.next_url)
            except PaginationLoopError:
                resumption.forget()  # whoever goes on there meets it again
                raise
            following = paginator.current_url or ""
            # An address that shows the token must not get into a state.
            resumption.move(following if self.connection.redact(following) == following else "")
            self.write_state_when_due(resumption.records)

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

    def _start_url(self, first_url: str, resumption: Resumption) -> str:
        if resumption.unfit:
            self._start_over(resumption, resumption.unfit)
        if resumption.next is None:
            return first_url
        try:
            url = self.connection.api.follow(resumption.next, current=first_url)
        except UrlError as error:
            self._start_over(resumption, str(error))
            return first_url
        self.logger.info(
            "Going on where the last sync was interrupted, after %d records", resumption.records
        )
        self.use_version(resumption.began)
        return url

    def _start_over(self, resumption: Resumption, reason: str) -> None:
        self.logger.warning("Starting over, not where the last sync was interrupted: %s", reason)
        resumption.forget()
        self.use_version(resumption.began)

    @property
    def _is_partial(self) -> bool:
        """Whether the sync must neither be resumed nor tell deletes.

        Filters read a part of a table, and hold personal data; batch mode writes late.
        """
        return bool(self._filters) or self.get_batch_config(self.config) is not None

    def _first_url(self) -> str:
        """Build the only query of our own; every later one comes from `next_url`."""
        page_size = self.config.get("page_size") or self.max_page_size
        if self.ABORT_AT_RECORD_COUNT is not None:  # --test, which stops at the record after these
            page_size = min(page_size, self.ABORT_AT_RECORD_COUNT + 1)
        properties = {**self.effective_schema["properties"], **self.schema["properties"]}
        fields = fields_parameter(properties, self._selected)
        options = settings.options_of(self.config, self.name)
        order = ",".join(options.get("order") or [])
        query = {
            "limit": str(page_size),
            # Too long to be sent, it is left out: the rest is dropped when it has come.
            **({"fields": fields} if fields and len(fields) < MAX_LENGTH // 2 else {}),
            **self._filters,
            **({"order": order} if order else {}),
        }
        return self.connection.api.endpoint(self.path, query)

    def _conformer(self) -> Conformer:
        return Conformer(
            self.effective_schema,
            selected=self._selected,
            keys=self.primary_keys,
            zone=settings.zone(self.config["timezone"]),
        )

    @cached_property
    def _selected(self) -> frozenset[str]:
        """The properties that leave; the catalog always selects the keys."""
        properties = self.effective_schema["properties"]
        return frozenset(name for name in properties if self.mask["properties", name])

    @cached_property
    def _filters(self) -> dict[str, str]:
        return settings.filters(self.config, self.name)
