"""Measures requests, bytes and seconds of several ways to read a table, on the sandbox.

The figures are those of the tap's summary lines, at the default of one request a second.
`make docs` writes them into the documents.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts.demo import TAP, sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
STREAM, RECORDS = "events", 100_000
SIZES = ["--customers", "1000", "--products", "100", "--events", str(RECORDS)]

#: Number of customers in each table whose duration is measured.
TABLES = (100_000, 1_000_000)

SUMMARY = (
    r"{stream} .*\| (?:{stream}: )(?P<records>[\d,]+) records, .*?(?P<seconds>[\d.]+) s, .*"
    r" (?P<requests>\d+) requests?, (?P<megabytes>[\d.]+) MB received"
)
INCREMENTAL = {"replication-method": "INCREMENTAL", "replication-key": "date"}


def read(
    address: tuple[str, str],
    *,
    folder: Path,
    stream: str = STREAM,
    fields: tuple[str, ...] = (),
    root: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, float]:
    """Read a table once, from the state in the folder, and write the new state there.

    Args:
        address: Base URL and token.
        folder: Contains the state, and the other settings as config.json; both may be missing.
        stream: The stream to read.
        fields: The fields to select; empty for all.
        root: Further metadata of the stream in the catalog.

    Returns:
        The figures of the summary line, by name.
    """
    files = {name: folder / f"{name}.json" for name in ("config", "catalog", "state")}
    config = json.loads(files["config"].read_text()) if files["config"].exists() else {}
    files["config"].write_text(
        json.dumps({**config, "api_url": address[0], "api_token": address[1]})
    )
    found = tap("--config", str(files["config"]), "--discover").stdout
    [entry] = [e for e in json.loads(found)["streams"] if e["tap_stream_id"] == stream]
    for item in entry["metadata"]:
        place, metadata = item["breadcrumb"], item["metadata"]
        metadata["selected"] = not place or not fields or place[1] in fields
        metadata |= {} if place else root
    files["catalog"].write_text(json.dumps({"streams": [entry]}))
    ended = tap(*(option for n, f in files.items() if f.exists() for option in (f"--{n}", str(f))))
    states = [line for line in ended.stdout.splitlines() if '"STATE"' in line]
    files["state"].write_text(json.dumps(json.loads(states[-1])["value"]))
    summary = re.search(SUMMARY.format(stream=stream), ended.stderr)
    if summary is None:
        sys.exit("The tap logged no summary.")
    return {name: float(figure.replace(",", "")) for name, figure in summary.groupdict().items()}


def tap(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tap to its end; it must succeed."""
    return subprocess.run([*TAP, *arguments], capture_output=True, text=True, check=True)


def main() -> None:
    """Measure, and write the figures to docs/requests.json."""
    ways: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        json_, some, csv_, daily = (Path(name, way) for way in ("json", "some", "csv", "daily"))
        for folder in (json_, some, csv_, daily):
            folder.mkdir()
        (csv_ / "config.json").write_text(json.dumps({"response_format": "csv"}))
        with sandbox(*SIZES) as address:
            ways["all fields, as JSON"] = read(address, folder=json_)
            ways["three fields"] = read(
                address, folder=some, fields=("type", "date", "customer_id")
            )
            ways["all fields, as CSV"] = read(address, folder=csv_)
            read(address, folder=daily, root=INCREMENTAL)
        with sandbox(*SIZES, "--day", "1") as address:
            ways["what is new a day later"] = read(address, folder=daily, root=INCREMENTAL)
        tables = {}
        for size in TABLES:
            folder = Path(name, str(size))
            folder.mkdir()
            with sandbox("--customers", str(size)) as address:
                tables[size] = read(address, folder=folder, stream="customers")
    content = {"stream": STREAM, "records": RECORDS, "ways": ways, "customers": tables}
    (ROOT / "docs/requests.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
