"""Ends the tap at points all over a run, in every way there is, and looks for what got lost.

Each time a second run goes on from the last state that the first one wrote in a whole line. The
two together must give every record, and ask for no page again that the state covers.
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
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.server import Reply, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Request

PAGES = 20
PAGE = 100
TABLE = frozenset(f"C{number}" for number in range(PAGES * PAGE))
POINTS = 48
WORKERS = 2
PIPE = 4096
#: Longer than the pipe, which takes shorter lines whole: none of those could be cut.
TEXT = "Ä" * 3000
TIMEOUT = 60

# A state at every page end, as with pages of 10,000 records.
CODE = (
    "from tap_custobar.stream import CustobarStream; from tap_custobar.tap import TapCustobar; "
    f"CustobarStream.STATE_MSG_FREQUENCY = {PAGE}; TapCustobar.cli()"
)

#: How a run is ended, and what it may end with.
KINDS: dict[str, tuple[signal.Signals | None, int]] = {
    "SIGTERM": (signal.SIGTERM, 128 + signal.SIGTERM),
    "SIGINT": (signal.SIGINT, 128 + signal.SIGINT),
    "SIGKILL": (signal.SIGKILL, -signal.SIGKILL),
    "target dies": (None, 1),
}


class Api:
    """A table of customers in pages, on the tests' server.

    Attributes:
        server: The server.
        requested: Numbers of the requested pages, in order.
    """

    def __init__(self, server: Server) -> None:
        """Let a server answer with the pages of the table."""
        self.server = server
        self.requested: list[int] = []
        server.answer = self._answer

    @property
    def url(self) -> str:
        """The base URL."""
        return self.server.url

    def _answer(self, request: Request) -> Reply:
        if "customers" not in request.path:
            return Reply({"products": []})
        number = int(dict(request.query).get("cursor", 0))
        self.requested.append(number)
        keys = range(number * PAGE, (number + 1) * PAGE)
        rows = [{"external_id": f"C{key}", "city": TEXT} for key in keys]
        last = number + 1 == PAGES
        rest = {} if last else {"next_url": f"{self.url}/data/customers/?cursor={number + 1}"}
        return Reply({"customers": rows, "count": len(TABLE), **rest})


@contextmanager
def api() -> Iterator[Api]:
    """Run a server."""
    server = Server()
    try:
        yield Api(server)
    finally:
        server.close()


@dataclass(frozen=True)
class Run:
    """What a target got of a run, and how the run ended."""

    stdout: bytes
    exit_code: int
    log: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The whole lines."""
        end = self.stdout.rfind(b"\n") + 1
        return [json.loads(line) for line in self.stdout[:end].splitlines()]

    @property
    def keys(self) -> set[str]:
        """The keys of the customers that came."""
        records = [message["record"] for message in self.messages if message["type"] == "RECORD"]
        return {record["external_id"] for record in records}

    @property
    def state(self) -> dict[str, Any]:
        """The last state that came."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}


@dataclass(frozen=True)
class Point:
    """Where a run is ended, and how."""

    line: int
    kind: str
    unbuffered: bool


@dataclass(frozen=True)
class Outcome:
    """What came of ending a run at a point, and of the run after it."""

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
        """Whether the run had written all and ended before it could be ended."""
        return self.exit_code == 0 and self.written == len(TABLE)

    @property
    def is_wrong(self) -> bool:
        """Whether anything is not as it should be; only SIGKILL may leave half a line."""
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
    """Run the tap, to its end or to a point."""
    environment = {"PATH": os.environ["PATH"]}
    if point and point.unbuffered:
        environment["PYTHONUNBUFFERED"] = "1"
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as stderr:
        config, state_file = Path(folder, "config.json"), Path(folder, "state.json")
        settings = {"api_url": url, "api_token": "any", "page_size": PAGE, "request_interval": 0}
        config.write_text(json.dumps({**settings, "discover_custom_fields": False}))
        state_file.write_text(json.dumps(state))
        files = ["--config", str(config), "--state", str(state_file)]
        # A small pipe, so that the tap is never far ahead of the line that was read.
        with subprocess.Popen(
            [sys.executable, "-c", CODE, *files],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            pipesize=PIPE,
        ) as tap:
            watchdog = threading.Timer(TIMEOUT, tap.kill)
            watchdog.start()
            try:
                stdout = take(tap, point)
                exit_code = tap.wait()
            finally:
                watchdog.cancel()
        stderr.seek(0)
        return Run(stdout, exit_code, stderr.read().decode())


def take(tap: subprocess.Popen[bytes], point: Point | None) -> bytes:
    """Return what a target takes of the tap's output, ending the tap at the point."""
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
    """Tell how many pages a state says have been written."""
    bookmark = state.get("bookmarks", {}).get("customers", {})
    if "resume" not in bookmark:
        return 0
    mark = bookmark["resume"]
    return PAGES if mark is None else int(re.findall(r"cursor=(\d+)", mark["next"])[0])


