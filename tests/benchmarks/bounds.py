"""The bounds of the figures: what is allowed, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.ways import ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.benchmarks.results import Results

#: Megabytes of our peak memory: the allowed maximum, and the aim.
MEMORY, MEMORY_AIM = 150, 110


@dataclass(frozen=True)
class Bound:
    """One figure with its bound.

    Attributes:
        figure: Its name.
        value: The measured value.
        must: The worst allowed value.
        aim: A better value, which is aimed at; None without such an aim.
        is_least: Whether a higher value is better.
    """

    figure: str
    value: float
    must: float
    aim: float | None
    is_least: bool = False

    @property
    def verdict(self) -> str:
        """Whether the value meets the aim, is allowed, or is neither."""
        sign = -1 if self.is_least else 1
        if self.aim is not None and sign * self.value <= sign * self.aim:
            return "aim met"
        return "met" if sign * self.value <= sign * self.must else "MISSED"

    def __str__(self) -> str:
        """The bound as text."""
        return f"{self.figure} {'≥' if self.is_least else '≤'} {self.must:g}"


def bounds(results: Results) -> Iterator[Bound]:
    """Yield the bounds of everything that was measured."""
    for name, must, aim in (("stock", 8, 12), ("specification", 2.5, 4)):
        if name in results.speed:
            yield Bound(f"{name} / ours", results.ratio(name), must, aim, is_least=True)
    if "airbyte" in results.speed:
        yield Bound("airbyte / ours", results.ratio("airbyte"), 1.5, 1.1)
    if "raw" in results.speed:
        yield Bound("ours / raw", 1 / results.ratio("raw"), 3, 1.8)
    for way, of_way in way_bounds(results).items():
        yield from (replace(bound, figure=f"{way}: {bound.figure}") for bound in of_way)
    for late in results.late:
        figure = f"late pages, interval {late.interval:g}: ours / waits"
        yield Bound(figure, late.seconds / late.waits, 1.1, 1.04)
    for size in results.sizes:
        figure = f"peak memory, {size.pages:,} pages, MB"
        yield Bound(figure, size.megabytes, MEMORY, MEMORY_AIM)
    if len(results.sizes) > 1:
        growth = results.sizes[-1].megabytes / results.sizes[0].megabytes
        yield Bound("peak memory, most / fewest pages", growth, 1.1, 1.05)
    for verb in results.start_up:
        yield Bound(f"{verb}: ours / stock", results.start_up_ratio(verb), 1.1, 0.8)


def way_bounds(results: Results) -> dict[str, list[Bound]]:
    """Return the bounds of each way of running that was measured, by its label."""
    of_label = {way.label: way for way in ways(Path.cwd())}
    found = {}
    for cost in results.ways:
        way = of_label[cost.way]
        found[cost.way] = [Bound("peak MB", cost.megabytes, MEMORY, MEMORY_AIM)]
        if cost.stock and way.least:
            ratio = cost.stock / cost.microseconds
            bound = Bound("stock / ours", ratio, way.least, None, is_least=True)
            found[cost.way].append(bound)
        if way.most:
            found[cost.way].append(Bound("x plain", cost.times_plain, way.most, way.aim))
    return found


def worst(judged: Iterable[Bound]) -> str:
    """Return the worst verdict; a bound without an aim only counts if it is missed."""
    verdicts = {bound.verdict for bound in judged if bound.aim is not None or missed([bound])}
    return next(verdict for verdict in ("MISSED", "met", "aim met") if verdict in verdicts)


def missed(judged: Iterable[Bound]) -> list[Bound]:
    """Return the bounds that are missed."""
    return [bound for bound in judged if bound.verdict == "MISSED"]
