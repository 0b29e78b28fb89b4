"""Reads pages of CSV: the same records as JSON, in pages of ten times the size."""

from __future__ import annotations

import csv
import operator
import re
from collections import Counter
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from itertools import dropwhile, islice
from typing import TYPE_CHECKING, NamedTuple

from tap_custobar.errors import InvalidResponseError
from tap_custobar.pages.csv_cells import column_reader
from tap_custobar.pages.json_pages import NO_CONTENT, Page
from tap_custobar.records.decoder import BATCH_SIZE
from tap_custobar.records.json_codec import (
    CharsetError,
    check_charset,
    has_escaped_bytes,
    needs_a_look,
    replace_invalid,
    validate_utf8,
)
from tap_custobar.records.raw_rows import ColumnRows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from tap_custobar.api.responses import Response
    from tap_custobar.pages.paginators import Paginator
    from tap_custobar.records.raw_rows import RawRows
    from tap_custobar.records.schema import SelectedSchema

_NO_HEADER = "no CSV with a header of field names"

# A cell may be as large as a body; the module's own limit is 128 KiB.
csv.field_size_limit((1 << 31) - 1)


class Dialect(NamedTuple):
    """What stands between two cells, and whether blanks behind it are part of it."""

    delimiter: str
    skips_blanks: bool


# A cell and the end of a row, as all readers of CSV take them. Nothing is tried twice, so that a
# cell of any size takes no memory.
_CELL = '(?:"[^"]*+(?:""[^"]*+)*+"|[^"{delimiter}\\r\\n]*+)'
_ROW_END = r"(?:\r\n|[\r\n]|\Z)"

# The specification does not tell it.
_DIALECTS = [Dialect(delimiter, skips) for skips in (False, True) for delimiter in ",;\t"]


class CsvPageParser:
    """Reads the pages of one stream as CSV (section "Data format" of the specification).

    The first page's header is that of all: a page that begins with a row of cells shows by it.
    """

    def __init__(
        self,
        schema: SelectedSchema,
        paginator: type[Paginator],
        *,
        names_fields: bool = True,
    ) -> None:
        """Take what all pages share.

        Args:
            schema: What the records must look like.
            paginator: Tells which header names the next page.
            names_fields: Whether the request names the selected fields. Else all that the company
                has come, and those that are in no schema are of no use.
        """
        self._selected = frozenset(schema.fields) - {schema.surrogate_key}
        self._keys = frozenset(schema.keys)
        self._known = self._selected if names_fields else frozenset(schema.properties)
        self._names_fields = names_fields
        self._readers = {name: column_reader(field) for name, field in schema.fields.items()}
        self._paginator = paginator
        self._names: frozenset[str] | None = None

    def parse(self, response: Response) -> Page:
        """Read a page's header; its rows are read as they are needed.

        Raises:
            InvalidResponseError: it is no CSV with a header of what was asked for, or breaks off.
        """
        next_link = response.headers.get(self._paginator.next_header) or None
        if response.status == NO_CONTENT:
            return Page([], next_link, 0)
        header, dialect = read_header(response, known=self._known)
        names = frozenset(header) - {""}
        is_utf8 = _is_utf8(response.body)
        if problem := self._problem(header, names):
            raise InvalidResponseError(problem)
        row_count = _count_rows(response.body, dialect, len(header), is_utf8=is_utf8)
        is_first, self._names = self._names is None, names
        return Page(
            self._blocks(
                _rows(response.body, dialect, len(header)),
                header,
                # Characters and numbers that no target takes are looked for one by one.
                is_tidy=is_utf8 and b"\0" not in response.body and not needs_a_look(response.body),
            ),
            next_link,
            row_count,
            names=names,
            lacking=self._selected - names if is_first else frozenset(),
        )

    def _problem(self, header: list[str], names: AbstractSet[str]) -> str:
        """Say why a header is none of a page of this stream, if it is not."""
        unknown = names - self._known
        # Never what is in it: it may be a row.
        if len(names) < len([name for name in header if name]):
            return "CSV with a header that has a name twice"
        if not names >= self._keys:
            return f"CSV with a header that lacks {', '.join(sorted(self._keys - names))}"
        if self._names_fields and unknown:
            return "CSV with a header of names that were not asked for"
        if len(unknown) > len(names) // 2:
            return "CSV with a header of names that are mostly unknown"
        if self._names not in {None, names}:
            return "CSV with another header than the pages before"
        return ""

    def _blocks(
        self, rows: Iterator[list[str]], header: list[str], *, is_tidy: bool
    ) -> Iterator[RawRows]:
        next(rows)  # the header, as it is written
        while block := list(islice(rows, BATCH_SIZE)):
            cells = dict(zip(header, zip(*block, strict=True), strict=True))
            columns = {
                name: read(cells[name]) for name, read in self._readers.items() if name in cells
            }
            yield ColumnRows(columns, len(block), is_tidy=is_tidy)


