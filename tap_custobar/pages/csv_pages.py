"""Parses pages of CSV: the same records as JSON, in pages of ten times the size."""

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
    has_rejected_values,
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

_NO_HEADER = "text without a CSV header of field names"

# A cell may be as large as a body; the module's default limit is 128 KiB.
csv.field_size_limit((1 << 31) - 1)


class Dialect(NamedTuple):
    """A CSV dialect.

    Attributes:
        delimiter: The character between two cells.
        skips_blanks: Whether spaces after the delimiter are ignored.
    """

    delimiter: str
    skips_blanks: bool


# A cell and the end of a row, in syntax that all CSV parsers read the same way. The quantifiers are
# possessive, so that a cell of any size needs no memory for backtracking.
_CELL = '(?:"[^"]*+(?:""[^"]*+)*+"|[^"{delimiter}\\r\\n]*+)'
_ROW_END = r"(?:\r\n|[\r\n]|\Z)"

# The specification does not name the dialect.
_DIALECTS = [Dialect(delimiter, skips) for skips in (False, True) for delimiter in ",;\t"]


class CsvPageParser:
    """Parses the pages of one stream as CSV (section "Data format" of the specification).

    All pages must have the header of the first one, so that a page without a header is detected.
    """

    def __init__(
        self,
        schema: SelectedSchema,
        paginator: type[Paginator],
        *,
        names_fields: bool = True,
    ) -> None:
        """Create a parser.

        Args:
            schema: The schema of the records.
            paginator: Defines which response header has the next link.
            names_fields: Whether the request names the selected fields. If not, the API returns all
                fields of the company, and those without a schema are discarded.
        """
        self._selected = frozenset(schema.fields) - {schema.surrogate_key}
        self._keys = frozenset(schema.keys)
        self._known = self._selected if names_fields else frozenset(schema.properties)
        self._names_fields = names_fields
        self._readers = {name: column_reader(field) for name, field in schema.fields.items()}
        self._paginator = paginator
        self._names: frozenset[str] | None = None

    def parse(self, response: Response) -> Page:
        """Parse the header of a page and check its rows; the records are parsed when iterated.

        Raises:
            InvalidResponseError: it is not CSV with a header of the requested fields, or it is
                truncated.
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
            self._chunks(
                _rows(response.body, dialect, len(header)),
                header,
                # Otherwise each value is checked for characters and numbers that targets reject.
                is_tidy=is_utf8
                and b"\0" not in response.body
                and not has_rejected_values(response.body),
            ),
            next_link,
            row_count,
            names=names,
            missing_fields=self._selected - names if is_first else frozenset(),
        )

    def _problem(self, header: list[str], names: AbstractSet[str]) -> str:
        """Return why a header is not valid for a page of this stream; empty if it is valid."""
        unknown = names - self._known
        # The header is not quoted, because it may be a row.
        if len(names) < len([name for name in header if name]):
            return "CSV whose header has a name twice"
        if not names >= self._keys:
            return f"CSV whose header does not have {', '.join(sorted(self._keys - names))}"
        if self._names_fields and unknown:
            return "CSV whose header has names that were not requested"
        if len(unknown) > len(names) // 2:
            return "CSV whose header has mostly unknown names"
        if self._names not in {None, names}:
            return "CSV whose header differs from that of the previous page"
        return ""

    def _chunks(
        self, rows: Iterator[list[str]], header: list[str], *, is_tidy: bool
    ) -> Iterator[RawRows]:
        next(rows)  # the header row
        while chunk := list(islice(rows, BATCH_SIZE)):
            cells = dict(zip(header, zip(*chunk, strict=True), strict=True))
            columns = {
                name: read(cells[name]) for name, read in self._readers.items() if name in cells
            }
            yield ColumnRows(columns, len(chunk), is_tidy=is_tidy)


def read_names(
    response: Response, *, known: Collection[str], keys: Collection[str] = ()
) -> list[str]:
    """Return the distinct names of a page's columns; an empty list for an empty page.

    Its rows are not read, so a page without a declared length is accepted if its first line is
    complete.

    Args:
        response: The page.
        known: Known names; the header may have others too.
        keys: Names that must be in the header. If empty, two of the known ones must be.

    Raises:
        InvalidResponseError: there is no header, or the first row may not be one.
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
    """Return the names of a page's columns, and the dialect of the page.

    The dialect is the one that finds most of the `known` names. Among equals it is the one that
    does not leave a leading space in every name but the first: in some of them, it is part of the
    name. Known names match in any case, and are returned in their known spelling.

    Raises:
        InvalidResponseError: there is no column with a known name, or the page may be truncated.
    """
    if not response.is_length_delimited:
        # CSV that is truncated between two rows, or within the last cell, is valid CSV.
        msg = "CSV of undeclared length, possibly truncated (response_format: json detects that)"
        raise InvalidResponseError(msg)
    headers = [
        (_as_known(_first_row(response.body, dialect), known), dialect) for dialect in _DIALECTS
    ]
    header, dialect = max(
        headers,
        key=lambda pair: (
            len(set(pair[0]) & set(known)),
            not all(name.startswith(" ") for name in pair[0][1:]),
        ),
    )
    if set(header).isdisjoint(known):
        msg = _NO_HEADER if response.body.strip() else "an empty body"
        raise InvalidResponseError(msg)
    return header, dialect


