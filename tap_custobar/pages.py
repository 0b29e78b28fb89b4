"""What a page holds: its records, and where the next page is."""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from tap_custobar.errors import UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_custobar.client import Page

NEXT_URL_HEADER = "X-Custobar-Next-Url"


def _parse_float(text: str) -> Decimal | str:
    """Keep what a float would round: 19.90 leaves as 19.90; keep as text what no number holds."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_decoder = msgspec.json.Decoder(float_hook=_parse_float)


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """One page of a stream.

    Attributes:
        rows: The elements of the envelope's list as they came; objects, if all is well.
        next_url: The next page's URL as the API wrote it, or None on the last page.
        count: How many records the API says there are on all pages, where it says so.
    """

    rows: list[Any]
    next_url: str | None
    count: int | None


def parse_json(page: Page, *, envelope: str) -> ParsedPage:
    """Read a page of JSON, once (section "JSON" of the specification).

    Args:
        page: The page as it came.
        envelope: The name under which the list of records stands, e.g. `customers`.

    Raises:
        UnexpectedAnswerError: the body is not `{<envelope>: [...], ...}`.
    """
    content = _decode(page.body, page.headers.get("Content-Type", ""))
    if not isinstance(content, dict) or not isinstance(content.get(envelope), list):
        msg = f'JSON without a list named "{envelope}"'
        raise UnexpectedAnswerError(msg)
    next_url = content.get("next_url")
    if not isinstance(next_url, str | None):
        msg = "JSON whose next_url is no text"
        raise UnexpectedAnswerError(msg)
    next_url = next_url or page.headers.get(NEXT_URL_HEADER) or None
    return ParsedPage(content[envelope], next_url, _count(content.get("count")))


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


def _decode(body: bytes | bytearray, content_type: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # What msgspec refuses although it can be read: a byte order mark, half a surrogate pair.
    try:
        return json.loads(
            body.decode("utf-8-sig"), parse_float=_parse_float, parse_constant=_refuse_constant
        )
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
