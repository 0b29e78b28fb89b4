"""Makes `python -m tap_custobar` the command tap-custobar."""

from __future__ import annotations

from tap_custobar.tap import TapCustobar

TapCustobar.cli()
