"""Untidy data, of every kind that the sandbox knows, into real targets: none stops."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.sandbox import custom_fields, untidy
from tap_custobar.sandbox.customers import customers
from tap_custobar.sandbox.products import products
from tap_custobar.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox
    from tests.targets.conftest import Pipe, Postgres


@pytest.fixture
def config(untidy_sandbox: Sandbox) -> dict[str, Any]:
    """Settings that declare every custom field by its type."""
    return {
        **untidy_sandbox.config,
        "page_size": 100,
        "timezone": "Europe/Helsinki",
        "stream_options": {
            "customers": {"custom_fields": dict(custom_fields.CUSTOMERS)},
            "products": {"custom_fields": dict(custom_fields.PRODUCTS)},
        },
    }


def kept(sandbox: Sandbox) -> dict[str, int]:
    """How many rows of each stream are records."""
    return {
        "customers": sandbox.customers - untidy.skipped(customers(sandbox.customers)),
        "products": sandbox.products - untidy.skipped(products(sandbox.products)),
    }


def test_all_that_can_be_kept_fits_its_schema_and_the_rest_is_told(
    config: dict[str, Any], untidy_sandbox: Sandbox, run_tap: RunTap
) -> None:
    run = run_tap(config)

    assert run.exit_code == 0
    for stream, make in (("customers", customers), ("products", products)):
        size = getattr(untidy_sandbox, stream)
        assert len(run.records(stream)) == kept(untidy_sandbox)[stream]
        summary = next(
            line for line in run.log.splitlines() if "records/s" in line and stream in line
        )
        unfit = untidy.unfit(make(size))
        assert f"{counted(sum(unfit.values()), 'value')} nulled" in summary
        assert f"{counted(untidy.skipped(make(size)), 'record')} skipped" in summary
        for name, count in unfit.items():
            assert f"{counted(count, 'value')} of {name} did not match" in run.log
    assert run.log.count("discarded: surprise.") == 2
    for value in ("maybe", "yesterday", "12,50", "31.12.1999"):
        assert value not in run.log


def test_target_jsonl_takes_it(
    config: dict[str, Any], untidy_sandbox: Sandbox, pipe: Pipe, tmp_path: Path
) -> None:
    target_config = {"destination_path": str(tmp_path), "do_timestamp_file": False}

    piped = pipe(config, "jsonl", target_config)

    assert piped.exit_codes == (0, 0), piped.target_log
    for stream, count in kept(untidy_sandbox).items():
        lines = (tmp_path / f"{stream}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == count
        assert all(json.loads(line)["external_id"] for line in lines)


def test_target_csv_takes_it(
    config: dict[str, Any], untidy_sandbox: Sandbox, pipe: Pipe, tmp_path: Path
) -> None:
    piped = pipe(config, "csv", {"output_path": str(tmp_path)})

    assert piped.exit_codes == (0, 0), piped.target_log
    for stream, count in kept(untidy_sandbox).items():
        with (tmp_path / f"{stream}.csv").open(encoding="utf-8", newline="") as file:
            assert sum(1 for _ in csv.DictReader(file)) == count


def test_postgresql_takes_it(
    config: dict[str, Any], untidy_sandbox: Sandbox, pipe: Pipe, postgres: Postgres
) -> None:
    piped = pipe(config, "postgres", postgres.config("untidy"))

    assert piped.exit_codes == (0, 0), piped.target_log
    for stream, count in kept(untidy_sandbox).items():
        assert postgres.query(f"SELECT count(*) FROM untidy.{stream}") == [{"count": count}]  # noqa: S608
