"""JSON as text: read without rounding a number, written as lines of valid Unicode."""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Json: TypeAlias = Any

_PIECE = 1 << 16
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def _parse_float(text: str) -> Decimal | str:
    """Keep what a float would round: 19.90 leaves as 19.90; keep as text what no number holds."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_decoder = msgspec.json.Decoder(float_hook=_parse_float)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(text: bytes | str) -> Json:
    """Return a JSON value, numbers with a fraction as Decimal.

    Raises:
        ValueError: it is no JSON (msgspec.DecodeError), or no UTF-8.
        RecursionError: it is too deep.
    """
    return _decoder.decode(text)


def decode_untidy(body: bytes) -> Json:
    """Return the same of JSON that others refuse: with a byte order mark, half a surrogate pair.

    Raises:
        ValueError: it is no JSON all the same.
        RecursionError: it is too deep.
    """
    text = body.decode("utf-8-sig")
    return json.loads(text, parse_float=_parse_float, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def check_utf8(body: bytes) -> None:
    """Raise UnicodeDecodeError where a body is no UTF-8, without decoding it as a whole."""
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(body), _PIECE):
        decoder.decode(body[start : start + _PIECE])
    decoder.decode(b"", final=True)


def clean(value: Json) -> Json:
    """Return a JSON value whose texts are valid Unicode: U+FFFD for half a surrogate pair."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [clean(element) for element in value]
    if isinstance(value, dict):
        return {clean(name): clean(element) for name, element in value.items()}
    return value


def encode(value: Json) -> str:
    """Return a value as JSON."""
    return _encoder.encode(value).decode()


def encode_rows(rows: Sequence[Json]) -> bytes:
    """Return records as lines of JSON, each with its line break."""
    return _encoder.encode_lines(rows)
