"""The results of a benchmark, and their ratios."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks.processes import peak, typical

if TYPE_CHECKING:
    from tests.benchmarks.figures import Cost, Late, Size, WayCost
    from tests.benchmarks.processes import Run


@dataclass
class Results:
    """The results of one benchmark; parts that were not measured are empty.

    Attributes:
        records: Number of records of the table that all programs read.
        machine: The machine and the versions it was measured with.
        server: Seconds in which the server alone sends that table.
        speed: The runs of each program.
        late: The tables whose pages are sent late.
        sizes: Our peak memory by the size of the table.
        start_up: The runs of ours and of the stock tap, by command-line option.
        costs: Our cost by the size of table and page.
        ways: The cost of each way of running.
    """

    records: int
    machine: dict[str, object]
    server: float = 0
    speed: dict[str, list[Run]] = field(default_factory=dict)
    late: list[Late] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    start_up: dict[str, dict[str, list[Run]]] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)
    ways: list[WayCost] = field(default_factory=list)

    def ratio(self, name: str) -> float:
        """Return how many times as long as ours a program takes, by the medians."""
        return typical(self.speed[name]) / typical(self.speed["ours"])

    def memory(self, name: str) -> float:
        """Return the peak memory of a program, in megabytes."""
        return peak(self.speed[name])

    def start_up_ratio(self, verb: str) -> float:
        """Return how many times as long as the stock tap our start-up takes."""
        runs = self.start_up[verb]
        return typical(runs["ours"]) / typical(runs["stock"])
