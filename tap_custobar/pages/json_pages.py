"""What a page holds: its records, and where the next page is."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_custobar.errors import UnexpectedAnswerError
from tap_custobar.records.json_codec import (
    CharsetError,
    check_utf8,
    decode,
    decode_lenient,
    needs_a_look,
)
from tap_custobar.records.struct_records import MisfitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from tap_custobar.api.responses import Page
    from tap_custobar.pages.paginators import Paginator
    from tap_custobar.records.struct_records import CompiledRows

#: Rows that are decoded at once.
BLOCK = 256

#: The status of an answer without a body, which stands for an empty list.
NO_CONTENT = 204


class Block(NamedTuple):
    """Rows that follow each other, as they came or as records that fit (see `compiled`)."""

    rows: Sequence[Any]
    fits: bool = False


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page of a stream.

    Attributes:
        blocks: Its rows, in the pieces that they are read in.
        following: The next page as the API named it, or None on the last one.
        row_count: How many rows there are, before any of them is read.
        count: How many records the API says there are on all pages, where it says so.
        names: The properties that came, where they were looked for.
        lacking: The properties that were asked for by name and did not come.
    """

    blocks: Iterable[Block]
    following: str | None
    row_count: int
    count: int | None = None
    names: AbstractSet[str] = frozenset()
    lacking: AbstractSet[str] = frozenset()

    @property
    def rows(self) -> list[Any]:
        """All rows at once: for a page that is small."""
        return [row for block in self.blocks for row in block.rows]


class JsonPages:
    """Reads the pages of one stream, each once (section "JSON" of the specification).

    The first that has records is looked through for properties that are not in the schema:
    nothing tells of them on the fast path.
    """

    def __init__(
        self, envelope: str, paginator: type[Paginator], compiled: CompiledRows | None = None
    ) -> None:
        """Take what all pages share.

        Args:
            envelope: The name under which the list of records stands, e.g. `customers`.
            paginator: Tells where a page names the next one.
            compiled: The fast path, where it may be taken.
        """
        self._envelope = envelope
        self._paginator = paginator
        self._compiled = compiled
        self._looked = False
        # The rows are left as they are: decoded in blocks, their memory is used again and again.
        found = msgspec.defstruct(
            "Found",
            [
                ("rows", list[msgspec.Raw] | None),
                ("following", str | None, None),
                ("count", Any, None),
                ("error", None, None),
            ],
            rename={"rows": envelope, "following": paginator.next_key},
        )
        self._scanner = msgspec.json.Decoder(found)

    def parse(self, page: Page) -> ParsedPage:
        """Read a page.

        Raises:
            UnexpectedAnswerError: the body is not `{<envelope>: [...], ...}`, or names an error.
        """
        if page.status == NO_CONTENT:
            return ParsedPage([], self._following(page, None), 0)
        if self._compiled and self._looked:
            with suppress(msgspec.DecodeError, ValueError, RecursionError):
                found: Any = self._scanner.decode(page.body)
                check_utf8(page.body)
                following, count = self._following(page, found.following), _count(found.count)
                rows = found.rows or []
                return ParsedPage(_blocks(rows, self._compiled), following, len(rows), count)
        content, is_tidy = _decode_page(page)
        rows, named = self._check(content)
        names, block = names_in(rows), Block(rows)
        if self._compiled and is_tidy:
            self._looked = self._looked or bool(rows)
            with suppress(MisfitError):
                block = Block(self._compiled.convert(rows), fits=True)
        following, count = self._following(page, named), _count(content.get("count"))
        return ParsedPage([block], following, len(rows), count, names)

    def _check(self, content: Any) -> tuple[list[Any], str | None]:  # noqa: ANN401 - any JSON value
        """Return a page's rows and the name of the next page."""
        rows: Any = content.get(self._envelope, ...) if isinstance(content, dict) else ...
        problem = ""
        if not isinstance(rows, list | None):
            problem = f'JSON without a list named "{self._envelope}"'
        elif content.get("error") is not None:
            problem = "JSON that names an error"
        elif not isinstance(content.get(self._paginator.next_key), str | None):
            problem = f"JSON whose {self._paginator.next_key} is no text"
        if problem:
            raise UnexpectedAnswerError(problem)
        following: str | None = content.get(self._paginator.next_key)
        return rows or [], following

    def _following(self, page: Page, named: str | None) -> str | None:
        """Return the next page's name: of the body, else of the header."""
        return named or page.headers.get(self._paginator.next_header) or None


def names_in(rows: Iterable[object]) -> frozenset[str]:
    """Return the properties that any of the rows has."""
    return frozenset[str]().union(*(row for row in rows if isinstance(row, dict)))


def _blocks(rows: Sequence[msgspec.Raw], compiled: CompiledRows) -> Iterator[Block]:
    for start in range(0, len(rows), BLOCK):
        text = b"[%b]" % b",".join(rows[start : start + BLOCK])
        try:
            block = Block(compiled.decode(text), fits=True)
        except MisfitError:
            block = Block(_decode(text)[0])
        yield block


def _count(value: object) -> int | None:
    """Read a number of records, which may come as text or with a fraction of zero."""
    text = "" if isinstance(value, bool) else str(value)
    return int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,18}(\.0+)?", text) else None


def _decode(body: bytes) -> tuple[Any, bool]:
    """Return the JSON value, and whether its texts and numbers are sure to be valid."""
    try:
        return decode(body), not needs_a_look(body)
    except (ArithmeticError, ValueError, RecursionError):
        return decode_lenient(body), False


def _decode_page(page: Page) -> tuple[Any, bool]:
    try:
        return _decode(page.body)
    except (ValueError, RecursionError) as error:
        content_type = page.headers.get("Content-Type", "")
        what = _describe(page.body, content_type, error)
        raise UnexpectedAnswerError(what) from None


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
