"""Shows the tap at work: sandbox -> tap-custobar -> target-csv, in one run.

Nothing is left running when it ends, however it ends.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TAP = [sys.executable, "-m", "tap_custobar"]
SANDBOX = [sys.executable, "-m", "tap_custobar.sandbox", "--port", "0"]
TARGET = [".venv-target-csv/bin/target-csv"]
LINES = 4
WIDTH = 120


@contextmanager
def sandbox(*options: str) -> Iterator[tuple[str, str]]:
    """Run a sandbox on a free port, and give its URL and its token."""
    with subprocess.Popen([*SANDBOX, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            print(line, end="", flush=True)
            match = re.search(r"(http://\S+) \(token (\w+)\)", line)
            if match is None:
                sys.exit("The sandbox did not start.")
            yield match[1], match[2]
        finally:
            process.terminate()


def pipe(tap_config: Path, target_config: Path) -> None:
    """Run the tap into the target, as `tap | target` in a shell does."""
    with subprocess.Popen([*TAP, "--config", str(tap_config)], stdout=subprocess.PIPE) as tap:
        try:
            target = subprocess.run(
                [*TARGET, "--config", str(target_config)], stdin=tap.stdout, check=False
            )
        except BaseException:
            tap.terminate()
            raise
    if tap.returncode or target.returncode:
        sys.exit(f"The pipeline failed: tap {tap.returncode}, target {target.returncode}.")


def show(file: Path) -> None:
    """Print where a file is, how much it holds, and its first lines."""
    with file.open(encoding="utf-8", newline="") as rows:
        records = sum(1 for _ in csv.reader(rows)) - 1
    print(f"\n{file}: {records} records")
    for line in file.read_text(encoding="utf-8").splitlines()[:LINES]:
        print(f"  {line if len(line) <= WIDTH else line[: WIDTH - 3] + '...'}")


def main() -> None:
    """Run the demo; its files go to the folder given, or to output/demo."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    output = Path(*sys.argv[1:2] or ["output/demo"])
    output.mkdir(parents=True, exist_ok=True)
    for file in output.glob("*.csv"):
        file.unlink()  # of a run before, which may have had other streams
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox("--customers", "2000", "--products", "500") as (url, token),
    ):
        tap_config = Path(folder, "tap.json")
        target_config = Path(folder, "target.json")
        tap_config.write_text(
            json.dumps({"api_url": url, "api_token": token, "request_interval": 0})
        )
        target_config.write_text(
            json.dumps({"output_path": str(output), "file_naming_scheme": "{stream_name}.csv"})
        )
        pipe(tap_config, target_config)
    for file in sorted(output.glob("*.csv")):
        show(file)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
