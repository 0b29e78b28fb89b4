"""When a failed request is asked again (docs/behaviour.md, "Asking")."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_custobar.errors import TransientError

#: Seconds: the longest wait of our own choice, the longest a server may ask for, and how long
#: all waits of one request may take together.
MAX_WAIT = 60.0
MAX_RETRY_AFTER = 600.0
MAX_WAITED = 900.0


@dataclass(slots=True)
class Retries:
    """The retries of one request: how many there were, and how long to wait for the next."""

    limit: int
    count: int = 0
    waited: float = 0.0

    def next_wait(self, error: TransientError, *, first_page: bool) -> float | None:
        """Return the seconds to wait before asking again, or None to give up.

        Args:
            error: Why the last try failed.
            first_page: Whether this is a stream's first request, where what looks like a wrong
                setting is retried only once, to be seen soon.
        """
        limit = min(self.limit, 1) if first_page and error.likely_misconfiguration else self.limit
        if self.count >= limit or self.waited >= MAX_WAITED:
            return None
        # At least half the step, so that clients which failed together part.
        step = min(2.0 ** min(self.count, 10), MAX_WAIT)
        wait = step * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it
        wait = min(max(wait, error.retry_after or 0), MAX_WAITED - self.waited)
        self.count += 1
        self.waited += wait
        return wait


def parse_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3).

    Args:
        value: The header; a number of seconds or a date.
        date: The `Date` header of the same response: a date is counted from it, for both are by
            the server's clock. Without one, from now by this machine's.

    Returns:
        At most `MAX_RETRY_AFTER`; None where the header is absent or says nothing usable.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,300}", text):
        return min(float(text), MAX_RETRY_AFTER)
    if (moment := _parse_date(text)) is None:
        return None
    now = _parse_date(date or "") or datetime.now(UTC)
    return float(min(max(math.ceil((moment - now).total_seconds()), 0), MAX_RETRY_AFTER))


def _parse_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
