"""No secret in any log line or error."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

#: Characters of a foreign text that are worth quoting.
MAX_QUOTED = 200


class Redactor:
    """Replaces secrets in texts, in any case, also percent-encoded or JSON-escaped."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secrets in the clear; empty ones are ignored."""
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first: one secret may be part of another.
        alternatives = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
        self._secrets = re.compile(alternatives or "(?!)", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """Return the text with every secret in it masked."""
        return self._secrets.sub(MASK, text)

    def quote(self, text: str) -> str:
        """Return a foreign text as it may stand in a message: masked, on one line, bounded."""
        # Once more at the end: a secret may have come over two lines.
        return one_line(self(_printable(self(text))))


def one_line(text: str) -> str:
    """Return a foreign text without line breaks and the like, and not too long."""
    text = _printable(text)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED - 3]}..."


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def redact_logs(redact: Redactor) -> None:
    """Mask secrets in whatever is logged from now on, by anyone, to any handler."""

    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Logging would show the arguments of a line that it cannot format.
            message = "A log line that cannot be formatted"
            record.msg, record.args = message, None
        told = message
        if record.exc_info:
            # As text: formatters that take an error apart show causes that its text leaves out.
            told += "\n" + logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if (redacted := redact(told)) != message:
            record.msg, record.args = redacted, None
        return record

    logging.setLogRecordFactory(make_record)


def _forms(secret: str) -> tuple[str, ...]:
    """Return the texts that a secret may come as."""
    encoded = quote(secret, safe="", errors="replace")
    return secret, encoded, quote_plus(secret, errors="replace"), json.dumps(secret)[1:-1]
