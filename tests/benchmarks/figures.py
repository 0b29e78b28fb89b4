"""What is measured, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import OURS, STOCK, Workload
from tests.benchmarks.measuring import Run, run, typical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.contestants import Contest

PAGE_SIZES = (100, 1_000, 10_000)
FEW_FIELDS = ("external_id", "email", "can_email")
MANY_MORE = 300

#: Rounds of what takes a fraction of a second.
SHORT = 7


@dataclass(frozen=True)
class Late:
    """A table whose pages come late: how much longer than its waits the tap takes."""

    interval: float
    waits: float
    seconds: float


@dataclass(frozen=True)
class Size:
    """The peak of our memory, over so many pages of 10,000 records."""

    pages: int
    megabytes: float


@dataclass(frozen=True)
class Cost:
    """What reading a table takes us.

    Attributes:
        fields: Which properties the catalog has and selects.
        records: How many were read.
        page_size: How many came at once.
        seconds: The whole process.
        microseconds: Of one record, without what a table of no records takes.
    """

    fields: str
    records: int
    page_size: int
    seconds: float
    microseconds: float


def in_turn(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Run]]:
    """Run the commands round after round, so that what disturbs the machine meets all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    return runs


def start_up() -> dict[str, dict[str, list[Run]]]:
    """Measure the verbs that need no server, ours beside the stock tap's."""
    return {
        verb: in_turn({"ours": [*OURS, verb], "stock": [*STOCK, verb]}, SHORT)
        for verb in ("--version", "--discover")
    }


def late(contest: Contest, pages: int) -> Iterator[Late]:
    """Measure ours where every page is a second late, without a pace and with the usual one."""
    for interval in (0.0, 1.0):
        work = Workload(pages * 10_000, latency=1.0, interval=interval)
        yield Late(interval, pages * 1.0, run(contest.command("ours", work)).seconds)


def sizes(contest: Contest, pages: Sequence[int]) -> Iterator[Size]:
    """Measure our memory over tables of so many pages."""
    for count in pages:
        work = Workload(count * 10_000)
        yield Size(count, run(contest.command("ours", work)).megabytes)


def costs(contest: Contest, most: int) -> Iterator[Cost]:
    """Measure what a record costs us in tables of up to so many, and with few of many fields."""
    shapes = [
        ("all", Workload(records, page_size))
        for records in (1_000, 10_000, 100_000, 1_000_000)
        for page_size in PAGE_SIZES
        if page_size <= records <= most
    ]
    few = min(most, 100_000)
    shapes += [
        ("3 of 30", Workload(few, fields=FEW_FIELDS)),
        (f"3 of {30 + MANY_MORE}", Workload(few, fields=FEW_FIELDS, unselected=MANY_MORE)),
    ]
    for fields, work in shapes:
        rounds = SHORT if work.records <= 10_000 else 1
        tables = {"this": work, "empty": Workload(0)}
        commands = {name: contest.command("ours", table) for name, table in tables.items()}
        runs = in_turn(commands, rounds)
        seconds = typical(runs["this"])
        microseconds = (seconds - typical(runs["empty"])) / work.records * 1e6
        yield Cost(fields, work.records, work.page_size, seconds, microseconds)
