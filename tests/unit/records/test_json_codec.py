from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.records.json_codec import (
    MAX_NOT_UTF8,
    CharsetError,
    check_charset,
    decode,
    decode_lenient,
    encode,
    encode_lines,
    has_escaped_bytes,
    has_rejected_values,
    replace_invalid,
    validate_utf8,
)

LONGEST = "9" * 308


@pytest.mark.parametrize("number", ["19.90", "0.1", "1E+300", "1.0", "123456789012345678.5"])
def test_no_number_is_rounded(number: str) -> None:
    for read in (decode, decode_lenient):
        value = read(f"[{number}]")
        assert value == [Decimal(number)]
        assert str(value[0]) == number
        assert encode(value) == f"[{number}]"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'["a\tb\nc"]', ["a\tb\nc"]),
        (b'["a\x01b"]', ["a\ud800b"]),
        (b'["\xff"]', ["\udcff"]),
        (b"[1e400]", [Decimal("1E+400")]),
        (b"[1e99999999999999999999]", [Decimal("Infinity")]),
        (b"[-Infinity]", [Decimal("-Infinity")]),
        (LONGEST.encode(), int(LONGEST)),
        (b"9%b" % LONGEST.encode(), Decimal(f"9{LONGEST}")),
        (b'"\\ud800"', "\ud800"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_values_that_strict_decoding_rejects_do_not_affect_others(
    body: bytes, value: object
) -> None:
    lenient = decode_lenient(body)

    assert lenient == value
    assert type(lenient) is type(value)


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"nul", b'{"a" 1}', b"[1] [2]"])
def test_invalid_json_is_rejected_by_both_decoders(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(body)
    with pytest.raises(json.JSONDecodeError):
        decode_lenient(body)


def test_another_charset_is_distinguished_from_single_invalid_values() -> None:
    few = [b'"\xe4"'] * MAX_NOT_UTF8

    assert decode_lenient(b"[%b]" % b",".join(few)) == ["\udce4"] * MAX_NOT_UTF8
    with pytest.raises(CharsetError, match="not UTF-8 in more than 100 values"):
        decode_lenient(b"[%b]" % b",".join([*few, b'"\xe4"']))
    check_charset(MAX_NOT_UTF8)
    with pytest.raises(CharsetError):
        check_charset(MAX_NOT_UTF8 + 1)


@pytest.mark.parametrize(
    ("text", "found"), [("a", False), ("\udc7f", False), ("\udc80", True), ("a\udcff", True)]
)
def test_bytes_that_were_not_utf8_are_found(text: str, *, found: bool) -> None:
    assert has_escaped_bytes(text) is found


@given(st.integers(0, 40), st.integers(250, 400), st.sampled_from(["0", "1", "7", "9"]))
def test_an_overlong_integer_is_found_at_any_offset(before: int, length: int, digit: str) -> None:
    body = b"%b%b," % (b" " * before, digit.encode() * length)

    assert has_rejected_values(body) is (length > len(LONGEST))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"a": "b"}', False),
        (b'["\\n"]', False),
        (b'["\\u0001"]', False),
        (b'["a\\u0000"]', True),
        (b"[1, 22, 333]" * 99, False),
        (b"1" * 33 + b"," * 33 + b"1" * 999, True),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_only_pages_with_invalid_values_are_detected(body: bytes, *, found: bool) -> None:
    assert has_rejected_values(body) is found


@given(st.text(max_size=9), st.integers(65_530, 65_540))
def test_utf8_is_checked_across_chunk_boundaries(text: str, length: int) -> None:
    body = b" " * length + text.encode() + "ä".encode()

    validate_utf8(body)
    with pytest.raises(UnicodeDecodeError):
        validate_utf8(body[:-1])


@pytest.mark.parametrize(
    ("text", "valid"),
    [("", ""), ("a\0b", "a\ufffdb"), ("\ud800x\udfff", "\ufffdx\ufffd"), ("ä\U0001f600\t", None)],
    ids=ascii,
)
def test_characters_that_targets_reject_are_replaced(text: str, valid: str | None) -> None:
    replaced = replace_invalid(text)

    assert replaced == (text if valid is None else valid)
    assert (replaced is text) is (valid in {None, text})


def test_each_record_is_one_line() -> None:
    rows = [{"b": Decimal("19.90"), "a": "ä\n"}, {}]

    assert encode_lines(rows) == '{"b":19.90,"a":"ä\\n"}\n{}\n'.encode()
    assert encode_lines([]) == b""
