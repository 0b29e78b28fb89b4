from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_custobar.records.timestamps import (
    are_dates,
    are_timestamps,
    cut_fraction,
    days_before,
    is_date,
    is_date_time,
    sort_key,
    to_date,
    to_utc,
)
from tests.conftest import is_date as is_real_date
from tests.conftest import is_timestamp

HELSINKI = ZoneInfo("Europe/Helsinki")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        ("2024-02-29T10:20:30Z", "2024-02-29T10:20:30Z"),
        ("2024-02-29t10:20:30z", "2024-02-29T10:20:30Z"),
        ("2024-02-29 10:20:30 Z", "2024-02-29T10:20:30Z"),
        ("2024-02-29T10:20:30+02:00", "2024-02-29T08:20:30Z"),
        ("2024-02-29T10:20:30 +02:00", "2024-02-29T08:20:30Z"),
        ("2024-02-29T10:20:30+0200", "2024-02-29T08:20:30Z"),
        ("2024-02-29T10:20:30+02", "2024-02-29T08:20:30Z"),
        ("2024-02-29T10:20:30-05:30", "2024-02-29T15:50:30Z"),
        ("2024-02-29T10:20:30+23:59", "2024-02-28T10:21:30Z"),
        ("2024-02-29T10:20:30-00:00", "2024-02-29T10:20:30Z"),
        ("2024-02-29T23:30-02:00", "2024-03-01T01:30:00Z"),
        ("2024-02-29T10:20Z", "2024-02-29T10:20:00Z"),
        ("2024-02-29T10:20:30.5Z", "2024-02-29T10:20:30.5Z"),
        ("2024-02-29T10:20:30,500Z", "2024-02-29T10:20:30.500Z"),
        ("2024-02-29T10:20:30.000000+01:00", "2024-02-29T09:20:30.000000Z"),
        ("2024-02-29T10:20:30.123456789012345678Z", "2024-02-29T10:20:30.123456789012345678Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0999-12-31T23:59:59Z", "0999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59.9Z", "9999-12-31T23:59:59.9Z"),
        ("2024-02-29T24:00:00Z", "2024-03-01T00:00:00Z"),
        ("2023-12-31T24:00Z", "2024-01-01T00:00:00Z"),
        ("2024-02-29T24:00:00.000+02:00", "2024-02-29T22:00:00.000Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2016-12-31T23:59:60.25Z", "2016-12-31T23:59:59.25Z"),
        ("2017-01-01T01:59:60+02:00", "2016-12-31T23:59:59Z"),
        ("9999-12-31T23:59:60Z", "9999-12-31T23:59:59Z"),
    ],
)
@pytest.mark.parametrize("zone", [UTC, HELSINKI], ids=str)
def test_a_timestamp_with_an_offset_is_converted_to_utc(
    text: str, timestamp: str, zone: tzinfo
) -> None:
    assert to_utc(text, zone) == timestamp
    assert is_timestamp(timestamp)


