"""Every example of the specification, as a user configures it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.catalogs import catalog
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox
    from tests.server import Server

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
