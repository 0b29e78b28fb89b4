from __future__ import annotations

import csv
from datetime import UTC
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tap_custobar.answers import Page
from tap_custobar.compiled import CompiledRows
from tap_custobar.csv_pages import CSV_BLOCK, CsvPages, read_names
from tap_custobar.errors import UnexpectedAnswerError
from tap_custobar.json_text import encode_rows
from tap_custobar.pagination import NextUrlPaginator
from tap_custobar.records import Conformer
from tap_custobar.selection import SelectedSchema

PROPERTIES: dict[str, Any] = {
    "id": {"type": "string"},
    "note": {"type": ["string", "null"]},
    "size": {"type": ["number", "null"]},
    "count": {"type": ["integer", "null"]},
    "is_new": {"type": ["boolean", "null"]},
    "day": {"type": ["string", "null"], "format": "date-time"},
    "tags": {"type": ["array", "null"], "items": {"type": "string"}},
}
SHAPE = SelectedSchema(PROPERTIES, PROPERTIES, ["id"], UTC)

cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", '"', '""', ",", ";", "\t", "\n", "\r\n", "\r", "1", "-2.50", "true", "2024-01-31", "a,b"]
)
tables = st.lists(st.lists(cells, min_size=7, max_size=7), max_size=6)


def as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    text = StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows(rows)
    return text.getvalue().encode()


def lines(body: bytes, *, fast: bool) -> bytes:
    """Return the records of a page as lines of JSON."""
    compiled = CompiledRows(SHAPE) if fast else None
    page = CsvPages(SHAPE, NextUrlPaginator, compiled).parse(Page(body, CaseInsensitiveDict()))
    return b"".join(encode_rows(list(b)) for b in Conformer(SHAPE).conform(page, 1, compiled))


@given(tables, st.sampled_from(",;\t"), st.permutations(list(PROPERTIES)))
def test_both_paths_read_any_cells_alike(
    rows: list[list[str]], delimiter: str, header: list[str]
) -> None:
    body = as_csv([header, *rows], delimiter)

    assert lines(body, fast=True) == lines(body, fast=False)


@given(st.lists(cells, max_size=9), st.sampled_from(",;\t"))
def test_a_text_is_what_was_written(notes: list[str], delimiter: str) -> None:
    rows = [["id", "note"], *([f"{number}", note] for number, note in enumerate(notes))]
    expected = [{"id": i, **({"note": note} if note else {})} for i, note in rows[1:]]

    assert lines(as_csv(rows, delimiter), fast=True) == encode_rows(expected)


@given(tables, st.integers(3, 7) | st.integers(9, 26))
def test_a_page_that_breaks_off_within_a_row_gives_nothing(
    rows: list[list[str]], missing: int
) -> None:
    # All of the last row's 27 bytes or only its last cell as a whole (8): nothing tells.
    body = as_csv([list(PROPERTIES), *rows, ["9", *[""] * 5, "last"]])

    with pytest.raises(UnexpectedAnswerError):
        lines(body[:-missing], fast=True)


@pytest.mark.parametrize("count", [CSV_BLOCK - 1, CSV_BLOCK, CSV_BLOCK + 1])
def test_every_row_of_a_page_of_many_blocks_comes_once(count: int) -> None:
    rows = [["id"], *([f"{number}"] for number in range(count))]
    # One that does not fit the fast path, in the last block.
    rows = [[*row, ""] for row in rows]
    rows[0][1], rows[-1][1] = "size", "large"

    written = lines(as_csv(rows), fast=True).splitlines()

    assert len(written) == count
    assert written[-1] == b'{"id":"%d","size":null}' % (count - 1)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"id,note\n", ["id", "note"]),
        (b"\xef\xbb\xbfnote;id;acme__x,y\n", ["note", "id", "acme__x,y"]),
        (b"id\tnote\tid\t\n1\t2\t3\t\n", ["id", "note"]),
        (b'"id";"no\nte"\n', ["id", "no\nte"]),
        (b"id", ["id"]),
    ],
)
def test_the_delimiter_is_the_one_that_finds_the_known_names(body: bytes, names: list[str]) -> None:
    assert read_names(Page(body, CaseInsensitiveDict()), known=PROPERTIES) == names


@pytest.mark.parametrize("body", [b"<html>", b"a,b\n1,2\n", b"\xff\xfe", b'"id'])
def test_a_header_without_a_known_name_is_none(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        read_names(Page(body, CaseInsensitiveDict()), known=PROPERTIES)
