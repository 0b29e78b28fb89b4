"""What a page holds: its records, and where the next page is."""

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

#: The status of an answer without a body, which stands for an empty list.
NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a stream.

    Attributes:
        blocks: Its rows, in the pieces that they are decoded in.
        next_link: The next page as the API named it, or None on the last one.
        row_count: How many rows there are, before any of them is decoded.
        count: How many records the API says there are on all pages, where it says so.
        names: The properties that came, where a header tells them.
        lacking: The properties that were asked for by name and did not come.
    """

    blocks: Iterable[RawRows]
    next_link: str | None
    row_count: int
    count: int | None = None
    names: AbstractSet[str] = frozenset()
    lacking: AbstractSet[str] = frozenset()

    def sample_names(self) -> AbstractSet[str]:
        """Return the properties that came, by the header or else by the first rows."""
        return self.names or next((block.names() for block in self.blocks), frozenset())

    @property
    def rows(self) -> list[Any]:
        """All rows at once, as JSON values: for a page that is small."""
        return [row for block in self.blocks for row in block.to_values()]


class JsonPageParser:
    """Reads the pages of one stream, each once (section "JSON" of the specification)."""

    def __init__(self, records_key: str, paginator: type[Paginator]) -> None:
        """Take what all pages share.

        Args:
            records_key: The name under which the list of records stands, e.g. `customers`.
            paginator: Tells where a page names the next one.
        """
        self._records_key = records_key
        self._paginator = paginator
        # The rows are left as they are: decoded in blocks, their memory is used again and again.
        found = msgspec.defstruct(
            "Found",
            [
                ("rows", list[msgspec.Raw] | None),
                ("next_link", str | None, None),
                ("count", Any, None),
                ("error", None, None),
            ],
            rename={"rows": records_key, "next_link": paginator.next_key},
        )
        self._scanner = msgspec.json.Decoder(found)

    def parse(self, response: Response) -> Page:
        """Read a page.

        Raises:
            InvalidResponseError: the body is not `{<records_key>: [...], ...}`, or names an error.
        """
        if response.status == NO_CONTENT:
            return Page([], self._next_link(response, None), 0)
        with suppress(msgspec.DecodeError, ValueError, RecursionError):
            found: Any = self._scanner.decode(response.body)
            validate_utf8(response.body)
            texts = found.rows or []
            next_link = self._next_link(response, found.next_link)
            return Page(_blocks(JsonRows, texts), next_link, len(texts), _count(found.count))
        content = _decode_page(response)
        rows, named = self._check(content)
        next_link = self._next_link(response, named)
        count = _count(content.get("count"))
        return Page(_blocks(JsonValues, rows), next_link, len(rows), count)

    def _check(self, content: Any) -> tuple[list[Any], str | None]:  # noqa: ANN401 - any JSON value
        """Return a page's rows and the name of the next page."""
        rows: Any = content.get(self._records_key, ...) if isinstance(content, dict) else ...
        problem = ""
        if not isinstance(rows, list | None):
            problem = f'JSON without a list named "{self._records_key}"'
        elif content.get("error") is not None:
            problem = "JSON that names an error"
        elif not isinstance(content.get(self._paginator.next_key), str | None):
            problem = f"JSON whose {self._paginator.next_key} is no text"
        if problem:
            raise InvalidResponseError(problem)
        next_link: str | None = content.get(self._paginator.next_key)
        return rows or [], next_link

    def _next_link(self, response: Response, named: str | None) -> str | None:
        """Return the next page's name: of the body, else of the header."""
        return named or response.headers.get(self._paginator.next_header) or None


def _blocks(kind: Callable[[list[Any]], RawRows], rows: list[Any]) -> list[RawRows]:
    starts = range(0, len(rows), BATCH_SIZE)
    return [kind(rows[start : start + BATCH_SIZE]) for start in starts]


def _count(value: object) -> int | None:
    """Read a number of records, which may come as text or with a fraction of zero."""
    text = "" if isinstance(value, bool) else str(value)
    return int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,18}(\.0+)?", text) else None


def _decode_page(response: Response) -> Any:  # noqa: ANN401 - any JSON value
    """Decode a page that the scanner refuses: odd values in it, or another shape."""
    try:
        return decode_lenient(response.body)
    except (ValueError, RecursionError) as error:
        content_type = response.headers.get("Content-Type", "")
        what = _describe(response.body, content_type, error)
        raise InvalidResponseError(what) from None


def _describe(body: bytes, content_type: str, error: Exception) -> str:
    """Say what came instead of JSON, without any of its content."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return "an empty body"
    if media_type == "text/html" or body.lstrip()[:1] == b"<":
        return "a page of HTML"
    if isinstance(error, CharsetError):
        return f"JSON that is {error}"
    if media_type == "application/json":
        return f"broken JSON ({_place(error)})"
    if not re.fullmatch("[a-z]+/[a-z0-9.+-]{1,60}", media_type):
        media_type = "not given"
    return f"no JSON (content type {media_type})"


def _place(error: Exception) -> str:
    if isinstance(error, JSONDecodeError):
        return f"{error.msg.lower()} at character {error.pos + 1:,}"
    return "nested too deeply"
