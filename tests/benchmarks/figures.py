"""The measurements, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.benchmarks.processes import Run, least_cpu, peak, run, typical
from tests.benchmarks.programs import OURS, STOCK, Workload
from tests.benchmarks.verification import verify
from tests.benchmarks.ways import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.benchmarks.programs import Programs
    from tests.benchmarks.ways import Way

#: Identifies a command.
Name = TypeVar("Name")

PAGE_SIZES = (100, 1_000, 10_000)
FEW_FIELDS = ("external_id", "email", "can_email")
MANY_MORE = 300

#: The stock tap, which is slower, reads one record for so many of ours.
STOCK_SHARE = 5

#: Lower limit of the cost of a record.
LEAST_MICROSECONDS = 0.1

#: Number of records of the table with which the values of two taps are compared.
COMPARED = 2_000

#: Number of rounds of processes that take a fraction of a second.
SHORT = 7


@dataclass(frozen=True)
class Late:
    """The time for a table whose pages are sent late, and the sum of the server's delays."""

    interval: float
    waits: float
    seconds: float


@dataclass(frozen=True)
class Size:
    """Our peak memory with so many pages of 10,000 records."""

    pages: int
    megabytes: float


@dataclass(frozen=True)
class Cost:
    """The time in which we read a table.

    Attributes:
        fields: Which properties the catalog has and selects.
        records: Number of records.
        page_size: Number of records of a page.
        seconds: Elapsed time of the whole process.
        microseconds: Elapsed time of one record, without that of an empty table.
    """

    fields: str
    records: int
    page_size: int
    seconds: float
    microseconds: float


@dataclass(frozen=True)
class WayCost:
    """The cost of a way of running.

    Attributes:
        way: Its label.
        microseconds: Processor time of a record, without that of an empty table.
        plain: The same for a plain record, in the same rounds.
        stock: The same for the stock tap; None if it cannot be run in this way.
        megabytes: Our peak memory.
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
    """Run the commands round after round, so that other load affects all of them."""
    runs: dict[Name, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    return runs


def start_up() -> dict[str, dict[str, list[Run]]]:
    """Measure our command-line options that need no server, and the stock tap's."""
    return {
        verb: in_turn({"ours": [*OURS, verb], "stock": [*STOCK, verb]}, SHORT)
        for verb in ("--version", "--discover")
    }


def late(programs: Programs, pages: int) -> Iterator[Late]:
    """Measure ours with pages a second late, without and with the default request interval."""
    for interval in (0.0, 1.0):
        work = Workload(pages * 10_000, latency=1.0, interval=interval)
        yield Late(interval, pages * 1.0, run(programs.command("ours", work)).seconds)


def sizes(programs: Programs, pages: Sequence[int]) -> Iterator[Size]:
    """Measure our memory with tables of so many pages."""
    for count in pages:
        work = Workload(count * 10_000)
        yield Size(count, run(programs.command("ours", work)).megabytes)


def costs(programs: Programs, most: int) -> Iterator[Cost]:
    """Measure our cost of a record in tables of up to `most` records, and with few fields."""
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
        commands = {name: programs.command("ours", table) for name, table in tables.items()}
        runs = in_turn(commands, rounds)
        seconds = typical(runs["this"])
        microseconds = (seconds - typical(runs["empty"])) / work.records * 1e6
        yield Cost(fields, work.records, work.page_size, seconds, microseconds)


def way_costs(
    programs: Programs, ways: Iterable[Way], records: int, rounds: int
) -> Iterator[WayCost]:
    """Measure what a record costs in each way of running, beside a plain one and the stock tap.

    All that are compared run in the same rounds: minutes later the machine can be slower or faster.

    Args:
        programs: Makes the command lines.
        ways: The ways that are measured.
        records: Number of records of our table.
        rounds: Number of runs of each command; the minimum counts.

    Raises:
        RuntimeError: a tap lost records, or the values of the two taps differ.
    """
    for way in ways:
        verify(programs, _table(way, COMPARED), ["ours"])
        if way.has_stock:
            alike = ["ours", "stock"] if way.is_stock_alike else ["stock"]
            verify(programs, _table(way, COMPARED), alike)
        count = records // way.scale
        tables = {"ours": ("ours", way, count)}
        if way is not PLAIN:
            tables["plain"] = ("ours", PLAIN, records)
        if way.has_stock:
            tables["stock"] = ("stock", way, count // STOCK_SHARE)
        commands = {
            (label, size): programs.command(name, _table(its_way, size))
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
    return max(seconds / records * 1e6, LEAST_MICROSECONDS)  # with a small table it may be below


def _table(way: Way, records: int) -> Workload:
    return Workload(records, way.page_size, way=way)
