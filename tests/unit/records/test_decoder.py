"""Decoding by structs writes the same bytes as converting each record, or falls back to that."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tap_custobar.api.responses import Response
from tap_custobar.pages.csv_pages import CsvPageParser
from tap_custobar.pages.json_pages import JsonPageParser
from tap_custobar.pages.paginators import NextUrlPaginator
from tap_custobar.records.decoder import BATCH_SIZE, RecordDecoder
from tap_custobar.records.dict_records import DictRecords, Loss, Losses
from tap_custobar.records.json_codec import encode_lines
from tap_custobar.records.raw_rows import names_in
from tap_custobar.records.schema import SelectedSchema
from tap_custobar.records.struct_records import MAX_IGNORED, FallbackRequired, StructRecords
from tests.unit.strategies import (
    EDGE_STRINGS,
    EDGES,
    fitting,
    json_values,
    mixed_schemas,
    schemas,
    texts,
    valid_texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_custobar.pages.json_pages import Page

KEY = {"type": "string"}
ANY: dict[str, Any] = {}
NULLABLE: dict[str, dict[str, Any]] = {
    name: {"type": [name, "null"]} for name in ("string", "integer", "number", "boolean", "object")
}
STRINGS = {"type": ["array", "null"], "items": {"type": "string"}}
NULLABLE_STRINGS = {"type": ["array", "null"], "items": {"type": ["string", "null"]}}
TIMESTAMP = {"type": ["string", "null"], "format": "date-time"}
DAY = {"type": ["string", "null"], "format": "date"}


def schema_of(properties: dict[str, Any], zone: str = "UTC") -> SelectedSchema:
    """Return a schema of these properties, a key, and a property that is not selected."""
    every = {"id": KEY, "deselected": NULLABLE["integer"], **properties}
    return SelectedSchema(every, [*properties, "id"], ["id"], ZoneInfo(zone))


def json_body(rows: Sequence[object]) -> bytes:
    content = {"rows": rows}
    try:
        return encode_lines([content])
    except UnicodeEncodeError:  # a lone surrogate can only be sent escaped
        return json.dumps(content, default=str).encode()


def csv_body(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    return text.getvalue().encode()


def parsed(schema: SelectedSchema, bodies: Iterable[bytes], *, is_csv: bool) -> Iterator[Page]:
    parser: CsvPageParser | JsonPageParser = (
        CsvPageParser(schema, NextUrlPaginator)
        if is_csv
        else JsonPageParser("rows", NextUrlPaginator)
    )
    for body in bodies:
        yield parser.parse(Response(body, CaseInsensitiveDict()))


def decoded(
    schema: SelectedSchema, bodies: Iterable[bytes], *, is_csv: bool = False
) -> tuple[bytes, Losses]:
    """Return the lines and the losses of pages, as the tap decodes them."""
    decoder = RecordDecoder(schema)
    lines = b""
    for number, page in enumerate(parsed(schema, bodies, is_csv=is_csv), 1):
        decoder.note_header(page.names, page.missing_fields)
        lines += b"".join(batch.lines() for batch in decoder.decode(page.chunks, number))
    return lines, decoder.losses


def converted(
    schema: SelectedSchema, bodies: Iterable[bytes], *, is_csv: bool = False
) -> tuple[bytes, Losses]:
    """Return the lines and the losses if every record is converted separately."""
    stream = DictRecords(schema)
    lines = b""
    for number, page in enumerate(parsed(schema, bodies, is_csv=is_csv), 1):
        rows = page.rows
        stream.note_unknown(page.names | names_in(rows))
        stream.losses.missing_fields |= page.missing_fields
        lines += encode_lines(stream.convert(rows, number))
    return lines, stream.losses


def fast(schema: SelectedSchema, rows: Sequence[object]) -> bytes | None:
    """Return the lines that structs encode, or None if a row requires the fallback."""
    structs = StructRecords(schema)
    lines = b""
    for page in parsed(schema, [json_body(rows)], is_csv=False):
        for chunk in page.chunks:
            structs.adapt(chunk.to_values())
            try:
                lines += structs.encode_lines(chunk.to_structs(structs))
            except FallbackRequired:
                return None
    return lines


definitions = schemas | mixed_schemas | st.just(ANY)
keys = texts | st.integers()
#: Many are not valid names of struct fields: quotes, control characters, lone surrogates.
unknown_names = st.sampled_from(["unknown", "p0", "i0", "", 'a"b', "a\\b", "\n", "\0", "\ud800"])
cells = (
    st.sampled_from([*EDGE_STRINGS, *map(str, EDGES), "null", "True", "a,b", '["a"]', '"\\u0000"'])
    | valid_texts
    | json_values.map(lambda value: json.dumps(value, default=str))
)


@st.composite
def schemas_and_pages(draw: st.DrawFn) -> tuple[SelectedSchema, list[bytes]]:
    drawn = draw(st.lists(definitions, min_size=1, max_size=3))
    schema = schema_of({f"has-{n} x`[0]": each for n, each in enumerate(drawn)})
    names = st.sampled_from(list(schema.properties)) | unknown_names
    row = st.builds(
        lambda values, key: values | key,
        st.dictionaries(names, json_values, max_size=4),
        st.fixed_dictionaries({}, optional={"id": keys}),
    )
    pages = draw(st.lists(st.lists(row, min_size=1, max_size=3), min_size=1, max_size=3))
    return schema, list(map(json_body, pages))


@given(schemas_and_pages())
def test_any_rows_give_the_same_lines_and_losses_on_both_paths(
    drawn: tuple[SelectedSchema, list[bytes]],
) -> None:
    assert decoded(*drawn) == converted(*drawn)


@st.composite
def schemas_and_tables(draw: st.DrawFn) -> tuple[SelectedSchema, list[bytes]]:
    drawn = draw(st.lists(definitions, min_size=1, max_size=3))
    schema = schema_of({f"p{n}": each for n, each in enumerate(drawn)})
    header = draw(st.permutations(list(schema.fields)))
    row = st.tuples(*(valid_texts if name == "id" else cells for name in header))
    tables = draw(st.lists(st.lists(row, max_size=3), min_size=1, max_size=3))
    return schema, [csv_body(header, table) for table in tables]


@given(schemas_and_tables())
@example((schema_of({"n": NULLABLE["number"]}), [csv_body(["id", "n"], [["1", "9" * 310]])]))
@example((schema_of({"x": ANY}), [csv_body(["id", "x"], [["1", "9" * 310]])]))
@example((schema_of({"x": ANY}), [csv_body(["id", "x"], [["1", "1E+400"], ["2", "[NaN]"]])]))
@example((schema_of({"x": ANY}), [csv_body(["id", "x"], [["1", r'["\ud800"]']])]))
@example((schema_of({"x": ANY}), [csv_body(["id", "x"], [["1", r'["a\u0000"]']])]))
def test_any_cells_give_the_same_lines_and_losses_on_both_paths(
    drawn: tuple[SelectedSchema, list[bytes]],
) -> None:
    schema, bodies = drawn

    assert decoded(schema, bodies, is_csv=True) == converted(schema, bodies, is_csv=True)


#: Positions around the ends of batches, in pages of several batches.
POSITIONS = [0, 1, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 299]
MANY: dict[str, dict[str, Any]] = {
    **NULLABLE,
    "texts": STRINGS,
    "nullable_texts": NULLABLE_STRINGS,
    "at": TIMESTAMP,
    "on": DAY,
    "any": ANY,
}
ODD: list[dict[str, Any]] = [
    {"integer": 2**63},
    {"integer": "7", "boolean": "True"},
    {"string": ["a", 1.50], "texts": "Shoes"},
    {"new": 1},
    {"texts": ["a", 5], "nullable_texts": ["a", None, 5]},
    {"at": "2024-02-29", "on": "soon"},
    {"number": "4.50", "id": ""},
    {'size "EU"': 1},
    {"newer": 1, "at": "24:00"},
    {"object": 5, "any": [10**309]},
    {"deselected": "x"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("position", POSITIONS)
def test_pages_of_several_batches_with_an_odd_row_give_the_same_on_both_paths(
    position: int, odd: dict[str, Any]
) -> None:
    schema = schema_of(MANY, zone="Europe/Helsinki")
    tidy = {"string": "a", "integer": 1, "texts": ["a"], "nullable_texts": [None, "b"], "any": {}}
    bodies = []
    for page in range(3):
        rows: list[dict[str, Any]] = [{"id": f"{page}-{n}", **tidy} for n in range(300)]
        rows[position] |= odd if page else {}
        bodies.append(json_body(rows))

    lines, losses = decoded(schema, bodies)

    assert (lines, losses) == converted(schema, bodies)
    assert lines.count(b"\n") == 900 - 2 * (odd.get("id") == "")


@pytest.mark.parametrize("position", [0, 1023, 1024, 1100])
def test_csv_pages_of_several_batches_with_an_odd_row_give_the_same_on_both_paths(
    position: int,
) -> None:
    schema = schema_of({"n": NULLABLE["integer"], "texts": STRINGS, "at": TIMESTAMP})
    rows = [[str(n), str(n), "a,b", "2024-01-01T00:00:00Z"] for n in range(1101)]
    rows[position] = [str(position), "odd", '["a, b"]', "2024-01-01 10:00"]
    bodies = [csv_body(["id", "n", "texts", "at"], rows)] * 2

    lines, losses = decoded(schema, bodies, is_csv=True)

    assert (lines, losses) == converted(schema, bodies, is_csv=True)
    assert losses.nulled == {"n": Loss(2, 1, position + 1)}


def test_only_the_batch_of_an_odd_row_leaves_the_fast_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows: list[dict[str, object]] = [{"id": str(n), "n": n} for n in range(3 * BATCH_SIZE)]
    rows[BATCH_SIZE + 1]["n"] = "odd"
    left: list[object] = []
    convert = DictRecords.convert

    def convert_noted(
        stream: DictRecords, rows: Sequence[object], page: int, before: int
    ) -> list[dict[str, Any]]:
        left.extend(rows)
        return convert(stream, rows, page, before)

    monkeypatch.setattr(DictRecords, "convert", convert_noted)

    lines, _ = decoded(schema_of({"n": NULLABLE["integer"]}), [json_body(rows)])

    assert left == rows[BATCH_SIZE : 2 * BATCH_SIZE]
    assert lines.count(b"\n") == len(rows)


@given(st.data())
def test_valid_values_take_the_fast_path(data: st.DataObject) -> None:
    definition = data.draw(schemas)
    rows = [{"id": "1", "x": data.draw(fitting(definition))} for _ in range(3)]

    assert fast(schema_of({"x": definition}), rows) == encode_lines(rows)


@pytest.mark.parametrize(
    ("definition", "values"),
    [
        (STRINGS, ["Shoes", ["Shoes", "Boots"], None, "", [], ["a", ["b", 1]], 5]),
        (NULLABLE_STRINGS, [["Shoes", None], [], None, "Shoes", ["a", 1]]),
        (NULLABLE["string"], ["00100", 100, True, 19.90, {"a": [1]}, None, ""]),
        (NULLABLE["integer"], [1095, "1095", 1000.0, "", None, 2**63 - 1, -(2**63)]),
        (NULLABLE["number"], [4.5, 4, "4.50", "", None]),
        (NULLABLE["boolean"], [True, "True", 0, "1", "", None]),
        (TIMESTAMP, ["2024-02-29T10:00:00Z", "2024-02-29T10:00:00", "2024-02-29", "", None]),
        (TIMESTAMP, ["2024-02-29T10:00:00+02:00", "2024-02-29 10:00:00.50z"]),
        (DAY, ["1990-02-28", "1990-02-28T00:00:00Z", "", None]),
        ({"type": ["integer", "string", "null"]}, [1, "1", "a", None, 1.5]),
        (ANY, [1, "1", [None], {"a": 1.50}, None]),
        ({"type": ["null"]}, [None]),
    ],
    ids=str,
)
def test_common_deviations_from_the_schema_stay_on_the_fast_path(
    definition: dict[str, Any], values: list[object]
) -> None:
    schema = schema_of({"x": definition}, zone="Europe/Helsinki")
    rows = [{"id": str(n), "x": value} for n, value in enumerate(values)]

    assert fast(schema, rows) == converted(schema, [json_body(rows)])[0]
    # Also each alone: another value may have relaxed the type of the struct.
    for row in rows:
        assert fast(schema, [row]) == converted(schema, [json_body([row])])[0]


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
def test_values_that_are_discarded_or_replaced_require_the_fallback(row: object) -> None:
    schema = schema_of(
        {
            "n": NULLABLE["integer"],
            "f": NULLABLE["number"],
            "s": NULLABLE["string"],
            "at": TIMESTAMP,
            "on": DAY,
            "o": NULLABLE["object"],
            "any": ANY,
        }
    )

    assert fast(schema, [{"id": "0"}, row]) is None


def test_a_number_as_primary_key_becomes_a_string() -> None:
    assert fast(schema_of({}), [{"id": 7}, {"id": "8"}]) == b'{"id":"7"}\n{"id":"8"}\n'


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63)])
def test_64_bit_integers_are_kept_after_a_column_was_relaxed(value: int) -> None:
    schema = schema_of({"n": NULLABLE["integer"]})
    beyond = value + (1 if value > 0 else -1)
    bodies = [json_body([{"id": "1", "n": n}]) for n in ("5", value, beyond, str(value))]

    lines, losses = decoded(schema, bodies)

    assert [json.loads(line)["n"] for line in lines.splitlines()] == [5, value, None, value]
    assert losses.nulled == {"n": Loss(1, 3, 1)}


@pytest.mark.parametrize("value", [100, True, 19.90, ["a", None], {"a": {"b": [1.50]}}, "", None])
def test_nullable_strings_accept_any_value_as_json(value: object) -> None:
    schema = schema_of({"acme__x": NULLABLE["string"]})
    text = value if isinstance(value, str | None) else json.dumps(value, separators=(",", ":"))
    bodies = [json_body([{"id": "1", "acme__x": value}, {"id": "2", "acme__x": "a\nb"}])] * 2

    lines, losses = decoded(schema, bodies)

    assert [json.loads(line)["acme__x"] for line in lines.splitlines()] == [text, "a\nb"] * 2
    assert losses == Losses()


@pytest.mark.parametrize("is_late_page", [True, False], ids=["on page 2", "in batch 2"])
@pytest.mark.parametrize("others", [[], ["weird \"'\\ name"], [f"x{n}" for n in range(300)]])
def test_an_unknown_property_is_found_in_any_batch(
    others: list[str], *, is_late_page: bool
) -> None:
    schema = schema_of({"x": NULLABLE["integer"]})
    before = [{"id": str(n), "x": n, **dict.fromkeys(others, n)} for n in range(BATCH_SIZE)]
    rows = [{"id": "late", "x": 1, "late": "SECRET"}, {"id": "last", "x": 2}]
    pages = [before, rows] if is_late_page else [[*before, *rows]]

    lines, losses = decoded(schema, map(json_body, pages))

    assert losses.unknown == {"late", *others}
    assert not losses.nulled
    assert [*map(json.loads, lines.splitlines())] == [
        *({"id": str(n), "x": n} for n in range(BATCH_SIZE)),
        {"id": "late", "x": 1},
        {"id": "last", "x": 2},
    ]


@pytest.mark.parametrize(
    "names",
    [['size "EU"'], ["a\\b"], ["a\nb"], ["\x7f", "\x01"], [""], ["ä"], ["p0", "i0", "id "]],
    ids=ascii,
)
def test_unknown_properties_of_any_name_stay_on_the_fast_path(names: list[str]) -> None:
    rows = [{"id": "1", "x": 1, **dict.fromkeys(names, 0)}]

    assert fast(schema_of({"x": NULLABLE["integer"]}), rows) == b'{"id":"1","x":1}\n'


def test_more_unknown_properties_than_structs_ignore_stay_on_the_fast_path() -> None:
    names = [f"x{n}" for n in range(MAX_IGNORED + 1)]
    rows = [{"id": str(n), **dict.fromkeys(names, n)} for n in range(300)]

    assert fast(schema_of({}), rows) == encode_lines([{"id": row["id"]} for row in rows])


@pytest.mark.parametrize("name", ['size "EU"', "a\\b", "a\nb", "\x01", "", "ä"], ids=ascii)
def test_properties_of_any_name_keep_their_name(name: str) -> None:
    schema = schema_of({name: NULLABLE["integer"], "x": STRINGS})
    rows = [{"id": "1", name: 1, "x": ["a"]}, {"id": "2", name: "2", "x": "a"}, {"id": "3"}]

    lines, losses = decoded(schema, [json_body(rows)] * 2)

    expected = [{name: 1, "x": ["a"], "id": "1"}, {name: 2, "x": ["a"], "id": "2"}, {"id": "3"}]
    assert [*map(json.loads, lines.splitlines())] == expected * 2
    assert losses == Losses()


def test_fractions_are_truncated_after_the_surrogate_key_is_computed() -> None:
    times = {"type": ["array", "null"], "items": {"type": "string", "format": "date-time"}}
    properties: dict[str, Any] = {"key": KEY, "at": TIMESTAMP, "times": times}
    schema = SelectedSchema(properties, properties, [], ZoneInfo("UTC"), surrogate_key="key")
    whole, cut = "2024-01-01T00:00:00.12345678Z", "2024-01-01T00:00:00.123456Z"
    tidy = [{"at": whole, "times": [whole]}, {"at": cut}, {"at": None}]

    for odd in ([], [{"at": "soon"}]):
        decoder = RecordDecoder(schema)
        (page,) = parsed(schema, [json_body([*tidy, *odd])], is_csv=False)
        (batch,) = decoder.decode(page.chunks, 1)
        before = batch.dicts()
        batch.cut_fractions()

        assert before[:3] == tidy
        assert batch.dicts()[:3] == [{"at": cut, "times": [cut]}, {"at": cut}, {"at": None}]


def test_a_column_of_a_batch_can_be_read_and_replaced() -> None:
    schema = schema_of({"x": NULLABLE["integer"]})
    (page,) = parsed(
        schema,
        [json_body([{"id": "1", "x": 1}, {"id": "2"}, {"id": "3", "x": None}])],
        is_csv=False,
    )
    (batch,) = RecordDecoder(schema).decode(page.chunks, 1)

    assert len(batch) == 3
    assert batch.column("id") == ["1", "2", "3"]
    batch.set_column("x", range(3))
    assert batch.lines() == b'{"id":"1","x":0}\n{"id":"2","x":1}\n{"id":"3","x":2}\n'
    assert batch.part(1, 3).dicts() == [{"x": 1, "id": "2"}, {"x": 2, "id": "3"}]
    assert batch.keep([True, False, True]).dicts() == [{"x": 0, "id": "1"}, {"x": 2, "id": "3"}]
    assert batch.keep([True] * 3).dicts() == batch.dicts()
