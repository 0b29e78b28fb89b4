"""Shows where the tap's time goes, by function; `make profile` runs it.

The profiler makes calls of Python functions dearer than they are: the order tells, not the sum.
It sees the main thread; what the downloading thread does shows there as waiting for a page.
"""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import server
from tests.benchmarks.contestants import OURS, Contest, Workload
from tests.benchmarks.measuring import run


def profile(records: int, functions: int) -> None:
    """Print the functions of one sync that take the most time of their own."""
    with server.running() as host, tempfile.TemporaryDirectory() as folder:
        command = Contest(host, Path(folder)).command("ours", Workload(records))
        run(command)  # renders the pages
        file = str(Path(folder, "profile"))
        program = [sys.executable, "-m", "cProfile", "-o", file, "-m", "tap_custobar"]
        run([*program, *command[len(OURS) :]])
        pstats.Stats(file).strip_dirs().sort_stats("tottime").print_stats(functions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profiling")
    parser.add_argument("--records", type=int, default=300_000, help="how many to read")
    parser.add_argument("--functions", type=int, default=25, help="how many to show")
    options = parser.parse_args()
    profile(options.records, options.functions)
