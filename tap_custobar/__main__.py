"""The command tap-custobar, also as `python -m tap_custobar`."""

from __future__ import annotations

import gc
import signal

from tap_custobar.signals import end_on_sigterm, exit_at_once


def end_quietly_on_ctrl_c() -> None:
    """End without a traceback, until the tap is made and does it in its own way."""
    signal.signal(signal.SIGINT, exit_at_once)


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
