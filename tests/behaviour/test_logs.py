"""The log as JSON lines, with the SDK's log configuration, as in docs/recipes.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox

EXAMPLE = Path(__file__).parent.parent.parent / "examples/logging/json.yml"


def test_each_line_is_a_json_object(sandbox: Sandbox, run_tap: RunTap) -> None:
    run = run_tap(
        sandbox.config,
        env={"SINGER_SDK_LOG_CONFIG": str(EXAMPLE)},
    )

    assert run.exit_code == 0, run.log
    lines = [json.loads(line) for line in run.log.splitlines()]
    summaries = {line["logger_name"]: line for line in lines if " MB " in line["message"]}
    for stream, records in (("customers", 250), ("products", 160)):
        summary = summaries[f"tap-custobar.{stream}"]
        assert summary["level"] == "info"
        assert summary["message"].startswith(f"{stream}: {records} records, 1 page, ")
    metrics = [line["metric_info"] for line in lines if "metric_info" in line]
    assert {"record_count", "sync_duration"} <= {metric["metric"] for metric in metrics}


def test_a_failure_is_one_line(sandbox: Sandbox, run_tap: RunTap) -> None:
    run = run_tap(
        {**sandbox.config, "api_token": "APIOTHER"}, env={"SINGER_SDK_LOG_CONFIG": str(EXAMPLE)}
    )

    assert run.exit_code == 1
    errors = [line for line in map(json.loads, run.log.splitlines()) if line["level"] == "error"]
    assert [error["message"].partition(":")[0] for error in errors] == [
        "Custobar did not accept the token (401)"
    ]
    assert "APIOTHER" not in run.log
