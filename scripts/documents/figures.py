"""Measured figures in words and tables, from the JSON files in docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.documents.table import table

DOCS = Path(__file__).parent.parent.parent / "docs"


def benchmark(folder: Path = DOCS) -> str:
    """Return the chart and the figures of `make bench`; nothing if it has not run."""
    found = _read(folder / "benchmark.json")
    if not found:
        return ""
    ratios, machine = found["times_as_long_as_ours"], found["machine"]
    return (
        f"![Processor time of one record, by the way of running]({folder.name}/benchmark.svg)\n\n"
        f"For {found['records']:,} customers a stock tap of the same SDK takes "
        f"{ratios['stock']:.1f} times as long, the loop of Custobar's own documentation "
        f"{ratios['specification']:.1f} times. Measured against a server on the same machine, "
        "without pauses between requests, to show what the tap itself costs, on "
        f"{machine['cores']} cores ({machine['cpu']}, {machine['system']}) with "
        f"{machine['python']} and singer-sdk {machine['packages']['singer-sdk']}; other machines "
        f"have other ratios. `make bench` measures again; [performance.md]({folder.name}/"
        "performance.md) has every way of running, with its peak memory and whether it meets its "
        "bound.\n"
    )


def durations(folder: Path = DOCS) -> str:
    """Return how long full tables take at the default rate; nothing if that was not measured."""
    tables = _read(folder / "requests.json").get("customers", {})
    return " ".join(
        f"{int(size):,} customers take {run['requests']:g} requests and {run['seconds']:.0f} s."
        for size, run in tables.items()
    )


def ways(folder: Path = DOCS) -> str:
    """Return the table of all ways of running; nothing if they were not measured."""
    headings = (
        "way of running",
        "CPU µs a record",
        "x plain",
        "stock tap / ours",
        "peak MB",
        "bound",
        "",
    )
    rows = [
        [
            way["way"],
            f"{way['microseconds']:.1f}",
            f"{way['times_plain']:.2f}",
            f"{way['stock_times_ours']:.1f}" if way["stock"] else "",
            f"{way['megabytes']:.0f}",
            way["bound"],
            way["verdict"],
        ]
        for way in _read(folder / "benchmark.json").get("ways", [])
    ]
    return table(headings, rows) if rows else ""


def requests(folder: Path = DOCS) -> str:
    """Return the costs of several ways to read a table; nothing if they were not measured.

    `scripts/measure_requests.py` measures them.
    """
    found = _read(folder / "requests.json")
    if not found:
        return ""
    headings = (f"{found['records']:,} {found['stream']}", "requests", "MB received", "seconds")
    rows = [
        [way, f"{run['requests']:g}", f"{run['megabytes']:.1f}", f"{run['seconds']:.1f}"]
        for way, run in found["ways"].items()
    ]
    return table(headings, rows)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return content
