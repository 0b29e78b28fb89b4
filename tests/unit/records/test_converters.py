"""Conversion of values to the types of a schema: a table of cases, and properties of any value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_custobar.records.converters import (
    ConversionError,
    ConverterFactory,
    holds_timestamps,
    with_text_members,
)
from tests.conftest import formats
from tests.unit.strategies import fitting, json_values, mixed_schemas, nested, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

DATE_TIME = {"type": ["string", "null"], "format": "date-time"}
DATE = {"type": ["string", "null"], "format": "date"}
STOCK = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "properties": {"shop": {"type": ["string", "null"]}, "amount": {"type": "integer"}},
    },
}
encode = msgspec.json.Encoder(decimal_format="number").encode
lone = json.loads('"\\ud800"')


def of(*types: str, **rest: object) -> dict[str, Any]:
    return {"type": list(types), **rest}


def convert(schema: dict[str, Any], value: object, zone: str = "UTC") -> tuple[Any, int]:
    """Return the converted value, and how many parts of it were discarded."""
    lost: list[None] = []
    converter = ConverterFactory(ZoneInfo(zone), lambda: lost.append(None)).compile(schema)
    return converter(value), len(lost)


def converted(schema: dict[str, Any], value: object, zone: str = "UTC") -> Any:  # noqa: ANN401 - any JSON value
    result, lost = convert(schema, value, zone)
    assert lost == 0
    return result


def equal_as_json(one: object, other: object) -> bool:
    """Compare as JSON: 1, 1.0 and true are different."""
    return bool(encode(one) == encode(other))


def nullable_or_not(name: str, **rest: object) -> list[dict[str, Any]]:
    return [{"type": name, **rest}, of(name, "null", **rest), of("null", name, **rest)]


@pytest.mark.parametrize("schema", nullable_or_not("string"), ids=str)
@pytest.mark.parametrize(
    ("value", "string"),
    [
        ("", ""),
        ("ä 😀\n", "ä 😀\n"),
        (7, "7"),
        (-(10**50), str(-(10**50))),
        (Decimal("19.90"), "19.90"),
        (Decimal("1E+5"), "1E+5"),
        (True, "true"),
        (False, "false"),
        ({"a": [1, None, Decimal("1.50")], "ä": "b"}, '{"a":[1,null,1.50],"ä":"b"}'),
        ([], "[]"),
        (["a", {"b": False}], '["a",{"b":false}]'),
        (f"a{lone}b", "a\ufffdb"),
        ("a\0b", "a\ufffdb"),
        ({"\0": ["\0"]}, '{"\ufffd":["\ufffd"]}'),
        ([lone], '["\ufffd"]'),
        ({lone: 1}, '{"\ufffd":1}'),
    ],
    ids=ascii,
)
def test_string(schema: dict[str, Any], value: object, string: str) -> None:
    assert converted(schema, value) == string


@pytest.mark.parametrize("schema", nullable_or_not("integer"), ids=str)
@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (Decimal("1000.0"), 1000),
        (Decimal("-0.00"), 0),
        (Decimal("1E+5"), 100_000),
        (Decimal(f"{10**18}.000"), 10**18),
        ("1095", 1095),
        (" -7 ", -7),
        ("+7", 7),
        ("007", 7),
        ("9007199254740993", 9007199254740993),
        (str(2**63 - 1), 2**63 - 1),
        ("1000.0", 1000),
    ],
    ids=repr,
)
def test_integer(schema: dict[str, Any], value: object, number: int) -> None:
    result = converted(schema, value)

    assert type(result) is int
    assert result == number


@pytest.mark.parametrize("schema", nullable_or_not("number"), ids=str)
@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, "7"),
        (10**308, str(10**308)),
        (Decimal("-1.7E+308"), "-1.7E+308"),
        (Decimal("5E-324"), "5E-324"),
        (Decimal("0E-400"), "0E-400"),
        (Decimal("19.90"), "19.90"),
        (Decimal("0.30000000000000000000000000000001"), "0.30000000000000000000000000000001"),
        ("19.90", "19.90"),
        ("-7", "-7"),
        (" 1.5e3 ", "1.5E+3"),
        (str(10**50), str(10**50)),
    ],
    ids=repr,
)
def test_number(schema: dict[str, Any], value: object, number: str) -> None:
    assert encode(converted(schema, value)).decode() == number


@pytest.mark.parametrize("schema", nullable_or_not("boolean"), ids=str)
@pytest.mark.parametrize(
    ("value", "truth"),
    [
        *((value, True) for value in (True, 1, "1", "true", "TRUE", "True", "tRuE")),
        *((value, False) for value in (False, 0, "0", "false", "FALSE", "False")),
    ],
    ids=repr,
)
def test_boolean(schema: dict[str, Any], value: object, *, truth: bool) -> None:
    assert converted(schema, value) is truth


@pytest.mark.parametrize(
    ("value", "zone", "timestamp"),
    [
        ("2024-02-29", "UTC", "2024-02-29T00:00:00Z"),
        ("2024-02-29", "Europe/Helsinki", "2024-02-28T22:00:00Z"),
        ("2024-07-01T10:20:30", "UTC", "2024-07-01T10:20:30Z"),
        ("2024-07-01T10:20:30", "Europe/Helsinki", "2024-07-01T07:20:30Z"),
        ("2024-03-31T03:30:00", "Europe/Helsinki", "2024-03-31T01:30:00Z"),
        ("2024-10-27T03:30:00", "Europe/Helsinki", "2024-10-27T00:30:00Z"),
        ("2024-07-01T10:20:30+05:30", "Europe/Helsinki", "2024-07-01T04:50:30Z"),
        ("2024-07-01T10:20:30.1234567890Z", "Europe/Helsinki", "2024-07-01T10:20:30.123456Z"),
        ("9999-12-31T23:59:59.9999999Z", "UTC", "9999-12-31T23:59:59.999999Z"),
        ("2024-02-29T24:00:00", "Europe/Helsinki", "2024-02-29T22:00:00Z"),
        ("2016-12-31T23:59:60Z", "Europe/Helsinki", "2016-12-31T23:59:59Z"),
        (" 2024-07-01T10:20:30Z\n", "UTC", "2024-07-01T10:20:30Z"),
    ],
)
@pytest.mark.parametrize("schema", nullable_or_not("string", format="date-time"), ids=str)
def test_date_time(schema: dict[str, Any], value: str, zone: str, timestamp: str) -> None:
    assert converted(schema, value, zone) == timestamp


@pytest.mark.parametrize("value", ["2024-02-29", " 2024-02-29 ", "2024-02-29T00:00:00Z"])
def test_date(value: str) -> None:
    assert converted(DATE, value, "Europe/Helsinki") == "2024-02-29"


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (of("array", items={"type": "string"}), "books", ["books"]),
        (of("array", items={"type": "string"}), 7, ["7"]),
        (of("array", items={"type": "string"}), False, ["false"]),
        (of("array", items={"type": "string"}), {"a": 1}, ['{"a":1}']),
        (of("array", items={"type": "string"}), [], []),
        (of("array", items={"type": "string"}), ["b", "", "a", "b"], ["b", "", "a", "b"]),
        (of("array", items={"type": "string"}), [["a", ["b"]], [], "c"], ["a", "b", "c"]),
        (of("array", items={"type": "integer"}), [["1"], Decimal("2.0")], [1, 2]),
        (of("array", items=of("integer", "null")), [1, None, ""], [1, None, None]),
        (of("array", items={"type": "object"}), {"a": 1}, [{"a": 1}]),
        (of("array", items={"type": "object"}), [[{"a": 1}], {}], [{"a": 1}, {}]),
        (of("array", items=DATE), ["2024-02-29T00:00:00Z"], ["2024-02-29"]),
        (of("array"), [["a", [1]], None], [["a", [1]], None]),
        (of("array"), [lone], ["\ufffd"]),
        (of("array", items={}), "a", ["a"]),
        (of("array", items=of("array", items={"type": "string"})), [["a"], "b"], [["a"], ["b"]]),
    ],
    ids=ascii,
)
def test_array(schema: dict[str, Any], value: object, expected: object) -> None:
    assert equal_as_json(converted(schema, value), expected)


def test_declared_properties_are_converted_and_others_are_unchanged() -> None:
    schema = of("object", properties={"a": {"type": "integer"}, "b": DATE_TIME})
    value = {"x": [lone, {lone: 1}], "b": "2024-02-29", "a": "7", "y": None}

    result = converted(schema, value)

    assert list(result.items()) == [
        ("x", ["\ufffd", {"\ufffd": 1}]),
        ("b", "2024-02-29T00:00:00Z"),
        ("a", 7),
        ("y", None),
    ]
    assert value["a"] == "7"


NOT_STRING = [
    of("integer"),
    of("number"),
    of("boolean"),
    of("array"),
    of("object"),
    DATE,
    DATE_TIME,
]


@pytest.mark.parametrize("schema", [*NOT_STRING, of("string")], ids=str)
def test_null_is_kept_if_the_type_allows_null(schema: dict[str, Any]) -> None:
    assert converted({**schema, "type": [*schema["type"], "null"]}, None) is None
    with pytest.raises(ConversionError):
        convert({**schema, "type": schema["type"][0]}, None)


@pytest.mark.parametrize("schema", NOT_STRING, ids=str)
def test_an_empty_string_becomes_null_if_the_type_allows_null(schema: dict[str, Any]) -> None:
    assert converted({**schema, "type": [*schema["type"], "null"]}, "") is None
    with pytest.raises(ConversionError):
        convert({**schema, "type": schema["type"][0]}, "")


INVALID: list[tuple[dict[str, Any], list[object]]] = [
    (
        of("integer"),
        [
            *(True, False, [], {}, [1], Decimal("1.5"), Decimal("1E-30"), "1.5", "a", " ", "1 000"),
            *("1_000", "0x10", "NaN", "Infinity", "-inf", "٣", "1,5", "--1", "1e"),
            *(Decimal("1E+9999"), 2**63, -(2**63) - 1, str(2**63), Decimal(2**63)),
            *(Decimal("NaN"), Decimal("-Infinity")),
        ],
    ),
    (
        of("number"),
        [
            *(True, False, [], {}, "a", " ", "1 000", "1_000", "NaN", "sNaN", "Infinity", "-inf"),
            *("٣", "1,5", ".5", "5.", "0x10", "1e", "1e99999999999999999999", "1\n2"),
            *(Decimal("1E+400"), Decimal("-1.8E+308"), Decimal("1E-400"), 10**309, "1e400"),
            *(Decimal("NaN"), Decimal("Infinity"), "9" * 5000),
        ],
    ),
    (
        of("boolean"),
        [
            *(2, -1, "2", "yes", "no", "on", "t", "01", "", " ", "tru e", [], {}, [True]),
            *(Decimal("0.5"), {"true": True}),
        ],
    ),
    (of("object"), ["a", 1, True, [], [{}], "{}", " "]),
    (DATE, [1, True, [], {}, "a", " ", "2023-02-29", "2024-02-29T10:00:00Z", 20240229]),
    (
        DATE_TIME,
        [
            *(1709200000, True, [], {}, "a", " ", "2023-02-29", "9999-12-31T24:00:00Z"),
            *("2016-12-31T23:58:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("schema", "value"),
    [(schema, value) for schema, values in INVALID for value in values],
    ids=ascii,
)
def test_other_values_cannot_be_converted(schema: dict[str, Any], value: object) -> None:
    with pytest.raises(ConversionError):
        convert(schema, value)


@pytest.mark.parametrize(
    ("schema", "value", "expected", "lost"),
    [
        (of("array", items={"type": "integer"}), [1, "a", None, 2], [1, 2], 2),
        (of("array", items=of("integer", "null")), [1, "a", None, 2], [1, None, None, 2], 1),
        (of("array", items={"type": "integer"}), "a", [], 1),
        (of("array", items={"type": "string"}), [None, "a"], ["a"], 1),
        (STOCK, ["a", {"shop": "1", "amount": "2"}], [{"shop": "1", "amount": 2}], 1),
        (STOCK, [{"shop": [1], "amount": "a"}], [{"shop": "[1]"}], 1),
        (STOCK, [{"shop": None, "amount": None}], [{"shop": None}], 1),
        (of("object", properties={"a": DATE}), {"a": "x", "b": 1}, {"a": None, "b": 1}, 1),
        (
            of("object", properties={"a": of("array", items={"type": "integer"})}),
            {"a": ["x", 1]},
            {"a": [1]},
            1,
        ),
    ],
    ids=str,
)
def test_only_the_invalid_parts_of_a_value_are_discarded(
    schema: dict[str, Any], value: object, expected: object, lost: int
) -> None:
    result, count = convert(schema, value)

    assert equal_as_json(result, expected)
    assert count == lost


@pytest.mark.parametrize(
    ("types", "value", "expected"),
    [
        (["string", "integer", "null"], "5", "5"),
        (["string", "integer", "null"], 5, 5),
        (["string", "integer", "null"], None, None),
        (["integer", "string", "null"], "5", "5"),
        (["integer", "string", "null"], 5, 5),
        (["integer", "string"], Decimal("1.5"), "1.5"),
        (["integer", "string"], [1], "[1]"),
        (["boolean", "integer", "string"], 1, 1),
        (["boolean", "integer", "string"], True, True),
        (["integer", "boolean"], True, True),
        (["integer", "number"], Decimal("1.5"), Decimal("1.5")),
        (["array", "string"], "a", "a"),
        (["array", "string"], ["a"], ["a"]),
        (["object", "array", "string"], {"a": 1}, {"a": 1}),
        (["null", "object", "string"], "", ""),
    ],
    ids=repr,
)
def test_of_several_types_the_one_that_matches_without_conversion_is_used(
    types: list[str], value: object, expected: object
) -> None:
    assert equal_as_json(converted(of(*types), value), expected)


@pytest.mark.parametrize("schema", [{}, {"description": "anything"}], ids=str)
def test_without_a_type_values_are_unchanged(schema: dict[str, Any]) -> None:
    values: list[object] = [None, "", 5, True, Decimal("1.50"), ["a", None], {"a": {}}]
    for value in values:
        assert equal_as_json(converted(schema, value), value)
    assert converted(schema, [lone]) == ["\ufffd"]


NUMBERS = [
    *(Decimal("1E+400"), Decimal("-1E+200000"), Decimal("1E-400"), 10**309, Decimal("NaN")),
    Decimal("Infinity"),
]


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_number_outside_the_range_of_a_double_is_discarded_at_any_depth(number: object) -> None:
    for schema in ({}, of("string", "null"), of("number", "integer", "string")):
        with pytest.raises(ConversionError):
            convert(schema, number)
    assert convert({}, [number, {"a": number, "b": 1}]) == ([None, {"a": None, "b": 1}], 2)
    assert convert(of("object"), {"a": [[number]]}) == ({"a": [[None]]}, 1)
    assert convert(of("array"), [number, 1]) == ([None, 1], 1)
    assert convert(of("string"), {"a": number}) == ('{"a":null}', 1)


def test_replaced_characters_are_reported_once_per_value() -> None:
    replaced: list[None] = []
    rules = ConverterFactory(ZoneInfo("UTC"), pytest.fail, lambda: replaced.append(None))
    strings: list[object] = ["ä", "\0", lone, ["a", {"\0": "b"}], "a\tb\x01"]

    results = [rules.compile({})(string) for string in strings]

    assert results == ["ä", "\ufffd", "\ufffd", ["a", {"\ufffd": "b"}], "a\tb\x01"]
    assert len(replaced) == 3
    assert rules.compile(of("integer", "string", "null"))("\0") == "\ufffd"
    assert len(replaced) == 4


def test_of_two_names_that_become_equal_one_is_discarded_and_counted() -> None:
    assert convert({}, {"\0": 1, "\ufffd": 2}) == ({"\ufffd": 2}, 1)


PRODUCTS = {"type": ["array", "null"], "items": {"type": "object", "x-text-member": "product_id"}}


@pytest.mark.parametrize(
    ("value", "products"),
    [
        (["P1", {"total": 1}], [{"product_id": "P1"}, {"total": 1}]),
        ("P1", [{"product_id": "P1"}]),
        ([["P1"], 7, True, ""], [{"product_id": string} for string in ("P1", "7", "true", "")]),
        (["P\0"], [{"product_id": "P\ufffd"}]),
        ("", None),
        ([], []),
    ],
)
def test_a_string_in_place_of_an_object_becomes_its_text_member(
    value: object, products: object
) -> None:
    assert converted(PRODUCTS, value) == products


def test_text_members_are_restored_in_the_schema_of_a_catalog() -> None:
    bare = {"type": ["array", "null"], "items": {"type": "object"}}
    mixed = {"type": ["array", "null"], "items": {"type": ["object", "string"]}}

    assert with_text_members(bare, PRODUCTS) == PRODUCTS
    assert with_text_members(mixed, PRODUCTS) == mixed
    assert with_text_members(bare, {}) == bare


def decode_strictly(line: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Decode a written line as a strict target would."""

    def reject(name: str) -> None:
        raise AssertionError(name)

    return json.loads(line.decode("utf-8"), parse_constant=reject)


