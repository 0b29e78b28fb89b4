"""Parses pages of JSON: their rows and the next link."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

import msgspec

from tap_custobar.errors import InvalidResponseError
from tap_custobar.records.decoder import BATCH_SIZE
from tap_custobar.records.json_codec import CharsetError, decode_lenient, validate_utf8
from tap_custobar.records.raw_rows import JsonRows, JsonValues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from tap_custobar.api.responses import Response
    from tap_custobar.pages.paginators import Paginator
    from tap_custobar.records.raw_rows import RawRows

#: The status of a response without a body, which means an empty list.
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a stream.

    Attributes:
        chunks: Its raw rows, in chunks that are decoded one at a time.
        next_link: The API's link to the next page; None on the last page.
        row_count: The number of its rows.
        count: The API's number of records on all pages; None if the page does not have it.
        names: The properties in its header; empty without a header.
        missing_fields: The requested properties that are not in its header.
    """

    chunks: Iterable[RawRows]
    next_link: str | None
    row_count: int
    count: int | None = None
    names: AbstractSet[str] = frozenset()
    missing_fields: AbstractSet[str] = frozenset()

    def sample_names(self) -> AbstractSet[str]:
        """Return the properties in the header; without a header, those of the first rows."""
        return self.names or next((chunk.names() for chunk in self.chunks), frozenset())

    @property
    def rows(self) -> list[Any]:
        """All rows at once, as JSON values; only for small pages."""
        return [row for chunk in self.chunks for row in chunk.to_values()]


class JsonPageParser:
    """Parses the pages of one stream as JSON (section "JSON" of the specification)."""

    def __init__(self, records_key: str, paginator: type[Paginator]) -> None:
        """Create a parser.

        Args:
            records_key: The key of the body that has the list of records, e.g. `customers`.
            paginator: Defines which key of the body, and which header, has the next link.
        """
        self._records_key = records_key
        self._paginator = paginator
        # The rows stay undecoded here, because decoding them in chunks reuses memory.
        envelope = msgspec.defstruct(
            "Envelope",
            [
                ("rows", list[msgspec.Raw] | None),
                ("next_link", str | None, None),
                ("count", Any, None),
                ("error", None, None),
            ],
            rename={"rows": records_key, "next_link": paginator.next_key},
        )
        self._decoder = msgspec.json.Decoder(envelope)

    def parse(self, response: Response) -> Page:
        """Parse a page.

        Raises:
            InvalidResponseError: the body is not `{<records_key>: [...], ...}`, or has an error.
        """
        if response.status == NO_CONTENT:
            return Page([], self._next_link(response, None), 0)
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            envelope: Any = self._decoder.decode(response.body)
            validate_utf8(response.body)
            raw_rows = envelope.rows or []
            next_link = self._next_link(response, envelope.next_link)
            count = _count(envelope.count)
            return Page(_chunks(JsonRows, raw_rows), next_link, len(raw_rows), count)
        content = _decode_page(response)
        rows, link_in_body = self._check(content)
        next_link = self._next_link(response, link_in_body)
        count = _count(content.get("count"))
        return Page(_chunks(JsonValues, rows), next_link, len(rows), count)

    def _check(self, content: Any) -> tuple[list[Any], str | None]:  # noqa: ANN401 - any JSON value
        """Return the rows and the next link of a decoded body.

        Raises:
            InvalidResponseError: the body is not valid.
        """
        rows: Any = content.get(self._records_key, ...) if isinstance(content, dict) else ...
        problem = ""
        if not isinstance(rows, list | None):
            problem = f'JSON without a list named "{self._records_key}"'
        elif content.get("error") is not None:
            problem = "JSON with an error"
        elif not isinstance(content.get(self._paginator.next_key), str | None):
            problem = f"JSON whose {self._paginator.next_key} is not a string"
        if problem:
            raise InvalidResponseError(problem)
        next_link: str | None = content.get(self._paginator.next_key)
        return rows or [], next_link

    def _next_link(self, response: Response, link_in_body: str | None) -> str | None:
        """Return the next link of the body; if it has none, of the header."""
        return link_in_body or response.headers.get(self._paginator.next_header) or None


def _chunks(kind: Callable[[list[Any]], RawRows], rows: list[Any]) -> list[RawRows]:
    starts = range(0, len(rows), BATCH_SIZE)
    return [kind(rows[start : start + BATCH_SIZE]) for start in starts]


def _count(value: object) -> int | None:
    """Return a number of records, which may be a string or have a zero fraction; else None."""
    digits = "" if isinstance(value, bool) else str(value)
    return int(digits.partition(".")[0]) if re.fullmatch(r"[0-9]{1,18}(\.0+)?", digits) else None


def _decode_page(response: Response) -> Any:  # noqa: ANN401 - any JSON value
    """Decode a page that the strict decoder rejects because of invalid values or its structure.

    Raises:
        InvalidResponseError: it is not JSON.
    """
    try:
        return decode_lenient(response.body)
    except (ValueError, RecursionError) as error:
        content_type = response.headers.get("Content-Type", "")
        what = _describe(response.body, content_type, error)
        raise InvalidResponseError(what) from None


def _describe(body: bytes, content_type: str, error: Exception) -> str:
    """Describe a body that is not JSON, without any of its content."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return "an empty body"
    if media_type == "text/html" or body.lstrip()[:1] == b"<":
        return "an HTML page"
    if isinstance(error, CharsetError):
        return f"JSON that is {error}"
    if media_type == "application/json":
        return f"invalid JSON ({_reason(error)})"
    if not re.fullmatch("[a-z]+/[a-z0-9.+-]{1,60}", media_type):
        media_type = "not given"
    return f"something other than JSON (content type {media_type})"


def _reason(error: Exception) -> str:
    if isinstance(error, JSONDecodeError):
        return f"{error.msg.lower()} at character {error.pos + 1:,}"
    return "nested too deeply"
