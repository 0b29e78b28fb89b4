"""The SDK's test class for taps, with recorded responses (see tests/cassettes/README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import vcr
from singer_sdk.testing import get_tap_test_class

from scripts.record_cassettes import everything
from tap_custobar.tap import TapCustobar

if TYPE_CHECKING:
    from collections.abc import Iterator

CASSETTES = Path(__file__).parent.parent / "cassettes"
CONFIG = {
    "api_url": "https://acme.custobar.com/api",
    "api_token": "APISCRUBBED",
    "request_interval": 0,
    "page_size": 50,
    # The tap is created when this file is imported, without a network.
    "discover_custom_fields": False,
}

# The environment of the developer must not affect the tests.
SdkTests = get_tap_test_class(
    TapCustobar, config=CONFIG, catalog=everything(CONFIG), parse_env_config=False
)


class TestTapCustobar(SdkTests):  # type: ignore[misc,valid-type] # a class created at run time
    """Every test of the SDK, with the network replaced by the cassette."""

    @pytest.fixture(autouse=True, scope="class")
    @staticmethod
    def cassette() -> Iterator[None]:
        """Replay the cassette for the fixture that reads the records, and for each test."""
        with vcr.use_cassette(
            CASSETTES / "sandbox.yaml", record_mode="none", allow_playback_repeats=True
        ):
            yield
