"""Real targets load untidy data of every kind that the sandbox generates, without an error."""

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
    """A config that declares the type of every custom field."""
    return {
        **untidy_sandbox.config,
        "page_size": 100,
        "timezone": "Europe/Helsinki",
        "stream_options": {
            "customers": {"custom_fields": dict(custom_fields.CUSTOMERS)},
            "products": {"custom_fields": dict(custom_fields.PRODUCTS)},
        },
    }


def record_counts(sandbox: Sandbox) -> dict[str, int]:
    """Return how many rows of each stream become records."""
    return {
        "customers": sandbox.customers - untidy.skipped(customers(sandbox.customers)),
        "products": sandbox.products - untidy.skipped(products(sandbox.products)),
    }


def test_valid_values_are_written_and_the_others_are_counted_in_the_log(
    config: dict[str, Any], untidy_sandbox: Sandbox, run_tap: RunTap
) -> None:
    run = run_tap(config)

    assert run.exit_code == 0
    for stream, generate in (("customers", customers), ("products", products)):
        size = getattr(untidy_sandbox, stream)
        assert len(run.records(stream)) == record_counts(untidy_sandbox)[stream]
        summary = next(
            line for line in run.log.splitlines() if "records/s" in line and stream in line
        )
        unfit = untidy.unfit(generate(size))
        assert f"{counted(sum(unfit.values()), 'value')} nulled" in summary
        assert f"{counted(untidy.skipped(generate(size)), 'record')} skipped" in summary
        for name, count in unfit.items():
            assert f"{counted(count, 'value')} of {name} did not match" in run.log
    assert run.log.count("discarded: surprise.") == 2
    for value in ("maybe", "yesterday", "12,50", "31.12.1999"):
        assert value not in run.log


def test_target_jsonl_loads_untidy_data(
    config: dict[str, Any], untidy_sandbox: Sandbox, pipe: Pipe, tmp_path: Path
) -> None:
    target_config = {"destination_path": str(tmp_path), "do_timestamp_file": False}

    piped = pipe(config, "jsonl", target_config)

    assert piped.exit_codes == (0, 0), piped.target_log
    for stream, count in record_counts(untidy_sandbox).items():
        lines = (tmp_path / f"{stream}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == count
        assert all(json.loads(line)["external_id"] for line in lines)


def test_target_csv_loads_untidy_data(
    config: dict[str, Any], untidy_sandbox: Sandbox, pipe: Pipe, tmp_path: Path
) -> None:
    piped = pipe(config, "csv", {"output_path": str(tmp_path)})

    assert piped.exit_codes == (0, 0), piped.target_log
    for stream, count in record_counts(untidy_sandbox).items():
        with (tmp_path / f"{stream}.csv").open(encoding="utf-8", newline="") as file:
            assert sum(1 for _ in csv.DictReader(file)) == count


def test_target_postgres_loads_untidy_data(
    config: dict[str, Any], untidy_sandbox: Sandbox, pipe: Pipe, postgres: Postgres
) -> None:
    piped = pipe(config, "postgres", postgres.config("untidy"))

    assert piped.exit_codes == (0, 0), piped.target_log
    for stream, count in record_counts(untidy_sandbox).items():
        assert postgres.query(f"SELECT count(*) FROM untidy.{stream}") == [{"count": count}]  # noqa: S608
