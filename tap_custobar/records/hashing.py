"""Hashing of personal data, before any other use of it (docs/behaviour.md, "Personal data")."""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from msgspec import UNSET

from tap_custobar.records.converters import type_names
from tap_custobar.records.json_codec import encode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tap_custobar.records.converters import Schema
    from tap_custobar.records.decoder import Batch

#: The description of a hashed property in SCHEMA.
HASHED = "hashed"

_BLOCK = 64  # bytes, of SHA-256
_INNER, _OUTER = 0x36, 0x5C  # RFC 2104

#: Longest value, in characters, that may be part of a link by chance: it must be a word there.
_MAX_SHORT = 5

#: The names of the requested fields in a link, often most of it: they are no values.
_FIELDS = re.compile("(?<=[?&])fields=[^&]*")
_EMAIL = re.compile(r"[\w.+-]@[\w-]+\.\w")

#: How many encodings, one of the other, are looked through in a link.
_MAX_ENCODINGS = 3

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_HEX = re.compile("[0-9a-fA-F]{4,}")
_BASE64 = re.compile("[0-9A-Za-z+/]{4,}")
_BASE64_OF_URLS = re.compile("[0-9A-Za-z_-]{4,}")
_STANDARD = str.maketrans("-_", "+/")


def is_hashable(definition: Schema) -> bool:
    """Return whether values of this schema can be hashed: no objects, no arrays of arrays."""
    elements = type_names(definition.get("items") or {})
    return "object" not in type_names(definition) and not {"object", "array"} & {*elements}


def hashed_schema(definition: Schema) -> dict[str, Any]:
    """Return the JSON schema of the hashes of values."""
    names = type_names(definition)
    is_nullable = not names or "null" in definition["type"]
    kinds = ["array"] if "array" in names else []
    if names != ["array"]:
        kinds.append("string")
    if is_nullable:
        kinds.append("null")
    schema: dict[str, Any] = {"description": HASHED, "type": kinds[0] if len(kinds) == 1 else kinds}
    if "array" in names:
        elements = (definition.get("items") or {}).get("type") or "null"
        schema["items"] = {"type": ["string", "null"] if "null" in elements else "string"}
    return schema


class ValueHasher:
    """Computes the HMAC-SHA-256 of values under one key, as lower-case hexadecimal digits."""

    def __init__(self, key: str) -> None:
        """Create a hasher; the key is prepared once, and not for each value."""
        secret = key.encode()
        block = (secret if len(secret) <= _BLOCK else sha256(secret).digest()).ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ _INNER for byte in block))
        self._outer = sha256(bytes(byte ^ _OUTER for byte in block))

    def hash_all(
        self, values: Iterable[Any], *, has_lists: bool = False, are_emails: bool = False
    ) -> list[Any]:
        """Return the hashes of values; null, UNSET and empty values stay.

        Args:
            values: JSON values or UNSET; one that is not a string is hashed as its JSON text.
            has_lists: Whether an array is hashed element by element.
            are_emails: Whether strings are trimmed and lower-cased before they are hashed.
        """
        inner, outer = self._inner, self._outer
        hashed: list[Any] = []
        for value in values:
            if type(value) is str:
                text = value.strip().lower() if are_emails else value
            elif value is UNSET or value is None:
                hashed.append(value)
                continue
            elif has_lists and type(value) is list:
                hashed.append(self.hash_all(value, are_emails=are_emails))
                continue
            else:
                text = encode(value)
            if text:
                digest, sealed = inner.copy(), outer.copy()
                digest.update(text.encode())
                sealed.update(digest.digest())
                text = sealed.hexdigest()
            hashed.append(text)
        return hashed


