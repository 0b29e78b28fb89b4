"""What the figures must be, and what they aim at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.benchmarks.results import Results


@dataclass(frozen=True)
class Bound:
    """One figure beside what it must be and what it aims at.

    Attributes:
        figure: What it is.
        value: As measured.
        must: The worst value that is allowed.
        aim: The value that is wished for; on the other side of `must` than what is missed.
    """

    figure: str
    value: float
    must: float
    aim: float

    @property
    def verdict(self) -> str:
        """Say whether the value is as good as wished for, allowed, or neither."""
        sign = 1 if self.aim < self.must else -1
        if sign * self.value <= sign * self.aim:
            return "aim met"
        return "met" if sign * self.value <= sign * self.must else "MISSED"


def bounds(results: Results) -> Iterator[Bound]:
    """Yield the bounds for whatever was measured."""
    for name, must, aim in (("stock", 8, 12), ("specification", 2.5, 4)):
        if name in results.speed:
            yield Bound(f"{name} / ours", results.ratio(name), must, aim)
    if "airbyte" in results.speed:
        yield Bound("airbyte / ours", results.ratio("airbyte"), 1.5, 1.1)
    if "raw" in results.speed:
        yield Bound("ours / raw", 1 / results.ratio("raw"), 3, 1.8)
    for late in results.late:
        figure = f"late pages, interval {late.interval:g}: ours / waits"
        yield Bound(figure, late.seconds / late.waits, 1.1, 1.04)
    for size in results.sizes:
        yield Bound(f"peak memory, {size.pages:,} pages, MB", size.megabytes, 150, 110)
    if len(results.sizes) > 1:
        growth = results.sizes[-1].megabytes / results.sizes[0].megabytes
        yield Bound("peak memory, most / fewest pages", growth, 1.1, 1.05)
    for verb in results.start_up:
        yield Bound(f"{verb}: ours / stock", results.start_up_ratio(verb), 1.1, 0.8)


def missed(judged: Iterable[Bound]) -> list[Bound]:
    """Return those that are not even allowed."""
    return [bound for bound in judged if bound.verdict == "MISSED"]