def end_at(point: Point) -> Outcome:
    """End a run at a point, let another one go on, and compare."""
    with api() as server:
        first = run_tap(server.url, {}, point)
        server.requested.clear()
        second = run_tap(server.url, first.state)
        covered = covered_pages(first.state)
        # Behind a finished table the next run begins anew, as it should.
        again = [page for page in server.requested if page < covered < PAGES]
    union = first.keys | second.keys
    said = {f"C{number}" for number in range(covered * PAGE)}
    return Outcome(
        point,
        first.exit_code,
        second.exit_code,
        written=len(first.keys),
        union=len(union),
        lost=len((TABLE - union) | (said - first.keys)),
        refetched=len(again),
        half_lines=int(not first.stdout.endswith(b"\n")),
        noise=bool(re.search("Traceback|Exception ignored", first.log + second.log)),
    )


def points(count: int) -> list[Point]:
    """Spread so many points over the lines of a run, rotating the kinds and the buffering."""
    with api() as server:
        whole = run_tap(server.url, {})
    if whole.exit_code or whole.keys != TABLE:
        sys.exit(f"The tap fails even when left alone:\n{whole.log}")
    lines = len(whole.messages)
    kinds = list(KINDS)
    return [
        Point(1 + turn * (lines - 2) // (count - 1), kinds[turn % 4], turn // 4 % 2 == 1)
        for turn in range(count)
    ]


def show(outcomes: list[Outcome]) -> None:
    """Print a line for each way to end a run, and one for each time that it went wrong."""
    head = f"{'ended by':<12} {'stdout':<11} {'points':>6} {'over':>5} {'lost':>5}"
    print(f"{head} {'re-fetched':>10} {'half lines':>10}  exit codes")
    for kind in KINDS:
        for unbuffered in (False, True):
            group = [o for o in outcomes if o.point.kind == kind]
            group = [o for o in group if o.point.unbuffered == unbuffered]
            codes = Counter(outcome.exit_code for outcome in group)
            counts = f"{len(group):>6} {sum(o.is_over for o in group):>5}"
            counts += f" {sum(o.lost for o in group):>5} {sum(o.refetched for o in group):>10}"
            counts += f" {sum(o.half_lines for o in group):>10}"
            told = ", ".join(f"{code} x {times}" for code, times in sorted(codes.items()))
            print(f"{kind:<12} {'unbuffered' if unbuffered else 'buffered':<11} {counts}  {told}")
    fewest = min(outcome.union for outcome in outcomes)
    print(f"{fewest} of {len(TABLE)} records in the union of two runs, where they are fewest")
    for outcome in outcomes:
        if outcome.is_wrong:
            print(f"WRONG: {outcome}")


def main() -> None:
    """Sweep over a run, and exit with 1 when anything got lost or was asked for again."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=POINTS, help="how often to end a run")
    options = parser.parse_args()
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(end_at, points(max(options.points, 2))))
    show(outcomes)
    sys.exit(1 if any(outcome.is_wrong for outcome in outcomes) else 0)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
