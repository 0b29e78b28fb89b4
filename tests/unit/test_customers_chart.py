"""The picture shows every month's figures, each part of a bar as high as its count."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scripts.customers_chart import svg

if TYPE_CHECKING:
    from scripts.customers_chart import Row

ROWS: list[Row] = [
    {
        "month": f"2026-0{month}-01",
        "new_customers": 10 * month,
        "active_customers": 30 * month,
        "passive_customers": 15 * month,
        "lifetime_value_cents": 123_456 * month,
    }
    for month in (1, 2)
]


def test_the_picture_shows_the_figures_of_each_month() -> None:
    chart = svg(ROWS)

    texts = re.findall(r"<text[^>]*>([^<]*)</text>", chart)
    assert {"Jan 2026", "45", "1,235", "Feb 2026", "90", "2,469"} <= set(texts)
    bars = re.findall(r'class="(new|returning|bar)" x=.+ height="(\d+\.\d)"', chart)
    january, february = bars[:3], bars[3:]
    assert [kind for kind, _ in january] == ["new", "returning", "bar"]
    heights = [float(height) for _, height in january]
    assert heights == pytest.approx([heights[0], 2 * heights[0], 1.5 * heights[0]], abs=0.2)
    assert [float(height) for _, height in february] == pytest.approx(
        [2 * height for height in heights], abs=0.2
    )


def test_the_picture_has_colours_for_light_and_for_dark() -> None:
    chart = svg(ROWS)

    for part in ("new", "returning", "bar"):
        assert len(set(re.findall(rf"\.{part} {{ fill: (#\w+)", chart))) >= 2
