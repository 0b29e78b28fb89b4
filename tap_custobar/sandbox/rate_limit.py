"""The limit on requests a minute."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 60.0
"""Length of the sliding window in which requests are counted; seconds."""


class RateLimit:
    """A limit on the requests within any minute; rejected requests do not count."""

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a limit.

        Args:
            maximum: Requests a minute; 0 for no limit.
            clock: Returns the time in seconds.
        """
        self.maximum = maximum
        self._clock = clock
        self._admitted: deque[float] = deque()
        self._lock = Lock()

    def admits(self) -> bool:
        """Return whether one more request is within the limit; if so, count it."""
        if not self.maximum:
            return True
        with self._lock:
            now = self._clock()
            while self._admitted and self._admitted[0] <= now - WINDOW:
                self._admitted.popleft()
            if len(self._admitted) >= self.maximum:
                return False
            self._admitted.append(now)
            return True
