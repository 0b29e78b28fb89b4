"""The command source-custobar, also as `python -m tap_custobar.airbyte`."""

from __future__ import annotations

from tap_custobar.signals import end_on_signals


def main() -> None:
    """Run the command."""
    end_on_signals()
    from tap_custobar.airbyte import source  # noqa: PLC0415 - after the signal handler is set

    source.main()


if __name__ == "__main__":
    main()
