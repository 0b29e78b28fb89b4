"""Waiting that a signal ends, whichever moment and thread it comes in.

Python runs a signal's handler in the main thread, once that is back from the system. A signal that
comes just before a wait begins, or that the system hands to another thread, does not end the wait:
so no single wait may be long.
"""

from __future__ import annotations

import time
from queue import Empty
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from queue import SimpleQueue

T = TypeVar("T")

#: Seconds that a signal may have to wait at the most.
SLICE = 0.5


def sleep(seconds: float) -> None:
    """Sleep so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, SLICE))


def get_within(queue: SimpleQueue[T], seconds: float) -> T:
    """Return what the queue gives within so many seconds.

    Raises:
        queue.Empty: nothing came in time.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > SLICE:
        try:
            return queue.get(timeout=SLICE)
        except Empty:
            continue
    return queue.get(timeout=max(left, 0))
