"""Reads pages of CSV: the same records as JSON, in pages of ten times the size."""

from __future__ import annotations

import csv
from io import BytesIO, TextIOWrapper
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from tap_custobar.cells import cell_reader
from tap_custobar.compiled import MisfitError
from tap_custobar.errors import UnexpectedAnswerError
from tap_custobar.pages import Block, ParsedPage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from tap_custobar.answers import Page
    from tap_custobar.compiled import CompiledRows
    from tap_custobar.pagination import Paginator
    from tap_custobar.selection import SelectedSchema

#: Rows that are read at once: never the page twice in memory.
CSV_BLOCK = 1024

_DELIMITERS = ",;\t"

# A cell may be as large as a body; the module's own limit is 128 KiB.
csv.field_size_limit((1 << 31) - 1)


class CsvPages:
    """Reads the pages of one stream as CSV (section "Data format" of the specification)."""

    def __init__(
        self,
        schema: SelectedSchema,
        paginator: type[Paginator],
        compiled: CompiledRows | None = None,
    ) -> None:
        """Take what all pages share.

        Args:
            schema: What the records must look like.
            paginator: Tells which header names the next page.
            compiled: The fast path, where it may be taken.
        """
        self._properties = schema.properties
        self._readers = {name: cell_reader(field) for name, field in schema.fields.items()}
        self._paginator = paginator
        self._compiled = compiled
        if compiled:
            compiled.take_texts()

    def parse(self, page: Page) -> ParsedPage:
        """Read a page's header; its rows are read as they are needed.

        Raises:
            UnexpectedAnswerError: it is no CSV with a header of field names, or breaks off.
        """
        header, delimiter = read_header(page, known=self._properties)
        # Twice, for what is written cannot be taken back once a row turns out to be broken.
        try:
            lengths = list(map(len, _rows(page.body, delimiter)))
        except (csv.Error, UnicodeDecodeError):
            lengths = []
        if set(lengths) != {len(header)}:
            msg = "CSV with a row of another length than its header's"
            raise UnexpectedAnswerError(msg)
        following = page.headers.get(self._paginator.next_header) or None
        names = frozenset(header) - {""}
        blocks = self._blocks(page.body, header, delimiter)
        return ParsedPage(blocks, following, len(lengths) - 1, names=names)

    def _blocks(self, body: bytes, header: list[str], delimiter: str) -> Iterator[Block]:
        rows = _rows(body, delimiter)
        next(rows)
        while block := list(islice(rows, CSV_BLOCK)):
            cells = dict(zip(header, zip(*block, strict=True), strict=True))
            columns = {
                name: _read(cells[name], reader)
                for name, reader in self._readers.items()
                if name in cells
            }
            yield self._block(columns, len(block))

    def _block(self, columns: dict[str, list[Any]], count: int) -> Block:
        if self._compiled:
            try:
                return Block(self._compiled.build(columns, count), fits=True)
            except MisfitError:
                pass
        values = zip(*columns.values(), strict=True) if columns else [()] * count
        return Block(
            [
                {name: v for name, v in zip(columns, row, strict=True) if v is not UNSET}
                for row in values
            ]
        )


def read_names(page: Page, *, known: Collection[str]) -> list[str]:
    """Return the names of a page's columns, each once; none of an empty page.

    Raises:
        UnexpectedAnswerError: there is no column with a known name.
    """
    if not page.body.strip():
        return []
    header, _ = read_header(page, known=known)
    return [name for name in dict.fromkeys(header) if name]


def read_header(page: Page, *, known: Collection[str]) -> tuple[list[str], str]:
    """Return the names of a page's columns, and what stands between them.

    The specification does not tell the delimiter, so it is the one of comma, semicolon and tab
    that finds most of the `known` names.

    Raises:
        UnexpectedAnswerError: there is no column with a known name, or it may have been cut.
    """
    if not page.is_framed:
        # Cut between two rows, or within the last cell, it would look whole.
        msg = "CSV of untold length, which may have been cut (JSON can tell)"
        raise UnexpectedAnswerError(msg)
    headers = [(_first_row(page.body, delimiter), delimiter) for delimiter in _DELIMITERS]
    header, delimiter = max(headers, key=lambda pair: len(set(pair[0]) & set(known)))
    if set(header).isdisjoint(known):
        msg = "no CSV with a header of field names" if page.body.strip() else "an empty body"
        raise UnexpectedAnswerError(msg)
    return header, delimiter


def _first_row(body: bytes, delimiter: str) -> list[str]:
    try:
        return next(_rows(body, delimiter), [])
    except (csv.Error, UnicodeDecodeError):
        return []


def _rows(body: bytes, delimiter: str) -> Iterator[list[str]]:
    # Decoded and split as it is read, never as a whole.
    text = TextIOWrapper(BytesIO(body), encoding="utf-8-sig", newline="")
    return filter(None, csv.reader(text, delimiter=delimiter, strict=True))


def _read(cells: Sequence[str], reader: Callable[[str], Any] | None) -> list[Any]:
    if reader is None:
        return [cell or UNSET for cell in cells]
    return [reader(cell) if cell else UNSET for cell in cells]
