"""Events have no primary key: a surrogate key is computed from their properties."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog, incremental
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Server

EVENTS: list[dict[str, Any]] = [
    {"date": "2024-01-12T10:00:00Z", "type": "BROWSE", "customer_id": "C1", "path": "/ä,b/"},
    {"date": "2024-01-12T10:00:00Z", "type": "BROWSE", "customer_id": "C2", "path": "/ä,b/"},
    {"date": "2024-01-11T10:00:00.50Z", "type": "SENTIMENT", "sentiment_value": 7},
    {"date": "2024-01-11T10:00:00.50Z", "type": "SENTIMENT", "sentiment_value": 7},
    {"date": "2024-01-09", "type": "MAIL_SUBSCRIBE", "mailing_lists": ["a", "b"]},
]


def keys_of(run: Run) -> list[str]:
    return [record["event_key"] for record in run.records("events")]


def serve(server: Server, *, as_csv: bool = False) -> None:
    text = StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in EVENTS for name in row)))
    writer.writeheader()
    writer.writerows(
        {n: ",".join(v) if isinstance(v, list) else v for n, v in row.items()} for row in EVENTS
    )
    server.replies(Reply(text.getvalue().encode() if as_csv else {"events": EVENTS}))


@pytest.fixture
def expected_keys(run_tap: RunTap, server: Server) -> list[str]:
    """The keys of the events when read as JSON, with the default settings."""
    serve(server)
    return keys_of(run_tap(server.config, catalog=catalog(events=True)))


def test_an_event_has_the_same_key_in_every_mode(
    run_tap: RunTap, server: Server, expected_keys: list[str]
) -> None:
    assert all(len(key) == 64 for key in expected_keys)
    reversed_catalog = catalog(events=True)
    schema = entry_of(reversed_catalog, "events")["schema"]
    schema["properties"] = dict(reversed(schema["properties"].items()))

    reordered = run_tap(server.config, catalog=reversed_catalog)
    by_stream_map = run_tap(
        {**server.config, "stream_maps": {"events": {"type": "type.lower()", "path": None}}},
        catalog=catalog(events=True),
    )
    serve(server, as_csv=True)
    by_csv = run_tap({**server.config, "response_format": "csv"}, catalog=catalog(events=True))

    assert list(reordered.records("events")[0]) == [
        name for name in schema["properties"] if name in {*EVENTS[0], "event_key"}
    ]
    assert keys_of(reordered) == keys_of(by_stream_map) == keys_of(by_csv) == expected_keys
    assert by_stream_map.records("events")[0]["type"] == "browse"


def test_only_equal_events_share_a_key(expected_keys: list[str]) -> None:
    assert expected_keys[2] == expected_keys[3]
    assert len(set(expected_keys)) == len(EVENTS) - 1


def test_an_incremental_read_computes_the_same_keys(
    run_tap: RunTap, server: Server, expected_keys: list[str]
) -> None:
    bookmark = {"replication_key": "date", "replication_key_value": "2024-01-12T00:00:00Z"}

    run = run_tap(
        server.config,
        catalog=incremental("events"),
        state={"bookmarks": {"events": bookmark}},
    )

    assert keys_of(run) == expected_keys[:4]
    state = run.state["bookmarks"]["events"]
    assert state["replication_key_value"] == EVENTS[0]["date"]


def test_a_key_is_computed_from_untruncated_timestamps(run_tap: RunTap, server: Server) -> None:
    dates = ["2024-01-12T10:00:00.1234567Z", "2024-01-12T10:00:00.1234568Z"]
    server.replies(Reply({"events": [{"type": "BROWSE", "date": date} for date in dates]}))
    maps = {"stream_maps": {"events": {"type": "type.lower()"}}}

    run = run_tap(server.config, catalog=catalog(events=True))
    by_stream_map = run_tap({**server.config, **maps}, catalog=catalog(events=True))

    written = {record["date"] for record in run.records("events")}
    assert written == {"2024-01-12T10:00:00.123456Z"}
    # The same as before the fractions were truncated.
    assert (
        keys_of(run)
        == keys_of(by_stream_map)
        == [
            "99541334490ac33a2a673e43b5c0bd2a23517cc480419034627939c4aa39ffb5",
            "667bdebf352d3b3a1fc2282008865644062e8a1f56128db24bec20cd879f64be",
        ]
    )


def test_event_key_is_not_requested(run_tap: RunTap, server: Server) -> None:
    serve(server)

    part = run_tap(server.config, catalog=catalog(events=["type", "customer_id"]))

    assert dict(server.requests[0].query)["fields"] == "type,customer_id"
    assert set(part.schema("events")["properties"]) == {"event_key", "type", "customer_id"}
    assert part.of_type("SCHEMA")[0]["key_properties"] == ["event_key"]
    # Only the selected fields distinguish events.
    assert len(set(keys_of(part))) == 4


def test_events_of_the_sandbox_have_the_same_keys_in_every_run(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    selected = catalog(events=True)
    config = {**sandbox.config, "discover_custom_fields": False}

    in_one_page = run_tap(config, catalog=selected).of_type("RECORD")
    in_pages = run_tap({**config, "page_size": 999}, catalog=selected).of_type("RECORD")

    events = [message["record"] for message in in_one_page]
    assert len(events) == 3000
    assert [message["record"] for message in in_pages] == events
    different = {json.dumps({**event, "event_key": ""}, sort_keys=True) for event in events}
    assert len({event["event_key"] for event in events}) == len(different)


def test_a_selection_without_fields_for_the_key_is_rejected(
    run_tap: RunTap, server: Server
) -> None:
    run = run_tap(server.config, catalog=catalog(events=["event_key"]))

    assert run.exit_code == 1
    assert run.errors == [
        "events failed: event_key is computed from the other fields of events: select some."
    ]
    assert server.requests == []
