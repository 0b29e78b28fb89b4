"""Makers of values, one for each of Custobar's types.

A maker takes two integers: the number drawn for this field of this record (0 to 2**24 - 1), and
the index of the record in its stream. It always makes the same value from the same integers; None
if the record does not have the field.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from math import isqrt
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Value: TypeAlias = "bool | int | float | str | Sequence[Value] | Mapping[str, Value]"
Make: TypeAlias = "Callable[[int, int], Value | None]"

COUNTRIES = ("FI", "SE", "EE", "NO", "DK", "DE")
LANGUAGES = ("fi", "sv", "en", "et")
# Reserved domains only, so that no address of the sample data can exist.
DOMAINS = ("example.com", "example.fi", "posti.example", "sahko.example", "example.org")
WORDS = ("retkeily", "sisustus", "lapset", "keittiö", "pyöräily", "käsityöt", "ruoka", "kirjat")
TEXTS = (
    "Asiakas toivoo yhteydenottoa puhelimitse.",
    'Sanoi: "soitan huomenna", ei soittanut',
    "Toimitus pihaan\nkoputa oveen, ovikello ei toimi",
    "Kanta-asiakas vuodesta 1998 🎉",
    "Åland, färjan går 07:30",
    "Käyttää lähetyksissä nimeä Ö. Äijälä; ei mainoksia",
    "Plain ASCII, for a change",
    "Lahjapaketti 🎁 & kortti, jossa lukee 'Onnea!'",
)

START = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
"""When the first record of every stream appeared; seconds since 1970."""

FIRST_GAP_SQUARED = 10**10
"""The square of the seconds between the first and the second record of a stream."""

_DAY_ZERO = date(1970, 1, 1).toordinal()
_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}Z" for second in range(60))


def as_text(value: Value) -> str:
    """Return a value as in filters and CSV cells: strings unchanged, others as compact JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def choice(options: Sequence[Value]) -> Make:
    """Return a maker of one of the options."""
    count = len(options)
    return lambda n, _i: options[n % count]


def several(options: Sequence[str]) -> Make:
    """Return a maker of a list of one to three different options."""
    count = len(options)
    ring = [*options, *options[:2]]
    return lambda n, _i: ring[n % count : n % count + 1 + n // count % 3]


@lru_cache(maxsize=1 << 16)
def day(number: int) -> str:
    """Return a date, e.g. `2024-05-01`, from days since 1970."""
    return date.fromordinal(_DAY_ZERO + number).isoformat()


def timestamp(seconds: int) -> str:
    """Return a timestamp in UTC, e.g. `2024-05-01T12:34:56Z`, from seconds since 1970."""
    # Several times faster than formatting a datetime, and every record has some of these.
    minute, second = divmod(seconds, 60)
    return day(minute // 1440) + _MINUTES[minute % 1440] + _SECONDS[second]


def appeared(index: int) -> int:
    """Return when the record at this index appeared, in seconds since 1970.

    It increases strictly with the index and does not depend on the size of the stream: a thousand
    records span five weeks, a million three years, ten million ten.
    """
    return START + isqrt(index * FIRST_GAP_SQUARED)


def appeared_at(_n: int, index: int) -> str:
    """Return the same as a timestamp; a maker."""
    return timestamp(appeared(index))


def _preferences(n: int, _i: int) -> Value:
    return {
        "size": 34 + n % 14,
        "colour": ("sininen", "vihreä", "ruskea")[n % 3],
        "delivery": {"weekdays": [1 + n % 5, 6], "note": TEXTS[n // 16 % len(TEXTS)]},
    }


def _with_repeats(n: int, _i: int) -> Value:
    return [WORDS[n % 8], WORDS[n // 8 % 8], WORDS[n % 8]]


def mixed(n: int, _i: int) -> Value:
    """Return a value whose type differs between records; a maker."""
    kinds: tuple[Value, ...] = (n, n / 8, f"A-{n}", n % 3 == 0, [n % 7, "b", True], str(n))
    return kinds[n % len(kinds)]


BY_TYPE: Mapping[str, Make] = {
    "boolean": lambda n, _i: n & 1 == 0,
    "country_code": choice(COUNTRIES),
    "date": lambda n, _i: day(n % 25_000 - 10_000),
    "datetime": lambda n, _i: timestamp(START + n * 20),
    "day_of_year": lambda n, _i: f"{n % 12 + 1:02d}/{n // 12 % 28 + 1:02d}",
    "email": lambda n, _i: f"lasku.{n}@{DOMAINS[n % len(DOMAINS)]}",
    "integer": lambda n, _i: n % 5_000,
    "language_code": choice(LANGUAGES),
    "list": _with_repeats,
    "money": lambda n, _i: n % 100_000,
    "number": lambda n, _i: n % 10_000 / 100,
    "object": _preferences,
    "phone_number": lambda n, _i: f"+35840{n % 10_000_000:07d}",
    "set": several(WORDS),
    "string": choice(TEXTS),
}
"""The maker of each type that a Custobar field can have."""
