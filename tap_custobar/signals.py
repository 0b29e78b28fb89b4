"""Signals: waits that they can interrupt, and handlers for processes without a tap."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


#: Longest single wait, in seconds. Python runs a signal handler in the main thread once that is
#: back from the system call; a signal that arrives just before a wait begins, or in another thread,
#: does not end the wait.
POLL_SECONDS = 0.5


def interruptible_sleep(seconds: float) -> None:
    """Sleep for a number of seconds; a signal handler runs within `POLL_SECONDS`."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, POLL_SECONDS))


def _exit_at_once(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end the process at once, without a traceback."""
    signal.signal(signal.SIGINT, _exit_at_once)
    end_on_sigterm()


def end_on_sigterm() -> None:
    """Let SIGTERM end the process at once.

    The first process of a container (PID 1) ignores the signal unless it has a handler for it.
    """
    signal.signal(signal.SIGTERM, _exit_at_once if os.getpid() == 1 else signal.SIG_DFL)
