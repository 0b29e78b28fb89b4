"""The command tap-custobar, also as `python -m tap_custobar`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command.

    What the imports make stays: looking at it for garbage would take a tenth of the start.
    """
    gc.disable()
    from tap_custobar.tap import TapCustobar  # noqa: PLC0415 - not before

    gc.freeze()
    gc.enable()
    TapCustobar.cli()


if __name__ == "__main__":
    main()
