from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Reply, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox, Server

Catalog = dict[str, Any]


def test_three_selected_fields_are_all_that_is_asked_for_and_emitted(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi", "city": "Oulu"}]}))

    run = run_tap(server.config, catalog=catalog_of(customers=["last_name", "email"]))

    assert dict(server.requests[0].query)["fields"] == "external_id,email,last_name"
    assert list(run.schema("customers")["properties"]) == ["external_id", "email", "last_name"]
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]


def test_no_fields_are_named_when_all_are_selected(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    run_tap(server.config, catalog=catalog_of(customers=True))

    assert [name for name, _ in server.requests[0].query] == ["limit"]


def test_selected_fields_have_the_values_of_a_full_read(
    run_tap: RunTap, sandbox: Sandbox, catalog_of: Callable[..., Catalog]
) -> None:
    wanted = ["email", "mailing_lists", "can_email"]
    full = run_tap(sandbox.config).records("customers")

    run = run_tap(sandbox.config, catalog=catalog_of(customers=wanted))

    assert run.records("customers") == [
        {k: v for k, v in record.items() if k in {"external_id", *wanted}} for record in full
    ]


def test_the_key_is_kept_whatever_an_edited_catalog_says(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi"}]}))
    catalog = catalog_of(customers=["email"])
    entry = entry_of(catalog)
    del entry["key_properties"]
    del entry["schema"]["properties"]["external_id"]
    entry["metadata"] = [
        {"breadcrumb": [], "metadata": {"selected": True}},
        {"breadcrumb": ["properties", "external_id"], "metadata": {"selected": False}},
    ]

    run = run_tap(server.config, catalog=catalog)

    assert run.of_type("SCHEMA")[0]["key_properties"] == ["external_id"]
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]


def test_a_property_dropped_from_the_catalogs_schema_is_not_asked_for(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    catalog = catalog_of(customers=True)
    entry = entry_of(catalog)
    entry["schema"]["properties"] = {
        name: entry["schema"]["properties"][name] for name in ("external_id", "email")
    }

    run_tap(server.config, catalog=catalog)

    assert dict(server.requests[0].query)["fields"] == "external_id,email"


def test_a_selected_stream_that_does_not_exist_is_refused_by_name(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    catalog = catalog_of(customers=True)
    catalog["streams"].append({**entry_of(catalog), "tap_stream_id": "custmers"})

    run = run_tap(server.config, catalog=catalog)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "selects a stream custmers, which does not exist" in run.errors[0]
    assert server.requests == []


def test_a_replication_key_that_a_stream_does_not_have_is_refused_by_name(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    catalog = catalog_of(customers=True)
    entry_of(catalog)["metadata"][-1]["metadata"]["replication-key"] = "date_joined"

    run = run_tap(server.config, catalog=catalog)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "replication-key date_joined is not valid for customers" in run.errors[0]


def test_too_many_fields_to_name_are_all_read_and_the_rest_dropped(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi", "city": "Oulu"}]}))
    catalog = catalog_of(customers=True)
    entry = entry_of(catalog)
    for number in range(300):
        entry["schema"]["properties"][f"acme__{number:030}"] = {"type": ["string", "null"]}
    entry["metadata"].append(
        {"breadcrumb": ["properties", "city"], "metadata": {"selected": False}}
    )

    run = run_tap(server.config, catalog=catalog)

    assert "fields" not in dict(server.requests[0].query)
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]
    assert "dropped" not in run.log


@pytest.mark.parametrize(
    ("definition", "value", "kept"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "12", 12),
        (
            {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "2024-05-01T12:00:00+03:00",
            "2024-05-01T09:00:00Z",
        ),
        ({"type": ["null"]}, 5, None),
        ({"type": ["string", "null"], "enum": ["a"]}, "b", "b"),
        ({"type": ["string", "null"], "maxLength": 1}, "long", "long"),
        ({"type": ["integer", "null"], "minimum": 10}, 5, 5),
        ({"type": ["string", "null"], "format": "email"}, "no address", "no address"),
        ({"type": ["object", "null"], "required": ["a"]}, {"b": 1}, {"b": 1}),
        ({"type": ["object", "null"], "additionalProperties": False}, {"b": 1}, {"b": 1}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_whatever_an_edited_catalog_demands_records_fit_the_schema_that_is_written(
    run_tap: RunTap,
    server: Server,
    catalog_of: Callable[..., Catalog],
    definition: object,
    value: object,
    kept: object,
) -> None:
    server.replies(Reply({"customers": [{"external_id": 1, "acme__x": value}]}))
    catalog = catalog_of(customers=True)
    properties = entry_of(catalog)["schema"]["properties"]
    properties["acme__x"] = definition
    properties["external_id"] = {"type": "integer"}  # a key stays what it is

    run = run_tap(server.config, catalog=catalog)

    assert run.records("customers") == [{"external_id": "1", "acme__x": kept}]


def test_a_catalog_that_selects_nothing_is_told(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    run = run_tap(server.config, catalog=catalog_of())

    assert run.exit_code == 0
    assert "The catalog selects no stream: nothing is read" in run.log
    assert server.requests == []


@pytest.mark.parametrize("first", ["--test", "--catalog"])
def test_the_test_verb_heeds_the_catalog(
    run_tap: RunTap,
    server: Server,
    catalog_of: Callable[..., Catalog],
    tmp_path: Path,
    first: str,
) -> None:
    rows = [{"external_id": str(i)} for i in range(5)]
    server.replies(Reply({"customers": rows}))
    file = tmp_path / "chosen.json"
    file.write_text(json.dumps(catalog_of(customers=True)))
    arguments = ["--catalog", str(file), "--test"]
    if first == "--test":
        arguments = ["--test", "--catalog", str(file)]

    run = run_tap({**server.config, "discover_custom_fields": True}, *arguments)

    assert run.exit_code == 0
    assert [r.target for r in server.requests] == ["/api/data/customers/?limit=2"]
    assert run.ids("customers") == ["0"]
