"""Decodes JSON without rounding numbers, and encodes values as JSON lines of valid Unicode."""

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

#: Number of values of a page that may contain bytes which are not UTF-8. With more of them, the
#: page is in another charset.
MAX_NOT_UTF8 = 100

_CHUNK_SIZE = 1 << 16  # bytes

#: Digits of an integer that is in the range of a double, and that Python always converts.
_MAX_DIGITS = 308

# A float would round: 19.90 is written as 19.90. Near and beyond the limits of a double's range it
# raises an ArithmeticError.
_strict = decimal.Context(
    prec=decimal.MAX_PREC,
    Emin=-307,
    Emax=307,
    traps=[decimal.Overflow, decimal.Subnormal, decimal.Clamped, decimal.InvalidOperation],
)
parse_decimal = _strict.create_decimal

_decoder = msgspec.json.Decoder(float_hook=parse_decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

# Of every 34th byte, a run of more than 308 digits includes at least nine in a row.
_STEP, _RUN = 34, b"0" * 9
_DIGITS_AS_0 = bytes(ord("0") if chr(byte) in digits else byte for byte in range(256))
_OVERLONG = re.compile(rb"[0-9]{%d}" % (_MAX_DIGITS + 1))
_INVALID = re.compile("[\0\ud800-\udfff]")
# Without line breaks and tabs, which JSON must escape too but which are valid text if unescaped.
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f]")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class CharsetError(ValueError):
    """A page whose strings are not UTF-8."""

    def __init__(self) -> None:
        """Create the error; its message names the limit."""
        super().__init__(f"not UTF-8 in more than {MAX_NOT_UTF8} values")


def decode(text: bytes | str) -> Json:
    """Return a JSON value, numbers with a fraction as Decimal.

    Raises:
        ValueError: it is not JSON (msgspec.DecodeError), or not UTF-8.
        ArithmeticError: a number is at the limits of a double's range, or beyond them.
        RecursionError: it is nested too deeply.
    """
    return _decoder.decode(text)


def decode_lenient(text: bytes | str) -> Json:
    """Decode JSON that `decode` rejects, so that one invalid value does not affect the others.

    A byte order mark is skipped. Bytes that are not UTF-8 and unescaped control characters become
    lone surrogates, which `replace_invalid` finds. Numbers outside the range of a double become
    decimals, infinite or NaN if they cannot be represented at all.

    Raises:
        CharsetError: too many values are not UTF-8.
        ValueError: it is not JSON even so (json.JSONDecodeError).
        RecursionError: it is nested too deeply.
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
    """Return whether a string decoded with `surrogateescape` has bytes that are not UTF-8."""
    return _ESCAPED_BYTE.search(text) is not None


def check_charset(values_not_utf8: int) -> None:
    """Reject a page with too many values that are not UTF-8.

    Raises:
        CharsetError: there are more than `MAX_NOT_UTF8`.
    """
    if values_not_utf8 > MAX_NOT_UTF8:
        raise CharsetError


def has_rejected_values(body: bytes) -> bool:
    r"""Return whether JSON has values that strict decoding accepts but targets reject.

    These are strings with `\u0000` and integers with more digits than a double's range.
    """
    # The first search is much cheaper, and many bodies have no backslash. `rfind` takes a third of
    # the time of `in`, which in CPython uses another algorithm for long bodies.
    has_nul = b"\\" in body and body.rfind(b"\\u0000") >= 0
    # Short numbers can be at these positions too, as in rows of equal length.
    may_be_overlong = _RUN in body[::_STEP].translate(_DIGITS_AS_0)
    return has_nul or (may_be_overlong and _OVERLONG.search(body) is not None)


def validate_utf8(body: bytes) -> None:
    """Check that a body is UTF-8, without decoding it as a whole.

    Raises:
        UnicodeDecodeError: it is not.
    """
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _CHUNK_SIZE):
        decoder.decode(body[start : start + _CHUNK_SIZE])
    decoder.decode(b"", final=True)


def replace_invalid(text: str) -> str:
    """Return a string with U+FFFD for characters that targets reject: U+0000, lone surrogates.

    It is the same object if nothing is replaced.
    """
    if text.isascii() and "\0" not in text:
        return text
    replaced = _INVALID.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if replaced == text else replaced


def encode(value: Json) -> str:
    """Return a value encoded as JSON."""
    return _encoder.encode(value).decode()


def encode_lines(rows: Sequence[Json]) -> bytes:
    """Return values as JSON lines, each with its line break."""
    return _encoder.encode_lines(rows)
