"""JSON as text: read without rounding a number, written as lines of valid Unicode."""

from __future__ import annotations

import decimal
import json
import re
from codecs import getincrementaldecoder
from decimal import Decimal
from string import digits
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Json: TypeAlias = Any

#: Values of one page that may hold bytes that are not UTF-8. More are a page in another charset.
MAX_NOT_UTF8 = 100

_PIECE = 1 << 16

#: Digits of an integer that every double holds, and that Python converts without a limit.
_MAX_DIGITS = 308

# What a float would round is kept: 19.90 leaves as 19.90. Near the ends of what a double holds,
# and beyond them, it raises an ArithmeticError.
_strict = decimal.Context(
    prec=decimal.MAX_PREC,
    Emin=-307,
    Emax=307,
    traps=[decimal.Overflow, decimal.Subnormal, decimal.Clamped, decimal.InvalidOperation],
)
parse_decimal = _strict.create_decimal

_decoder = msgspec.json.Decoder(float_hook=parse_decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

# Every 34th byte: a run of more than 308 digits has at least nine of them, beside each other.
_STEP, _RUN = 34, b"0" * 9
_DIGITS_AS_0 = bytes(ord("0") if chr(byte) in digits else byte for byte in range(256))
_ENDLESS = re.compile(rb"[0-9]{%d}" % (_MAX_DIGITS + 1))
_INVALID = re.compile("[\0\ud800-\udfff]")
# Of what JSON must escape, the line breaks and the tab are plain text wherever they come from.
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f]")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class CharsetError(ValueError):
    """A page whose texts are not UTF-8."""

    def __init__(self) -> None:
        """Say what was expected."""
        super().__init__(f"not UTF-8 in more than {MAX_NOT_UTF8} values")


def decode(text: bytes | str) -> Json:
    """Return a JSON value, numbers with a fraction as Decimal.

    Raises:
        ValueError: it is not JSON (msgspec.DecodeError), or not UTF-8.
        ArithmeticError: it holds a number that a double does not hold, or hardly.
        RecursionError: it is too deep.
    """
    return _decoder.decode(text)


def decode_lenient(text: bytes | str) -> Json:
    """Return the same of JSON that `decode` refuses, so that one odd value costs no other.

    A byte order mark is skipped. Bytes that are not UTF-8 and raw control characters become lone
    surrogates, for `replace_invalid` to find; numbers that no double holds become decimals,
    infinite or NaN where they cannot be told at all.

    Raises:
        CharsetError: too many values are not UTF-8.
        ValueError: it is not JSON all the same (json.JSONDecodeError).
        RecursionError: it is too deep.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "surrogateescape")
        if _ESCAPED_BYTE.search(text):
            check_charset(sum(has_escaped_bytes(match[0]) for match in _STRING.finditer(text)))
    text = _CONTROL.sub("\ud800", text)
    return json.loads(
        text,
        parse_float=_parse_any,
        parse_int=_parse_int,
        parse_constant=Decimal,
        strict=False,
    )


def _parse_any(text: str) -> Decimal:
    try:
        return Decimal(text)
    except decimal.InvalidOperation:
        return Decimal("Infinity")


def _parse_int(text: str) -> int | Decimal:
    return int(text) if len(text) <= _MAX_DIGITS else _parse_any(text)


def has_escaped_bytes(text: str) -> bool:
    """Tell whether a text decoded with `surrogateescape` holds bytes that are not UTF-8."""
    return _ESCAPED_BYTE.search(text) is not None


def check_charset(values_not_utf8: int) -> None:
    """Refuse a page of which too many values are not UTF-8.

    Raises:
        CharsetError: there are more than `MAX_NOT_UTF8`.
    """
    if values_not_utf8 > MAX_NOT_UTF8:
        raise CharsetError


def needs_a_look(body: bytes) -> bool:
    r"""Tell whether JSON may hold what decoding it does not tell: `\u0000`, an endless integer."""
    # A backslash first, for it costs next to nothing to find none.
    has_nul = b"\\" in body and b"\\u0000" in body
    # Short numbers may stand that far apart too, as in rows of equal length.
    may_be_endless = _RUN in body[::_STEP].translate(_DIGITS_AS_0)
    return has_nul or (may_be_endless and _ENDLESS.search(body) is not None)


def validate_utf8(body: bytes) -> None:
    """Raise UnicodeDecodeError where a body is not UTF-8, without decoding it as a whole."""
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _PIECE):
        decoder.decode(body[start : start + _PIECE])
    decoder.decode(b"", final=True)


def replace_invalid(text: str) -> str:
    """Return a text with U+FFFD for what no target takes: U+0000, half a surrogate pair.

    It is the same object where nothing had to be replaced.
    """
    if text.isascii() and "\0" not in text:
        return text
    replaced = _INVALID.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if replaced == text else replaced


def encode(value: Json) -> str:
    """Return a value as JSON."""
    return _encoder.encode(value).decode()


def encode_lines(rows: Sequence[Json]) -> bytes:
    """Return records as lines of JSON, each with its line break."""
    return _encoder.encode_lines(rows)
