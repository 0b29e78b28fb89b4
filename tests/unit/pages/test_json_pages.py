from __future__ import annotations

import json
from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tap_custobar.api.responses import Response
from tap_custobar.errors import InvalidResponseError
from tap_custobar.pages.json_pages import JsonPageParser, Page
from tap_custobar.pages.paginators import NextUrlPaginator
from tests.unit.strategies import texts

JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}
encode = msgspec.json.Encoder(decimal_format="number").encode


def parse(body: bytes | str, **headers: str) -> Page:
    data = body if isinstance(body, bytes) else body.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = Response(data, CaseInsensitiveDict({**JSON_TYPE, **named}))
    return JsonPageParser("rows", NextUrlPaginator).parse(response)


def value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    return parse(f'{{"rows": [{text}]}}').rows[0]


@pytest.mark.parametrize(
    "text",
    [
        *("19.90", "0.1", "-0.0", "1.0", "100.000", "0.30000000000000000000000000001", "1E+400"),
        "-12345678901234567890.12345678901234567890",
    ],
)
def test_a_decimal_keeps_every_digit(text: str) -> None:
    assert isinstance(value(text), Decimal)
    assert str(value(text)) == text


@pytest.mark.parametrize(
    "text",
    ["0", "-1", "9007199254740993", str(2**63), str(2**64), str(-(2**64)), "7" * 50, "9" * 4000],
)
def test_an_integer_keeps_every_digit(text: str) -> None:
    assert type(value(text)) is int
    assert str(value(text)) == text


def test_numbers_keep_every_digit_in_the_second_parser() -> None:
    page = parse(f'{{"rows": ["\\ud800", 19.90, {"9" * 50}, 1.0]}}')

    assert page.rows[0] == "\ud800"
    assert [str(number) for number in page.rows[1:]] == ["19.90", "9" * 50, "1.0"]


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b'\xef\xbb\xbf{"rows": [{"a": "\xc3\xa4"}]}').rows == [{"a": "ä"}]


@pytest.mark.parametrize("text", ["\\ud800", "a\\udfffb", "\\udc00\\ud800"])
def test_a_lone_surrogate_does_not_lose_the_page(text: str) -> None:
    page = parse(f'{{"rows": [{{"a": "{text}"}}, {{"a": "\\ud83d\\ude00"}}]}}')

    assert page.rows == [{"a": json.loads(f'"{text}"')}, {"a": "😀"}]


def test_of_duplicate_names_the_last_is_used_by_both_parsers() -> None:
    rows = '[{"a": 1, "a": 2}]'

    assert parse(f'{{"rows": [], "rows": {rows}}}').rows == [{"a": 2}]
    assert parse(f'\ufeff{{"rows": [], "rows": {rows}}}').rows == [{"a": 2}]


@pytest.mark.parametrize(
    "body", ['{"rows": null}', '{"rows": [], "error": null}', '{"error": null, "rows": null}']
)
def test_null_is_an_empty_list_and_a_null_error_is_ignored(body: str) -> None:
    assert parse(body).rows == []


def test_a_response_without_content_is_an_empty_page() -> None:
    headers = CaseInsensitiveDict({"X-Custobar-Next-Url": "?h"})

    page = JsonPageParser("rows", NextUrlPaginator).parse(Response(b"", headers, status=204))

    assert (page.rows, page.next_link) == ([], "?h")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"NaN", "NaN"),
        (b"-Infinity", "-Infinity"),
        (b"1e400", "1E+400"),
        (b"9" * 5000, "9" * 5000),
        (b'"a\xffb\xfe\xfe"', "a\udcffb\udcfe\udcfe"),
        (b'"a\x01b\x00c"', "a\ud800b\ud800c"),
        (b'"a\tb\r\n"', "a\tb\r\n"),
    ],
    ids=ascii,
)
def test_one_invalid_value_keeps_the_others(text: bytes, read: str) -> None:
    page = parse(b'{"rows": [{"a": %b}, {"a": "\xc3\xa4"}, 19.90]}' % text)

    assert str(page.rows[0]["a"]) == read
    assert page.rows[1] == {"a": "ä"}
    assert str(page.rows[2]) == "19.90"


def test_up_to_100_values_may_be_in_another_charset() -> None:
    row = b'"\xe4 \\" \xe4",'

    assert len(parse(b'{"rows": [' + row * 100 + b"1]}").rows) == 101
    with pytest.raises(InvalidResponseError, match="not UTF-8"):
        parse(b'{"rows": [' + row * 101 + b"1]}")


def test_rows_may_be_anything() -> None:
    assert parse('{"rows": [null, 1, "a", [], {}]}').rows == [None, 1, "a", [], {}]


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        ("", None, None),
        (', "next_url": null', None, None),
        (', "next_url": ""', None, None),
        (', "next_url": "?b"', None, "?b"),
        (', "next_url": "?b"', "?h", "?b"),
        ("", "?h", "?h"),
        ("", "", None),
    ],
)
def test_the_next_url_is_read_from_the_body_or_else_the_header(
    body: str, header: str | None, expected: str | None
) -> None:
    headers = {} if header is None else {"x_custobar_next_url": header}

    assert parse(f'{{"rows": []{body}}}', **headers).next_link == expected


