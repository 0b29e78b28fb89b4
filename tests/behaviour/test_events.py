"""Events have no key of their own: what they are makes one."""

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


def keys(run: Run) -> list[str]:
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
def plain_keys(run_tap: RunTap, server: Server) -> list[str]:
    """The keys of the events, read in the plainest way."""
    serve(server)
    return keys(run_tap(server.config, catalog=catalog(events=True)))


def test_a_key_is_the_same_however_the_event_came(
    run_tap: RunTap, server: Server, plain_keys: list[str]
) -> None:
    assert all(len(key) == 64 for key in plain_keys)
    turned = catalog(events=True)
    schema = entry_of(turned, "events")["schema"]
    schema["properties"] = dict(reversed(schema["properties"].items()))

    reordered = run_tap(server.config, catalog=turned)
    by_the_sdk = run_tap(
        {**server.config, "stream_maps": {"events": {"type": "type.lower()", "path": None}}},
        catalog=catalog(events=True),
    )
    serve(server, as_csv=True)
    as_csv = run_tap({**server.config, "response_format": "csv"}, catalog=catalog(events=True))

    assert list(reordered.records("events")[0]) == [
        name for name in schema["properties"] if name in {*EVENTS[0], "event_key"}
    ]
    assert keys(reordered) == keys(by_the_sdk) == keys(as_csv) == plain_keys
    assert by_the_sdk.records("events")[0]["type"] == "browse"


def test_only_equal_events_share_a_key(plain_keys: list[str]) -> None:
    assert plain_keys[2] == plain_keys[3]
    assert len(set(plain_keys)) == len(EVENTS) - 1


def test_what_is_new_has_the_keys_that_it_had(
    run_tap: RunTap, server: Server, plain_keys: list[str]
) -> None:
    bookmark = {"replication_key": "date", "replication_key_value": "2024-01-12T00:00:00Z"}

    run = run_tap(
        server.config,
        catalog=incremental("events"),
        state={"bookmarks": {"events": bookmark}},
    )

    assert keys(run) == plain_keys[:4]
    state = run.of_type("STATE")[-1]["value"]["bookmarks"]["events"]
    assert state["replication_key_value"] == EVENTS[0]["date"]


def test_a_key_is_made_of_the_whole_fraction_that_leaves_cut(
    run_tap: RunTap, server: Server
) -> None:
    dates = ["2024-01-12T10:00:00.1234567Z", "2024-01-12T10:00:00.1234568Z"]
    server.replies(Reply({"events": [{"type": "BROWSE", "date": date} for date in dates]}))
    maps = {"stream_maps": {"events": {"type": "type.lower()"}}}

    run = run_tap(server.config, catalog=catalog(events=True))
    by_the_sdk = run_tap({**server.config, **maps}, catalog=catalog(events=True))

    left = {record["date"] for record in run.records("events")}
    assert left == {"2024-01-12T10:00:00.123456Z"}
    # As they were when the date left whole.
    assert (
        keys(run)
        == keys(by_the_sdk)
        == [
            "99541334490ac33a2a673e43b5c0bd2a23517cc480419034627939c4aa39ffb5",
            "667bdebf352d3b3a1fc2282008865644062e8a1f56128db24bec20cd879f64be",
        ]
    )


def test_the_key_is_never_asked_for(run_tap: RunTap, server: Server) -> None:
    serve(server)

    part = run_tap(server.config, catalog=catalog(events=["type", "customer_id"]))

    assert dict(server.requests[0].query)["fields"] == "type,customer_id"
    assert set(part.schema("events")["properties"]) == {"event_key", "type", "customer_id"}
    assert part.of_type("SCHEMA")[0]["key_properties"] == ["event_key"]
    # Told apart by what is selected, and by nothing else.
    assert len(set(keys(part))) == 4


def test_events_of_the_sandbox_have_the_same_keys_in_every_run(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    chosen = catalog(events=True)
    config = {**sandbox.config, "discover_custom_fields": False}

    whole = run_tap(config, catalog=chosen).of_type("RECORD")
    in_pages = run_tap({**config, "page_size": 999}, catalog=chosen).of_type("RECORD")

    events = [message["record"] for message in whole]
    assert len(events) == 3000
    assert [message["record"] for message in in_pages] == events
    different = {json.dumps({**event, "event_key": ""}, sort_keys=True) for event in events}
    assert len({event["event_key"] for event in events}) == len(different)


def test_a_key_that_would_be_made_of_nothing_is_refused(run_tap: RunTap, server: Server) -> None:
    run = run_tap(server.config, catalog=catalog(events=["event_key"]))

    assert run.exit_code == 1
    assert run.errors == [
        "events failed: event_key is computed from the other fields of events: select some."
    ]
    assert server.requests == []