class ColumnHasher:
    """Hashes properties of the records of one stream, and finds hashed values in links."""

    def __init__(
        self,
        key: str,
        columns: Mapping[str, Schema],
        emails: Collection[str] = (),
        *,
        protects_emails: bool = False,
    ) -> None:
        """Create a hasher.

        Args:
            key: The setting `hash_key`.
            columns: JSON schema of each property that is hashed, by name.
            emails: Names of the properties that are e-mail addresses: they are trimmed and
                lower-cased before they are hashed.
            protects_emails: Whether no link may contain any e-mail address, even one of a property
                that is not received.
        """
        self._hasher = ValueHasher(key)
        self._protects_emails = protects_emails
        self._has_lists = {name: "array" in type_names(columns[name]) for name in columns}
        self._emails = frozenset(emails)
        # By property, the raw values of the first batch of the page, and of the last batch.
        self._first_values: list[list[Any]] = []
        self._last_values: list[list[Any]] = []

    def __bool__(self) -> bool:
        """Whether anything is hashed."""
        return bool(self._has_lists)

    def start_page(self) -> None:
        """Note that the next batch is the first one of a page."""
        self._first_values = []

    def apply(self, batch: Batch) -> None:
        """Hash the properties in the records of a batch, in place."""
        if not len(batch):
            return
        self._last_values = []
        for name, has_lists in self._has_lists.items():
            values = batch.column(name)
            self._last_values.append(values)
            hashed = self._hasher.hash_all(
                values, has_lists=has_lists, are_emails=name in self._emails
            )
            batch.set_column(name, hashed)
        self._first_values = self._first_values or self._last_values

    def is_shown_by(self, link: str) -> bool:
        """Return whether a next link contains a raw value of the page's first or last batch.

        A cursor is made from the last records of a page, or from the first ones, possibly
        percent-encoded, JSON-escaped, in Base64 or in hexadecimal digits, anywhere in the link. It
        need not be a valid URL. If e-mail addresses are protected, it must not contain any.
        """
        values = [*self._first_values, *self._last_values]
        if not values and not self._protects_emails:
            return False
        shown = "\n".join(_readings(_FIELDS.sub("", link))).casefold()
        if self._protects_emails and _EMAIL.search(shown):
            return True
        return any(
            _is_in(text.casefold(), shown)
            for text in {text for column in values for text in _texts(column)}
        )


def _texts(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if value is None or value is UNSET:
            continue
        if isinstance(value, list):
            yield from _texts(value)
        elif text := (value if isinstance(value, str) else encode(value)).strip():
            yield text


def _readings(link: str) -> set[str]:
    """Return a link and what it may decode to, also if it was encoded more than once."""
    readings, latest = {link}, {link}
    for _ in range(_MAX_ENCODINGS):
        latest = {decoded for text in latest for decoded in _decoded(text)} - readings
        readings |= latest
    return readings


def _decoded(text: str) -> Iterator[str]:
    """Yield what a string may be an encoding of, or have the encoding of a value in."""
    yield unquote(text)
    yield unquote_plus(text)
    yield unquote(text, encoding="latin-1")
    yield _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    # Binary data around a value is not UTF-8.
    for run in _HEX.findall(text):
        yield bytes.fromhex(run[: len(run) // 2 * 2]).decode(errors="replace")
    for run in {*_BASE64.findall(text), *_BASE64_OF_URLS.findall(text)}:
        standard = run.translate(_STANDARD)
        # What precedes a value may be of the same characters, and of any number.
        for start in range(4):
            part = standard[start:]
            with suppress(ValueError):
                yield b64decode(f"{part[: len(part) - (len(part) % 4 == 1)]}===").decode(
                    errors="replace"
                )


def _is_in(text: str, shown: str) -> bool:
    """Return whether a link contains a value; a short value must be a whole word."""
    at = shown.find(text)
    while at >= 0:
        around = f"{shown[:at][-1:]}{shown[at + len(text) :][:1]}"
        if len(text) > _MAX_SHORT or not any(map(str.isalnum, around)):
            return True
        at = shown.find(text, at + 1)
    return False