@pytest.mark.parametrize(
    ("text", "zone", "timestamp"),
    [
        ("2024-01-15T10:20:30", UTC, "2024-01-15T10:20:30Z"),
        ("2024-01-15", UTC, "2024-01-15T00:00:00Z"),
        ("2024-01-15T10:20:30", HELSINKI, "2024-01-15T08:20:30Z"),
        ("2024-07-15 10:20", HELSINKI, "2024-07-15T07:20:00Z"),
        ("2024-07-15 10:20:30,25", HELSINKI, "2024-07-15T07:20:30.25Z"),
        ("2024-01-15", HELSINKI, "2024-01-14T22:00:00Z"),
        ("2024-07-15", HELSINKI, "2024-07-14T21:00:00Z"),
        ("2024-07-15", NEW_YORK, "2024-07-15T04:00:00Z"),
        # the clock goes from 3:00 to 4:00: the offset before the change is used
        ("2024-03-31T02:59:59", HELSINKI, "2024-03-31T00:59:59Z"),
        ("2024-03-31T03:30:00", HELSINKI, "2024-03-31T01:30:00Z"),
        ("2024-03-31T04:00:00", HELSINKI, "2024-03-31T01:00:00Z"),
        # the clock goes from 4:00 to 3:00: the first of the two times is used
        ("2024-10-27T02:59:59", HELSINKI, "2024-10-26T23:59:59Z"),
        ("2024-10-27T03:30:00", HELSINKI, "2024-10-27T00:30:00Z"),
        ("2024-10-27T03:59:59.9", HELSINKI, "2024-10-27T00:59:59.9Z"),
        ("2024-10-27T04:00:00", HELSINKI, "2024-10-27T02:00:00Z"),
        ("2024-10-26T24:00:00", HELSINKI, "2024-10-26T21:00:00Z"),
        ("2024-10-27T24:00:00", HELSINKI, "2024-10-27T22:00:00Z"),
        ("2016-12-31T23:59:60", HELSINKI, "2016-12-31T21:59:59Z"),
    ],
    ids=str,
)
def test_without_an_offset_a_timestamp_is_local_time_of_the_given_zone(
    text: str, zone: tzinfo, timestamp: str
) -> None:
    assert to_utc(text, zone) == timestamp


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "now", "0", "1709200000", "2024", "2024-02", "20240229", "2024-02-29T"),
        "24-2-9",
        *("2024-02-29T10", "2024-02-29T10Z", "20240229T102030Z", "2024-060", "2024-W09-4"),
        *("2023-02-29", "2023-02-29T00:00:00Z", "2024-13-01", "2024-00-01", "2024-01-00"),
        *("2024-04-31T00:00:00Z", "1900-02-29", "0000-01-01", "0000-12-31T23:59:59Z"),
        "10000-01-01",
        *("2024-01-01T24:00:01Z", "2024-01-01T24:00:00.1Z", "2024-01-01T24:01Z"),
        *("2024-01-01T23:60:00Z", "2016-12-31T23:58:60Z", "2016-12-31T23:59:61Z"),
        *("9999-12-31T24:00:00Z", "2024-02-30T24:00:00Z"),
        *("2024-01-01T25:00", "2024-01-01T10:20:61", "-2024-01-01", "+2024-01-01"),
        *("2024-01-01T10:20:30+24:00", "2024-01-01T10:20:30+01:60", "2024-01-01T10:20:30+1"),
        *("2024-01-01T10:20:30+01:00:30", "2024-01-01T10:20:30 UTC", "2024-01-01T10:20:30EET"),
        *("2024-01-01T10:20:30.", "2024-01-01T10:20:30.Z", "2024-01-01T10:20.5Z", "2024/01/01"),
        *("2024-01-01T10:20:30.5.5Z", "2024-01-01T10:20:30ZZ", "2024-01-01T10:20:30  Z"),
        *("2024-01-01\n", "2024-01-01T10:20:30Z\n", "\n2024-01-01", "2024-01-01  10:20:30"),
        *("\u0662\u0660\u0662\u0664-01-01", "2024-01-01T10:20:3\u0660Z", "2024-01-01T10:20:30.५Z"),
        "\uff12\uff10\uff12\uff14-01-01",
        *("2024-01-01T10:20:30+\u0660\u0661:00", "2024-01-01T10:20:30.²Z"),
        *("0001-01-01T00:00:00+00:01", "0001-01-01T13:59:59+14:00", "9999-12-31T23:59:59-00:01"),
    ],
    ids=ascii,
)
def test_an_invalid_timestamp_returns_none(text: str) -> None:
    assert to_utc(text, UTC) is None


def test_a_local_time_outside_the_supported_years_in_utc_returns_none() -> None:
    assert to_utc("0001-01-01", timezone(timedelta(hours=14))) is None
    assert to_utc("9999-12-31", timezone(timedelta(hours=14))) == "9999-12-30T10:00:00Z"
    assert to_utc("9999-12-31T23:00:00", NEW_YORK) is None


offsets = st.integers(-(24 * 60 - 1), 24 * 60 - 1).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