def read_names(
    response: Response, *, known: Collection[str], keys: Collection[str] = ()
) -> list[str]:
    """Return the names of a page's columns, each once; none of an empty page.

    Its rows do not matter, so that a page whose length is not told will do as soon as its first
    line has ended.

    Args:
        response: The page.
        known: Names that there may be; unknown ones may stand beside them.
        keys: Those that must be there. Without any, two of the known ones must.

    Raises:
        InvalidResponseError: there is no header, and what came may be cells.
    """
    if not response.body.strip():
        return []
    if not response.is_length_delimited:
        end = max(response.body.rfind(b"\n"), response.body.rfind(b"\r")) + 1
        response = replace(response, body=response.body[:end], is_length_delimited=end > 0)
    header, _ = read_header(response, known=known)
    names = [name for name in dict.fromkeys(header) if name]
    if keys:
        is_header = set(names) >= set(keys)
    else:
        is_header = len(set(names) & set(known)) > 1 or len(names) == 1
    if not is_header or any(replace_invalid(name) is not name for name in names):
        raise InvalidResponseError(_NO_HEADER)
    return names


def read_header(response: Response, *, known: Collection[str]) -> tuple[list[str], Dialect]:
    """Return the names of a page's columns, and how they are written.

    The dialect is the one that finds most of the `known` names, and of several the one that leaves
    no blanks before others. Known names are found in other capitals too, and returned as they are
    known.

    Raises:
        InvalidResponseError: there is no column with a known name, or it may have been cut.
    """
    if not response.is_length_delimited:
        # Cut between two rows, or within the last cell, it would look whole.
        msg = "CSV of untold length, which may have been cut (JSON can tell)"
        raise InvalidResponseError(msg)
    headers = [
        (_as_known(_first_row(response.body, dialect), known), dialect) for dialect in _DIALECTS
    ]
    header, dialect = max(
        headers,
        key=lambda pair: (
            len(set(pair[0]) & set(known)),
            -sum(name.startswith(" ") for name in pair[0]),
        ),
    )
    if set(header).isdisjoint(known):
        msg = _NO_HEADER if response.body.strip() else "an empty body"
        raise InvalidResponseError(msg)
    return header, dialect


def _as_known(header: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the names of a header, in the capitals in which they are known."""
    # A name that differs from another by its capitals alone is that of another field.
    folded = Counter(map(str.casefold, known))
    missing = {*known}.difference(header)
    by_capitals = {name.casefold(): name for name in missing if folded[name.casefold()] == 1}
    return [
        name if name in known else by_capitals.get(name.rstrip(" ").casefold(), name)
        for name in header
    ]


def _first_row(body: bytes, dialect: Dialect) -> list[str]:
    try:
        return next(_rows(body, dialect, 0), [])
    except csv.Error:
        return []


def _count_rows(body: bytes, dialect: Dialect, width: int, *, is_utf8: bool) -> int:
    """Return how many rows follow the header.

    They are read twice, for what is written cannot be taken back once a row turns out broken.

    Raises:
        InvalidResponseError: one of them is broken, or too many are not UTF-8.
    """
    count, end = _count_plain_rows(body, dialect, width) if is_utf8 else (0, 0)
    rows = _rows(body, dialect, width, start=end)
    try:
        widths = list(map(len, rows if is_utf8 else _counting(rows)))
    except CharsetError as error:
        msg = f"CSV that is {error}"
        raise InvalidResponseError(msg) from None
    except csv.Error:
        widths = [0]
    if not {width}.issuperset(widths):
        msg = "CSV with a row of another length than its header's"
        raise InvalidResponseError(msg)
    return count + len(widths) - 1


def _count_plain_rows(body: bytes, dialect: Dialect, width: int) -> tuple[int, int]:
    """Count the first rows that are written in the plainest way, and have as many cells.

    This takes half the time of reading them.

    Returns:
        How many they are, with the header, and where they end.
    """
    count = end = 0
    if width > 1:  # of one column, what is blank needs the reader's rules
        match = _row_pattern(dialect.delimiter, width).match
        while row := match(body, end):
            count += 1
            end = row.end()
    return count, end


def _row_pattern(delimiter: str, width: int) -> re.Pattern[bytes]:
    cell = _CELL.format(delimiter=delimiter)
    return re.compile((delimiter.join([cell] * width) + _ROW_END).encode())


def _counting(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield rows while not too many of their cells are not UTF-8."""
    count = 0
    for row in rows:
        count += sum(map(has_escaped_bytes, row))
        check_charset(count)
        yield row


def _is_utf8(body: bytes) -> bool:
    try:
        validate_utf8(body)
    except UnicodeDecodeError:
        return False
    return True


def _rows(body: bytes, dialect: Dialect, width: int, *, start: int = 0) -> Iterator[list[str]]:
    """Yield the header and the rows; a blank line is a row where there is one column.

    Args:
        body: The page.
        dialect: How it is written.
        width: How many columns it has.
        start: Where the first row to be read begins.
    """
    # Decoded and split as it is read, never as a whole.
    source = BytesIO(body)
    source.seek(start)
    encoding = "utf-8" if start else "utf-8-sig"
    text = TextIOWrapper(source, encoding=encoding, errors="surrogateescape", newline="")
    rows = csv.reader(
        text,
        delimiter=dialect.delimiter,
        skipinitialspace=dialect.skips_blanks,
        strict=True,
    )
    if width != 1:
        return filter(None, rows)
    # Blank lines before the header are nothing.
    return (row or [""] for row in dropwhile(operator.not_, rows))
