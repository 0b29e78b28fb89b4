"""The sample data: every field, plausible values, and what makes a tap stumble."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.sandbox import custom_fields

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandbox

DOCUMENTED = {
    "customers": {
        "external_id",
        "phone_number",
        "email",
        "canonical_id",
        "first_name",
        "last_name",
        "can_email",
        "can_post",
        "can_profile",
        "can_push",
        "can_sms",
        "date_joined",
        "mailing_lists",
        "street_address",
        "zip_code",
        "city",
        "state",
        "country",
        "language",
        "company",
        "vat_number",
        "last_login",
        "birth_date",
        "tags",
        "shop_id",
        "gender",
        "cb_token",
        *("registered_user", "is_forgotten", "lifetime_value_month"),
    },
    "products": {
        "external_id",
        "price",
        "type",
        "category",
        "category_id",
        "vendor",
        "ean",
        "sku",
        "shop_id",
        "brand",
        "title",
        "image",
        "date",
        "url",
        "sale_price",
        "lowest_price",
        "price_before_campaign",
        "highest_price",
        "description",
        "language",
        "visible",
        "exclude_from_recommendations",
        "recommendation_set_ids",
        "in_stock",
        "stock",
        "tags",
        *("main_product_ids", "unit", "weight", "short_description", "rating"),
    },
}
ALWAYS = {"customers": ["external_id", "date_joined"], "products": ["external_id", "date"]}
CUSTOM = {"customers": custom_fields.CUSTOMERS, "products": custom_fields.PRODUCTS}
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


def values(sandbox: Sandbox, stream: str, name: str) -> list[Any]:
    records = sandbox.records(stream, limit=10_000, fields=name)
    return [each[name] for each in records if name in each]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_documented_field_occurs_and_about_a_quarter_is_missing(
    sandbox: Sandbox, stream: str
) -> None:
    records = sandbox.records(stream, limit=10_000)
    names = {name for each in records for name in each}
    assert names == {*DOCUMENTED[stream], *CUSTOM[stream], "acme__legacy_code"}
    for name in names - set(ALWAYS[stream]):
        assert 0.5 < sum(name in each for each in records) / len(records) < 0.95
    assert all(None not in each.values() for each in records)


@pytest.mark.parametrize("stream", STREAMS)
def test_key_and_date_are_always_there_and_grow(sandbox: Sandbox, stream: str) -> None:
    records = sandbox.records(stream, limit=10_000)
    for name in ALWAYS[stream]:
        column = [each[name] for each in records]
        assert column == sorted(set(column))


@pytest.mark.parametrize("stream", STREAMS)
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


@pytest.mark.parametrize("stream", STREAMS)
def test_one_custom_field_has_values_of_all_kinds(sandbox: Sandbox, stream: str) -> None:
    kinds = {type(value) for value in values(sandbox, stream, "acme__legacy_code")}
    assert kinds == {int, float, str, bool, list}


def test_texts_hold_what_breaks_naive_formats(sandbox: Sandbox) -> None:
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
