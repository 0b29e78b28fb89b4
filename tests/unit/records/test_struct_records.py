"""The fast path gives what the conforming path gives, to the byte, or leaves the page to it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.api.responses import Page
from tap_custobar.errors import UnexpectedAnswerError
from tap_custobar.pages.json_pages import BLOCK, JsonPages, ParsedPage
from tap_custobar.pages.paginators import NextUrlPaginator
from tap_custobar.records.dict_records import Conformer, Losses
from tap_custobar.records.json_codec import encode_rows
from tap_custobar.records.schema import SelectedSchema
from tap_custobar.records.struct_records import CompiledRows, MisfitError
from tests.unit.strategies import fitting, json_values, schemas, texts

KEY = {"type": "string"}


def shape(properties: dict[str, Any], zone: str = "UTC") -> SelectedSchema:
    return SelectedSchema({"id": KEY, **properties}, [*properties, "id"], ["id"], ZoneInfo(zone))


def compiled(of: SelectedSchema) -> CompiledRows:
    return CompiledRows(of)


def body(*rows: object, **others: object) -> bytes:
    content = {"rows": rows, **others}
    try:
        return encode_rows([content])
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can tell
        return json.dumps(content, default=str).encode()


def conformed(of: SelectedSchema, content: bytes) -> tuple[bytes, Conformer]:
    """Return the lines of the conforming path."""
    conformer = Conformer(of)
    page = JsonPages("rows", NextUrlPaginator).parse(Page(content, {}))
    return encode_rows(conformer.conform_rows(page.rows, 1)), conformer


def fast(of: SelectedSchema, content: bytes) -> bytes | None:
    """Return the lines of the fast path, behind a first page; None where it leaves any row."""
    pages = JsonPages("rows", NextUrlPaginator, compiled(of))
    pages.parse(Page(body({"id": "first"}), {}))
    blocks = list(pages.parse(Page(content, {})).blocks)
    return b"".join(encode_rows(b.rows) for b in blocks) if all(b.fits for b in blocks) else None


DEFINITIONS = schemas


def both(of: SelectedSchema, content: bytes) -> tuple[bytes, Losses]:
    """Return the lines and the losses of the fast path, behind a first page."""
    rows = compiled(of)
    pages = JsonPages("rows", NextUrlPaginator, rows)
    pages.parse(Page(body({"id": "first"}), {}))
    conformer = Conformer(of)
    page = pages.parse(Page(content, {}))
    lines = b"".join(encode_rows(list(block)) for block in conformer.conform(page, 2, rows))
    return lines, conformer.losses


@given(st.data())
def test_any_row_gives_the_same_bytes_and_losses_on_both_paths(data: st.DataObject) -> None:
    definitions = data.draw(st.lists(DEFINITIONS, min_size=1, max_size=3))
    of = shape({f"has-{n} x`[0]": each for n, each in enumerate(definitions)})
    names = st.sampled_from([*of.properties, "unknown"])
    row = st.dictionaries(names, json_values, max_size=4)
    ids = texts | st.integers()
    rows = [data.draw(row) | {"id": data.draw(ids)} for _ in range(data.draw(st.integers(1, 3)))]
    content = body(*rows)
    slow = Conformer(of)
    page = JsonPages("rows", NextUrlPaginator).parse(Page(content, {}))
    expected = b"".join(encode_rows(block) for block in slow.conform(page, 2, None))

    lines, losses = both(of, content)

    assert lines == expected
    # The names of the unknown are looked for where they cost nothing.
    assert replace(losses, unknown=set()) == replace(slow.losses, unknown=set())
    if losses.nulled or losses.replaced or losses.skipped:
        assert fast(of, content) is None


@given(st.data())
def test_what_fits_takes_the_fast_path(data: st.DataObject) -> None:
    definition = data.draw(DEFINITIONS)
    of = shape({"x": definition})
    rows = [{"id": "1", "x": data.draw(fitting(definition))} for _ in range(3)]
    content = encode_rows([{"rows": rows}])

    assert fast(of, content) == encode_rows(rows)


NULLABLE: dict[str, dict[str, Any]] = {
    name: {"type": [name, "null"]} for name in ("string", "integer", "number", "boolean", "object")
}
TEXTS = {"type": ["array", "null"], "items": {"type": "string"}}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
DAY = {"type": ["string", "null"], "format": "date"}


@pytest.mark.parametrize(
    ("definition", "values"),
    [
        (TEXTS, ["Shoes", ["Shoes", "Boots"], None, "", [], ["a", ["b", 1]], 5]),
        (NULLABLE["string"], ["00100", 100, True, 19.90, {"a": [1]}, None, ""]),
        (NULLABLE["integer"], [1095, "1095", 1000.0, "", None, 2**63 - 1, -(2**63)]),
        (NULLABLE["number"], [4.5, 4, "4.50", "", None]),
        (NULLABLE["boolean"], [True, "True", 0, "1", "", None]),
        (INSTANT, ["2024-02-29T10:00:00Z", "2024-02-29T10:00:00", "2024-02-29", "", None]),
        (INSTANT, ["2024-02-29T10:00:00+02:00", "2024-02-29 10:00:00.50z"]),
        (DAY, ["1990-02-28", "1990-02-28T00:00:00Z", "", None]),
        ({"type": ["integer", "string", "null"]}, [1, "1", "a", None, 1.5]),
        ({}, [1, "1", [None], {"a": 1.50}, None]),
        ({"type": ["null"]}, [None]),
    ],
    ids=str,
)
def test_what_companies_are_known_to_send_stays_on_the_fast_path(
    definition: dict[str, Any], values: list[object]
) -> None:
    of = shape({"x": definition}, zone="Europe/Helsinki")
    content = body(*({"id": str(n), "x": value} for n, value in enumerate(values)))

    assert fast(of, content) == conformed(of, content)[0]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"id": None},
        {"id": ""},
        {"id": "1", "n": "x"},
        {"id": "1", "n": 1.5},
        {"id": "1", "at": "2023-02-29T00:00:00Z"},
        {"id": "1", "at": "2024-02-29T00:00:00Z\n2024-02-29T00:00:00Z"},
        {"id": "1", "on": "1900-02-29"},
        {"id": "1", "f": "NaN"},
        {"id": "1", "s": "\ud800"},
        {"id": "1", "s": "\0"},
        {"id": "\0"},
        {"id": "1", "n": 2**63},
        {"id": "1", "n": "-9223372036854775809"},
        {"id": "1", "f": Decimal("1E+400")},
        {"id": "1", "f": 10**400},
        {"id": "1", "o": {"a": [{"\0": 1}]}},
        {"id": "1", "o": {"a": Decimal("-1E+400")}},
        {"id": "1", "any": [10**309]},
        5,
        None,
        [],
    ],
    ids=str,
)
def test_what_is_lost_or_odd_is_left_to_the_path_that_counts(row: object) -> None:
    of = shape(
        {
            "n": NULLABLE["integer"],
            "f": NULLABLE["number"],
            "s": NULLABLE["string"],
            "at": INSTANT,
            "on": DAY,
            "o": NULLABLE["object"],
            "any": {},
        }
    )

    assert fast(of, body({"id": "0"}, row)) is None


def test_a_number_for_a_key_becomes_its_text() -> None:
    assert fast(shape({}), body({"id": 7}, {"id": "8"})) == b'{"id":"7"}\n{"id":"8"}\n'


def test_after_odd_rows_the_next_ones_are_fast_again() -> None:
    rows = compiled(shape({"x": NULLABLE["string"], "y": INSTANT}))
    with pytest.raises(MisfitError):
        rows.decode(b'[{"id": "1", "x": 5, "y": "soon"}]')
    odd = rows.decode(b'[{"id": "2", "x": 5, "y": "2024-02-29"}]')

    assert encode_rows(odd) == b'{"id":"2","x":"5","y":"2024-02-29T00:00:00Z"}\n'


def test_only_the_rows_around_an_odd_one_leave_the_fast_path() -> None:
    pages = JsonPages("rows", NextUrlPaginator, compiled(shape({"x": NULLABLE["integer"]})))
    rows: list[dict[str, object]] = [{"id": str(n), "x": n} for n in range(3 * BLOCK)]
    parse(pages, body(*rows))
    rows[BLOCK + 1]["x"] = "odd"

    blocks = list(parse(pages, body(*rows)).blocks)

    assert [block.fits for block in blocks] == [True, False, True]
    assert blocks[1].rows == rows[BLOCK : 2 * BLOCK]


def test_what_is_not_utf8_is_seen_before_any_of_a_page_is_written() -> None:
    pages = JsonPages("rows", NextUrlPaginator, compiled(shape({"x": NULLABLE["string"]})))
    parse(pages, body({"id": "1"}))

    page = parse(pages, b'{"rows": [{"id": "1", "x": "\xff"}]}')

    assert [(block.rows, block.fits) for block in page.blocks] == [
        ([{"id": "1", "x": "\udcff"}], False)
    ]
    with pytest.raises(UnexpectedAnswerError, match="not UTF-8"):
        parse(pages, b'{"rows": [%b1]}' % (b'{"id": "1", "x": "\xff"},' * 101))


def parse(pages: JsonPages, content: bytes) -> ParsedPage:
    return pages.parse(Page(content, {}))


def test_the_first_page_is_looked_through_for_unknown_properties() -> None:
    pages = JsonPages("rows", NextUrlPaginator, compiled(shape({"x": TEXTS})))

    first = parse(pages, body({"id": "1", "new": 1}, next_url="?b", count=2))
    second = parse(pages, body({"id": "2", "newer": 1}))
    third = parse(pages, body({"newest": 1}))

    assert [block.fits for p in (first, second) for block in p.blocks] == [True, True]
    assert (first.names, second.names, third.names) == ({"id", "new"}, set(), set())
    assert (first.following, second.following, first.count) == ("?b", None, 2)
    assert list(third.blocks) == [([{"newest": 1}], False)]
