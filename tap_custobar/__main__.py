"""The command tap-custobar, also as `python -m tap_custobar`."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType


def end_quietly_on_ctrl_c() -> None:
    """End without a traceback, until the tap is made and does it in its own way."""
    signal.signal(signal.SIGINT, _exit_at_once)


def end_on_sigterm() -> None:
    """End at once on SIGTERM.

    The kernel keeps it from the first process of a container, unless that has a handler for it.
    """
    signal.signal(signal.SIGTERM, _exit_at_once if os.getpid() == 1 else signal.SIG_DFL)


def _exit_at_once(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def main() -> None:
    """Run the command.

    What the imports make stays: looking at it for garbage would take a tenth of the start.
    """
    end_quietly_on_ctrl_c()
    end_on_sigterm()
    gc.disable()
    from tap_custobar.tap import TapCustobar  # noqa: PLC0415 - not before

    gc.freeze()
    gc.enable()
    TapCustobar.cli()


if __name__ == "__main__":
    main()
