from __future__ import annotations

import csv
from datetime import UTC
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tap_custobar.api.responses import Response
from tap_custobar.errors import InvalidResponseError
from tap_custobar.pages.csv_pages import CsvPageParser, read_names
from tap_custobar.pages.paginators import NextUrlPaginator
from tap_custobar.records.decoder import BATCH_SIZE, RecordDecoder
from tap_custobar.records.dict_records import DictRecords
from tap_custobar.records.json_codec import encode_lines
from tap_custobar.records.schema import SelectedSchema

if TYPE_CHECKING:
    from tap_custobar.pages.json_pages import Page

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


def parsed(body: bytes) -> Page:
    return CsvPageParser(SHAPE, NextUrlPaginator).parse(Response(body, CaseInsensitiveDict()))


def lines(body: bytes) -> bytes:
    """Return the records of a page as JSON lines."""
    batches = RecordDecoder(SHAPE).decode(parsed(body).chunks, 1)
    return b"".join(batch.lines() for batch in batches)


def converted(body: bytes) -> bytes:
    """Return the JSON lines if every record is converted separately."""
    return encode_lines(DictRecords(SHAPE).convert(parsed(body).rows, 1))


@given(tables, st.sampled_from(",;\t"), st.permutations(list(PROPERTIES)))
def test_any_cells_give_the_same_lines_on_both_paths(
    rows: list[list[str]], delimiter: str, header: list[str]
) -> None:
    body = as_csv([header, *rows], delimiter)

    assert lines(body) == converted(body)


@given(st.lists(cells, max_size=9), st.sampled_from(",;\t"))
def test_string_cells_are_read_unchanged(notes: list[str], delimiter: str) -> None:
    rows = [["id", "note"], *([f"{number}", note] for number, note in enumerate(notes))]
    expected = [
        {"id": i, **({"note": note.replace("\0", "\ufffd")} if note else {})}
        for i, note in rows[1:]
    ]

    assert lines(as_csv(rows, delimiter)) == encode_lines(expected)


@given(
    st.lists(
        st.sampled_from(["a", '"', '""', "a,b", ",", ";", "\n", "\r\n", "\r", " ", "\0", "ä"]),
        max_size=20,
    ).map("".join),
    st.sampled_from(["id,note", "id", 'id,"note"', "\ufeffid;note"]),
)
def test_the_row_count_is_the_number_of_rows(text: str, header: str) -> None:
    delimiter = ";" if ";" in header else ","
    width = len(header.split(delimiter))
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [row or [""] for row in reader if row or width == 1]
    except csv.Error:
        rows = [[]]
    body = f"{header}\n{text}".encode()

    if {width}.issuperset(map(len, rows)):
        page = parsed(body)
        assert page.row_count == len(page.rows) == len(rows)
        return
    with pytest.raises(InvalidResponseError):
        parsed(body)


@given(tables, st.integers(3, 7) | st.integers(9, 26))
def test_a_page_truncated_within_a_row_is_rejected(rows: list[list[str]], missing: int) -> None:
    # Cutting the last row (27 bytes) or its last cell (8 bytes) completely cannot be detected.
    body = as_csv([list(PROPERTIES), *rows, ["9", *[""] * 5, "last"]])

    with pytest.raises(InvalidResponseError):
        lines(body[:-missing])


@pytest.mark.parametrize("count", [BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1])
def test_each_row_of_a_page_of_several_batches_is_written_once(count: int) -> None:
    rows = [["id"], *([f"{number}"] for number in range(count))]
    # A value in the last batch that requires the fallback.
    rows = [[*row, ""] for row in rows]
    rows[0][1], rows[-1][1] = "size", "large"

    written = lines(as_csv(rows)).splitlines()

    assert len(written) == count
    assert written[-1] == b'{"id":"%d","size":null}' % (count - 1)


def parse(body: bytes, *, pages: CsvPageParser | None = None, names_fields: bool = True) -> Page:
    schema = SelectedSchema(PROPERTIES, ["id", "note"], ["id"], UTC)
    pages = pages or CsvPageParser(schema, NextUrlPaginator, names_fields=names_fields)
    return pages.parse(Response(body, CaseInsensitiveDict()))


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"id,note,note", "a name twice"),
        (b"id,ID", "names that were not requested"),
        (b"note", "does not have id"),
        (b"id,size", "names that were not requested"),
        (b"id,acme__secret", "names that were not requested"),
        (b"C1,note", "does not have id"),
        (b"C1,x", "text without a CSV header"),
        (b"id,n\xff", "names that were not requested"),
    ],
)
def test_a_header_without_key_or_with_unrequested_or_duplicate_names_is_rejected(
    header: bytes, problem: str
) -> None:
    with pytest.raises(InvalidResponseError, match=problem) as raised:
        parse(header + b"\n")

    assert "C1" not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"ID,Note\n1,x\n", [{"id": "1", "note": "x"}]),
        (b"id, note\n1, x\n", [{"id": "1", "note": "x"}]),
        (b'id; "note"\n1; "a;b"\n', [{"id": "1", "note": "a;b"}]),
        (b"id ,note\n1, x\n", [{"id": "1", "note": " x"}]),
        (b"id,note,\n1,x,\n", [{"id": "1", "note": "x"}]),
    ],
)
def test_spaces_and_case_of_a_header_are_ignored(body: bytes, rows: list[dict[str, str]]) -> None:
    assert parse(body).rows == rows


def test_names_that_differ_only_by_case_are_distinguished() -> None:
    properties = {name: {"type": "string"} for name in ("id", "x", "X")}
    schema = SelectedSchema(properties, properties, ["id"], UTC)
    pages = CsvPageParser(schema, NextUrlPaginator)

    assert parse(b"id,X,x\n1,a,b\n", pages=pages).rows == [{"id": "1", "X": "a", "x": "b"}]


