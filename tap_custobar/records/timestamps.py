"""Dates and timestamps, as strings that every target interprets the same way."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import msgspec

#: Fraction digits of a second that every target can store.
FRACTION_DIGITS = 6

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DATE_TIME = re.compile(
    rf"{_DATE.pattern}[Tt ]([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})([.,][0-9]+)?)?"
    r" ?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_MIDNIGHT = re.compile(r"[Tt ]00:00(:00([.,]0+)?)?( ?([Zz]|[+-]00(:?00)?))?")

_LEAP_SECOND, _LAST_MINUTE, _END_OF_DAY = 60, (23, 59), (24, 0, 0)
_SEPARATOR = '","'
# The positions of "T" and "Z" in `2024-02-29T10:00:00Z`, and the distance to those of the next
# timestamp behind `","`.
_T, _Z, _STEP = 10, 19, 23
_DATE_STEP = len("2024-02-29" + _SEPARATOR)
_dates = msgspec.json.Decoder(list[date])
_datetimes = msgspec.json.Decoder(list[datetime])
_LONG_FRACTION = re.compile(rf"\.[0-9]{{{FRACTION_DIGITS + 1}}}")


def are_dates(values: list[Any]) -> bool:
    """Return whether all values are strings that `to_date` returns unchanged."""
    if not values:
        return True
    try:
        joined = _SEPARATOR.join(values)
        dates = _dates.decode(f'["{joined}"]')
    except (TypeError, msgspec.DecodeError, UnicodeEncodeError):
        return False
    # Counts and lengths must match, because a string may contain the separator.
    return len(dates) == len(values) and len(joined) == _DATE_STEP * len(values) - len(_SEPARATOR)


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
    # The decoder also accepts strings that contain the separator or escape sequences.
    if len(datetimes) != count or "\\" in joined:
        return False
    # It also accepts "t" or a space for "T", other offsets or none, and longer fractions. Slices
    # are faster than counts, but need timestamps of the same length.
    if "." not in joined:
        return joined[_T::_STEP] == "T" * count and joined[_Z::_STEP] == "Z" * count
    return joined.count("T") == joined.count("Z") == count and not _LONG_FRACTION.search(joined)


def to_date(text: str) -> str | None:
    """Return `YYYY-MM-DD` for a date that exists, with or without the time midnight; else None."""
    day = _DATE.match(text)
    if day is None or not (day.end() == len(text) or _MIDNIGHT.fullmatch(text, day.end())):
        return None
    try:
        date(*map(int, day.groups()))
    except ValueError:
        return None
    return day.group()


def is_date(text: str) -> bool:
    """Return whether a string is a date without a time."""
    return to_date(text) == text


def is_date_time(text: str) -> bool:
    """Return whether a string is a date-time, with or without a zone."""
    return not is_date(text) and to_utc(text, UTC) is not None


def to_utc(text: str, zone: tzinfo) -> str | None:
    """Return a timestamp as RFC 3339 in UTC with `Z`; None if the string is not a valid one.

    UTC, because SQL targets discard the offset, which would shift the time. 24:00:00 is converted
    to the next midnight, and a leap second (23:59:60) to the second before it.

    Args:
        text: A date, or a date-time with or without a zone. The fraction of a second keeps all
            digits (see `cut_fraction`).
        zone: Time zone of a string without one. In a gap or fold of daylight saving time the
            earlier interpretation applies (fold=0).
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
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - zone is set below
        local += timedelta(is_end_of_day)
        in_utc = local.replace(tzinfo=_zone(offset, zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Leap seconds are inserted at the end of a UTC day; some clocks insert them at a local one.
    if is_leap and _LAST_MINUTE not in {local.timetuple()[3:5], in_utc.timetuple()[3:5]}:
        return None
    return f"{in_utc.replace(tzinfo=None).isoformat()}{fraction}Z"


def cut_fraction(timestamp: str) -> str:
    """Return a timestamp of `to_utc` with as many fraction digits as every target can store.

    A target would round more of them, and the end of the year 9999 into the year 10000.
    """
    seconds, dot, fraction = timestamp.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction[:FRACTION_DIGITS]}Z" if dot else timestamp


def sort_key(timestamp: str) -> str:
    """Return a string by which timestamps of `to_utc` sort in chronological order.

    They do not by themselves if some have a fraction, because "." sorts before "Z".
    """
    seconds, dot, fraction = timestamp.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction.rstrip('0')}".rstrip(".") if dot else seconds


def days_before(timestamp: str, days: int) -> str:
    """Return the timestamp so many days before another, both in UTC; year 1 at the earliest."""
    seconds, rest = timestamp[:19], timestamp[19:]
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
