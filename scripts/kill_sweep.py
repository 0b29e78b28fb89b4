"""Stops the tap at points spread over a run, in every possible way, and looks for lost records.

Each time, a second run resumes from the last state that the first one wrote in a complete line.
Together they must write every record, and request no page again that the state covers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.pages import page_number, serve_pages
from tests.server import Server
from tests.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = 20
PAGE = 100
TABLE = frozenset(f"C{number}" for number in range(PAGES * PAGE))
POINTS = 48
WORKERS = 2
PIPE = 4096
#: Longer than the pipe, because a shorter line is written to the pipe as a whole, never in part.
CITY = "Ä" * 3000
TIMEOUT = 60

# Writes a STATE message after every page, as with pages of 10,000 records.
CODE = (
    "from tap_custobar.stream import CustobarStream; from tap_custobar.tap import TapCustobar; "
    f"CustobarStream.STATE_MSG_FREQUENCY = {PAGE}; TapCustobar.cli()"
)

#: How a run is stopped: the signal, if any, and the exit code that is expected.
KINDS: dict[str, tuple[signal.Signals | None, int]] = {
    "SIGTERM": (signal.SIGTERM, 128 + signal.SIGTERM),
    "SIGINT": (signal.SIGINT, 128 + signal.SIGINT),
    "SIGKILL": (signal.SIGKILL, -signal.SIGKILL),
    "target dies": (None, 1),
}


@contextmanager
def api() -> Iterator[Server]:
    """Run a server with the pages of the table while the context lasts."""
    rows = [{"external_id": f"C{number}", "city": CITY} for number in range(len(TABLE))]
    pages = [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]
    server = Server()
    serve_pages(server, *pages, count=len(rows))
    try:
        yield server
    finally:
        server.close()


@dataclass(frozen=True)
class Run:
    """What a target received from a run, and how the run ended."""

    stdout: bytes
    exit_code: int
    log: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the complete lines."""
        end = self.stdout.rfind(b"\n") + 1
        return [json.loads(line) for line in self.stdout[:end].splitlines()]

    @property
    def keys(self) -> set[str]:
        """The primary keys of the customers received."""
        records = [message["record"] for message in self.messages if message["type"] == "RECORD"]
        return {record["external_id"] for record in records}

    @property
    def state(self) -> dict[str, Any]:
        """The last state received; empty if there was none."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}


@dataclass(frozen=True)
class Point:
    """Where and how a run is stopped.

    Attributes:
        line: Number of lines that are read before.
        kind: A key of KINDS.
        unbuffered: Whether Python's stdout is unbuffered.
    """

    line: int
    kind: str
    unbuffered: bool


@dataclass(frozen=True)
class Outcome:
    """The result of stopping a run at a point, and of the next run.

    Attributes:
        point: Where and how the run was stopped.
        exit_code: Exit code of the stopped run.
        next_exit_code: Exit code of the next run.
        written: Number of customers that the stopped run wrote.
        union: Number of customers that both runs wrote together.
        lost: Number of customers that no run wrote, or that the state covers but the stopped run
            did not write.
        refetched: Number of pages requested again although the state covers them.
        half_lines: 1 if the stopped run ended within a line, else 0.
        noise: Whether a log has a traceback.
    """

    point: Point
    exit_code: int
    next_exit_code: int
    written: int
    union: int
    lost: int
    refetched: int
    half_lines: int
    noise: bool

    @property
    def is_over(self) -> bool:
        """Whether the run had already finished before it could be stopped."""
        return self.exit_code == 0 and self.written == len(TABLE)

    @property
    def is_wrong(self) -> bool:
        """Whether anything is wrong; only after SIGKILL may a line be incomplete."""
        kind = self.point.kind
        return bool(
            self.lost
            or self.refetched
            or self.noise
            or self.next_exit_code
            or (self.half_lines and kind != "SIGKILL")
            or not (self.is_over or self.exit_code == KINDS[kind][1])
        )


def run_tap(url: str, state: dict[str, Any], point: Point | None = None) -> Run:
    """Run the tap to its end or to a point.

    Args:
        url: Base URL of the API.
        state: The state to start from.
        point: Where to stop the run; None to run it to its end.
    """
    environment = {"PATH": os.environ["PATH"]}
    if point and point.unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as stderr:
        config, state_file = Path(folder, "config.json"), Path(folder, "state.json")
        settings = {"api_url": url, "api_token": "any", "page_size": PAGE, "request_interval": 0}
        config.write_text(json.dumps({**settings, "discover_custom_fields": False}))
        state_file.write_text(json.dumps(state))
        files = ["--config", str(config), "--state", str(state_file)]
        # A small pipe, so that the tap is never far ahead of the lines read so far.
        with (
            subprocess.Popen(
                [sys.executable, "-c", CODE, *files],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                pipesize=PIPE,
            ) as tap,
            time_limit(tap.kill, TIMEOUT),
        ):
            stdout = take(tap, point)
            exit_code = tap.wait()
        stderr.seek(0)
        return Run(stdout, exit_code, stderr.read().decode())


def take(tap: subprocess.Popen[bytes], point: Point | None) -> bytes:
    """Return the output that a target receives, and stop the tap at the point."""
    if tap.stdout is None:
        return b""
    if point is None:
        return tap.stdout.read()
    lines = b"".join(islice(tap.stdout, point.line))
    if number := KINDS[point.kind][0]:
        tap.send_signal(number)
        return lines + tap.stdout.read()
    tap.stdout.close()
    return lines


def covered_pages(state: dict[str, Any]) -> int:
    """Return the number of pages that a state declares as written."""
    bookmark = state.get("bookmarks", {}).get("customers", {})
    if "resume" not in bookmark:
        return 0
    checkpoint = bookmark["resume"]
    next_page = PAGES + 1 if checkpoint is None else int(checkpoint["next"].rpartition("=")[2])
    return next_page - 1


def end_at(point: Point) -> Outcome:
    """Stop a run at a point, resume it with another one, and compare them with the table."""
    with api() as server:
        first = run_tap(server.url, {}, point)
        server.requests.clear()
        second = run_tap(server.url, first.state)
        covered = covered_pages(first.state)
        # After a completed table the next run starts over, as it should.
        requested = [page_number(r) for r in server.requests if "customers" in r.path]
        again = [page for page in requested if page <= covered < PAGES]
    union = first.keys | second.keys
    declared = {f"C{number}" for number in range(covered * PAGE)}
    return Outcome(
        point,
        first.exit_code,
        second.exit_code,
        written=len(first.keys),
        union=len(union),
        lost=len((TABLE - union) | (declared - first.keys)),
        refetched=len(again),
        half_lines=int(not first.stdout.endswith(b"\n")),
        noise=bool(re.search("Traceback|Exception ignored", first.log + second.log)),
    )


def points(count: int) -> list[Point]:
    """Return `count` points spread over the lines of a run, of all kinds and both bufferings."""
    with api() as server:
        whole = run_tap(server.url, {})
    if whole.exit_code or whole.keys != TABLE:
        sys.exit(f"The tap fails even if it is not stopped:\n{whole.log}")
    lines = len(whole.messages)
    kinds = list(KINDS)
    return [
        Point(1 + turn * (lines - 2) // (count - 1), kinds[turn % 4], turn // 4 % 2 == 1)
        for turn in range(count)
    ]


def show(outcomes: list[Outcome]) -> None:
    """Print a line for each way to stop a run, and one for each outcome that is wrong."""
    head = f"{'stopped by':<12} {'stdout':<11} {'points':>6} {'ended':>5} {'lost':>5}"
    print(f"{head} {'re-fetched':>10} {'half lines':>10}  exit codes")
    for kind in KINDS:
        for unbuffered in (False, True):
            group = [o for o in outcomes if o.point.kind == kind]
            group = [o for o in group if o.point.unbuffered == unbuffered]
            codes = Counter(outcome.exit_code for outcome in group)
            counts = f"{len(group):>6} {sum(o.is_over for o in group):>5}"
            counts += f" {sum(o.lost for o in group):>5} {sum(o.refetched for o in group):>10}"
            counts += f" {sum(o.half_lines for o in group):>10}"
            exits = ", ".join(f"{code} x {times}" for code, times in sorted(codes.items()))
            print(f"{kind:<12} {'unbuffered' if unbuffered else 'buffered':<11} {counts}  {exits}")
    fewest = min(outcome.union for outcome in outcomes)
    print(f"Two runs together wrote at least {fewest} of {len(TABLE)} records")
    for outcome in outcomes:
        if outcome.is_wrong:
            print(f"WRONG: {outcome}")


def main() -> None:
    """Sweep over a run, and exit with 1 if any outcome is wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=POINTS, help="number of runs to stop")
    options = parser.parse_args()
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(end_at, points(max(options.points, 2))))
    show(outcomes)
    sys.exit(1 if any(outcome.is_wrong for outcome in outcomes) else 0)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
