"""Demonstrates the tap: sandbox -> tap-custobar -> target-csv, with a line for each step.

However it ends, no process is left running. A run that fails leaves no files.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from io import StringIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from collections.abc import Iterator

TAP = [sys.executable, "-m", "tap_custobar"]
SANDBOX = [sys.executable, "-m", "tap_custobar.sandbox", "--port", "0"]
TARGET = [".venv-target-csv/bin/target-csv"]
SIZES = {"customers": 2000, "products": 500}

#: How much of each file is shown: records, characters of a line, and characters of a value.
RECORDS, LINE, VALUE = 3, 100, 24

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
STARTED = time.monotonic()


@contextmanager
def sandbox(*options: str) -> Iterator[tuple[str, str]]:
    """Run a sandbox on a free port, and yield its URL and its token."""
    with (
        tempfile.TemporaryFile("w+") as log,
        program([*SANDBOX, *options], stdout=subprocess.PIPE, stderr=log) as process,
    ):
        match = re.search(r"(http://\S+) \(token (\w+)\)", process.stdout.readline())
        if match is None:
            fail("The sandbox", process.wait(), log)
        try:
            yield match[1], match[2]
        except SystemExit:
            if process.poll() is not None:  # then the sandbox is the cause
                fail("The sandbox", process.returncode, log)
            raise


@contextmanager
def program(command: list[str], **options: Any) -> Iterator[Any]:
    """Run a program until the context ends; Ctrl-C reaches only the demo itself."""
    process = None
    try:
        with signals_deferred():
            process = subprocess.Popen(command, text=True, process_group=0, **options)
        yield process
    finally:
        if process is not None:
            process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Handle signals only at the end of the context, when the started program is known."""
    received: list[int] = []
    handlers = [
        signal.signal(number, lambda number, _: received.append(number)) for number in SIGNALS
    ]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, handlers, strict=True):
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def stop(number: int, _: object) -> None:
    """End the demo with the exit code of a signal; further signals are ignored."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def fail(name: str, code: int, log: IO[str]) -> NoReturn:
    """End the demo with the last error in the log of a program, or else with its last line.

    Raises:
        SystemExit: Always.
    """
    log.seek(0)
    lines = [line for line in log if line.strip()] or ["it logged nothing"]
    errors = [line for line in lines if "| ERROR" in line]
    cause = (errors or lines)[-1].split("|", 3)[-1].strip()
    sys.exit(f"{name} failed: {signal.Signals(-code).name if code < 0 else cause}")


def step(message: str) -> None:
    """Print a step, and the seconds since the start."""
    print(f"{time.monotonic() - STARTED:5.1f} s  {message}", flush=True)


def pipe(tap_config: Path, target_config: Path) -> None:
    """Run the tap into the target, as `tap | target` in a shell does."""
    piped = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as target_log,
        program([*TAP, "--config", str(tap_config)], stdout=piped, stderr=piped) as tap,
        program(
            [*TARGET, "--config", str(target_config)],
            stdin=tap.stdout,
            stdout=subprocess.DEVNULL,  # the state
            stderr=target_log,
        ) as target,
    ):
        tap.stdout.close()  # so that the tap notices when the target ends
        tap_log = StringIO()
        for line in tap.stderr:
            tap_log.write(line)
            logged = re.search(r"\| (INFO|WARNING) +\| tap-custobar\.\w+ +\| (.*)", line)
            if logged:
                step(logged[2])
        if target.wait():
            fail("target-csv", target.returncode, target_log)
        if tap.wait():
            fail("tap-custobar", tap.returncode, tap_log)


def show(file: Path) -> int:
    """Print the first records of a file, with as many columns as fit; return how many it has."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        first = [[shortened(value) for value in row] for row in islice(rows, RECORDS + 1)]
        count = len(first) - 1 + sum(1 for _ in rows)
    columns = [list(column) for column in zip(*first, strict=True)]
    shown = [columns.pop(0)]
    while columns and sum(max(map(width, c)) + 2 for c in [*shown, columns[0]]) <= LINE:
        shown.append(columns.pop(0))
    print(f"\n{file.name}, the first {len(first) - 1} records and {len(shown)} columns:")
    table(shown)
    return count


def shortened(value: str) -> str:
    """Return a value on one line, truncated if it is long."""
    value = " ".join(value.split())
    return value if len(value) <= VALUE else f"{value[: VALUE - 1]}…"


def width(string: str) -> int:
    """Return how many columns of a terminal a string takes."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in string)


def table(columns: list[list[str]]) -> None:
    """Print columns side by side."""
    widths = [max(map(width, column)) for column in columns]
    for row in zip(*columns, strict=True):
        cells = (cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True))
        print(f"  {'  '.join(cells)}".rstrip())


def demo(output: Path, folder: Path) -> None:
    """Run the demo.

    Args:
        output: The folder for the loaded files; created if it does not exist.
        folder: An existing folder for temporary files.
    """
    tap_config, target_config, loaded = folder / "tap.json", folder / "target.json", folder / "csv"
    loaded.mkdir()
    target_config.write_text(
        json.dumps({"output_path": str(loaded), "file_naming_scheme": "{stream_name}.csv"})
    )
    step("Starting the sandbox: a local imitation of Custobar's API, with made-up data")
    sizes = [f"--{stream}={size}" for stream, size in SIZES.items()]
    with sandbox(*sizes) as (url, token):
        config = {"api_url": url, "api_token": token, "request_interval": 0, "max_retries": 0}
        tap_config.write_text(json.dumps(config))
        step(f"It serves at {url}. Running tap-custobar | target-csv")
        pipe(tap_config, target_config)
    output.mkdir(parents=True, exist_ok=True)
    for file in output.glob("*.csv"):
        file.unlink()  # of an earlier run, which may have had other streams
    files = [Path(shutil.move(file, output)) for file in sorted(loaded.iterdir())]
    step(f"Done: {len(files)} files in {output}")
    counts = [f"{show(file):,}" for file in files]
    print()
    table(
        [
            ["stream", *(file.stem for file in files)],
            ["records", *counts],
            ["file", *map(str, files)],
        ]
    )


def main() -> None:
    """Run the demo; its files go to the folder that is the argument, or to output/demo."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal has all characters
    output = Path(*sys.argv[1:2] or ["output/demo"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            demo(output, Path(folder))
    except BrokenPipeError:  # stdout was closed, for example by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"The demo failed: {error.filename}: {error.strerror}")


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