def check(converter: Callable[[Any], Any], schema: dict[str, Any], value: object) -> None:
    try:
        result = converter(value)
    except (ConversionError, RecursionError):
        return
    line = encode(result)
    decoded = decode_strictly(line)
    Draft202012Validator(schema, format_checker=formats).validate(decoded)
    assert encode(converter(result)) == line
    json.dumps(decoded, ensure_ascii=False).encode()


@given(schemas | mixed_schemas, json_values, st.sampled_from(["UTC", "Europe/Helsinki"]))
def test_converted_values_are_valid_and_converting_again_changes_nothing(
    schema: dict[str, Any], value: object, zone: str
) -> None:
    check(ConverterFactory(ZoneInfo(zone), lambda: None).compile(schema), schema, value)


@given(schemas, st.data())
def test_valid_values_are_unchanged(schema: dict[str, Any], data: st.DataObject) -> None:
    value = data.draw(fitting(schema))

    assert equal_as_json(converted(schema, value, "Europe/Helsinki"), value)


@given(mixed_schemas, st.data())
def test_values_valid_for_one_of_several_types_are_unchanged(
    schema: dict[str, Any], data: st.DataObject
) -> None:
    value = data.draw(fitting(schema))

    assert equal_as_json(convert(schema, value, "Europe/Helsinki")[0], value)


