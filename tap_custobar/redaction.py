"""Redaction: of secrets in all log lines, and of personal data in quoted text.

What else keeps values out of logs: errors quote no values (`singer.cli.error_message`), failing
stream maps and requests are re-raised without their cause, and urllib3 logs errors only.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from functools import cache
from html.entities import html5
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MASK = "***"

#: Characters to which a string from elsewhere is truncated.
MAX_QUOTED = 200

#: Least characters of a secret that is masked in log lines too: a shorter one may be a common word.
MIN_LOGGED = 8

#: Where a string may have been wrapped: at line breaks or spaces, themselves escaped or not.
_WRAP = r"(?:\s|\\{1,4}[nrt])*"

#: An at sign: as it is, percent-encoded, HTML-escaped or JSON-escaped.
_AT = re.compile(
    r"[@\uff20\ufe6b]|%(?:25){0,3}40|&(?:amp;){0,3}(?:#0{0,5}64|#x0{0,5}40|commat)|\\(?:u00|x)40",
    re.IGNORECASE,
)

#: Seven or more digits, as in phone numbers, and the separators that may stand between them.
_DIGITS = re.compile(
    r"[+\uff0b]?[(\[]*\d(?:(?:[\s()\[\]./\u2010-\u2015-]|%[0-9a-f]{2}|&#?\w{1,8};){0,9}\d){6,}",
    re.IGNORECASE,
)


class Redactor:
    """Masks secrets in strings, in upper or lower case and in any encoding that a server may use.

    Any of their characters may be percent-encoded, HTML-escaped or JSON-escaped, they may be
    wrapped over several lines, and they may be part of a header's value in Base64.

    Attributes:
        secrets: The secrets that are masked.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Create a redactor of these plaintext secrets; empty ones are ignored."""
        self.secrets = frozenset(filter(None, secrets))
        self._all = _pattern(self.secrets)
        self._logged = _pattern({s for s in self.secrets if len(s) >= MIN_LOGGED})

    def __call__(self, text: str) -> str:
        """Return a string from elsewhere with every secret in it masked."""
        return self._all.sub(MASK, text)

    def in_log(self, text: str) -> str:
        """Return a log line or message with every secret of at least `MIN_LOGGED` masked."""
        return self._logged.sub(MASK, text)

    def sanitize(self, text: str) -> str:
        """Return a string from elsewhere that may be quoted: masked, on one line, truncated.

        E-mail addresses and possible phone numbers are masked as well as the secrets.
        """
        line = mask_personal_data(_printable(self(text)))
        # Again, because unprintable characters may have separated the parts of a secret.
        return one_line(self(line))


def mask_personal_data(text: str, separator: str = " ") -> str:
    """Return a string with every part that may be an e-mail address or a phone number masked.

    Args:
        text: The string.
        separator: The character between two parts.
    """
    parts = text.split(separator)
    return _DIGITS.sub(MASK, separator.join(MASK if _AT.search(part) else part for part in parts))


def one_line(text: str) -> str:
    """Return a string from elsewhere without control characters, truncated to `MAX_QUOTED`."""
    text = _printable(text)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class MaskingFactory:
    """A log-record factory that masks secrets in the records of another factory."""

    def __init__(self, make: Callable[..., logging.LogRecord], redact: Redactor) -> None:
        """Create a factory.

        Args:
            make: The factory that creates the records.
            redact: Masks the secrets in them.
        """
        self.make = make
        self.redact = redact

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """Return a record whose message and traceback show no secret."""
        record, redact = self.make(*args, **kwargs), self.redact.in_log
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # The logging module would print the arguments of a line that it cannot format.
            message = "A log line that cannot be formatted"
            record.msg, record.args = message, None
        text = message
        if record.exc_info:
            # Formatted here, because some formatters also show causes that the traceback omits.
            text += "\n" + logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if (redacted := redact(text)) != message:
            record.msg, record.args = redacted, None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return record


def install_log_redaction(redact: Redactor) -> None:
    """Mask secrets in all log records from now on, of any logger and for any handler.

    The secrets of earlier calls stay masked: a process may run several taps. A log-record factory
    that other code has set still creates the records. Above the level DEBUG, urllib3 logs errors
    only, because its warnings show whole URLs, and with them the filters.
    """
    make = logging.getLogRecordFactory()
    if isinstance(make, MaskingFactory):
        redact = Redactor(make.redact.secrets | redact.secrets)
        make = make.make
    logging.setLogRecordFactory(MaskingFactory(make, redact))
    if not logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
        logging.getLogger("urllib3").setLevel(logging.ERROR)


def _pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of all secrets, the longest first: one may be part of another."""
    longest_first = sorted(secrets, key=len, reverse=True)
    alternatives = [form for secret in longest_first for form in _base64_forms(secret)]
    alternatives += [_WRAP.join(map(_any_escape, secret)) for secret in longest_first]
    return re.compile("|".join(alternatives) or "(?!)", re.IGNORECASE)


@cache
def _any_escape(char: str) -> str:
    """Return a pattern of one character, in upper or lower case, plain or escaped."""
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
    """Return the HTML entity names of each character, with the semicolon where it is required."""
    names: dict[str, list[str]] = {}
    for name, char in html5.items():
        names.setdefault(char, []).append(name)
    return {char: sorted(found, reverse=True) for char, found in names.items()}


def _base64_forms(secret: str) -> Iterator[str]:
    """Yield patterns of a secret in Base64, also as part of a longer string like a header's value.

    The encoding of its first and last characters depends on the adjacent ones, so that any
    character matches there.
    """
    for offset in range(3) if len(secret) >= MIN_LOGGED else ():
        content = b"\0" * offset + secret.encode(errors="replace")
        first, end = -(-offset * 8 // 6), len(content) * 8 // 6
        encoded = base64.b64encode(content).decode()[first:end]
        before = r"[\w+/-]?" if offset else ""
        yield before + r"\s*".join(map(_in_base64, encoded)) + r"(?:\s*[\w+/-])?={0,2}"


def _in_base64(char: str) -> str:
    return {"+": "(?:[+-]|%2b)", "/": "(?:[/_]|%2f)"}.get(char, char)
