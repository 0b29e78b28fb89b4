"""Fixtures of the unit tests, and the profiles of the property tests."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator


# `fast` takes the same few examples in every run, so that a red test is always due to a change.
# `search` is for the weekly workflow (`make search`).
_PROFILES: dict[str, dict[str, Any]] = {
    "fast": {"max_examples": 25, "derandomize": True},
    "search": {"max_examples": 1000, "print_blob": True},
}
for name, options in _PROFILES.items():
    settings.register_profile(
        name, deadline=None, suppress_health_check=[HealthCheck.too_slow], **options
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.fixture(autouse=True)
def restore_masks() -> Iterator[None]:
    """Remove the secrets that a test has registered for masking."""
    factory = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(factory)


class Clock:
    """A clock that advances only by sleeping and working."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client_settings(clock: Clock) -> dict[str, Any]:
    return {
        "token": "APISECRET",
        "auth_scheme": "Token",
        "user_agent": "tests",
        "request_interval": 0.0,
        "request_timeout": 30.0,
        "max_retries": 8,
        "sleep": clock.sleep,
        "clock": clock,
    }
