"""Catalogs, states and lines of the Airbyte protocol."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from singer_sdk.singerlib import RecordMessage, SchemaMessage, StateMessage

from tap_custobar.airbyte.protocol import (
    ConfiguredStream,
    airbyte_stream,
    connection_specification,
    singer_catalog,
    singer_state,
    unknown,
)
from tap_custobar.airbyte.source import AirbyteTap
from tap_custobar.airbyte.writer import AirbyteWriter
from tap_custobar.tap import TapCustobar

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
FIELDS = {"id": {"type": "string"}, "date": {"type": ["string", "null"]}, "n": {"type": "integer"}}


def entry(name: str = "sales", root: object = None) -> dict[str, Any]:
    """Return an entry of a Singer catalog."""
    return {
        "tap_stream_id": name,
        "key_properties": ("id",),
        "schema": {"type": "object", "properties": FIELDS},
        "metadata": [{"breadcrumb": (), "metadata": root or {}}],
    }


INCREMENTAL = entry(root={"valid-replication-keys": ["date"]})


def wanted(**modes: str) -> dict[str, ConfiguredStream]:
    return {name: configured(name, mode) for name, mode in modes.items()}


def configured(name: str, mode: str, **schema: object) -> ConfiguredStream:
    stream = {"name": name, "json_schema": schema, "namespace": None}
    return msgspec.convert({"stream": stream, "sync_mode": mode, "sync_id": 3}, ConfiguredStream)


def root_of(catalog: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of the only stream itself."""
    (stream,) = catalog["streams"]
    (root,) = [item["metadata"] for item in stream["metadata"] if not item["breadcrumb"]]
    return dict(root)


def selected(catalog: dict[str, Any]) -> list[str]:
    (stream,) = catalog["streams"]
    items = [item for item in stream["metadata"] if item["breadcrumb"]]
    return [item["breadcrumb"][1] for item in items if item["metadata"]["selected"]]