def _as_known(header: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the names of a header, in their known spelling."""
    # Known names that differ only in case are distinct fields, and so only match exactly.
    folded = Counter(map(str.casefold, known))
    missing = {*known}.difference(header)
    by_folded = {name.casefold(): name for name in missing if folded[name.casefold()] == 1}
    return [
        name if name in known else by_folded.get(name.rstrip(" ").casefold(), name)
        for name in header
    ]


def _first_row(body: bytes, dialect: Dialect) -> list[str]:
    try:
        return next(_rows(body, dialect, 0), [])
    except csv.Error:
        return []


def _count_rows(body: bytes, dialect: Dialect, width: int, *, is_utf8: bool) -> int:
    """Return the number of rows after the header.

    The rows are read twice, because records that are already written cannot be withdrawn when a
    later row is not valid.

    Raises:
        InvalidResponseError: a row is not valid, or too many values are not UTF-8.
    """
    count, end = _count_plain_rows(body, dialect, width) if is_utf8 else (0, 0)
    rows = _rows(body, dialect, width, start=end)
    try:
        widths = list(map(len, rows if is_utf8 else _checked_charset(rows)))
    except CharsetError as error:
        msg = f"CSV that is {error}"
        raise InvalidResponseError(msg) from None
    except csv.Error:
        widths = [0]
    if not {width}.issuperset(widths):
        msg = "CSV with a row whose length differs from its header's"
        raise InvalidResponseError(msg)
    return count + len(widths) - 1


def _count_plain_rows(body: bytes, dialect: Dialect, width: int) -> tuple[int, int]:
    """Count the leading rows of `width` cells in plain syntax, in half the time of parsing them.

    Returns:
        The number of these rows, header included, and the position in the body after them.
    """
    count = end = 0
    if width > 1:  # with one column, only the CSV reader interprets blank lines correctly
        match = _row_pattern(dialect.delimiter, width).match
        while row := match(body, end):
            count += 1
            end = row.end()
    return count, end


def _row_pattern(delimiter: str, width: int) -> re.Pattern[bytes]:
    cell = _CELL.format(delimiter=delimiter)
    return re.compile((delimiter.join([cell] * width) + _ROW_END).encode())


def _checked_charset(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield rows.

    Raises:
        CharsetError: too many of their cells are not UTF-8.
    """
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
    """Yield the header and the rows; a blank line is a row if there is one column.

    Args:
        body: The page.
        dialect: Its dialect.
        width: Its number of columns.
        start: Position in the body of the first row to be read.
    """
    # Decoded and split piece by piece, to limit memory.
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
    # Blank lines before the header are ignored.
    return (row or [""] for row in dropwhile(operator.not_, rows))
