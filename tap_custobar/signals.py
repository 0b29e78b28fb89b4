"""Signals before and after a tap handles them itself."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


def exit_at_once(number: int, _: FrameType | None) -> NoReturn:
    """End the process with the exit code of one that was ended by this signal."""
    os._exit(128 + number)


def end_on_sigterm() -> None:
    """Let SIGTERM end the process at once.

    The first process of a container (PID 1) ignores the signal unless it has a handler for it.
    """
    signal.signal(signal.SIGTERM, exit_at_once if os.getpid() == 1 else signal.SIG_DFL)
