"""Draws docs/customers.svg from the rows of customers_by_month; `make test-dbt` runs it."""

from __future__ import annotations

import json
import sys
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.chart import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Row = dict[str, str | int]

CHART = Path(__file__).parent.parent / "docs/customers.svg"

WIDTH, HEIGHT = 760, 380
TOP, LEFT = 80, 130
BOTTOM = HEIGHT - 92

#: The CSS class of each part of a bar, from the bottom up, and its label.
PARTS = {"new": "new", "returning": "active, bought before", "bar": "passive"}

COLOURS = """
.new { fill: #0969da } .returning { fill: #80b3ec } .bar { fill: #c3cad1 }
@media (prefers-color-scheme: dark) {
  .new { fill: #4493f8 } .returning { fill: #1f508f } .bar { fill: #6e7681 }
}
""".strip()


def svg(rows: Sequence[Row]) -> str:
    """Return the chart: a bar for each month, with the lifetime value below it.

    Args:
        rows: The rows of the model customers_by_month, the oldest month first.
    """
    title = "Active, new and passive customers by month"
    note = "From the sandbox's data, by examples/dbt with active_months: 3."
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"',
        f' viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<style>\n{STYLE}\n{COLOURS}\n</style>",
        f'<rect class="ground" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="6"/>',
        f'<text class="title" x="20" y="32">{escape(title)}</text>',
        *_legend(),
        f'<text class="quiet" x="20" y="{BOTTOM + 20}">month</text>',
        f'<text class="quiet" x="20" y="{BOTTOM + 42}">lifetime value</text>',
        *_bars(rows),
        f'<text class="quiet" x="20" y="{HEIGHT - 18}">{escape(note)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend() -> Iterator[str]:
    for place, (kind, label) in enumerate(PARTS.items()):
        left = 20 + 60 * place + 110 * (place // 2)
        yield f'<rect class="{kind}" x="{left}" y="44" width="10" height="10"/>'
        yield f'<text class="quiet" x="{left + 16}" y="54">{label}</text>'


def _bars(rows: Sequence[Row]) -> Iterator[str]:
    step = (WIDTH - LEFT - 20) / len(rows)
    highest = max(sum(_counts(row)) for row in rows)
    for place, row in enumerate(rows):
        left = LEFT + step * place
        middle = f'x="{left + step / 2:.1f}" text-anchor="middle"'
        top = float(BOTTOM)
        for kind, count in zip(PARTS, _counts(row), strict=True):
            height = count * (BOTTOM - TOP - 16) / highest
            top -= height
            yield (
                f'<rect class="{kind}" x="{left + 4:.1f}" y="{top:.1f}" '
                f'width="{step - 8:.1f}" height="{height:.1f}"/>'
            )
        month = date.fromisoformat(str(row["month"]))
        yield f'<text class="quiet" {middle} y="{top - 6:.1f}">{sum(_counts(row)):,}</text>'
        yield f'<text class="quiet" {middle} y="{BOTTOM + 20}">{month:%b %Y}</text>'
        value = int(row["lifetime_value_cents"]) / 100
        yield f'<text {middle} y="{BOTTOM + 42}">{value:,.0f}</text>'


def _counts(row: Row) -> tuple[int, int, int]:
    """Return the number of customers in each part of a month's bar."""
    new, active = int(row["new_customers"]), int(row["active_customers"])
    return new, active - new, int(row["passive_customers"])


def main() -> None:
    """Draw the chart of the rows in the JSON file that is the argument."""
    CHART.write_text(svg(json.loads(Path(sys.argv[1]).read_text("utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