def test_missing_columns_are_reported_by_the_first_page() -> None:
    schema = SelectedSchema(PROPERTIES, ["id", "note", "size"], ["id"], UTC)
    pages = CsvPageParser(schema, NextUrlPaginator)

    assert parse(b"id,note\n", pages=pages).missing_fields == {"size"}
    assert parse(b"note,id\n", pages=pages).missing_fields == set()


@pytest.mark.parametrize("body", [b"id\n1\n", b"1,note\n2,x\n", b"3,x\n", b"id,note,size\n"])
def test_a_later_page_with_another_header_is_rejected(body: bytes) -> None:
    schema = SelectedSchema(PROPERTIES, ["id", "note", "size"], ["id"], UTC)
    pages = CsvPageParser(schema, NextUrlPaginator)
    parse(b"id,note\n1,x\n", pages=pages)

    with pytest.raises(InvalidResponseError):
        parse(body, pages=pages)

    assert parse(b"id,note\n2,y\n", pages=pages).rows == [{"id": "2", "note": "y"}]


def test_without_requested_fields_unknown_columns_are_accepted() -> None:
    body = b"size,id,acme__new,note\n1,2,3,4\n"

    page = parse(body, names_fields=False)

    assert page.rows == [{"id": "2", "note": "4"}]
    assert page.names == {"size", "id", "acme__new", "note"}
    for cells in (b"C1,note,x,y\n", b"id,a@example.com,+358,x\n"):
        with pytest.raises(InvalidResponseError):
            parse(cells, names_fields=False)


def test_a_blank_line_is_a_row_only_with_one_column() -> None:
    assert parse(b"\nid\n1\n\n2\n\n").rows == [{"id": "1"}, {}, {"id": "2"}, {}]
    assert parse(b"\nid,note\n1,\n\n2,\n").rows == [{"id": "1"}, {"id": "2"}]


def test_up_to_100_values_that_are_not_utf8_are_accepted() -> None:
    row = b"1,\xe4 \xe4\n"

    assert parse(b"id,note\n" + row * 100).rows == [{"id": "1", "note": "\udce4 \udce4"}] * 100
    with pytest.raises(InvalidResponseError, match="not UTF-8 in more than 100 values"):
        parse(b"id,note\n" + row * 101)


@pytest.mark.parametrize("odd", ["a\0b", "\udcff"], ids=ascii)
def test_invalid_characters_are_replaced_on_both_paths(odd: str) -> None:
    cell = odd.encode(errors="surrogateescape")
    text = odd.replace("\0", "\ufffd").replace("\udcff", "\ufffd")

    for read in (lines, converted):
        assert read(b"id,note\n%b,\n1,%b\n" % (cell, cell)) == encode_lines(
            [{"id": "1", "note": text}]
        )
        assert read(b'id,tags\n1,"a,%b"\n' % cell) == encode_lines(
            [{"id": "1", "tags": ["a", text]}]
        )


def test_a_response_without_content_is_an_empty_csv_page() -> None:
    headers = CaseInsensitiveDict({"X-Custobar-Next-Url": "?h"})

    page = CsvPageParser(SHAPE, NextUrlPaginator).parse(Response(b"", headers, status=204))

    assert (page.rows, page.next_link) == ([], "?h")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"id,note\n1,cut he", ["id", "note"]),
        (b"id,note\r1", ["id", "note"]),
        (b'id,note,"x\ny"\n', ["id", "note", "x\ny"]),
        (b"id,note", None),
        (b'id,note,"x\n', None),
    ],
)
def test_without_a_length_a_header_is_complete_at_its_line_end(
    body: bytes, names: list[str] | None
) -> None:
    page = Response(body, CaseInsensitiveDict(), is_length_delimited=False)

    if names is not None:
        assert read_names(page, known=PROPERTIES) == names
        return
    with pytest.raises(InvalidResponseError):
        read_names(page, known=PROPERTIES)


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (b"1,note,a@example.com\n", ["id"]),
        (b"1,note,a@example.com\n", []),
        (b"id,note,\xff\n", ["id"]),
        (b"id,note,a\0b\n", ["id"]),
    ],
)
def test_a_row_of_cells_is_not_accepted_as_header(body: bytes, keys: list[str]) -> None:
    with pytest.raises(InvalidResponseError):
        read_names(Response(body, CaseInsensitiveDict()), known=PROPERTIES, keys=keys)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"id,note\n", ["id", "note"]),
        (b"\xef\xbb\xbfnote;id;acme__x,y\n", ["note", "id", "acme__x,y"]),
        (b"id\tnote\tid\t\n1\t2\t3\t\n", ["id", "note"]),
        (b'"id";"no\nte";note\n', ["id", "no\nte", "note"]),
        (b"ID, Note, Acme__X\n", ["id", "note", "Acme__X"]),
        (b"id, acme__x, acme__y\n", ["id", "acme__x", "acme__y"]),
        (b"id,acme__x, acme__y\n", ["id", "acme__x", " acme__y"]),
        (b"id", ["id"]),
    ],
)
def test_the_delimiter_is_the_one_that_yields_known_names(body: bytes, names: list[str]) -> None:
    page = Response(body, CaseInsensitiveDict())

    assert read_names(page, known=PROPERTIES, keys=["id"]) == names


@pytest.mark.parametrize("body", [b"<html>", b"a,b\n1,2\n", b"\xff\xfe", b'"id'])
def test_a_header_without_a_known_name_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidResponseError):
        read_names(Response(body, CaseInsensitiveDict()), known=PROPERTIES)