@given(
    st.datetimes(timezones=offsets | st.just(UTC)),
    st.sampled_from(["T", " ", "t"]),
    st.sampled_from([UTC, HELSINKI]),
)
def test_any_timestamp_is_converted_to_utc(local: datetime, separator: str, zone: tzinfo) -> None:
    text = to_utc(local.isoformat().replace("T", separator), zone)

    try:
        expected = local.astimezone(UTC)
    except OverflowError:
        assert text is None
        return
    assert text is not None
    assert is_timestamp(text)
    assert datetime.fromisoformat(text) == expected
    assert to_utc(text, HELSINKI) == text


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - local times
    st.timezones(),
)
def test_any_timestamp_without_an_offset_is_local_time(local: datetime, zone: ZoneInfo) -> None:
    local = local.replace(fold=0)

    text = to_utc(local.isoformat(), zone)

    assert text is not None
    assert datetime.fromisoformat(text) == local.replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        ("2024-02-29T10:20:30Z", "2024-02-29T10:20:30Z"),
        ("2024-02-29T10:20:30.5Z", "2024-02-29T10:20:30.5Z"),
        ("2024-02-29T10:20:30.123456Z", "2024-02-29T10:20:30.123456Z"),
        ("2024-02-29T10:20:30.1234569Z", "2024-02-29T10:20:30.123456Z"),
        ("9999-12-31T23:59:59.999999999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_fractions_are_truncated_and_not_rounded(whole: str, cut: str) -> None:
    assert cut_fraction(whole) == cut
    assert are_timestamps([whole]) is (whole == cut)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+Zz -]*", fullmatch=True))
def test_any_string_returns_a_valid_timestamp_or_none(text: str) -> None:
    timestamp = to_utc(text, HELSINKI)

    assert timestamp is None or is_timestamp(timestamp)


@pytest.mark.parametrize(
    "end",
    [
        *("", "T00:00:00", "t00:00", " 00:00:00.000", "T00:00:00,0", "T00:00:00Z", "T00:00:00z"),
        *("T00:00:00 Z", "T00:00:00+00:00", "T00:00:00.000-00:00", "T00:00:00+0000", "T00:00+00"),
    ],
)
def test_a_date_or_its_midnight_returns_the_date(end: str) -> None:
    assert to_date(f"2024-02-29{end}") == "2024-02-29"


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2024", "2024-02", "2023-02-29", "2024-13-01", "0000-01-01", "2024-00-10"),
        *("2023-02-29T00:00:00Z", "2024-02-29T00:00:01", "2024-02-29T12:00:00Z", "2024-02-29T00"),
        *("2024-02-29T00:00:00.001", "2024-02-29T00:00:00+02:00", "2024-02-29T00:00:00-05:00"),
        *("2024-02-29 ", "2024-02-29T", "29.2.2024", "29/02/2024", "20240229", "2024-2-29"),
        *("2024-02-29\n", "2024-02-29T24:00:00", "\u0662\u0660\u0662\u0664-02-29"),
        *("2024-02-2\uff19", "-024-02-29"),
    ],
    ids=ascii,
)
def test_an_invalid_date_returns_none(text: str) -> None:
    assert to_date(text) is None


@given(st.dates())
def test_any_date_is_unchanged(day: datetime) -> None:
    assert to_date(day.isoformat()) == day.isoformat()


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,+Zz -]*)?"))
def test_any_string_returns_a_valid_date_or_none(text: str) -> None:
    day = to_date(text)

    assert day is None or (re.fullmatch(r"\d{4}-\d\d-\d\d", day) and is_real_date(day))


PLAIN = "2024-02-29T10:00:00Z"


