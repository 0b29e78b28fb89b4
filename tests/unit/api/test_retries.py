from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.api.retries import Retries, parse_retry_after
from tap_custobar.errors import (
    CertificateError,
    ConnectionFailedError,
    HostNotFoundError,
    InvalidResponseError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    TransientError,
    UnreachableError,
)

CUT = ConnectionFailedError("acme.custobar.com", "was cut")
OFTEN_A_SETTING: list[TransientError] = [
    InvalidResponseError("an HTML page"),
    HostNotFoundError("acme.custobar.com"),
    CertificateError("acme.custobar.com"),
    UnreachableError("acme.custobar.com:443", "Connection refused"),
]
NEVER_A_SETTING: list[TransientError] = [
    CUT,
    RequestTimeoutError("acme.custobar.com", 300),
    ServerError(500, "/", None),
    RateLimitedError(0),
]


def test_delays_double_from_one_second_to_one_minute() -> None:
    for seed in range(50):
        random.seed(seed)
        retries = Retries(10)
        for step in (1, 2, 4, 8, 16, 32, 60, 60, 60, 60):
            wait = retries.next_wait(CUT, first_page=False)
            assert wait is not None
            assert step / 2 <= wait <= step
        assert retries.count == 10
        assert retries.next_wait(CUT, first_page=False) is None


def test_delays_are_random() -> None:
    assert len({Retries(1).next_wait(CUT, first_page=False) for _ in range(20)}) > 1


@pytest.mark.parametrize("seconds", [7.0, 600.0])
def test_the_longer_of_delay_and_retry_after_is_used(seconds: float) -> None:
    for error in (RateLimitedError(seconds), ServerError(503, "/", seconds)):
        retries = Retries(3)
        retries.next_wait(CUT, first_page=False)
        assert retries.next_wait(error, first_page=False) == seconds


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_a_retry_after_shorter_than_the_delay_is_not_used(seconds: float) -> None:
    wait = Retries(9, count=5).next_wait(ServerError(503, "/", seconds), first_page=False)

    assert wait is not None
    assert 16 <= wait <= 32


def test_a_server_error_without_retry_after_uses_the_delay() -> None:
    wait = Retries(1).next_wait(ServerError(503, "/", None), first_page=True)

    assert wait is not None
    assert 0.5 <= wait <= 1


def test_zero_retries_disable_retries() -> None:
    assert Retries(0).next_wait(CUT, first_page=False) is None
    assert Retries(0).next_wait(OFTEN_A_SETTING[0], first_page=True) is None


@pytest.mark.parametrize("error", OFTEN_A_SETTING, ids=lambda error: type(error).__name__)
def test_likely_configuration_errors_are_retried_once_on_the_first_page(
    error: TransientError,
) -> None:
    retries = Retries(8)
    assert retries.next_wait(error, first_page=True) is not None
    assert retries.next_wait(error, first_page=True) is None

    retries = Retries(8)
    assert all(retries.next_wait(error, first_page=False) is not None for _ in range(8))


@pytest.mark.parametrize("error", NEVER_A_SETTING, ids=lambda error: type(error).__name__)
def test_other_errors_are_retried_to_the_limit_on_the_first_page(error: TransientError) -> None:
    retries = Retries(8)

    assert all(retries.next_wait(error, first_page=True) is not None for _ in range(8))


@given(
    limit=st.integers(0, 60),
    faults=st.lists(
        st.sampled_from([*OFTEN_A_SETTING, *NEVER_A_SETTING])
        | st.builds(RateLimitedError, st.none() | st.floats(0, 600))
        | st.builds(ServerError, st.just(503), st.just("/"), st.none() | st.floats(0, 600)),
        max_size=70,
    ),
    first_page=st.booleans(),
)
def test_all_waits_together_end_after_15_minutes(
    limit: int, faults: list[TransientError], *, first_page: bool
) -> None:
    retries = Retries(limit)
    waits = [
        wait
        for error in faults
        if (wait := retries.next_wait(error, first_page=first_page)) is not None
    ]

    assert len(waits) == retries.count <= limit
    assert all(wait >= 0 for wait in waits)
    assert sum(waits) <= 900 + 1e-6


def test_the_last_wait_is_the_remainder_of_the_15_minutes() -> None:
    retries = Retries(100)
    busy = RateLimitedError(600)

    assert [retries.next_wait(busy, first_page=False) for _ in range(3)] == [600, 300, None]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("600", 600.0),
        ("601", 600.0),
        ("9" * 300, 600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 600.0),
        ("Friday, 31-Dec-99 23:59:59 GMT", 0.0),
    ],
)
def test_retry_after_is_parsed(value: str, seconds: float) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "-5", "+5", "1.5", "1e3", "NaN", "inf", "Infinity", "0x10", "5 s"),
        "1_000",
        *("soon", "٣", "५", "²", "Mon, 99 Foo 2024 00:00:00 GMT", "Thu, 30 Feb 2045 00:00:00 GMT"),
        "Thu, 01 Jan 99999 00:00:00 GMT",
    ],
)
def test_an_invalid_retry_after_returns_none(value: str | None) -> None:
    assert parse_retry_after(value) is None


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000", "+0300"])
def test_a_retry_after_date_is_relative_to_now(zone: str) -> None:
    hours = 3 if zone == "+0300" else 0
    soon = datetime.now(UTC) + timedelta(seconds=100, hours=hours)
    text = f"{soon:%a, %d %b %Y %H:%M:%S} {zone}"

    seconds = parse_retry_after(text)

    assert seconds is not None
    assert 0 < seconds <= 101


@pytest.mark.parametrize("years", [-30, 0, 30])
def test_a_retry_after_date_is_relative_to_the_date_of_the_response(years: int) -> None:
    date = datetime.now(UTC) + timedelta(days=365 * years)
    text = format_datetime(date + timedelta(seconds=90), usegmt=True)

    assert parse_retry_after(text, format_datetime(date, usegmt=True)) == 90


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Foo 2024 00:00:00 GMT", None])
def test_without_a_date_of_the_response_the_local_clock_is_used(date: str | None) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 0 < (parse_retry_after(soon, date) or 0) <= 101


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_any_retry_after_date_is_between_zero_and_ten_minutes(date: datetime) -> None:
    seconds = parse_retry_after(format_datetime(date, usegmt=True))

    assert seconds is not None
    assert 0 <= seconds <= 600
    if date < datetime.now(UTC) - timedelta(days=1):
        assert seconds == 0
    if date > datetime.now(UTC) + timedelta(days=1):
        assert seconds == 600


@given(
    st.text(st.characters(exclude_categories=()))
    | st.lists(
        st.sampled_from(
            [
                *("Mon,", "01", "Jan", "2024", "00:00:00", "24:00:00", "GMT", "+0000", "-9999"),
                "1",
                *(":", "-", ",", "(", '"', "EST", "0:", "24.00.00", "AM", "99", "\x00", "é", "٣"),
            ]
        )
    ).map(" ".join)
)
def test_any_string_returns_a_bounded_wait_or_none(value: str) -> None:
    seconds = parse_retry_after(value)

    assert seconds is None or 0 <= seconds <= 600


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 99999999999999999999 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999",
    ],
)
def test_a_retry_after_date_out_of_range_returns_none(date: str) -> None:
    assert parse_retry_after(date) is None


def test_the_delay_of_the_thousandth_retry_is_bounded() -> None:
    retries = Retries(limit=5000, count=1100)

    wait = retries.next_wait(ServerError(500, "/", None), first_page=False)

    assert wait is not None
    assert wait <= 60
