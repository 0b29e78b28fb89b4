"""The chart: how long each contestant takes, as a multiple of ours."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.results import Results

WIDTH = 760
LEFT, RIGHT = 260, 150
TOP, ROW, BAR = 64, 34, 20
FOOT = 46

# It brings its own ground, so that it can be read on whatever it is shown.
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
    """Return the chart of the contestants' medians, ours first and then by time."""
    ratios = {name: results.ratio(name) for name in results.speed}
    height = TOP + ROW * len(ratios) + FOOT
    title = f"Reading {results.records:,} customers: time relative to tap-custobar"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"',
        f' viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="ground" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="20" y="32">{escape(title)}</text>',
        *_bars(results, ratios),
        f'<text class="quiet" x="20" y="{height - 18}">{escape(_foot(results))}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bars(results: Results, ratios: dict[str, float]) -> Iterator[str]:
    scale = (WIDTH - LEFT - RIGHT) / max(ratios.values())
    for place, name in enumerate(sorted(ratios, key=lambda name: (ratios[name], name))):
        top, width = TOP + ROW * place, max(ratios[name] * scale, 1)
        middle = top + BAR - 5
        kind = "bar ours" if name == "ours" else "bar"
        figures = f"{ratios[name]:.2f} times, {results.memory(name):.0f} MB"
        yield f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(LABELS[name])}</text>'
        yield f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}"/>'
        yield f'<text class="quiet" x="{LEFT + width + 8:.1f}" y="{middle}">{figures}</text>'


def _foot(results: Results) -> str:
    machine = results.machine
    rounds = len(next(iter(results.speed.values())))
    return (
        f"Median of {rounds} whole processes on a loopback server, and peak memory. "
        f"{machine['date']}, {machine['cores']} cores, {machine['python']}."
    )
