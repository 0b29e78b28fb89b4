"""Measures tap-custobar beside other programs that read the API; `make bench` runs it."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import figures, machine, report, server
from tests.benchmarks.bounds import bounds, missed
from tests.benchmarks.chart import svg
from tests.benchmarks.data import ROOT
from tests.benchmarks.programs import BASELINES, Programs, Workload
from tests.benchmarks.results import Results
from tests.benchmarks.verification import verify
from tests.benchmarks.ways import PLAIN, ways

PARTS = ("speed", "ways", "late", "memory", "start-up", "costs")

#: The table that the bounds are meant for.
RECORDS = 300_000

QUICK = {"records": 30_000, "rounds": 2, "pages": 20, "most": 10_000}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="small tables and two rounds, which prove nothing")
    add("--rounds", type=int, default=5, help="runs of each program")
    add("--records", type=int, default=RECORDS, help="records of the table that all of them read")
    add("--page-size", type=int, default=10_000, help="records of a page")
    add("--pages", type=int, default=100, help="pages of the table that memory is measured with")
    add("--most", type=int, default=1_000_000, help="records of the largest table of the costs")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    add("--against", nargs="+", choices=BASELINES, default=BASELINES, help="run beside ours")
    add("--ways", nargs="+", default=[""], help="parts of labels: only these ways, and plain")
    add("--output", type=Path, help="folder for JSON and chart: docs, if all is measured")
    if "--quick" in sys.argv:
        parser.set_defaults(**QUICK)
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Results:
    """Measure the parts that the options name."""
    results = Results(options.records, machine.describe())
    work = Workload(options.records, options.page_size)
    with server.running() as host, tempfile.TemporaryDirectory() as folder:
        programs = Programs(host, Path(folder))
        if "speed" in options.parts:
            names = ("ours", *options.against)
            verify(programs, work, names)  # renders the pages, too
            results.server = server.drain(programs.url(work))
            commands = {name: programs.command(name, work) for name in names}
            results.speed = figures.in_turn(commands, options.rounds)
        if "ways" in options.parts:
            chosen = [
                way
                for way in ways(programs.folder)
                if way is PLAIN or any(part in way.label for part in options.ways)
            ]
            costs = figures.way_costs(programs, chosen, options.records, options.rounds)
            results.ways = list(costs)
        if "late" in options.parts:
            results.late = list(figures.late(programs, max(options.records // 10_000, 1)))
        if "memory" in options.parts:
            results.sizes = list(figures.sizes(programs, (10, options.pages)))
        if "start-up" in options.parts:
            results.start_up = figures.start_up()
        if "costs" in options.parts:
            results.costs = list(figures.costs(programs, options.most))
    return results


def main() -> None:
    """Measure and report; exit with 1 if a bound is missed with the table it is meant for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    full = options.records >= RECORDS
    chosen = {*options.parts, *options.against, *options.ways}
    everything = full and chosen == {*PARTS, *BASELINES, ""}
    folder = options.output or ROOT / ("docs" if everything else "output")
    results = measure(options)
    print(report.text(results))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.json").write_text(report.as_json(results), "utf-8")
    if results.ways:
        (folder / "benchmark.svg").write_text(svg(results), "utf-8")
    if not full:
        print(f"\nThe bounds are meant for {RECORDS:,} records; a smaller table proves nothing.")
    elif worse := missed(bounds(results)):
        sys.exit("\nMISSED: " + ", ".join(bound.figure for bound in worse))


if __name__ == "__main__":
    main()
