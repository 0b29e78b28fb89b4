"""The log as JSON lines, with the SDK's log configuration, as in docs/recipes.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox
    from tests.server import Server

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


LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \| [A-Z]+ +\| ")

#: The name of a field, which would make the end of a message look like a line of its own.
NAME = "a\n2024-01-01 | ERROR | b\u2028c"


@pytest.mark.parametrize(
    "config",
    [
        {"stream_options": {"customers": {"custom_fields": {NAME: "integer", NAME[:-1]: "list"}}}},
        {"stream_options": {"customers": {"custom_fields": {NAME: "x"}}}},
        {"stream_options": {"customers": {NAME: "x"}}},
        {"stream_options": {"customers": {"filters": {NAME: "x"}}}},
        {"stream_options": {"customers": {"hash": [NAME]}}, "hash_key": "0" * 16},
        {NAME: "x"},
    ],
    ids=str,
)
@pytest.mark.parametrize("has_catalog", [False, True])
def test_a_name_with_line_breaks_does_not_make_several_lines(
    run_tap: RunTap, server: Server, config: dict[str, Any], *, has_catalog: bool
) -> None:
    values = {NAME: "y\0", NAME[:-1]: {"a": "\0"}}
    server.replies(Reply({"customers": [{"external_id": "1", **values}], "products": []}))
    edited = catalog(customers=True)
    entry = entry_of(edited)
    members = {"properties": {NAME: {"type": "string"}}}
    entry["schema"]["properties"][NAME] = {"type": "string"}
    entry["schema"]["properties"]["o\n"] = {"type": "object", **members}
    entry["metadata"] += [
        {"breadcrumb": ["properties", "o\n"], "metadata": {"selected": False}},
        {"breadcrumb": ["properties", "o\n", "properties", NAME], "metadata": {"selected": True}},
    ]

    run = run_tap({**server.config, **config}, catalog=edited if has_catalog else None)

    assert "a 2024-01-01 | ERROR | b" in run.log
    assert [line for line in run.log.splitlines() if not LINE.match(line)] == []
