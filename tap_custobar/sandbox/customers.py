"""The sample customers: every documented field and custom fields."""

from __future__ import annotations

from tap_custobar.sandbox.custom_fields import CUSTOMERS, custom_fields
from tap_custobar.sandbox.records import ALWAYS, Field, Stream, key_field
from tap_custobar.sandbox.values import (
    DOMAINS,
    Value,
    appeared,
    appeared_at,
    as_text,
    choice,
    several,
    timestamp,
)

_FIRST_NAMES = (
    ("Aino", "Helmi", "Sofia", "Päivi", "Eevi", "Kerttu", "Åsa", "Ämmi", "Venla", "Anna-Liisa"),
    ("Onni", "Eino", "Väinö", "Leo", "Jyrki", "Pekka", "Göran", "Olavi", "Mikko", "Juha-Matti"),
)
_LAST_NAMES = (
    *("Korhonen", "Virtanen", "Mäkinen", "Nieminen", "Hämäläinen", "Laine", "Heikkinen", "Koski"),
    *("Järvinen", "Lehtonen", "Öhman", "Åkerlund", "O'Connor", "Anderson", "Samplesson", "Rönkkö"),
)
_PLACES = (
    ("Helsinki", "00100", "Uusimaa", "FI"),
    ("Espoo", "02100", "Uusimaa", "FI"),
    ("Tampere", "33100", "Pirkanmaa", "FI"),
    ("Turku", "20100", "Varsinais-Suomi", "FI"),
    ("Jyväskylä", "40100", "Keski-Suomi", "FI"),
    ("Seinäjoki", "60100", "Etelä-Pohjanmaa", "FI"),
    ("Hämeenlinna", "13100", "Kanta-Häme", "FI"),
    ("Mariehamn", "22100", "Åland", "FI"),
    ("Göteborg", "411 03", "Västra Götaland", "SE"),
    ("Tallinn", "10111", "Harjumaa", "EE"),
)
_STREETS = ("Mannerheimintie", "Hämeenkatu", "Kirkkokatu", "Puistotie", "Sjögatan", "Mäkikuja")
_COMPANIES = (
    *("Virtanen & Pojat", 'Leipomo "Hyvä Päivä"', "Öljy, Vesi ja Maa", "Kahvila Pulla ☕"),
    *("Nordic Sample Works", "Äänekosken Paja", "Tmi Ville Väisänen", "Studio \u201eÅ\u201d"),
)
_NAME_COUNT = len(_FIRST_NAMES[0])

_ASCII = str.maketrans("äöåÄÖÅ", "aoaAOA", "'")
_FIRST_SLUGS = tuple(tuple(each.translate(_ASCII).lower() for each in row) for row in _FIRST_NAMES)
_LAST_SLUGS = tuple(each.translate(_ASCII).lower() for each in _LAST_NAMES)


def _email(n: int, i: int) -> str:
    # Of every 40 customers, two consecutive ones share an address.
    if i // 2 % 20 == 0:
        return f"perhe.{i // 40}@example.com"
    first = _FIRST_SLUGS[n & 1][n // 2 % _NAME_COUNT]
    return f"{first}.{_LAST_SLUGS[n // 32 % 16]}.{i}@{DOMAINS[n // 512 % len(DOMAINS)]}"


def _domain(email: Value) -> Value:
    return as_text(email).rpartition("@")[2]


def _street_address(n: int, _i: int) -> str:
    address = f"{_STREETS[n % 6]} {1 + n // 6 % 120} {'ABCD'[n // 720 % 4]} {1 + n // 2880 % 60}"
    return f"c/o {_LAST_NAMES[n % 16]}, 2. krs\n{address}" if n % 16 == 0 else address


IDENTITY = (
    key_field("C"),
    Field(name="phone_number", type="phone_number"),
    Field(name="email", type="email", make=_email, correlated_with="first_name"),
    Field(name="canonical_id", type="string", make=lambda _n, i: f"person-{i // 3}"),
    Field(
        name="first_name",
        type="string",
        make=lambda n, _i: _FIRST_NAMES[n & 1][n // 2 % _NAME_COUNT],
    ),
    Field(
        name="last_name",
        type="string",
        make=lambda n, _i: _LAST_NAMES[n // 32 % 16],
        correlated_with="first_name",
    ),
    Field(
        name="gender",
        type="string",
        make=lambda n, _i: ("female", "male")[n & 1],
        correlated_with="first_name",
    ),
    Field(name="date_joined", type="datetime", make=appeared_at, share=ALWAYS, increasing=True),
    Field(name="last_login", type="datetime", make=lambda n, i: timestamp(appeared(i) + n)),
    Field(name="cb_token", type="string", make=lambda n, i: f"cb{n:06x}{i:07x}"),
)
CONSENTS = (
    Field(name="can_email", type="boolean"),
    Field(name="can_post", type="boolean"),
    Field(name="can_profile", type="boolean"),
    Field(name="can_push", type="boolean"),
    Field(name="can_sms", type="boolean"),
    Field(
        name="mailing_lists",
        type="list",
        make=several(("uutiskirje", "tarjoukset", "kutsut", "pro ⭐")),
    ),
    Field(name="registered_user", type="boolean", make=lambda n, _i: n % 8 != 0),
    Field(name="is_forgotten", type="boolean", make=lambda n, _i: n % 200 == 0),
)
PLACE = (
    Field(name="street_address", type="string", make=_street_address),
    Field(
        name="zip_code",
        type="string",
        make=lambda n, _i: _PLACES[n % 10][1],
        correlated_with="city",
    ),
    Field(name="city", type="string", make=lambda n, _i: _PLACES[n % 10][0]),
    Field(
        name="state", type="string", make=lambda n, _i: _PLACES[n % 10][2], correlated_with="city"
    ),
    Field(
        name="country",
        type="country_code",
        make=lambda n, _i: _PLACES[n % 10][3],
        correlated_with="city",
    ),
    Field(name="language", type="language_code"),
    Field(
        name="company",
        type="string",
        make=lambda n, _i: f"{_COMPANIES[n % 8]} {('Oy', 'Ky', 'Ab', 'Oyj')[n // 8 % 4]}",
    ),
    Field(name="vat_number", type="string", make=lambda n, _i: f"FI{n:08d}"),
)
PROFILE = (
    Field(name="birth_date", type="date"),
    Field(name="tags", type="list", make=several(("vip", "b2b", "opiskelija", "säästäjä", "uusi"))),
    Field(name="shop_id", type="string", make=choice(("verkkokauppa", "helsinki", "east-london"))),
    Field(name="lifetime_value_month", type="number"),
)


def customers(size: int, seed: int = 0) -> Stream:
    """Return a stream of `size` customers, which can also be ordered by `email_domain`."""
    return Stream(
        "customers",
        size,
        seed,
        own=IDENTITY,
        shared=(CONSENTS, PLACE, PROFILE, *custom_fields(CUSTOMERS)),
        derived={"email_domain": ("email", _domain)},
    )
