from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.catalogs import catalog

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox

STREAMS = ["customers", "products"]
PREVIEWS = ["sales", "events", "campaigns"]


@pytest.mark.parametrize("page_size", [None, 100, 7])
def test_every_record_is_written_once_and_in_order(
    run_tap: RunTap, sandbox: Sandbox, page_size: int | None
) -> None:
    run = run_tap({**sandbox.config, **({"page_size": page_size} if page_size else {})})

    assert run.exit_code == 0
    assert run.errors == []
    assert len(run.ids("customers")) == sandbox.customers
    assert len(run.ids("products")) == sandbox.products
    for stream in STREAMS:
        assert run.ids(stream) == sorted(set(run.ids(stream)))


def test_values_are_the_same_as_in_the_api(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap({**sandbox.config, "discover_custom_fields": False})

    body = requests.get(
        f"{sandbox.url}/data/customers/?limit=1000",
        headers={"Authorization": "Token APISANDBOX"},
        timeout=60,
    ).json()
    known = run.schema("customers")["properties"]
    expected = [{k: v for k, v in row.items() if k in known} for row in body["customers"]]
    assert run.records("customers") == expected


def test_the_schema_has_the_primary_key_and_describes_every_field(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap(sandbox.config)

    for message in run.of_type("SCHEMA"):
        Draft202012Validator.check_schema(message["schema"])
        assert message["key_properties"] == ["external_id"]
        assert message.get("bookmark_properties") is None
        for definition in message["schema"]["properties"].values():
            assert definition["type"]
            assert definition["description"]


def test_messages_are_in_the_order_that_targets_expect(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config)

    for stream in STREAMS:
        kinds = [m["type"] for m in run.messages if m.get("stream") == stream]
        assert kinds[0] == "SCHEMA"
        assert set(kinds[1:]) == {"RECORD"}
    assert run.messages[-1]["type"] == "STATE"
    assert set(run.messages[-1]["value"]["bookmarks"]) == set(STREAMS)


def test_with_the_state_of_a_complete_sync_everything_is_read_again(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    first = run_tap(sandbox.config)
    second = run_tap(sandbox.config, state=first.messages[-1]["value"])

    assert second.ids("customers") == first.ids("customers")


def test_a_deselected_stream_is_not_read(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config, catalog=catalog(products=True))

    assert {m.get("stream") for m in run.messages} == {"products", None}
    assert len(run.ids("products")) == sandbox.products


def test_the_option_test_reads_one_record_of_each_stream(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config, "--test")

    assert run.exit_code == 0
    assert [m["stream"] for m in run.of_type("RECORD")] == STREAMS
    assert "stopped after" not in run.log


def test_without_a_config_about_discover_and_version_work_offline(run_tap: RunTap) -> None:
    about = json.loads(run_tap(None, "--about", "--format", "json").stdout)
    assert about["name"] == "tap-custobar"
    assert "test" in about["capabilities"]
    assert about["settings"]["properties"]["api_token"]["secret"] is True

    catalog = json.loads(run_tap(None, "--discover").stdout)
    assert {entry["tap_stream_id"] for entry in catalog["streams"]} == {*STREAMS, *PREVIEWS}

    assert run_tap(None, "--version").stdout.startswith("tap-custobar v")


def test_each_stream_is_summarized_in_one_log_line(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap({**sandbox.config, "page_size": 100})

    summaries = [line for line in run.log.splitlines() if "records/s" in line]
    assert len(summaries) == len(STREAMS)
    assert "250 records, 3 pages" in summaries[0]
    assert "160 records, 2 pages" in summaries[1]


def test_deletes_are_sent_after_the_last_record_of_a_complete_table(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap({**sandbox.config, "emit_activate_version_messages": True})

    kinds = [m["type"] for m in run.messages if m.get("stream") == "customers"]
    assert kinds.index("ACTIVATE_VERSION") == len(kinds) - 1
    assert {m["version"] for m in run.of_type("RECORD")} == {
        m["version"] for m in run.of_type("ACTIVATE_VERSION")
    }


def test_deletes_are_not_sent_if_only_part_of_the_table_was_read(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap(
        {
            **sandbox.config,
            "emit_activate_version_messages": True,
            "stream_options": {"customers": {"filters": {"can_email": True}}},
        }
    )

    assert [m["stream"] for m in run.of_type("ACTIVATE_VERSION")] == ["products"]
