"""Shows the tap's processor time by function; `make profile` runs it.

The profiler slows down calls of Python functions, so only the order of the figures is meaningful.
It measures the main thread; requests in the other thread appear as waits for a page.
"""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import server
from tests.benchmarks.processes import run
from tests.benchmarks.programs import OURS, Programs, Workload


def profile(records: int, functions: int) -> None:
    """Print the functions of one sync that take the most time themselves."""
    with server.running() as host, tempfile.TemporaryDirectory() as folder:
        command = Programs(host, Path(folder)).command("ours", Workload(records))
        run(command)  # the server renders the pages
        file = str(Path(folder, "profile"))
        program = [sys.executable, "-m", "cProfile", "-o", file, "-m", "tap_custobar"]
        run([*program, *command[len(OURS) :]])
        pstats.Stats(file).strip_dirs().sort_stats("tottime").print_stats(functions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile")
    parser.add_argument("--records", type=int, default=300_000, help="how many to read")
    parser.add_argument("--functions", type=int, default=25, help="how many to show")
    options = parser.parse_args()
    profile(options.records, options.functions)
