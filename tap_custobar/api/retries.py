"""When a failed request is retried (docs/behaviour.md)."""

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

#: Longest wait that the tap chooses, in seconds.
MAX_WAIT = 60.0

#: Longest wait that a server may ask for, in seconds.
MAX_RETRY_AFTER = 600.0

#: Longest total of the waits of one request, in seconds.
MAX_WAITED = 900.0

#: Seconds to wait after status 429 without a Retry-After: the API limits the requests of a minute.
RATE_LIMIT_WAIT = 60.0


@dataclass(slots=True)
class Retries:
    """The retries of one request.

    Attributes:
        limit: Most retries; see the setting `max_retries`.
        count: Retries so far.
        waited: Seconds waited so far.
    """

    limit: int
    count: int = 0
    waited: float = 0.0

    def next_wait(self, error: TransientError, *, first_page: bool) -> float | None:
        """Return the seconds to wait before the next retry, and count it; None for no retry.

        Args:
            error: Why the last attempt failed.
            first_page: Whether this is a stream's first request, where a likely misconfiguration is
                retried only once, so that it is reported soon.
        """
        limit = min(self.limit, 1) if first_page and error.likely_misconfiguration else self.limit
        if self.count >= limit or self.waited >= MAX_WAITED:
            return None
        # Jitter, so that clients which failed at the same time do not retry at the same time.
        step = min(2.0 ** min(self.count, 10), MAX_WAIT)
        wait = step * random.uniform(0.5, 1.0)  # noqa: S311 - no secret depends on it
        wait = min(max(wait, error.retry_after or 0), MAX_WAITED - self.waited)
        self.count += 1
        self.waited += wait
        return wait


def parse_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, section 10.2.3).

    Args:
        value: The header: a number of seconds or a date.
        date: The `Date` header of the same response, from which a date is counted, because both
            are by the server's clock. Without it, a date is counted from this machine's time.

    Returns:
        At most `MAX_RETRY_AFTER`; None where the header is absent or not valid.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,300}", text):
        return min(float(text), MAX_RETRY_AFTER)
    if (retry_at := _parse_date(text)) is None:
        return None
    now = _parse_date(date or "") or datetime.now(UTC)
    return float(min(max(math.ceil((retry_at - now).total_seconds()), 0), MAX_RETRY_AFTER))


def _parse_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
