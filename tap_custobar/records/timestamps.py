"""Dates and date-times, as text that every target reads the same way."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import msgspec

#: Digits of a fraction of a second that every target holds.
FRACTION_DIGITS = 6

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DATE_TIME = re.compile(
    rf"{_DATE.pattern}[Tt ]([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})([.,][0-9]+)?)?"
    r" ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_MIDNIGHT = re.compile(r"[Tt ]00:00(:00([.,]0+)?)?( ?([Zz]|[+-]00(:?00)?))?")

_LEAP_SECOND, _LAST_MINUTE, _END_OF_DAY = 60, (23, 59), (24, 0, 0)
_SEPARATOR = '","'
# Where "T" and "Z" stand in `2024-02-29T10:00:00Z`, and in each that follows behind `","`.
_T, _Z, _STEP = 10, 19, 23
_DATE_STEP = len("2024-02-29" + _SEPARATOR)
_dates = msgspec.json.Decoder(list[date])
_datetimes = msgspec.json.Decoder(list[datetime])
_LONG_FRACTION = re.compile(rf"\.[0-9]{{{FRACTION_DIGITS + 1}}}")


def are_dates(values: list[Any]) -> bool:
    """Tell whether all values are texts and what `to_date` would make of them."""
    if not values:
        return True
    try:
        text = _SEPARATOR.join(values)
        dates = _dates.decode(f'["{text}"]')
    except (TypeError, msgspec.DecodeError, UnicodeEncodeError):
        return False
    # As many dates as texts, none of which is longer than a date.
    return len(dates) == len(values) and len(text) == _DATE_STEP * len(values) - len(_SEPARATOR)


def are_timestamps(values: list[Any]) -> bool:
    """Return whether all values are strings that `to_utc` and `cut_fraction` leave unchanged.

    They are checked together, which is much faster than one by one.
    """
    if not values:
        return True
    try:
        joined = _SEPARATOR.join(values)
        datetimes = _datetimes.decode(f'["{joined}"]')
    except (TypeError, msgspec.DecodeError, UnicodeEncodeError):
        return False
    count = len(values)
    # The decoder also accepts strings that contain the separator or escape sequences,
    if len(datetimes) != count or "\\" in joined:
        return False
    # "t" or a space for "T", other offsets or none, and longer fractions. Slices are faster than
    # counts, but only find the characters of timestamps of the same length.
    if "." not in joined:
        return joined[_T::_STEP] == "T" * count and joined[_Z::_STEP] == "Z" * count
    return joined.count("T") == joined.count("Z") == count and not _LONG_FRACTION.search(joined)


def to_date(text: str) -> str | None:
    """Return `YYYY-MM-DD` for a real date, or for a midnight that stands for one; else None."""
    day = _DATE.match(text)
    if day is None or not (day.end() == len(text) or _MIDNIGHT.fullmatch(text, day.end())):
        return None
    try:
        date(*map(int, day.groups()))
    except ValueError:
        return None
    return day.group()


def is_date(text: str) -> bool:
    """Tell whether a text is a date and nothing else."""
    return to_date(text) == text


def is_date_time(text: str) -> bool:
    """Tell whether a text is a date-time, with or without a zone."""
    return not is_date(text) and to_utc(text, UTC) is not None


def to_utc(text: str, zone: tzinfo) -> str | None:
    """Return an instant as RFC 3339 in UTC with `Z`; None where the text is no real instant.

    SQL targets drop the offset, so that any other would shift the time. 24:00:00 is the next
    midnight, and a leap second (23:59:60) is the second before it.

    Args:
        text: A date, or a date-time with or without its zone. The fraction of a second stays as
            it came, however long (see `cut_fraction`).
        zone: What a text without a zone is told in. In a gap or fold of daylight saving time
            the earlier reading counts (fold=0).
    """
    if _DATE.fullmatch(text):
        text = f"{text}T00:00:00"
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    *numbers, fraction, offset = match.groups()
    fraction = (fraction or "").replace(",", ".")
    year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
    is_end_of_day = (hour, minute, second) == _END_OF_DAY and not fraction.strip(".0")
    if is_end_of_day:
        hour = 0
    is_leap = second == _LEAP_SECOND
    if is_leap:
        second -= 1
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - told in the zone
        local += timedelta(is_end_of_day)
        moment = local.replace(tzinfo=_zone(offset, zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # By the clock of the text or by that of UTC, where leap seconds are put in.
    if is_leap and _LAST_MINUTE not in {local.timetuple()[3:5], moment.timetuple()[3:5]}:
        return None
    return f"{moment.replace(tzinfo=None).isoformat()}{fraction}Z"


def cut_fraction(instant: str) -> str:
    """Return an instant, as `to_utc` returns it, with the digits that every target holds.

    More of them a target would round, and the last moment of the year 9999 into the next.
    """
    seconds, dot, fraction = instant.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction[:FRACTION_DIGITS]}Z" if dot else instant


def sort_key(instant: str) -> str:
    """Return a text that sorts as the instant does; `instant` as `to_utc` returns it.

    Texts with and without a fraction would not: "." comes before "Z".
    """
    seconds, dot, fraction = instant.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction.rstrip('0')}".rstrip(".") if dot else seconds


def days_before(instant: str, days: int) -> str:
    """Return the instant so many days before another, both in UTC; at the earliest in year 1."""
    seconds, rest = instant[:19], instant[19:]
    try:
        return (datetime.fromisoformat(seconds) - timedelta(days)).isoformat() + rest
    except OverflowError:
        return "0001-01-01T00:00:00Z"


def _zone(offset: str | None, zone: tzinfo) -> tzinfo:
    if offset is None:
        return zone
    if offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) >= 60:  # noqa: PLR2004 - minutes in an hour
        raise ValueError(offset)
    delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-delta if offset[0] == "-" else delta)
