"""The results as text for a terminal, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.benchmarks.bounds import bounds, way_bounds, worst
from tests.benchmarks.processes import typical
from tests.benchmarks.programs import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.benchmarks.bounds import Bound
    from tests.benchmarks.results import Results


def text(results: Results) -> str:
    """Return the tables for a terminal."""
    return "\n".join(
        line for part in (_speed, _ways, _start_up, _costs, _bounds) for line in part(results)
    )


def as_json(results: Results) -> str:
    """Return all results as JSON: every single run, and the verdicts."""
    judged = [{**asdict(bound), "verdict": bound.verdict} for bound in bounds(results)]
    ratios = {name: results.ratio(name) for name in results.speed}
    content: dict[str, Any] = {**asdict(results), "times_as_long_as_ours": ratios, "bounds": judged}
    content["ways"] = _judged_ways(results)
    return json.dumps(_rounded(content), indent=1, ensure_ascii=False) + "\n"


def _rounded(content: object) -> object:
    match content:
        case float():
            return round(content, 3)
        case dict():
            return {key: _rounded(value) for key, value in content.items()}
        case list():
            return [_rounded(value) for value in content]
        case _:
            return content


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield an empty line and a table, with the first column left-aligned and the others right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    yield ""
    for row in (headings, *rows):
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        yield "  ".join((row[0].ljust(widths[0]), *cells)).rstrip()


def _speed(results: Results) -> Iterator[str]:
    if not results.speed:
        return
    headings = (f"{results.records:,} records", "median s", "min s", "max s", "/ ours", "peak MB")
    rows = [["server alone", f"{results.server:.2f}", "", "", "", ""]]
    for name, runs in results.speed.items():
        seconds = [run.seconds for run in runs]
        figures = [typical(runs), min(seconds), max(seconds), results.ratio(name)]
        cells = [f"{figure:.2f}" for figure in figures]
        rows.append([LABELS[name], *cells, f"{results.memory(name):.0f}"])
    yield from _table(headings, rows)


def _judged_ways(results: Results) -> list[dict[str, Any]]:
    """Return the cost of each way of running, with its bounds and the verdict."""
    judged = way_bounds(results)
    return [
        {
            **asdict(cost),
            "times_plain": cost.times_plain,
            "stock_times_ours": cost.stock and cost.stock / cost.microseconds,
            "bound": ", ".join(str(b) for b in judged[cost.way] if b.figure != "peak MB"),
            "verdict": worst(judged[cost.way]),
        }
        for cost in results.ways
    ]


def _ways(results: Results) -> Iterator[str]:
    headings = ("way", "CPU µs a record", "x plain", "stock / ours", "peak MB", "bound", "verdict")
    rows = [
        (
            row["way"],
            f"{row['microseconds']:.1f}",
            f"{row['times_plain']:.2f}",
            f"{row['stock_times_ours']:.1f}" if row["stock"] else "",
            f"{row['megabytes']:.0f}",
            row["bound"],
            row["verdict"],
        )
        for row in _judged_ways(results)
    ]
    if rows:
        yield from _table(headings, rows)


def _start_up(results: Results) -> Iterator[str]:
    rows = [
        (verb, *(f"{typical(runs[name]):.3f}" for name in ("ours", "stock")))
        for verb, runs in results.start_up.items()
    ]
    if rows:
        yield from _table(("start-up, median s", "ours", "stock"), rows)


def _costs(results: Results) -> Iterator[str]:
    rows = [
        (
            f"{c.records:,}",
            f"{c.page_size:,}",
            c.fields,
            f"{c.seconds:.2f}",
            f"{c.microseconds:.1f}",
        )
        for c in results.costs
    ]
    if rows:
        yield from _table(("records", "a page", "fields", "s", "µs a record"), rows)


def _bounds(results: Results) -> Iterator[str]:
    rows = [
        (bound.figure, f"{bound.value:.2f}", f"{bound.must:g}", _aim(bound), bound.verdict)
        for bound in bounds(results)
    ]
    if rows:
        yield from _table(("figure", "measured", "must", "aim", "verdict"), rows)


def _aim(bound: Bound) -> str:
    return "" if bound.aim is None else f"{bound.aim:g}"
