"""A limit for the time that a test waits for the output or the end of a process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def time_limit(kill: Callable[[], object], seconds: float = 60) -> Iterator[None]:
    """Call `kill` if the context takes longer, so that its wait ends and the test fails."""
    watchdog = threading.Timer(seconds, kill)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
