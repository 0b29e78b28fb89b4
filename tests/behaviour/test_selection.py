from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conftest import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

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
    entry = catalog["streams"][0]
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
    entry = catalog["streams"][0]
    entry["schema"]["properties"] = {
        name: entry["schema"]["properties"][name] for name in ("external_id", "email")
    }

    run_tap(server.config, catalog=catalog)

    assert dict(server.requests[0].query)["fields"] == "external_id,email"


def test_a_selected_stream_that_does_not_exist_is_refused_by_name(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    catalog = catalog_of(customers=True)
    catalog["streams"].append({**catalog["streams"][0], "tap_stream_id": "custmers"})

    run = run_tap(server.config, catalog=catalog)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "selects a stream custmers, which does not exist" in run.errors[0]
    assert server.requests == []


def test_a_replication_key_that_a_stream_does_not_have_is_refused_by_name(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    catalog = catalog_of(customers=True)
    catalog["streams"][0]["metadata"][-1]["metadata"]["replication-key"] = "date_joined"

    run = run_tap(server.config, catalog=catalog)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "replication-key date_joined is not valid for customers" in run.errors[0]
