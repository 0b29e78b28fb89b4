from __future__ import annotations

import re
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tap_custobar.config.settings import Settings, StreamOptions


@pytest.mark.parametrize(
    ("config", "host", "path"),
    [
        ({"company": "acme"}, "acme.custobar.com", "/api"),
        ({"api_url": "https://shop.example/x/api/"}, "shop.example", "/x/api"),
        ({"api_url": "https://shop.example/api", "company": "acme"}, "shop.example", "/api"),
    ],
)
def test_the_base_url_is_api_url_or_else_that_of_the_company(
    config: dict[str, str], host: str, path: str
) -> None:
    api = Settings.from_config(config).base_url

    assert (api.host, api.path) == (host, path)


def test_null_settings_use_the_default() -> None:
    config = {"api_token": None, "page_size": None, "stream_options": {"sales": {"filters": None}}}

    settings = Settings.from_config(config)

    assert settings == Settings(stream_options={"sales": StreamOptions()})


def test_an_invalid_config_raises() -> None:
    with pytest.raises(msgspec.ValidationError):
        Settings.from_config({"page_size": "many"})


@pytest.mark.parametrize("name", ["UTC", "Europe/Helsinki"])
def test_the_zone_is_that_of_the_timezone_setting(name: str) -> None:
    zone = Settings(timezone=name).zone

    assert zone is UTC if name == "UTC" else zone == ZoneInfo(name)


@pytest.mark.parametrize("name", ["Europe/Helsinky", "../etc/passwd", "Europe"])
def test_an_unknown_timezone_raises(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(name)):
        _ = Settings(timezone=name).zone


def test_filters_are_converted_to_strings() -> None:
    filters = {"is_member": True, "has_left": False, "size": 5, "name": "Maija"}
    settings = Settings.from_config(
        {"stream_options": {"customers": {"filters": filters}, "sales": {"order": ["date"]}}}
    )

    assert settings.options_for("customers").filter_parameters == {
        "is_member": "true",
        "has_left": "false",
        "size": "5",
        "name": "Maija",
    }
    assert settings.filter_values == {"true", "false", "5", "Maija"}
    assert settings.options_for("sales").order == ("date",)
    assert settings.options_for("products") == StreamOptions()


@pytest.mark.parametrize(
    ("config", "pseudonymized", "hashes"),
    [
        ({}, False, False),
        ({"personal_data": "pseudonymize"}, True, True),
        ({"stream_options": {"customers": {"hash": ["email"]}}}, False, True),
        ({"stream_options": {"customers": {"keep": ["email"]}}}, False, False),
    ],
    ids=str,
)
def test_either_setting_enables_hashing(
    config: dict[str, Any], *, pseudonymized: bool, hashes: bool
) -> None:
    settings = Settings.from_config(config)

    assert (settings.is_pseudonymized, settings.hashes_anything) == (pseudonymized, hashes)
