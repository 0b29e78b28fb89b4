"""The chart: the cost of a record in every way of running, ours and the stock tap's."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.figures import WayCost
    from tests.benchmarks.results import Results

WIDTH = 760
LEFT, RIGHT = 210, 130
TOP, ROW, BAR = 80, 36, 13
FOOT = 46

# With a background of its own, it can be read on pages of any color.
STYLE = """
text { font: 14px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 16px } .quiet { fill: #59636e; font-size: 12px }
.ground { fill: #ffffff; stroke: #d1d9e0 } .bar { fill: #8c959f } .ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .quiet { fill: #9198a1 }
  .ground { fill: #0d1117; stroke: #3d444d } .bar { fill: #6e7681 } .ours { fill: #388bfd }
}
""".strip()


def svg(results: Results) -> str:
    """Return the chart of all ways, each with our bar and the stock tap's."""
    height = TOP + ROW * len(results.ways) + FOOT
    title = "Processor time of one record, by the way of running"
    legend = "Blue: tap-custobar. Grey: a stock tap of the same SDK, in the same way."
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"',
        f' viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="ground" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="20" y="32">{escape(title)}</text>',
        f'<text class="quiet" x="20" y="54">{escape(legend)}</text>',
        *_bars(results.ways),
        f'<text class="quiet" x="20" y="{height - 18}">{escape(_foot(results))}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(costs: list[WayCost]) -> Iterator[str]:
    scale = (WIDTH - LEFT - RIGHT) / max(max(cost.microseconds, cost.stock or 0) for cost in costs)
    for place, cost in enumerate(costs):
        top = TOP + ROW * place
        label = escape(cost.way)
        yield f'<text x="{LEFT - 10}" y="{top + BAR + 4}" text-anchor="end">{label}</text>'
        yield from _bar("bar ours", top, cost.microseconds, scale)
        if cost.stock:
            yield from _bar("bar", top + BAR + 1, cost.stock, scale)


def _bar(kind: str, top: int, microseconds: float, scale: float) -> Iterator[str]:
    width = max(microseconds * scale, 1)
    yield f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}"/>'
    text = f"{microseconds:.1f} µs"
    yield f'<text class="quiet" x="{LEFT + width + 8:.1f}" y="{top + BAR - 2}">{text}</text>'


def _foot(results: Results) -> str:
    machine = results.machine
    return (
        f"Whole processes on a loopback server, without their start-up. "
        f"{machine['date']}, {machine['cores']} cores, {machine['python']}."
    )
