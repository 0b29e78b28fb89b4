"""The base of all streams: the one place where the parts are joined."""

from __future__ import annotations

from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers.conform import TypeConformanceLevel

from tap_custobar import settings
from tap_custobar.pages import parse_json
from tap_custobar.pagination import NextUrlPaginator
from tap_custobar.progress import Progress
from tap_custobar.records import Conformer
from tap_custobar.sdk import CustobarBaseStream
from tap_custobar.selection import fields_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_custobar.connection import Connection


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
        self.connection = connection

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's hook
        """Yield every record of the stream, as it fits the schema."""
        client, api = self.connection.client, self.connection.api
        paginator = NextUrlPaginator(self._first_url(), api.follow)
        parse = partial(parse_json, envelope=self.name)
        conformer = self._conformer()
        progress = Progress(self.logger)
        retries_before = client.retries
        total: int | None = None
        try:
            while url := paginator.current_url:
                page = client.get(url, parse, first_page=paginator.page_count == 0)
                records = conformer.conform_page(page.rows)
                progress.count_page(len(records))
                yield from records
                total = total or page.count
                paginator.advance(page.next_url)
            if progress.records >= max(total or 0, 1) and not conformer.losses.skipped:
                self._activate_version_if_whole()
        finally:
            progress.summarize(client.retries - retries_before, conformer.losses)

    def _activate_version_if_whole(self) -> None:
        """Let the target delete what is gone, unless what was read is only a part of the table.

        The guard against a mass delete: filters, and batch mode, which writes the last records
        only after this.
        """
        if not self._filters and self.get_batch_config(self.config) is None:
            self.activate_version()

    def _first_url(self) -> str:
        """Build the only query of our own; every later one comes from `next_url`."""
        page_size = self.config.get("page_size") or self.max_page_size
        properties = {**self.effective_schema["properties"], **self.schema["properties"]}
        fields = fields_parameter(properties, self._selected)
        order = ",".join(self._options.get("order") or [])
        query = {
            "limit": str(page_size),
            **({"fields": fields} if fields else {}),
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

    @property
    def _options(self) -> Mapping[str, Any]:
        return (self.config.get("stream_options") or {}).get(self.name) or {}

    @property
    def _filters(self) -> dict[str, str]:
        """The filters as the API writes values: booleans in lower case, numbers as they are."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in (self._options.get("filters") or {}).items()
        }
