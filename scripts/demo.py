"""Shows the tap at work: sandbox -> tap-custobar -> target-csv, with a line for each step.

However it ends, nothing is left running. A run that does not end well leaves no files.
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

#: How much of each file is shown: records, characters of a line, and of a value.
RECORDS, LINE, VALUE = 3, 100, 24

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
BEGAN = time.monotonic()


@contextmanager
def sandbox(*options: str) -> Iterator[tuple[str, str]]:
    """Run a sandbox on a free port, and give its URL and its token."""
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
            if process.poll() is not None:  # so it is the cause
                fail("The sandbox", process.returncode, log)
            raise


@contextmanager
def program(command: list[str], **options: Any) -> Iterator[Any]:
    """Run a program until the block ends, out of reach of Ctrl-C, which is for the demo itself."""
    process = None
    try:
        with signals_held_back():
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
def signals_held_back() -> Iterator[None]:
    """Let no signal in between the start of a program and the moment when it is known."""
    came: list[int] = []
    handlers = [signal.signal(number, lambda number, _: came.append(number)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, handlers, strict=True):
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def stop(number: int, _: object) -> None:
    """End the demo with the exit code of a signal; further ones do not disturb it."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def fail(part: str, code: int, log: IO[str]) -> NoReturn:
    """End the demo with the last error in a part's log, or its last line where there is none.

    Raises:
        SystemExit: always.
    """
    log.seek(0)
    lines = [line for line in log if line.strip()] or ["it did not say why"]
    errors = [line for line in lines if "| ERROR" in line]
    cause = (errors or lines)[-1].split("|", 3)[-1].strip()
    sys.exit(f"{part} failed: {signal.Signals(-code).name if code < 0 else cause}")


def step(text: str) -> None:
    """Print what is done now, after how many seconds."""
    print(f"{time.monotonic() - BEGAN:5.1f} s  {text}", flush=True)


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
        tap.stdout.close()  # so that the tap notices when the target is gone
        tap_log = StringIO()
        for line in tap.stderr:
            tap_log.write(line)
            told = re.search(r"\| (INFO|WARNING) +\| tap-custobar\.\w+ +\| (.*)", line)
            if told:
                step(told[2])
        if target.wait():
            fail("target-csv", target.returncode, target_log)
        if tap.wait():
            fail("tap-custobar", tap.returncode, tap_log)


def show(file: Path) -> int:
    """Print the first records of a file, as many columns as there is room for; count them all."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        first = [[fitted(value) for value in row] for row in islice(rows, RECORDS + 1)]
        count = len(first) - 1 + sum(1 for _ in rows)
    columns = [list(column) for column in zip(*first, strict=True)]
    shown = [columns.pop(0)]
    while columns and sum(max(map(width, c)) + 2 for c in [*shown, columns[0]]) <= LINE:
        shown.append(columns.pop(0))
    print(f"\n{file.name}, the first {len(first) - 1} records and {len(shown)} columns:")
    table(shown)
    return count


def fitted(value: str) -> str:
    """Return a value on one line, and its beginning only where it is long."""
    value = " ".join(value.split())
    return value if len(value) <= VALUE else f"{value[: VALUE - 1]}…"


def width(text: str) -> int:
    """Return how many places a text takes in a terminal."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def table(columns: list[list[str]]) -> None:
    """Print columns side by side."""
    widths = [max(map(width, column)) for column in columns]
    for row in zip(*columns, strict=True):
        cells = (text + " " * (most - width(text)) for text, most in zip(row, widths, strict=True))
        print(f"  {'  '.join(cells)}".rstrip())


def demo(output: Path, folder: Path) -> None:
    """Run the demo: its own files go to the one folder, and what it loads to the other."""
    tap_config, target_config, loaded = folder / "tap.json", folder / "target.json", folder / "csv"
    loaded.mkdir()
    target_config.write_text(
        json.dumps({"output_path": str(loaded), "file_naming_scheme": "{stream_name}.csv"})
    )
    step("Starting the sandbox: a local look-alike of Custobar's API, with made-up data")
    sizes = [f"--{stream}={size}" for stream, size in SIZES.items()]
    with sandbox(*sizes) as (url, token):
        config = {"api_url": url, "api_token": token, "request_interval": 0, "max_retries": 0}
        tap_config.write_text(json.dumps(config))
        step(f"It serves at {url}. Running tap-custobar | target-csv")
        pipe(tap_config, target_config)
    output.mkdir(parents=True, exist_ok=True)
    for file in output.glob("*.csv"):
        file.unlink()  # of a run before, which may have had other streams
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
    """Run the demo; its files go to the folder given, or to output/demo."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal has all characters
    output = Path(*sys.argv[1:2] or ["output/demo"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            demo(output, Path(folder))
    except BrokenPipeError:  # nobody reads on, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(f"The demo failed: {error.filename}: {error.strerror}")


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
