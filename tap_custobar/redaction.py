"""No secret in any log line or error."""

from __future__ import annotations

import base64
import json
import logging
import re
from functools import cache
from html.entities import html5
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MASK = "***"

#: Characters of a foreign text that are worth quoting.
MAX_QUOTED = 200

#: Characters of a secret that is masked in our own log lines too: a shorter one may be a word.
MIN_LOGGED = 8

#: Where a text may have been wrapped: at a line break or blanks, themselves escaped or not.
_WRAP = r"(?:\s|\\{1,4}[nrt])*"

#: An at sign: as it is, percent-encoded, HTML-escaped or JSON-escaped.
_AT = re.compile(
    r"[@\uff20\ufe6b]|%(?:25){0,3}40|&(?:amp;){0,3}(?:#0{0,5}64|#x0{0,5}40|commat)|\\(?:u00|x)40",
    re.IGNORECASE,
)

#: Seven digits and more, like phone numbers, and what may stand between them.
_DIGITS = re.compile(
    r"[+\uff0b]?[(\[]*\d(?:(?:[\s()\[\]./\u2010-\u2015-]|%[0-9a-f]{2}|&#?\w{1,8};){0,9}\d){6,}",
    re.IGNORECASE,
)


class Redactor:
    """Replaces secrets in texts, in any case and in the forms that a server may quote them in.

    Any of their characters may be percent-encoded, HTML-escaped or JSON-escaped, they may be
    wrapped over several lines, and they may be part of a header's value in Base64.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secrets in the clear; empty ones are ignored."""
        self.secrets = frozenset(filter(None, secrets))
        self._all = _pattern(self.secrets)
        self._logged = _pattern({s for s in self.secrets if len(s) >= MIN_LOGGED})

    def __call__(self, text: str) -> str:
        """Return a foreign text with every secret in it masked."""
        return self._all.sub(MASK, text)

    def in_log(self, text: str) -> str:
        """Return a text of our own with every secret masked that is too long to be a word."""
        return self._logged.sub(MASK, text)

    def sanitize(self, text: str) -> str:
        """Return a foreign text as it may stand in a message: masked, on one line, bounded.

        Besides the secrets, e-mail addresses and what may be a phone number are masked.
        """
        words = _printable(self(text)).split()
        line = " ".join(MASK if _AT.search(word) else word for word in words)
        # Once more: a secret may have been parted by what cannot be printed.
        return one_line(self(_DIGITS.sub(MASK, line)))


def one_line(text: str) -> str:
    """Return a foreign text without line breaks and the like, and not too long."""
    text = _printable(text)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class MaskingFactory:
    """Makes log records by another factory, and masks secrets in them."""

    def __init__(self, make: Callable[..., logging.LogRecord], redact: Redactor) -> None:
        """Take the factory and what masks."""
        self.make = make
        self.redact = redact

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """Return a record whose message and traceback show no secret."""
        record, redact = self.make(*args, **kwargs), self.redact.in_log
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Logging would show the arguments of a line that it cannot format.
            message = "A log line that cannot be formatted"
            record.msg, record.args = message, None
        text = message
        if record.exc_info:
            # As text: formatters that take an error apart show causes that its text leaves out.
            text += "\n" + logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if (redacted := redact(text)) != message:
            record.msg, record.args = redacted, None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return record


def install_log_redaction(redact: Redactor) -> None:
    """Mask secrets in whatever is logged from now on, by anyone, to any handler.

    Those of earlier calls stay masked: a process may run several taps. A log-record factory
    that someone else has set still makes the records.
    """
    make = logging.getLogRecordFactory()
    if isinstance(make, MaskingFactory):
        redact = Redactor(make.redact.secrets | redact.secrets)
        make = make.make
    logging.setLogRecordFactory(MaskingFactory(make, redact))


def _pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    """Return what matches the secrets, the longest first: one may be part of another."""
    longest_first = sorted(secrets, key=len, reverse=True)
    alternatives = [form for secret in longest_first for form in _base64_forms(secret)]
    alternatives += [_WRAP.join(map(_any_escape, secret)) for secret in longest_first]
    return re.compile("|".join(alternatives) or "(?!)", re.IGNORECASE)


@cache
def _any_escape(char: str) -> str:
    """Return a pattern of one character, in either case, as it is or escaped in some way."""
    forms = [re.escape(char)]
    if (escaped := json.dumps(char, ensure_ascii=False)[1:-1]) != char or char == "/":
        forms.append(r"\\{1,4}" + re.escape(escaped[-1]))
    if char.isspace():
        forms += [r"\s", r"\+"]
    for variant in {v for v in (char, char.lower(), char.upper()) if len(v) == 1}:
        code, utf16 = ord(variant), variant.encode("utf-16-be", "surrogatepass").hex()
        forms += [
            "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in variant.encode(errors="replace")),
            rf"&(?:amp;){{0,3}}(?:#0{{0,5}}{code}|#x0{{0,5}}{code:x});?",
            re.sub("(....)", r"\\\\{1,4}u\1", utf16),
            rf"\\{{1,4}}x{code:02x}",
            *(f"&(?:amp;){{0,3}}{name}" for name in _entities().get(variant, ())),
        ]
    return f"(?:{'|'.join(forms)})"


@cache
def _entities() -> dict[str, Sequence[str]]:
    """Return the names that HTML has for a character, each with its semicolon if it needs one."""
    names: dict[str, list[str]] = {}
    for name, char in html5.items():
        names.setdefault(char, []).append(name)
    return {char: sorted(found, reverse=True) for char, found in names.items()}


def _base64_forms(secret: str) -> Iterable[str]:
    """Return patterns of a secret in Base64, also as part of a longer text like a header's value.

    What its first and last characters become depends on their neighbours: any will do there.
    """
    for offset in range(3) if len(secret) >= MIN_LOGGED else ():
        content = b"\0" * offset + secret.encode(errors="replace")
        first, end = -(-offset * 8 // 6), len(content) * 8 // 6
        encoded = base64.b64encode(content).decode()[first:end]
        before = r"[\w+/-]?" if offset else ""
        yield before + r"\s*".join(map(_in_base64, encoded)) + r"(?:\s*[\w+/-])?={0,2}"


def _in_base64(char: str) -> str:
    return {"+": "(?:[+-]|%2b)", "/": "(?:[/_]|%2f)"}.get(char, char)
