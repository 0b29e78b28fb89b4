"""Responses of the sandbox: paging, filters, order, formats, errors."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tap_custobar.sandbox.rate_limit import RateLimit
from tests.unit.sandbox.conftest import csv_cell

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandbox

QUERIES: list[dict[str, Any]] = [
    {"limit": 7},
    {"limit": 250},  # the last page is full
    {"limit": 499},  # the last page is one record
    {"limit": 50, "order": "-date_joined"},
    {"limit": 11, "order": "last_name,-email", "fields": "email,last_name"},
    {"limit": 3, "can_email": "true", "order": "acme__legacy_code"},
    {"limit": 5, "city": "Jyväskylä", "tags": "vip"},
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_pages_contain_every_record_once(sandbox: Sandbox, query: dict[str, Any]) -> None:
    whole = sandbox.get("customers/", {**query, "limit": 10_000}).json()
    assert whole["count"] == len(whole["customers"])
    assert "next_url" not in whole

    records: list[Any] = []
    reply = sandbox.get("customers/", query)
    while True:
        page = reply.json()
        assert page["count"] == whole["count"]
        assert page["customers"]
        records += page["customers"]
        assert reply.headers.get("X-Custobar-Next-Url") == page.get("next_url")
        if "next_url" not in page:
            break
        assert len(page["customers"]) == query["limit"]
        reply = sandbox.get(page["next_url"])
    assert records == whole["customers"]
    assert len(records) > query["limit"]


def test_next_url_is_absolute_and_repeats_the_whole_query(sandbox: Sandbox) -> None:
    query = {
        "limit": "2",
        "fields": "city,email",
        "order": "-city",
        "city": "Jyväskylä",
        "format": "csv",
    }
    for _ in range(2):
        reply = sandbox.get("customers/", query)
        next_url = reply.headers["X-Custobar-Next-Url"]
        assert next_url.startswith(f"{sandbox.url}/data/customers/?")
        repeated = dict(parse_qsl(urlsplit(next_url).query))
        cursor = repeated.pop("cursor")
        assert repeated == {name: value for name, value in query.items() if name != "cursor"}
        query["cursor"] = cursor


def test_the_default_limit_is_100(sandbox: Sandbox) -> None:
    assert len(sandbox.records("customers")) == 100


def test_the_specifications_examples_give_results(sandbox: Sandbox) -> None:
    first = sandbox.records("customers", limit=1)[0]
    assert sandbox.records("customers", external_id=first["external_id"]) == [first]
    assert sandbox.records("customers", external_id="NOBODY") == []

    for name in ("Anderson", "Samplesson"):
        named = sandbox.records("customers", last_name=name, can_email="true")
        assert named
        assert all((each["last_name"], each["can_email"]) == (name, True) for each in named)

    emails = [each.get("email") for each in sandbox.records("customers", limit=1000)]
    shared = {each for each in emails if each and emails.count(each) == 2}
    assert 0 < len(shared) < 20
    assert len(sandbox.records("customers", email=shared.pop())) == 2

    books = [each["category"] for each in sandbox.records("products", category="books")]
    assert "books" in books
    assert any(isinstance(category, list) and "books" in category for category in books)
    assert all(category == "books" or "books" in category for category in books)


def test_order_by_domain_then_by_descending_email_with_missing_last(sandbox: Sandbox) -> None:
    records = sandbox.records("customers", order="email_domain,-email", limit=1000)
    emails = [each["email"] for each in records if "email" in each]
    assert len(emails) > 300
    descending = sorted(emails, reverse=True)
    assert emails == sorted(descending, key=lambda email: email.split("@")[1])
    assert all("email" not in each for each in records[len(emails) :])
    assert all("email_domain" not in each for each in records)


def test_a_descending_order_has_missing_values_last_too(sandbox: Sandbox) -> None:
    prices = [each.get("price") for each in sandbox.records("products", order="-price", limit=200)]
    held = [price for price in prices if price is not None]
    assert prices == [*sorted(held, reverse=True), *[None] * (len(prices) - len(held))]
    assert None in prices


def test_fields_are_the_key_and_those_named_that_exist(sandbox: Sandbox) -> None:
    whole = sandbox.records("customers")
    named = sandbox.records("customers", fields="city,acme__preferences,no_such_field,email_domain")
    names = ("external_id", "city", "acme__preferences")
    assert named == [{name: each[name] for name in names if name in each} for each in whole]


@pytest.mark.parametrize("stream", ["customers", "products"])
@pytest.mark.parametrize("fields", ["", "title,acme__legacy_code,external_id,email,stock,tags"])
def test_csv_has_the_values_of_json(sandbox: Sandbox, stream: str, fields: str) -> None:
    query = {"limit": 10_000, "fields": fields}
    reply = sandbox.get(f"{stream}/", {**query, "format": "csv"})
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert b"\r" not in reply.content
    header, *rows = csv.reader(reply.content.decode().splitlines(keepends=True))

    records = sandbox.records(stream, **query)
    assert rows == [[csv_cell(each[n]) if n in each else "" for n in header] for each in records]
    if fields:
        known = {"customers": {"email", "tags"}, "products": {"title", "stock", "tags"}}[stream]
        known |= {"external_id", "acme__legacy_code"}
        assert header == [name for name in fields.split(",") if name in known]
    else:
        held = {name for each in records for name in each}
        assert set(header) == held | {"acme__unused"}
        assert header[0] == "external_id"


def test_csv_allows_more_records_and_json_can_be_named(sandbox: Sandbox) -> None:
    assert sandbox.get("customers/", {"limit": 100_000, "format": "csv"}).status_code == 200
    assert sandbox.records("customers", format="json") == sandbox.records("customers")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=0", "from 1 to 10000"),
        ("limit=10001", "from 1 to 10000"),
        ("limit=100001&format=csv", "from 1 to 100000"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("format=xml", "format"),
        ("order=last_name,-shoe", "'shoe'"),
        ("shoe=42", "'shoe'"),
        ("email_domain=example.com", "'email_domain'"),
        ("cursor=", "cursor"),
        ("cursor=AAAAAAAAJxAUyoKefgwzhfZ9", "cursor"),
        ("cursor=%C3%A4", "cursor"),
        ("cursor=x", "cursor"),
    ],
)
def test_an_invalid_query_is_400(sandbox: Sandbox, query: str, reason: str) -> None:
    reply = sandbox.get("customers/", query)
    assert reply.status_code == 400
    assert reason in reply.json()["error"]["reason"]


def test_a_changed_cursor_or_one_of_another_query_is_rejected(sandbox: Sandbox) -> None:
    next_url = sandbox.get("customers/", "can_email=true&order=city").json()["next_url"]
    cursor = dict(parse_qsl(urlsplit(next_url).query))["cursor"]
    changed = ("B" if cursor[8] == "A" else "A").join([cursor[:8], cursor[9:]])
    for broken in (
        next_url.replace(cursor, changed),
        next_url.replace(cursor, f"{cursor}!"),
        next_url.replace("true", "false"),
        next_url.replace("order=city", "order=-city"),
        next_url.replace("customers", "products").replace("can_email=true&order=city&", ""),
    ):
        assert sandbox.get(broken).status_code == 400
    assert sandbox.get(next_url).status_code == 200


@pytest.mark.parametrize(
    ("authorization", "customers", "products"),
    [
        ("Token APISANDBOX", 200, 200),
        ("Bearer APISANDBOX", 200, 200),
        ("Token APISANDBOXCUSTOMERS", 200, 403),
        ("Bearer APISANDBOXPRODUCTS", 403, 200),
        ("Token APISANDBOXX", 401, 401),
        ("Basic APISANDBOX", 401, 401),
        ("APISANDBOX", 401, 401),
        (None, 401, 401),
    ],
)
def test_a_token_can_read_the_streams_of_its_scope(
    sandbox: Sandbox, authorization: str | None, customers: int, products: int
) -> None:
    for stream, status in (("customers", customers), ("products", products)):
        reply = sandbox.get(f"{stream}/", authorization=authorization)
        assert reply.status_code == status
        if status != 200:
            assert reply.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "shops/", 404),
        ("GET", "customers", 404),
        ("GET", "", 404),
        ("POST", "customers/", 405),
    ],
)
def test_a_wrong_path_or_method_is_an_error_in_json(
    sandbox: Sandbox, method: str, path: str, status: int
) -> None:
    reply = sandbox.get(path, method=method)
    assert reply.status_code == status
    assert set(reply.json()) == {"error"}
    assert reply.json()["error"]["reason"]


def test_the_rate_limit_counts_the_last_sixty_seconds() -> None:
    times = iter([0.0, 30.0, 59.9, 60.0, 60.1, 90.0, 90.1])
    limit = RateLimit(2, clock=lambda: next(times))
    assert [limit.admits() for _ in range(7)] == [True, True, False, True, False, True, False]