def test_a_stream_with_a_replication_key_is_offered_incrementally() -> None:
    offered = airbyte_stream(INCREMENTAL)

    assert offered["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert offered["source_defined_cursor"] is True
    assert offered["default_cursor_field"] == ["date"]


def test_incremental_uses_the_cursor_defined_by_the_source() -> None:
    catalog = singer_catalog(wanted(sales="incremental"), [INCREMENTAL])

    assert root_of(catalog) == {
        "selected": True,
        "replication-method": "INCREMENTAL",
        "replication-key": "date",
    }


@pytest.mark.parametrize(
    ("mode", "known"), [("full_refresh", INCREMENTAL), ("incremental", entry())]
)
def test_other_modes_use_full_table_replication(mode: str, known: dict[str, Any]) -> None:
    catalog = singer_catalog(wanted(sales=mode), [known])

    assert root_of(catalog) == {"selected": True, "replication-method": "FULL_TABLE"}


def test_unconfigured_streams_are_not_selected() -> None:
    catalog = singer_catalog({}, [entry()])

    assert root_of(catalog)["selected"] is False
    assert selected(catalog) == []


@pytest.mark.parametrize("properties", [None, {}])
def test_without_properties_all_fields_are_selected(properties: dict[str, Any] | None) -> None:
    streams = {"sales": configured("sales", "full_refresh", properties=properties)}

    assert selected(singer_catalog(streams, [entry()])) == [*FIELDS]


def test_an_empty_primary_key_is_ignored() -> None:
    streams = wanted(sales="full_refresh")
    streams["sales"].stream.source_defined_primary_key = [[]]

    assert singer_catalog(streams, [entry()])["streams"][0]["key_properties"] == ("id",)


def test_a_field_has_the_type_that_the_destination_knows() -> None:
    chosen = {"n": {"type": ["null", "string"]}, "gone": {"type": "string"}}
    streams = {"sales": configured("sales", "full_refresh", properties=chosen)}

    catalog = singer_catalog(streams, [entry()])

    assert selected(catalog) == ["n"]
    assert catalog["streams"][0]["schema"]["properties"] == {**FIELDS, "n": chosen["n"]}
    assert [*unknown(streams, [entry()])] == ["sales.gone"]
    assert [*unknown(streams, [entry("customers")])] == ["sales"]


CHECKPOINT = {"next": "/api/data/sales/?cursor=2"}
BOOKMARK = {"replication_key_value": "2026-01-01T00:00:00Z", "resume": CHECKPOINT}
STREAM = {"stream_descriptor": {"name": "sales", "namespace": None}, "stream_state": BOOKMARK}


@pytest.mark.parametrize(
    "state",
    [
        [{"type": "STREAM", "stream": STREAM}],
        [{"type": "STREAM", "stream": STREAM, "global": None, "data": None}],
        {"type": "STREAM", "stream": STREAM},
        {"type": "LEGACY", "data": {"sales": BOOKMARK}},
        [{"data": {"sales": BOOKMARK, "orders": {}}}],
        {"sales": BOOKMARK},
    ],
)
def test_all_shapes_of_state_are_accepted(state: object) -> None:
    def given_to(mode: str) -> dict[str, Any]:
        return singer_state(wanted(sales=mode), state)

    assert given_to("incremental") == {"bookmarks": {"sales": BOOKMARK}}
    assert given_to("full_refresh") == {"bookmarks": {"sales": {"resume": CHECKPOINT}}}


@pytest.mark.parametrize("stream_state", [None, {}])
@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_an_empty_stream_state_is_accepted(stream_state: object, mode: str) -> None:
    state = [{"type": "STREAM", "stream": {**STREAM, "stream_state": stream_state}}]

    (bookmark,) = singer_state(wanted(sales=mode), state)["bookmarks"].values()

    assert not any(bookmark.values())


@pytest.mark.parametrize("state", [[], {}, [{}], {"data": None}, {"type": "LEGACY", "data": {}}])
def test_a_missing_state_is_accepted(state: object) -> None:
    assert singer_state(wanted(sales="incremental"), state) == {"bookmarks": {}}


@pytest.mark.parametrize("state", [1, None, "x", [1], {"sales": []}, {"stream": 1}])
def test_an_invalid_state_is_rejected(state: object) -> None:
    with pytest.raises(TypeError):
        singer_state({}, state)


def test_the_form_has_one_type_where_it_can() -> None:
    nullable = {"type": ["string", "null"]}
    schema = {
        "type": ["object", "null"],
        "properties": {"secret": {**nullable, "secret": True, "writeOnly": True}, "type": nullable},
        "additionalProperties": False,
        "items": [nullable],
    }

    assert connection_specification(schema) == {
        "type": "object",
        "properties": {
            "secret": {"type": "string", "airbyte_secret": True},
            "type": {"type": "string"},
        },
        "additionalProperties": False,
        "items": [nullable],
    }


Lines = list[dict[str, Any]]


def written(capsysbinary: pytest.CaptureFixture[bytes]) -> Lines:
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def test_a_batch_gives_the_same_lines_as_its_records_one_by_one(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    records: Lines = [{"id": "1", "text": 'a "b" \n ä'}, {"id": "2", "n": 12345678901234567890}, {}]
    outputs = []
    for as_page in (True, False):
        writer = AirbyteWriter()
        if as_page:
            rows = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
            writer.write_batch("sales", rows, count=3, time_extracted=NOW, version=7)
        else:
            for record in records:
                writer.write_message(RecordMessage("sales", record, time_extracted=NOW))
        outputs.append(capsysbinary.readouterr().out.splitlines()[1:])  # not the status

    assert outputs[0] == outputs[1]
    assert [json.loads(line) for line in outputs[0]] == [
        {"type": "RECORD", "record": {"stream": "sales", "data": r, "emitted_at": 1767323045678}}
        for r in records
    ]


def test_states_count_the_records_since_the_last_one(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    writer = AirbyteWriter()
    bookmarks: dict[str, Any] = {"sales": {}, "orders": {"a": 1}}
    writer.write_message(StateMessage({"bookmarks": bookmarks}))
    with writer.reading("sales"):
        writer.write_message(SchemaMessage("sales", {}))
        for page in range(3):
            for _ in range(page):
                writer.write_message(RecordMessage("sales", {}))
            writer.write_message(StateMessage({"bookmarks": bookmarks}))
        bookmarks["sales"]["b"] = 2
        writer.write_message(RecordMessage("sales", {}))
    with writer.reading("orders"):
        pass

    lines = [line["state"] for line in written(capsysbinary) if line["type"] == "STATE"]
    states = [(s["stream"]["stream_state"], s["sourceStats"]["recordCount"]) for s in lines]
    assert states == [({}, 0), ({}, 1), ({}, 2), ({"b": 2}, 1), ({"a": 1}, 0)]
    assert [s["stream"]["stream_descriptor"]["name"] for s in lines] == ["sales"] * 4 + ["orders"]


def test_discovery_and_read_share_one_connection() -> None:
    config = {"company": "acme", "api_token": "x", "discover_custom_fields": False}
    known = TapCustobar(config=config)

    tap = AirbyteTap(known, AirbyteWriter(), catalog={"streams": []})

    assert tap.connection is known.connection
