"""What a stream class declares, and a sample of its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_custobar.pages.json_pages import JsonPageParser
from tap_custobar.request import StreamRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_custobar.catalog.shapes import LineItemShape
    from tap_custobar.connection import Connection
    from tap_custobar.pages.json_pages import Page
    from tap_custobar.request import Endpoint


@dataclass(frozen=True, slots=True)
class StreamDeclaration:
    """What a stream class declares; see `CustobarStream` and the SDK's `Stream`."""

    name: str
    path: str
    endpoint: Endpoint
    surrogate_key: str | None
    line_items: LineItemShape | None
    valid_replication_keys: Sequence[str]
    selected_by_default: bool


def fetch_sample(connection: Connection, stream: StreamDeclaration, size: int) -> Page:
    """Request the first records of a stream, whole and as JSON.

    Args:
        connection: Where to request them.
        stream: The stream.
        size: Number of records.

    Raises:
        CustobarError: they cannot be read.
    """
    request = StreamRequest(connection.base_url, stream.path, stream.endpoint, page_size=size)
    parse = JsonPageParser(stream.name, stream.endpoint.paginator).parse
    return connection.client.get(request.first_url, parse, first_page=True)
