"""What is measured, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.benchmarks.contestants import OURS, STOCK, Workload
from tests.benchmarks.measuring import Run, least_cpu, peak, run, typical
from tests.benchmarks.verifying import verify
from tests.benchmarks.ways import PLAIN

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from tests.benchmarks.contestants import Contest
    from tests.benchmarks.ways import Way

#: What tells commands apart.
Name = TypeVar("Name", bound="Hashable")

PAGE_SIZES = (100, 1_000, 10_000)
FEW_FIELDS = ("external_id", "email", "can_email")
MANY_MORE = 300

#: The stock tap reads one record for so many of ours: it takes longer.
STOCK_SHARE = 5

#: No record costs less.
LEAST_MICROSECONDS = 0.1

#: Records of the table in which two taps' values are compared.
COMPARED = 2_000

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


@dataclass(frozen=True)
class WayCost:
    """What a way of running takes.

    Attributes:
        way: Which one.
        microseconds: Processor time of a record, without what a table of no records takes.
        plain: The same of a plain record, in the same rounds.
        stock: The same of the stock tap; None where it cannot be run in this way.
        megabytes: The peak of our memory.
    """

    way: str
    microseconds: float
    plain: float
    stock: float | None
    megabytes: float

    @property
    def times_plain(self) -> float:
        """How many times the processor time of a plain record."""
        return self.microseconds / self.plain


def in_turn(commands: Mapping[Name, Sequence[str]], rounds: int) -> dict[Name, list[Run]]:
    """Run the commands round after round, so that what disturbs the machine meets all of them."""
    runs: dict[Name, list[Run]] = {name: [] for name in commands}
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


def way_costs(
    contest: Contest, ways: Iterable[Way], records: int, rounds: int
) -> Iterator[WayCost]:
    """Measure what a record costs in each way of running, beside a plain one and the stock tap.

    All that are compared run in the same rounds: minutes later the machine can be slower or faster.

    Args:
        contest: Makes the command lines.
        ways: Those that are measured.
        records: How many we read.
        rounds: How often each is run; the fewest seconds count.

    Raises:
        RuntimeError: a tap lost records, or wrote other values than the other.
    """
    for way in ways:
        verify(contest, _table(way, COMPARED), ["ours"])
        if way.has_stock:
            alike = ["ours", "stock"] if way.is_stock_alike else ["stock"]
            verify(contest, _table(way, COMPARED), alike)
        count = records // way.scale
        tables = {"ours": ("ours", way, count)}
        if way is not PLAIN:
            tables["plain"] = ("ours", PLAIN, records)
        if way.has_stock:
            tables["stock"] = ("stock", way, count // STOCK_SHARE)
        commands = {
            (label, size): contest.command(name, _table(its_way, size))
            for label, (name, its_way, most) in tables.items()
            for size in (0, most)
        }
        runs = in_turn(commands, rounds)
        costs = {
            label: _microseconds(runs[label, most], runs[label, 0], most)
            for label, (_, _, most) in tables.items()
        }
        yield WayCost(
            way.label,
            microseconds=costs["ours"],
            plain=costs.get("plain", costs["ours"]),
            stock=costs.get("stock"),
            megabytes=peak(runs["ours", count]),
        )


def _microseconds(runs: Sequence[Run], empty: Sequence[Run], records: int) -> float:
    seconds = least_cpu(runs) - least_cpu(empty)
    return max(seconds / records * 1e6, LEAST_MICROSECONDS)  # a small table may come out below


def _table(way: Way, records: int) -> Workload:
    return Workload(records, way.page_size, way=way)
