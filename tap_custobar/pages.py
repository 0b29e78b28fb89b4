"""What a page holds: its records, and where the next page is."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from tap_custobar.compiled import MisfitError
from tap_custobar.errors import UnexpectedAnswerError
from tap_custobar.values import parse_float

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Set as AbstractSet

    from tap_custobar.answers import Page
    from tap_custobar.compiled import CompiledRows, Row
    from tap_custobar.pagination import Paginator

_decoder = msgspec.json.Decoder(float_hook=parse_float)


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page of a stream.

    Attributes:
        rows: The elements of the envelope's list: records that fit, or as they came.
        fits: Whether they are records that fit, as `compiled` makes them.
        following: The next page as the API named it, or None on the last one.
        count: How many records the API says there are on all pages, where it says so.
        names: The properties that came, where they were looked for.
    """

    rows: list[Any]
    following: str | None
    count: int | None = None
    names: AbstractSet[str] = frozenset()
    fits: bool = False


class JsonPages:
    """Reads the pages of one stream, each once (section "JSON" of the specification).

    The first one is looked through for properties that are not in the schema: nothing tells of
    them on the fast path.
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

    def parse(self, page: Page) -> ParsedPage:
        """Read a page.

        Raises:
            UnexpectedAnswerError: the body is not `{<envelope>: [...], ...}`.
        """
        if self._compiled and self._looked:
            with suppress(MisfitError):
                return self._fitting(page, self._compiled.decode(page.body))
        content, is_tidy = _decode(page.body, page.headers.get("Content-Type", ""))
        rows = content.get(self._envelope) if isinstance(content, dict) else None
        if not isinstance(rows, list):
            msg = f'JSON without a list named "{self._envelope}"'
            raise UnexpectedAnswerError(msg)
        if not isinstance(named := content.get(self._paginator.next_key), str | None):
            msg = f"JSON whose {self._paginator.next_key} is no text"
            raise UnexpectedAnswerError(msg)
        names = frozenset[str]().union(*(row for row in rows if isinstance(row, dict)))
        if self._compiled and not self._looked:
            self._looked = True
            with suppress(MisfitError):
                if is_tidy:
                    return self._fitting(page, self._compiled.convert(content), names)
        count = _count(content.get("count"))
        return ParsedPage(rows, self._following(page, named), count, names)

    def _fitting(
        self, page: Page, parsed: Row, names: AbstractSet[str] = frozenset()
    ) -> ParsedPage:
        following = self._following(page, parsed.following)
        return ParsedPage(parsed.rows, following, _count(parsed.count), names, fits=True)

    def _following(self, page: Page, named: str | None) -> str | None:
        """Return the next page's name: of the body, else of the header."""
        return named or page.headers.get(self._paginator.next_header) or None


def parse_csv_header(page: Page, *, known: Collection[str]) -> list[str]:
    """Return the names of the columns of a page of CSV, each once (section "Data format").

    The specification does not tell the delimiter, so it is the one of comma, semicolon and tab
    that finds most of the `known` names.

    Raises:
        UnexpectedAnswerError: there is no column with a known name.
    """
    headers: list[list[str]] = []
    with suppress(UnicodeDecodeError, csv.Error):
        text = page.body.decode("utf-8-sig")
        headers = [next(csv.reader(io.StringIO(text), delimiter=d), []) for d in ",;\t"]
    header = max(headers, key=lambda names: len(set(names) & set(known)), default=[])
    if set(header).isdisjoint(known):
        msg = "no CSV with a header of field names"
        raise UnexpectedAnswerError(msg)
    return [name for name in dict.fromkeys(header) if name]


def _count(value: object) -> int | None:
    """Read a number of records, which may come as text or with a fraction of zero."""
    text = "" if isinstance(value, bool) else str(value)
    return int(text.partition(".")[0]) if re.fullmatch(r"[0-9]{1,18}(\.0+)?", text) else None


def _decode(body: bytes | bytearray, content_type: str) -> tuple[Any, bool]:
    """Return the JSON value, and whether its texts are sure to be valid Unicode."""
    try:
        return _decoder.decode(body), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # What msgspec refuses although it can be read: a byte order mark, half a surrogate pair.
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_float=parse_float, parse_constant=_refuse_constant), False
    except (ValueError, RecursionError):
        raise UnexpectedAnswerError(_describe(body, content_type)) from None


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def _describe(body: bytes | bytearray, content_type: str) -> str:
    """Say what came instead of JSON, without any of its content."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return "an empty body"
    if media_type == "text/html" or body.lstrip()[:1] == b"<":
        return "a page of HTML"
    if media_type == "application/json":
        return "broken JSON"
    if not re.fullmatch("[a-z]+/[a-z0-9.+-]{1,60}", media_type):
        media_type = "not given"
    return f"no JSON (content type {media_type})"
