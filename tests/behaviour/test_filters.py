"""Every example of the specification, as a user configures it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.test_airbyte import configured_stream, source
from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.behaviour.test_airbyte import RunSource
    from tests.conftest import RunTap, Sandbox
    from tests.server import Request, Server

__all__ = ["source"]  # a fixture

Catalog = dict[str, Any]


def read(run_tap: RunTap, sandbox: Sandbox, stream: str, **options: object) -> list[dict[str, Any]]:
    run = run_tap({**sandbox.config, "stream_options": {stream: options}})
    assert run.exit_code == 0
    return run.records(stream)


def test_example_customers_by_external_id(run_tap: RunTap, sandbox: Sandbox) -> None:
    records = read(run_tap, sandbox, "customers", filters={"external_id": "C00000007"})

    assert [record["external_id"] for record in records] == ["C00000007"]


def test_example_an_unknown_external_id(run_tap: RunTap, sandbox: Sandbox) -> None:
    assert read(run_tap, sandbox, "customers", filters={"external_id": "CUSTOMERID"}) == []


def test_example_customers_by_email(run_tap: RunTap, sandbox: Sandbox) -> None:
    everyone = run_tap(sandbox.config).records("customers")
    email = next(record["email"] for record in everyone if "email" in record)

    records = read(run_tap, sandbox, "customers", filters={"email": email})

    assert records == [record for record in everyone if record.get("email") == email]


def test_example_customers_by_last_name_with_can_email(run_tap: RunTap, sandbox: Sandbox) -> None:
    filters = {"last_name": "Anderson", "can_email": True}

    records = read(run_tap, sandbox, "customers", filters=filters)

    assert records
    assert {(r["last_name"], r["can_email"]) for r in records} == {("Anderson", True)}


def test_example_limit(run_tap: RunTap, server: Server) -> None:
    run_tap({**server.config, "page_size": 1000})

    assert dict(server.requests[0].query)["limit"] == "1000"


def test_example_fields(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config, catalog=catalog(customers=["email", "can_email"]))

    assert set().union(*run.records("customers")) == {"external_id", "email", "can_email"}


def test_example_order_by_two_fields_one_descending(run_tap: RunTap, sandbox: Sandbox) -> None:
    records = read(run_tap, sandbox, "customers", order=["email_domain", "-email"])

    emails = [record["email"] for record in records if "email" in record]
    by_email = sorted(emails, reverse=True)
    assert len(emails) > 100
    assert emails == sorted(by_email, key=lambda email: email.partition("@")[2])


def test_example_products_of_category_books(run_tap: RunTap, sandbox: Sandbox) -> None:
    records = read(run_tap, sandbox, "products", filters={"category": "books"})

    assert records
    assert all("books" in record["category"] for record in records)


def test_filter_values_are_sent_in_the_format_of_the_api(run_tap: RunTap, server: Server) -> None:
    filters = {"phone_number": "+358 40&x=1", "can_sms": False, "age": 7, "rate": 1.5, "city": ""}

    run_tap({**server.config, "stream_options": {"customers": {"filters": filters}}})

    assert server.requests[0].query == [
        ("limit", "10000"),
        ("phone_number", "+358 40&x=1"),
        ("can_sms", "false"),
        ("age", "7"),
        ("rate", "1.5"),
        ("city", ""),
    ]


def test_filter_values_are_not_logged(run_tap: RunTap, server: Server) -> None:
    config = {
        **server.config,
        "stream_options": {"customers": {"filters": {"email": "maija@example.fi"}}},
    }
    reason = "no such field for maija@example.fi"
    rejection = Reply({"error": {"reason": reason}}, status=400)
    server.answer = lambda r: rejection if "customers" in r.path else Reply({"products": []})

    run = run_tap(config)

    assert run.exit_code == 1
    assert "maija" not in run.log
    assert "no such field for ***" in run.errors[0]


def test_filter_values_are_not_quoted_on_later_pages(run_tap: RunTap, server: Server) -> None:
    first = Reply({"customers": [{"external_id": "1"}], "next_url": "?cursor=2"})
    rejection = Reply({"error": {"reason": "expired for email=maija@example.fi"}}, status=400)
    pages = {"": first, "2": rejection}
    server.answer = lambda r: pages[dict(r.query).get("cursor", "")]
    filters = {"email": "maija@example.fi"}

    run = run_tap({**server.config, "stream_options": {"customers": {"filters": filters}}})

    assert "expired for email=***" in run.errors[0]
    assert "maija" not in run.log + run.stdout


CONSENT: dict[str, Any] = {"stream_options": {"customers": {"filters": {"acme__consent": True}}}}
IGNORED = "stream_options.customers.filters.acme__consent: Custobar sent records with another value"


def serve_consents(server: Server, consents: list[bool]) -> None:
    """Serve customers who consent or not, whatever is filtered, as JSON and as CSV."""
    rows = [
        {"external_id": f"C{number}", "city": "Oulu", "acme__consent": consent}
        for number, consent in enumerate(consents)
    ]

    def answer(request: Request) -> Reply:
        query = dict(request.query)
        fields = query["fields"].split(",") if "fields" in query else [*rows[0]]
        requested = [{n: v for n, v in row.items() if n in fields} for row in rows]
        if query.get("format") != "csv":
            return Reply({"customers": requested, "products": []})
        lines = [requested[0], *(map(str, row.values()) for row in requested)]
        text = "".join(f"{','.join(cells)}\n" for cells in lines)
        return Reply(text.encode(), headers={"Content-Type": "text/csv"})

    server.answer = answer


def consent_catalog(*, consent_selected: bool) -> Catalog:
    result = catalog(customers=["city"])
    entry = entry_of(result)
    entry["schema"]["properties"]["acme__consent"] = {"type": ["boolean", "null"]}
    metadata = {"selected": consent_selected}
    entry["metadata"].append({"breadcrumb": ["properties", "acme__consent"], "metadata": metadata})
    return result


WITHHELD = {"personal_data": "pseudonymize", "hash_key": "a key of tests 0123456789"}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 1}


@pytest.mark.parametrize(
    "settings",
    [{}, {"response_format": "csv"}, WITHHELD, {**WITHHELD, "response_format": "csv"}, FLAT],
    ids=["json", "csv", "withheld", "withheld, csv", "flat"],
)
def test_filters_on_fields_that_are_not_selected_are_compared(
    run_tap: RunTap, server: Server, settings: dict[str, Any]
) -> None:
    config = {**server.config, **CONSENT, **settings}
    selected = consent_catalog(consent_selected=settings.get("personal_data") is not None)

    serve_consents(server, [True, False])
    ignored = run_tap(config, catalog=selected)
    serve_consents(server, [True, True])
    applied = run_tap(config, catalog=selected)

    assert ignored.exit_code == 1
    assert IGNORED in ignored.errors[0]
    assert ignored.records("customers") == []
    assert "acme__consent" in dict(server.requests[-1].query)["fields"].split(",")
    assert applied.exit_code == 0
    assert len(applied.records("customers")) == 2
    assert "acme__consent" not in applied.stdout


def test_a_withheld_field_is_compared_without_a_catalog(run_tap: RunTap, server: Server) -> None:
    serve_consents(server, [True, False])

    config = {**server.config, **CONSENT, **WITHHELD, "discover_custom_fields": True}

    run = run_tap(config)

    assert any(IGNORED in error for error in run.errors)
    assert "acme__consent" not in run.stdout


def test_a_field_that_the_catalog_does_not_have_is_compared(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "C1", "can_email": False}]}))
    selected = catalog(customers=["city"])
    del entry_of(selected)["schema"]["properties"]["can_email"]
    config = {**server.config, "stream_options": {"customers": {"filters": {"can_email": True}}}}

    run = run_tap(config, catalog=selected)

    assert run.exit_code == 1
    assert dict(server.requests[0].query)["fields"].split(",")[-1] == "can_email"
    assert run.records("customers") == []


def test_a_compared_field_is_written_in_no_way(
    run_tap: RunTap, server: Server, source: RunSource, tmp_path: Path
) -> None:
    # The second row does not fit, so that both take the slower path through the decoder.
    rows = [
        {"external_id": "C1", "city": "Oulu", "can_email": True},
        {"external_id": "", "can_email": True},
    ]
    server.answer = lambda _: Reply({"customers": rows})
    config = {**server.config, "stream_options": {"customers": {"filters": {"can_email": True}}}}
    selected = catalog(customers=["city"])
    storage = {"root": tmp_path.as_uri(), "prefix": "b-"}
    batch = {"encoding": {"format": "jsonl", "compression": "none"}, "storage": storage}
    consent = "str(record.get('can_email'))"
    stream_map = {"customers": {"consent": consent, "__filter__": f"{consent} == 'None'"}}
    configured = {"streams": [configured_stream("customers", "external_id", "city")]}

    plain = run_tap(config, catalog=selected)
    batched = run_tap({**config, "batch_config": batch}, catalog=selected)
    mapped = run_tap({**config, "stream_maps": stream_map}, catalog=selected)
    tested = run_tap(config, "--test=records", catalog=selected)
    by_airbyte = source("read", config=config, catalog=configured)

    written = {"external_id": "C1", "city": "Oulu"}
    assert plain.records("customers") == [written]
    assert [*map(json.loads, next(tmp_path.glob("b-*")).read_text().splitlines())] == [written]
    assert mapped.records("customers") == [{**written, "consent": "None"}]
    assert by_airbyte.records("customers") == [written]
    for run in (plain, batched, tested):
        assert "can_email" not in run.stdout + run.log
    assert "can_email" not in json.dumps(by_airbyte.messages) + by_airbyte.log


@pytest.mark.parametrize("response_format", ["json", "csv"])
def test_an_event_key_does_not_depend_on_filters(
    run_tap: RunTap, sandbox: Sandbox, response_format: str
) -> None:
    config = {**sandbox.config, "response_format": response_format}
    selected = catalog(events=["date", "customer_id", "path"])
    filters = {"stream_options": {"events": {"filters": {"type": "BROWSE"}}}}

    every = run_tap(config, catalog=selected).records("events")
    browsed = run_tap({**config, **filters}, catalog=selected).records("events")

    assert 0 < len(browsed) < len(every)
    assert {event["event_key"] for event in browsed} <= {event["event_key"] for event in every}
    assert set().union(*browsed) <= {"event_key", "date", "customer_id", "path"}


def test_a_filter_on_an_unknown_field_is_named_in_one_warning(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"events": [{"date": "2024-01-01T00:00:00Z", "type": "BROWSE"}]}))
    filters = {"types": "SALE", "event_key": "x", "vip": "yes", "type": "BROWSE"}
    config = {**server.config, "stream_options": {"events": {"filters": filters}}}

    run = run_tap(config, catalog=catalog(events=True))

    [warning] = run.warnings
    assert run.exit_code == 0
    assert len(run.records("events")) == 1
    assert "stream_options.events.filters: it cannot be verified" in warning
    assert "known: event_key, types, vip. " in warning
    assert warning.endswith("; did you mean type?")
    assert "SALE" not in run.log


def test_a_declared_custom_field_is_compared_although_the_catalog_lacks_it(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "C1", "vip": 0}]}))
    options = {"filters": {"vip": True}, "custom_fields": {"vip": "boolean"}}
    config = {**server.config, "stream_options": {"customers": options}}

    run = run_tap(config, catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert "customers.filters.vip" in run.errors[0]


def test_parameters_of_the_campaign_api_are_not_reported_as_unknown_fields(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"campaigns": [{"campaign_key": "CA-1"}]}))
    config = {**server.config, "stream_options": {"campaigns": {"filters": {"keys": "CA-1"}}}}

    run = run_tap(config, catalog=catalog(campaigns=["name"]))

    assert run.warnings == []


def test_a_deselected_field_of_campaigns_is_compared(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"campaigns": [{"campaign_key": "CA-1", "kind": "true"}]}))
    config = {**server.config, "stream_options": {"campaigns": {"filters": {"kind": "false"}}}}

    run = run_tap(config, catalog=catalog(campaigns=["name"]))

    assert run.exit_code == 1
    assert "campaigns.filters.kind" in run.errors[0]
