"""Reads millions of customers in one run of the tap, and fails if its resources grow with them.

Memory, open file descriptors and the log must not depend on the size of a table.
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
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from scripts.demo import TAP, sandbox
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

CUSTOMERS = 5_000_000
PAGE = 10_000
#: In a shorter run the first pages cause most of the growth.
MINIMUM_CUSTOMERS = 60 * PAGE
CHUNK = 1 << 20
RECORD = b'\n{"type":"RECORD",'
SUMMARY = re.compile(r"records/s, [\d,]+ requests?,.*\d+ retr")

#: Minimum number of samples in the first tenth, because the tap still grows on the first pages.
FIRST = 5
MORE_MEMORY = 20.0
MORE_DESCRIPTORS = 2
LOG_LINES = 200


@dataclass
class Soak:
    """The resources that one run of the tap used; its lines are counted and discarded.

    Attributes:
        pid: Process id of the tap.
        records: Number of RECORD lines.
        megabytes: Resident memory at each sample.
        descriptors: Number of open file descriptors at each sample.
        seconds: Duration of the run.
        exit_code: Exit code of the tap.
        log: What the tap logged.
    """

    pid: int
    records: int = 0
    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    seconds: float = 0.0
    exit_code: int = 0
    log: str = ""

    def read(self, stdout: int, every: int) -> None:
        """Count records until the tap closes its stdout, and take samples.

        Args:
            stdout: File descriptor of the tap's stdout.
            every: Number of records between two samples.
        """
        started = time.monotonic()
        rest, due = b"\n", every
        while chunk := os.read(stdout, CHUNK):
            # The last line break is not consumed, so that one precedes every counted line.
            lines = rest + chunk
            end = lines.rindex(b"\n") if b"\n" in chunk else 0
            self.records += lines.count(RECORD, 0, end)
            rest = lines[end:]
            if self.records >= due:
                due += every
                self._sample()
        self.seconds = time.monotonic() - started

    def _sample(self) -> None:
        process = Path("/proc", str(self.pid))
        try:
            resident = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text("utf-8"))
            descriptors = len(list((process / "fd").iterdir()))
        except OSError:
            return
        if resident:  # a process that is ending has none
            self.megabytes.append(int(resident[1]) / 1024)
            self.descriptors.append(descriptors)


@contextmanager
def running(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the tap, and kill it if its reader fails."""
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [*TAP, "--config", str(config)], stdout=subprocess.PIPE, stderr=stderr, pipesize=CHUNK
        ) as tap,
    ):
        try:
            yield tap
        except BaseException:
            tap.kill()
            raise


def soak(customers: int, pages: int) -> Soak:
    """Sync customers from a sandbox.

    Args:
        customers: Number of customers.
        pages: Number of pages between two samples.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        sandbox("--customers", str(customers), "--products", "0") as (url, token),
    ):
        config, log = Path(folder, "tap.json"), Path(folder, "log")
        address = {"api_url": url, "api_token": token, "request_interval": 0}
        config.write_text(
            json.dumps({**address, "page_size": PAGE, "discover_custom_fields": False})
        )
        with running(config, log) as tap:
            run = Soak(tap.pid)
            if tap.stdout:
                run.read(tap.stdout.fileno(), pages * PAGE)
        run.exit_code, run.log = tap.returncode, log.read_text("utf-8")
        return run


def report(run: Soak, customers: int) -> list[str]:
    """Print the figures, and return one message for each that is wrong.

    Args:
        run: The run that ended.
        customers: Number of customers in the sandbox.
    """
    samples = len(run.megabytes)
    if not samples:
        return [f"no sample was taken; the tap ended with {run.exit_code}:\n{run.log[-2000:]}"]
    early = run.megabytes[: max(samples // 10, FIRST)]
    late = run.megabytes[samples // 2 :]
    # A sample may be taken while a page is parsed, so medians and maxima are compared separately.
    growth = max(median(late) - median(early), max(late) - max(early))
    opened = run.descriptors[-1] - run.descriptors[0]
    lines = len(run.log.splitlines())
    streams = sum(stream.selected_by_default for stream in STREAMS)
    summaries = len(SUMMARY.findall(run.log))
    rate = run.records / run.seconds
    print(f"records      {run.records:,} in {run.seconds:.1f} s, {rate:,.0f} records/s")
    for name, part in (("first tenth", early), ("second half", late)):
        figures = f"min {min(part):.1f}, median {median(part):.1f}, max {max(part):.1f} MB"
        print(f"memory       {name}: {figures} ({len(part)} samples)")
    print(f"growth       {growth:+.1f} MB, the larger one of median and maximum")
    print(f"descriptors  {run.descriptors[0]} at the start, {run.descriptors[-1]} at the end")
    print(f"log          {lines} lines, {summaries} of them summaries of {streams} streams")
    wrong = {
        f"the tap ended with {run.exit_code}:\n{run.log[-2000:]}": run.exit_code != 0,
        f"{run.records:,} records instead of {customers:,}": run.records != customers,
        f"memory grew by more than {MORE_MEMORY:.0f} MB": growth > MORE_MEMORY,
        f"descriptors grew by more than {MORE_DESCRIPTORS}": opened > MORE_DESCRIPTORS,
        f"the log has {LOG_LINES} lines or more": lines >= LOG_LINES,
        f"the log has {summaries} summaries for {streams} streams": summaries != streams,
    }
    return [message for message, is_wrong in wrong.items() if is_wrong]


def main() -> None:
    """Soak the tap, and exit with 1 if a figure is wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("customers", type=int, nargs="?", default=CUSTOMERS, help="number of customers")
    add("--pages", type=int, default=1, help="number of pages between two samples")
    options = parser.parse_args()
    if options.customers < MINIMUM_CUSTOMERS:
        parser.error(f"at least {MINIMUM_CUSTOMERS} customers are needed to measure growth")
    wrong = report(soak(options.customers, options.pages), options.customers)
    for message in wrong:
        print(f"WRONG: {message}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    main()