@pytest.mark.parametrize(
    "next_url", ["17", "true", "[1]", '{"a": 1}', "1.5", "0", "false", "[]", "{}"]
)
def test_a_next_url_that_is_not_a_string_is_rejected(next_url: str) -> None:
    with pytest.raises(InvalidResponseError, match="next_url is not a string"):
        parse(f'{{"rows": [], "next_url": {next_url}}}', x_custobar_next_url="?h")


@pytest.mark.parametrize(
    ("count", "expected"),
    [("5", 5), ("0", 0), ("null", None), ('"5"', 5), ("5.0", 5), ("[5]", None), ("true", None)],
)
def test_a_count_is_read_as_integer_or_ignored(count: str, expected: int | None) -> None:
    assert parse(f'{{"rows": [], "count": {count}}}').count == expected


@pytest.mark.parametrize(
    ("body", "content_type", "what"),
    [
        (b"", "application/json", "an empty body"),
        (b" \r\n\t", "text/html", "an empty body"),
        (b"<!doctype html>SECRET", "application/json", "an HTML page"),
        (b"\n <html>SECRET", "", "an HTML page"),
        (b"SECRET", "Text/HTML; charset=utf-8", "an HTML page"),
        (
            b'{"rows": [SECRET',
            "application/json",
            "invalid JSON (expecting value at character 11)",
        ),
        (
            b'{"rows": []} SECRET',
            "Application/JSON ; charset=utf-8",
            "invalid JSON (extra data at character 14)",
        ),
        (
            b'{"rows": ["\xff", "\\uSECRET"]}',
            "application/json",
            "invalid JSON (invalid \\uxxxx escape at character 18)",
        ),
        (
            b'{"rows": [' + b'"SECRET\xe4",' * 101 + b"1]}",
            "application/json",
            "JSON that is not UTF-8 in more than 100 values",
        ),
        (b'{"rows": [], "error": {"reason": "SECRET"}}', "", "JSON with an error"),
        (b'{"rows": null, "error": "SECRET"}', "", "JSON with an error"),
        (b"id;name\nSECRET", "text/csv", "something other than JSON (content type text/csv)"),
        (b"SECRET", "", "something other than JSON (content type not given)"),
        (b"SECRET", "x" * 500, "something other than JSON (content type not given)"),
        (b'"SECRET"', "application/json", 'JSON without a list named "rows"'),
        (b"null", "application/json", 'JSON without a list named "rows"'),
        (b'{"error": "SECRET"}', "application/json", 'JSON without a list named "rows"'),
        (b'{"rows": {"a": "SECRET"}}', "application/json", 'JSON without a list named "rows"'),
        (b'{"Rows": []}', "application/json", 'JSON without a list named "rows"'),
    ],
)
def test_an_unexpected_response_is_described_without_its_content(
    body: bytes, content_type: str, what: str
) -> None:
    with pytest.raises(InvalidResponseError) as raised:
        parse(body, content_type=content_type)

    assert f"The response is not Custobar's data but {what}: check" in str(raised.value)
    assert "SECRET" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_missing_content_type_is_named() -> None:
    with pytest.raises(InvalidResponseError, match="content type not given"):
        JsonPageParser("rows", NextUrlPaginator).parse(Response(b"x", {}))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_extreme_nesting_is_invalid_json(opening: bytes) -> None:
    with pytest.raises(InvalidResponseError, match="invalid JSON"):
        parse(b'{"rows": ' + opening * 200_000)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**50), 10**50)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.sampled_from(["rows", "next_url"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def as_read(content: Any) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(json.dumps(content), parse_float=Decimal)


@given(
    json_values | st.fixed_dictionaries({"rows": json_values}, optional={"next_url": json_values}),
    st.sampled_from(["application/json", "text/html", "text/plain", ""]),
)
def test_any_json_is_a_page_or_raises(content: object, content_type: str) -> None:
    body = json.dumps(content)
    if isinstance(content, dict) and isinstance(content.get("rows", ...), list | None):
        next_url = content.get("next_url")
        is_page = next_url is None or isinstance(next_url, str)
    else:
        is_page = False

    if is_page:
        assert parse(body, content_type=content_type).rows == (as_read(content)["rows"] or [])
        return
    with pytest.raises(InvalidResponseError) as raised:
        parse(body, content_type=content_type)
    assert "\n" not in str(raised.value)


@given(
    rows=st.lists(json_values, max_size=4),
    as_ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
def test_rows_are_read_unchanged(rows: list[object], indent: int | None, *, as_ascii: bool) -> None:
    text = json.dumps({"rows": rows}, ensure_ascii=as_ascii, indent=indent)
    try:
        body = text.encode()
    except UnicodeEncodeError:  # a lone surrogate can only be sent escaped
        body = json.dumps({"rows": rows}).encode()

    page = parse(body)

    assert page.rows == as_read(rows)
    assert repr(page.rows) == repr(as_read(rows))


@given(st.binary())
def test_random_bytes_raise(body: bytes) -> None:
    with pytest.raises(InvalidResponseError):
        parse(body)


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1E+99999999999999999999"])
def test_a_number_with_an_extreme_exponent_is_not_finite(number: str) -> None:
    for prefix in (b"", BOM_UTF8):  # a byte order mark requires the second parser
        body = prefix + b'{"customers": [{"a": ' + number.encode() + b"}]}"
        (row,) = JsonPageParser("customers", NextUrlPaginator).parse(Response(body, {})).rows
        assert not row["a"].is_finite()
