"""The command tap-custobar, also as `python -m tap_custobar`."""

from __future__ import annotations

import gc

from tap_custobar.signals import end_on_signals


def main() -> None:
    """Run the command.

    The objects of the imported modules are excluded from garbage collection, which would take a
    tenth of the time to start.
    """
    end_on_signals()
    gc.disable()
    from tap_custobar.tap import TapCustobar  # noqa: PLC0415 - after the signal handler is set

    gc.freeze()
    gc.enable()
    TapCustobar.cli()


if __name__ == "__main__":
    main()
