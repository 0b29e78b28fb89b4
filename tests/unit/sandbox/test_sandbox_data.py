"""The sample data: every field, plausible values, and difficult cases for a tap."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.sandbox import custom_fields

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandbox

SCHEMAS = Path(__file__).parents[3] / "schemas"
ALWAYS = {"customers": ["external_id", "date_joined"], "products": ["external_id", "date"]}
CUSTOM = {
    "customers": custom_fields.CUSTOMERS,
    "products": custom_fields.PRODUCTS,
    "sales": custom_fields.SALES,
    "events": custom_fields.EVENTS,
}
STREAMS = ["customers", "products"]

DATE = r"\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])"
TEXT_OF_TYPE = {
    "country_code": r"[A-Z]{2}",
    "date": DATE,
    "datetime": DATE + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ",
    "day_of_year": r"(0[1-9]|1[0-2])/([0-2]\d|3[01])",
    "email": r"[a-z0-9.-]+@[a-z]+\.[a-z]+",
    "language_code": r"[a-z]{2}",
    "phone_number": r"\+358\d{9}",
    "string": r"(?s).+",
}
CLASS_OF_TYPE = {
    "boolean": bool,
    "integer": int,
    "list": list,
    "money": int,
    "number": float,
    "object": dict,
    "set": list,
}


def documented(stream: str) -> set[str]:
    schema = json.loads((SCHEMAS / f"{stream}.json").read_text(encoding="utf-8"))
    return {*schema["properties"]} - {"event_key"}


def values(sandbox: Sandbox, stream: str, name: str) -> list[Any]:
    records = sandbox.records(stream, limit=10_000, fields=name)
    return [each[name] for each in records if name in each]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_documented_field_occurs_and_about_a_quarter_is_missing(
    sandbox: Sandbox, stream: str
) -> None:
    records = sandbox.records(stream, limit=10_000)
    names = {name for each in records for name in each}
    assert names == {*documented(stream), *CUSTOM[stream], "acme__legacy_code"}
    for name in names - set(ALWAYS[stream]):
        assert 0.5 < sum(name in each for each in records) / len(records) < 0.95
    assert all(None not in each.values() for each in records)


@pytest.mark.parametrize("stream", STREAMS)
def test_key_and_date_are_always_present_and_increase(sandbox: Sandbox, stream: str) -> None:
    records = sandbox.records(stream, limit=10_000)
    for name in ALWAYS[stream]:
        column = [each[name] for each in records]
        assert column == sorted(set(column))


def test_every_documented_field_of_later_streams_occurs(
    sandbox: Sandbox, rows_sandbox: Sandbox
) -> None:
    for stream, schemas in {"sales": ["sales", "sales_as_rows"], "events": ["events"]}.items():
        records = [
            record
            for each in (sandbox, rows_sandbox)
            for record in each.records(stream, limit=10_000)
        ]
        names = {name for each in records for name in each}
        fields = {name for schema in schemas for name in documented(schema)}
        assert names == {*fields, *CUSTOM[stream], "acme__legacy_code"}


@pytest.mark.parametrize("stream", CUSTOM)
def test_there_is_a_custom_field_of_each_type_with_fitting_values(
    sandbox: Sandbox, stream: str
) -> None:
    assert set(CUSTOM[stream].values()) == TEXT_OF_TYPE.keys() | CLASS_OF_TYPE.keys()
    for name, type_ in CUSTOM[stream].items():
        held = values(sandbox, stream, name)
        assert len({str(value) for value in held}) > 1
        for value in held:
            if type_ in TEXT_OF_TYPE:
                assert re.fullmatch(TEXT_OF_TYPE[type_], value)
            else:
                assert type(value) is CLASS_OF_TYPE[type_]
            if type_ == "set":
                assert len(value) == len(set(value))


@pytest.mark.parametrize("stream", CUSTOM)
def test_one_custom_field_has_values_of_all_kinds(sandbox: Sandbox, stream: str) -> None:
    kinds = {type(value) for value in values(sandbox, stream, "acme__legacy_code")}
    assert kinds == {int, float, str, bool, list}


def test_strings_contain_characters_that_break_naive_formats(sandbox: Sandbox) -> None:
    texts = "|".join(values(sandbox, "customers", "acme__note"))
    assert all(each in texts for each in ("ä", "Å", "🎉", '"', ",", "\n"))


def test_documented_fields_have_fitting_values(sandbox: Sandbox) -> None:
    fitting = {
        "phone_number": TEXT_OF_TYPE["phone_number"],
        "email": TEXT_OF_TYPE["email"],
        "country": TEXT_OF_TYPE["country_code"],
        "language": TEXT_OF_TYPE["language_code"],
        "date_joined": TEXT_OF_TYPE["datetime"],
        "last_login": TEXT_OF_TYPE["datetime"],
        "birth_date": DATE,
    }
    for name, pattern in fitting.items():
        assert all(re.fullmatch(pattern, value) for value in values(sandbox, "customers", name))


def test_products_prices_stock_and_categories(sandbox: Sandbox) -> None:
    records = sandbox.records("products", limit=10_000)
    both = [each for each in records if "price" in each and "sale_price" in each]
    assert all(type(each["price"]) is int and each["price"] > 0 for each in both)
    cheaper = sum(each["sale_price"] < each["price"] for each in both)
    assert 0.8 < cheaper / len(both) <= 1
    for name in ("category", "category_id"):
        assert {type(value) for value in values(sandbox, "products", name)} == {str, list}
    for shops in values(sandbox, "products", "stock"):
        assert shops
        assert all(each.keys() == {"shop_id", "quantity"} for each in shops)


def test_sales_are_the_same_in_either_shape(sandbox: Sandbox, rows_sandbox: Sandbox) -> None:
    rows = rows_sandbox.records("sales", limit=10_000)
    sales = sandbox.records("sales", limit=10_000)
    assert len({row["external_id"] for row in rows}) == len(rows) == 2 * len(sales)
    for sale in sales:
        own = [row for row in rows if row["sale_external_id"] == sale["external_id"]]
        shared = [{name: row[name] for name in row if name.startswith("sale_")} for row in own]
        assert all(each == shared[0] for each in shared)
        for name in ("customer_id", "date", "total", "state"):
            assert shared[0].get(f"sale_{name}") == sale.get(name)
        assert sale["total"] == sum(row["total"] for row in own)
        for product, row in zip(sale.get("products", []), own, strict="products" in sale):
            assert product == {name: row[name] for name in product}
    assert {type(sale["products"]) for sale in sales if "products" in sale} == {list}
    assert {sale["state"] for sale in sales} >= {"PENDING", "PAID", "SHIPPED", "COMPLETE"}


def test_some_customers_of_early_sales_have_later_ones_and_some_do_not(sandbox: Sandbox) -> None:
    sales = sandbox.records("sales", limit=10_000)
    known = {customer["external_id"] for customer in sandbox.records("customers", limit=10_000)}
    early, late = (
        {sale["customer_id"] for sale in half if "customer_id" in sale}
        for half in (sales[: len(sales) // 2], sales[len(sales) // 2 :])
    )
    assert all((early & late, early - late, late - early))
    assert early | late <= known
    assert 0.2 < sum("customer_id" not in sale for sale in sales) / len(sales) < 0.3


FIELDS_OF_TYPE = {
    "BROWSE": "label product_ean product_id path utm_campaign utm_source utm_medium",
    "BASKET_ADD": "product_id",
    "MAIL_OPEN": "",
    "MAIL_CLICK": "utm_source utm_medium",
    "MAIL_SUBSCRIBE": "mailing_lists",
    "MAIL_UNSUBSCRIBE": "mailing_lists",
    "SMS_SUBSCRIBE": "",
    "SMS_UNSUBSCRIBE": "",
    "ORDER_SHIPPED": "tracking_number sale_id",
    "SENTIMENT": "sentiment_value",
    "COMPETITION_ENTRY": "",
}
WHO = {"customer_id", "phone_number", "email", "customer_token"}
ANY_TYPE = {"type", "date", "store_id", "first_name", "last_name", *WHO}


def test_events_have_the_fields_of_their_type_and_one_identifier_of_their_customer(
    sandbox: Sandbox,
) -> None:
    records = sandbox.records("events", limit=10_000)
    for type_, fields in FIELDS_OF_TYPE.items():
        held = {name for each in records if each["type"] == type_ for name in each}
        documented = {name for name in held - ANY_TYPE if not name.startswith("acme__")}
        assert documented == {*fields.split()}
    assert {each["type"] for each in records} == FIELDS_OF_TYPE.keys()
    assert all(len(each.keys() & WHO) == 1 for each in records)


def test_some_events_differ_from_another_in_one_field_only(sandbox: Sandbox) -> None:
    records = sandbox.records("events", limit=10_000)
    texts = [json.dumps(each, sort_keys=True) for each in records]
    assert len(set(texts)) == len(texts)
    differences = [
        [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
        for one, other in pairwise(records)
    ]
    twins = [names for names in differences if len(names) == 1]
    assert len(twins) == 7
    assert {name for names in twins for name in names} <= WHO


@pytest.mark.parametrize("stream", ["sales", "events"])
def test_some_dates_are_equal_late_or_without_a_time_zone(sandbox: Sandbox, stream: str) -> None:
    dates = [each["date"] for each in sandbox.records(stream, limit=10_000)]
    assert all(re.fullmatch(DATE + r"T\d\d:\d\d:\d\dZ?", each) for each in dates)
    assert 0.01 < sum(not each.endswith("Z") for each in dates) / len(dates) < 0.05
    days = [date.fromisoformat(each[:10]).toordinal() for each in dates]
    late = [latest - day for latest, day in zip(accumulate(days, max), days, strict=True)]
    assert 0.05 < sum(days > 1 for days in late) / len(late) < 0.1
    assert max(late) in (8, 9)
    assert max(Counter(dates).values()) >= 6
