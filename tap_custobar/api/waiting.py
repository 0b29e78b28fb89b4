"""Waiting that a signal ends, whichever moment and thread it comes in.

Python runs a signal's handler in the main thread, once that is back from the system. A signal that
comes just before a wait begins, or that the system hands to another thread, does not end the wait:
so no single wait may be long.
"""

from __future__ import annotations

import time

#: Seconds that a signal may have to wait at the most.
SLICE = 0.5


def sleep(seconds: float) -> None:
    """Sleep so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, SLICE))
