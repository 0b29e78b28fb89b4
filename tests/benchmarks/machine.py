"""The machine and the versions that figures were measured with."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("tap-custobar", "singer-sdk", "requests", "urllib3", "msgspec", "simplejson", "dlt")


def describe() -> dict[str, object]:
    """Return date, machine and versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _cpu() -> str:
    """Return the name of the processor, or "unknown"."""
    try:
        listed = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        listed = ""
    match = re.search(r"^model name\s*: (.+)$", listed, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
