"""The command source-custobar, also as `python -m tap_custobar.airbyte`."""

from __future__ import annotations

from tap_custobar.__main__ import end_quietly_on_ctrl_c
from tap_custobar.signals import end_on_sigterm


def main() -> None:
    """Run the command."""
    end_quietly_on_ctrl_c()
    end_on_sigterm()
    from tap_custobar.airbyte import source  # noqa: PLC0415 - after the signal handler is set

    source.main()


if __name__ == "__main__":
    main()
