"""dbt computes the same figures as Python from the tap's records."""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.dbt.conftest import Project

pytestmark = pytest.mark.dbt


def month_number(date: str) -> int:
    return int(date[:4]) * 12 + int(date[5:7]) - 1


def expected(project: Project) -> list[dict[str, Any]]:
    """Compute the rows of customers_by_month, independently of the SQL models."""
    active_months = project.variables["active_months"]
    person_of = {
        customer["external_id"]: customer.get("canonical_id") or customer["external_id"]
        for customer in project.records["customers"]
    }
    prefix = "sale_" if "sale_external_id" in project.records["sales"][0] else ""
    sales = {sale[f"{prefix}external_id"]: sale for sale in project.records["sales"]}
    spent: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for sale in sales.values():
        customer, state = sale.get(f"{prefix}customer_id"), sale[f"{prefix}state"]
        if customer and state not in {"CANCELLED", "RETURNED"}:
            month = month_number(sale[f"{prefix}date"])
            spent[month][person_of.get(customer, customer)] += sale[f"{prefix}total"]
    rows, known, total = [], dict[str, int](), 0
    for month in range(min(spent), max(spent) + 1):
        new = spent[month].keys() - known.keys()
        known |= dict.fromkeys(spent[month], month)
        total += sum(spent[month].values())
        active = sum(month - last < active_months for last in known.values())
        rows.append(
            {
                "month": f"{month // 12}-{month % 12 + 1:02}-01",
                "new_customers": len(new),
                "active_customers": active,
                "passive_customers": len(known) - active,
                "total_spent_cents": total,
                "lifetime_value_cents": (2 * total + len(known)) // (2 * len(known)),
            }
        )
    return rows


def build(project: Project) -> list[dict[str, Any]]:
    """Build and test all models, and return the rows of customers_by_month."""
    built = project.dbt("build")
    assert (built.returncode, built.stdout) == (0, "")
    rows = project.show('select * from {{ ref("customers_by_month") }} order by month')
    for figure in ("new_customers", "active_customers", "passive_customers"):
        assert sum(row[figure] > 50 for row in rows) >= 2, figure
    return rows


def test_dbt_and_python_compute_the_same_figures(whole_sales: Project) -> None:
    rows = build(whole_sales)

    assert rows == expected(whole_sales)
    if "FIGURES" in os.environ:
        Path(os.environ["FIGURES"]).write_text(json.dumps(rows), encoding="utf-8")


def test_line_items_give_the_same_figures(line_items: Project) -> None:
    assert build(line_items) == expected(line_items)


def test_a_duplicate_primary_key_fails_the_build(line_items: Project, tmp_path: Path) -> None:
    shutil.copytree(line_items.folder, tmp_path, dirs_exist_ok=True)
    project = replace(line_items, folder=tmp_path)
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros/repeat.sql").write_text(
        "{% macro repeat() %}{% do run_query('create or replace table main.sales as "
        "select * from main.sales union all select * from main.sales') %}"
        "{% do adapter.commit() %}{% endmacro %}"
    )
    repeated = project.dbt("run-operation", "repeat")
    assert repeated.returncode == 0, repeated.stdout

    built = project.dbt("build")

    assert built.returncode == 1
    assert "source_unique_custobar_sales_as_rows" in built.stdout