@given(json_values)
def test_any_value_can_be_converted_to_a_string(value: object) -> None:
    rules = ConverterFactory(ZoneInfo("UTC"), lambda: None)
    try:
        whole = rules.compile({})(value)
    except ConversionError:
        whole = None
    for schema in nullable_or_not("string"):
        if whole is None:
            continue
        string = rules.compile(schema)(value)
        assert string == (whole if isinstance(whole, str) else encode(whole).decode())


def test_extreme_nesting_raises_no_other_error() -> None:
    converter = ConverterFactory(ZoneInfo("UTC"), lambda: None).compile({"type": "array"})

    with pytest.raises((ConversionError, RecursionError)):
        converter(nested("a", 100_000))


@pytest.mark.parametrize(
    ("types", "value", "kept"),
    [
        (["string", "integer", "null"], True, "true"),
        (["string", "integer", "null"], Decimal("1.5"), "1.5"),
        (["string", "integer", "null"], [1], "[1]"),
        (["string", "integer", "null"], 7, 7),
        (["string", "integer", "null"], "7", "7"),
        (["integer", "string"], "7", "7"),
        (["array", "string"], "a", "a"),
        (["boolean", "integer"], 1, 1),
    ],
    ids=repr,
)
def test_of_several_types_one_that_discards_nothing_is_used(
    types: list[str], value: object, kept: object
) -> None:
    schema = {"type": types, "items": {"type": "integer"}}

    assert equal_as_json(converted(schema, value), kept)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        (DATE_TIME, True),
        ({"type": "array", "items": DATE_TIME}, True),
        ({"type": "object", "properties": {"size": of("number"), "at": DATE_TIME}}, True),
        ({"type": "array", "items": {"type": "object", "properties": {"at": DATE_TIME}}}, True),
        (DATE, False),
        (STOCK, False),
        ({"type": ["object", "null"], "properties": None}, False),
        ({"type": "array", "items": None}, False),
        ({}, False),
    ],
    ids=str,
)
def test_schemas_with_timestamps_are_recognized_at_any_depth(
    schema: dict[str, Any], *, found: bool
) -> None:
    assert holds_timestamps(schema) is found
