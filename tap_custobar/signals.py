"""Signals that arrive while no tap handles them: before one is created, and for short commands."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


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
