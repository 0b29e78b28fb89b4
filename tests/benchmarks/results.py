"""All that was measured, and the ratios in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks.measuring import peak, typical

if TYPE_CHECKING:
    from tests.benchmarks.figures import Cost, Late, Size, WayCost
    from tests.benchmarks.measuring import Run


@dataclass
class Results:
    """What one benchmark measured; what was not asked for stays empty.

    Attributes:
        records: Of the table that all contestants read.
        machine: What it was measured on and with.
        server: Seconds in which the server alone gives that table.
        speed: The runs of each contestant.
        start_up: The runs of ours and of the stock tap, by verb.
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
        """Return how many times as long as ours a contestant takes, by the medians."""
        return typical(self.speed[name]) / typical(self.speed["ours"])

    def memory(self, name: str) -> float:
        """Return the peak of a contestant's memory, in megabytes."""
        return peak(self.speed[name])

    def start_up_ratio(self, verb: str) -> float:
        """Return how many times as long as the stock tap ours takes."""
        runs = self.start_up[verb]
        return typical(runs["ours"]) / typical(runs["stock"])
