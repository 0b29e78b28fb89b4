"""The sample sales, as whole sales ("transactions") or line items ("rows"), with custom fields."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_custobar.sandbox import customers
from tap_custobar.sandbox.custom_fields import SALES, custom_fields
from tap_custobar.sandbox.records import ALWAYS, KEY, Field, Stream, identifier, key_field
from tap_custobar.sandbox.timeline import DAY, date_field, size_on
from tap_custobar.sandbox.values import appeared, choice, several

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_custobar.sandbox.records import FieldGroup
    from tap_custobar.sandbox.values import Make

SHAPES = ("transactions", "rows")

# Of every three consecutive sales, one has one line item, one has two and one has three.
_SALE_OF_ROW = (0, 1, 1, 2, 2, 2)
_FIRST_ROW = (0, 1, 3)

_PROGRESS = ((0, "PENDING"), (1, "PAID"), (3, "SHIPPED"), (6, "COMPLETE"))
_CANCELLED = ((0, "PENDING"), (2, "CANCELLED"))
_RETURNED = (*_PROGRESS, (12, "RETURNED"))
_HISTORIES = (*[_PROGRESS] * 8, _CANCELLED, _RETURNED)
"""The possible histories of a sale: its states, each with the days since it appeared."""


def _first_row(sale: int) -> int:
    return sale // 3 * 6 + _FIRST_ROW[sale % 3]


def _sale_of(row: int) -> int:
    return row // 6 * 3 + _SALE_OF_ROW[row % 6]


def _scrambled(number: int) -> int:
    # From an index alone: a line item needs the number of its sale as well as its own.
    return number * 2_654_435_761 % 2**32 >> 8


@lru_cache(maxsize=1 << 14)
def _row(index: int) -> dict[str, Any]:
    """Return the properties of the line item at this index that do not depend on its sale."""
    drawn = _scrambled(index)
    product, quantity = drawn % 100, (1, 1, 2, 0.5, 3)[drawn // 100 % 5]
    price = (product + 1) * 250
    discount = price // 10 if drawn // 500 % 4 == 0 else 0
    row = {
        "product_id": identifier("P", product),
        "quantity": quantity,
        "unit_price": price,
        "total": int(price * quantity) - discount,
        "product_sku": f"SKU-{product}",
        "product_title": f'Näyte {product}, 3/4"',
    }
    return {**row, "discount": discount} if discount else row


def _rows(sale: int) -> range:
    return range(_first_row(sale), _first_row(sale + 1))


def _total(sale: int) -> int:
    return sum(_row(row)["total"] for row in _rows(sale))


def _products(sale: int) -> list[Any]:
    return [{KEY: identifier("R", row), **_row(row)} for row in _rows(sale)]


def _buyer(sale: int) -> str | None:
    """Return the customer of a sale, most often a recent one; one sale in four has none.

    One more customer is known every eighth sale, so that those of a small sandbox are among its
    customers. Some return again and again, and some never do.
    """
    drawn, known = _scrambled(sale), sale // 8 + 1
    return identifier("C", known - 1 - (known * drawn**8 >> 192)) if drawn % 4 else None


def _state(now: int) -> Callable[[int], str]:
    def state(sale: int) -> str:
        days = (now - appeared(sale)) // DAY
        history = _HISTORIES[_scrambled(sale) % len(_HISTORIES)]
        return [name for start, name in history if start <= days][-1]

    return state


def _of_row(name: str, type_: str) -> Field:
    return Field(name=name, type=type_, make=lambda _n, i: _row(i).get(name), share=ALWAYS)


ROW = (
    _of_row("product_id", "string"),
    _of_row("quantity", "number"),
    _of_row("unit_price", "money"),
    _of_row("discount", "money"),
    _of_row("total", "money"),
    _of_row("product_sku", "string"),
    _of_row("product_title", "string"),
)


def _of_sale(prefix: str, index_of: Callable[[int], int], now: int) -> FieldGroup:
    """Return the fields that depend on the index of the sale alone.

    Args:
        prefix: Prefix of their names.
        index_of: Returns the index of the sale for the index of a record.
        now: Time that determines the states; seconds since 1970.
    """
    state = _state(now)
    return (
        Field(
            name=f"{prefix}customer_id",
            type="string",
            make=lambda _n, i: _buyer(index_of(i)),
            share=ALWAYS,
        ),
        date_field(f"{prefix}date", index_of),
        Field(
            name=f"{prefix}total",
            type="money",
            make=lambda _n, i: _total(index_of(i)),
            share=ALWAYS,
        ),
        Field(
            name=f"{prefix}state",
            type="string",
            make=lambda _n, i: state(index_of(i)),
            share=ALWAYS,
        ),
    )


def _in_currency(name: str, type_: str, make: Make) -> Field:
    """Return a field that only sales in a foreign currency have, one in four."""
    return Field(
        name=name,
        type=type_,
        make=lambda n, i: make(n, i) if n % 4 == 0 else None,
        share=ALWAYS,
        correlated_with="currency",
    )


_PERSON = {each.name: each for each in (*customers.IDENTITY, *customers.PLACE)}
BUYER = (
    *(_PERSON[name] for name in ("phone_number", "email", "first_name", "last_name")),
    *(_PERSON[name] for name in ("street_address", "zip_code", "city", "country")),
    replace(_PERSON["company"], name="customer_company"),
)
TERMS = (
    _in_currency("currency", "string", lambda _n, _i: "SEK"),
    _in_currency("exchange_rate", "number", lambda n, _i: 11 + n % 100 / 100),
    _in_currency("shipping_in_currency", "money", lambda n, _i: 4900 + n % 1000),
    Field(name="shipping", type="money", make=lambda n, _i: n % 20 * 50),
    Field(name="shipping_method", type="string", make=choice(("Nouto", "Posti, kotiin", "DHL"))),
    Field(name="discount", type="money", make=lambda n, _i: n % 30 * 100),
    Field(name="payment_method", type="string", make=choice(("lasku", "kortti", "MobilePay"))),
    Field(name="coupon_codes", type="list", make=several(("KEVÄT24", "VIP-10", "ILMAINEN 🎁"))),
    Field(name="shop_id", type="string", make=choice(("verkkokauppa", "helsinki", "east-london"))),
)


def _prefixed(group: FieldGroup) -> FieldGroup:
    return tuple(
        replace(
            each,
            name=f"sale_{each.name}",
            correlated_with=each.correlated_with and f"sale_{each.correlated_with}",
        )
        for each in group
    )


def sales(size: int, seed: int = 0, *, day: int = 0, shape: str = "transactions") -> Stream:
    """Return a stream of sales.

    Args:
        size: Number of sales on day 0.
        seed: Seed of the generated data.
        day: Days since then.
        shape: One of SHAPES.
    """
    total = size_on(day, size)
    now = appeared(total)
    own = custom_fields(SALES)
    if shape == "transactions":
        return Stream(
            "sales",
            total,
            seed,
            own=(
                key_field("S"),
                *_of_sale("", lambda i: i, now),
                Field(name="products", type="list", make=lambda _n, i: _products(i)),
            ),
            shared=(BUYER, TERMS, *own),
        )
    return Stream(
        "sales",
        _first_row(total),
        seed,
        own=(
            key_field("R"),
            Field(
                name="sale_external_id",
                type="string",
                make=lambda _n, i: identifier("S", _sale_of(i)),
                share=ALWAYS,
            ),
            *_of_sale("sale_", _sale_of, now),
            *ROW,
        ),
        shared=(_prefixed(BUYER), _prefixed(TERMS), *own),
        keys=(KEY, "sale_external_id"),
        drawn_for=_sale_of,
    )
