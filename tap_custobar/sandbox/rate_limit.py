"""The limit on requests a minute."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 60.0
"""Seconds over which requests are counted."""


class RateLimit:
    """Admits so many requests within any minute; refused ones do not count."""

    def __init__(self, maximum: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing counted.

        Args:
            maximum: Requests a minute; 0 admits all.
            clock: Tells the time in seconds.
        """
        self.maximum = maximum
        self._clock = clock
        self._admitted: deque[float] = deque()
        self._lock = Lock()

    def admits(self) -> bool:
        """Whether one more request may be answered now; if so, it is counted."""
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