@pytest.mark.parametrize(
    "odd",
    [
        *("2024-02-29T23:59:60Z", "0000-02-29T10:00:00Z", "2023-02-29T10:00:00Z"),
        *("1900-02-29T10:00:00.5Z", "2024-04-31T10:00:00.5Z", "2024-02-29T10:00:00.1234567Z"),
        *("2024-02-29T10:00:00z", "2024-02-29 10:00:00Z", "2024-02-29T10:00:00"),
        *("2024-02-29t10:00:00Z", "2024-02-29T10:00:00.5z", "2024-02-29 10:00:00.5Z"),
        *("2024-02-29t10:00:00.5Z", "2024-02-29T10:00:00.5", "2024-02-29T10:00:00.5+00:00"),
        *("2024-02-29T10:00:00.Z", "2024-02-29T10:00:00,5Z", "2024-02-29T10:00Z"),
        *(
            f'{PLAIN}","{PLAIN}',
            f'{PLAIN}","2024-02-29 10:00:00.5',
            f"{PLAIN}\n{PLAIN}",
            "2024-02-29T10:00+00Z",
            '2024-02-29T10:00:0"Z',
        ),
        *(r"2024-02-29T10:00:0\u0030Z", r"2024-02-29T10:00:00.\u0035Z", f" {PLAIN}", ""),
        *("2024-02-29T24:00:00Z", "2024-02-29T1:00:000Z", "\ud800024-02-29T10:00:00Z", 5, None),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("good", [PLAIN, f"{PLAIN[:-1]}.50Z"])
def test_one_invalid_value_among_timestamps_is_found(odd: object, good: str) -> None:
    for values in ([odd], [good, odd], [odd, good], [good, odd, good]):
        assert not are_timestamps(values)


def _is_timestamp(value: str) -> bool:
    timestamp = to_utc(value, UTC)
    return timestamp is not None and cut_fraction(timestamp) == value


_any_days = st.dates().map(str) | st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True)
_any_timestamps = st.tuples(
    _any_days,
    st.from_regex(r"T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,8})?Z", fullmatch=True),
).map("".join)
_altered_timestamps = st.tuples(
    _any_timestamps,
    st.integers(0, 28),
    st.integers(0, 3),
    st.sampled_from(["", *'Tt Zz+-:.,0"\\', r"\u0030", '","', '",', ',"', "+00:00", "\n", "५"]),
).map(lambda drawn: f"{drawn[0][: drawn[1]]}{drawn[3]}{drawn[0][drawn[1] + drawn[2] :]}")


@given(st.lists(st.datetimes().map(lambda local: f"{local.isoformat()}Z")))
@example([])
@example([PLAIN, f"{PLAIN[:-1]}.50Z"])
def test_any_timestamps_in_utc_are_accepted(values: list[str]) -> None:
    assert are_timestamps(values)


@given(st.lists(_any_timestamps | _altered_timestamps, max_size=3))
def test_checking_a_list_of_timestamps_equals_checking_each(values: list[str]) -> None:
    assert are_timestamps(values) is all(map(_is_timestamp, values))


@pytest.mark.parametrize(
    "odd",
    [
        *("2024-02-29T00:00:00", "2023-02-29", "2024-2-029", "0000-01-01", "", 5, None),
        *('2024-02-29","2024-02-29', "2024-02-29\n", "\ud800024-02-29", ["2024-02-29"]),
    ],
    ids=ascii,
)
def test_one_invalid_value_among_dates_is_found(odd: object) -> None:
    assert are_dates([])
    assert are_dates(["2024-02-29", "0001-01-01", "9999-12-31"])
    for texts in ([odd], ["2024-02-29", odd], [odd, "2024-02-29"]):
        assert are_dates(texts) is False


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2024-02-29", "date"),
        ("2024-02-29T00:00:00", "date-time"),
        ("2024-02-29 10:00", "date-time"),
        ("2024-02-29T10:00:00+02:00", "date-time"),
        ("2023-02-29", None),
        ("2023-02-29T10:00", None),
        ("soon", None),
    ],
)
def test_dates_and_date_times_are_distinguished(text: str, kind: str | None) -> None:
    assert is_date(text) is (kind == "date")
    assert is_date_time(text) is (kind == "date-time")


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["", ".0", ".5", ".50", ".05"]))))
def test_timestamps_sort_by_time_and_not_alphabetically(times: list[tuple[int, str]]) -> None:
    timestamps = [f"2024-02-29T10:00:{second:02}{fraction}Z" for second, fraction in times]

    by_time = sorted(timestamps, key=datetime.fromisoformat)

    assert sorted(timestamps, key=sort_key) == by_time
    assert len(set(map(sort_key, timestamps))) == len(set(map(datetime.fromisoformat, timestamps)))


@pytest.mark.parametrize(
    ("days", "before"),
    [
        (0, "2024-03-01T10:00:00.5Z"),
        (1, "2024-02-29T10:00:00.5Z"),
        (366, "2023-03-01T10:00:00.5Z"),
        (999_999, "0001-01-01T00:00:00Z"),
        (10**12, "0001-01-01T00:00:00Z"),
    ],
)
def test_days_before_keeps_the_time_of_day(days: int, before: str) -> None:
    assert days_before("2024-03-01T10:00:00.5Z", days) == before
