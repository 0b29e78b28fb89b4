"""The sample events: every documented type with its fields, and custom fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_custobar.sandbox.custom_fields import EVENTS, custom_fields
from tap_custobar.sandbox.records import ALWAYS, Field, Stream, identifier
from tap_custobar.sandbox.timeline import date_field, size_on
from tap_custobar.sandbox.values import choice, several

if TYPE_CHECKING:
    from tap_custobar.sandbox.values import Make, Value

_TYPES = (
    *("BROWSE", "MAIL_OPEN", "BROWSE", "BASKET_ADD", "BROWSE", "MAIL_CLICK", "BROWSE", "MAIL_OPEN"),
    *("BASKET_ADD", "MAIL_SUBSCRIBE", "MAIL_UNSUBSCRIBE", "ORDER_SHIPPED", "SENTIMENT"),
    *("SMS_SUBSCRIBE", "SMS_UNSUBSCRIBE", "COMPETITION_ENTRY"),
)
_PATHS = ("/", "/kirjat/", "/kirjat/runokirja-5?koko=a4&väri=sininen", "/ale,kesä/", "/kassa")
_RARELY = 24


def _twin(index: int) -> int:
    # One event in a hundred repeats the previous one in everything but its customer.
    return index - 1 if (index + 43) % 100 == 0 else index


def _customer(share: range, make: Make) -> Make:
    """Return a maker of one of the four identifiers of a customer.

    Args:
        share: Which events of every eight have it.
        make: Makes the identifier.
    """
    return lambda n, i: make(n + i, i) if n % 8 in share else None


def _of(types: str, make: Make) -> Make:
    """Return a maker for events of these types only.

    Args:
        types: Their names, separated by blanks. The position in the pool decides the type.
        make: Makes the value.
    """

    def make_if_of_type(n: int, position: int) -> Value | None:
        return make(n, position) if _TYPES[position % len(_TYPES)] in types.split() else None

    return make_if_of_type


OCCASION = (
    date_field("date", _twin),
    Field(
        name="customer_id",
        type="string",
        make=_customer(range(5), lambda n, i: identifier("C", n % (i // 5 + 1))),
        share=ALWAYS,
    ),
    Field(
        name="phone_number",
        type="phone_number",
        make=_customer(range(5, 6), lambda n, _i: f"+35840{n % 10_000_000:07d}"),
        share=ALWAYS,
        correlated_with="customer_id",
    ),
    Field(
        name="email",
        type="email",
        make=_customer(range(6, 7), lambda n, _i: f"asiakas.{n}@example.com"),
        share=ALWAYS,
        correlated_with="customer_id",
    ),
    Field(
        name="customer_token",
        type="string",
        make=_customer(range(7, 8), lambda n, _i: f"cb{n:013x}"),
        share=ALWAYS,
        correlated_with="customer_id",
    ),
)
DETAILS = (
    Field(name="type", type="string", make=lambda _n, i: _TYPES[i % len(_TYPES)], share=ALWAYS),
    Field(name="label", type="string", make=_of("BROWSE", choice(("Etusivu", "Ale 🎉", "Kassa")))),
    Field(name="product_ean", type="string", make=_of("BROWSE", lambda n, _i: f"64{n:011d}")),
    Field(
        name="product_id",
        type="string",
        make=_of("BROWSE BASKET_ADD", lambda n, _i: identifier("P", n % 100)),
    ),
    Field(name="path", type="string", make=_of("BROWSE", choice(_PATHS))),
    Field(
        name="utm_campaign",
        type="string",
        make=_of("BROWSE", choice(("kevät-2024", "black friday", "uutiskirje"))),
    ),
    Field(
        name="utm_source",
        type="string",
        make=_of("BROWSE MAIL_CLICK", choice(("google", "newsletter", "facebook"))),
    ),
    Field(
        name="utm_medium",
        type="string",
        make=_of("BROWSE MAIL_CLICK", choice(("cpc", "email", "social"))),
        correlated_with="utm_source",
    ),
    Field(
        name="mailing_lists",
        type="list",
        make=_of(
            "MAIL_SUBSCRIBE MAIL_UNSUBSCRIBE", several(("uutiskirje", "tarjoukset", "kutsut"))
        ),
        share=ALWAYS,
    ),
    Field(
        name="tracking_number",
        type="string",
        make=_of("ORDER_SHIPPED", lambda n, _i: f"JJFI{n:010d}"),
    ),
    Field(
        name="sale_id",
        type="string",
        make=_of("ORDER_SHIPPED", lambda n, _i: identifier("S", n % 100)),
    ),
    Field(name="sentiment_value", type="integer", make=_of("SENTIMENT", lambda n, _i: n % 11)),
    Field(
        name="store_id",
        type="string",
        make=choice(("1", "2", "east-london")),
        share=_RARELY,
    ),
    Field(name="first_name", type="string", make=choice(("Aino", "Väinö")), share=_RARELY),
    Field(
        name="last_name",
        type="string",
        make=choice(("O'Connor", "Hämäläinen")),
        share=_RARELY,
    ),
)


def events(size: int, seed: int = 0, *, day: int = 0) -> Stream:
    """Return a stream of events, which have no primary key.

    Args:
        size: Number of events on day 0.
        seed: Seed of the generated data.
        day: Days since then.
    """
    return Stream(
        "events",
        size_on(day, size),
        seed,
        own=OCCASION,
        shared=(DETAILS, *custom_fields(EVENTS)),
        keys=(),
        drawn_for=_twin,
    )
