from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.config.normalization import normalize, parse_variable, split_token
from tap_custobar.tap import TapCustobar
from tests.unit.strategies import json_values

PROPERTIES: dict[str, Any] = TapCustobar.config_jsonschema["properties"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"company": "https://acme.custobar.com/"}, {"company": "acme"}),
        ({"company": " ACME.custobar.com\n"}, {"company": "acme"}),
        ({"company": "http://Acme.custobar.com/customers/?a=1"}, {"company": "acme"}),
        ({"company": "Acme"}, {"company": "acme"}),
        ({"company": "acme-2"}, {"company": "acme-2"}),
        ({"company": "acme.custobar.com.evil"}, {"company": "acme.custobar.com.evil"}),
        ({"company": "acme.example"}, {"company": "acme.example"}),
        ({"company": 5}, {"company": 5}),
        ({"api_url": "shop.example/api"}, {"api_url": "https://shop.example/api"}),
        ({"api_url": "//shop.example/api"}, {"api_url": "https://shop.example/api"}),
        ({"api_url": "localhost:8000/api"}, {"api_url": "http://localhost:8000/api"}),
        ({"api_url": "[::1]:8000/api"}, {"api_url": "http://[::1]:8000/api"}),
        ({"api_url": "http://shop.example/api"}, {"api_url": "http://shop.example/api"}),
        ({"api_url": ""}, {"api_url": ""}),
        ({"response_format": "CSV "}, {"response_format": "csv"}),
        ({"auth_scheme": "BEARER"}, {"auth_scheme": "Bearer"}),
        ({"auth_scheme": "basic"}, {"auth_scheme": "basic"}),
        ({"api_token": " abc "}, {"api_token": "abc"}),
        ({"api_token": "token"}, {"api_token": "token"}),
        ({"api_token": "TOKEN\tabc"}, {"api_token": "abc", "auth_scheme": "Token"}),
        (
            {"api_token": "Token abc", "auth_scheme": "bearer"},
            {"api_token": "abc", "auth_scheme": "Bearer"},
        ),
        ({"user_agent": "acme-etl "}, {"user_agent": "acme-etl "}),
        (
            {"stream_options": {"customers": {"filters": '{"email": "{}"}', "order": "[]"}}},
            {"stream_options": {"customers": {"filters": {"email": "{}"}, "order": "[]"}}},
        ),
        (
            {"stream_options": {"sales": '{"custom_fields": "{\\"a__b\\": \\"date\\"}"}'}},
            {"stream_options": {"sales": {"custom_fields": {"a__b": "date"}}}},
        ),
        (
            {"stream_options": {"customers": {"filters": "{", "custom_fields": "[]"}}},
            {"stream_options": {"customers": {"filters": "{", "custom_fields": []}}},
        ),
    ],
    ids=str,
)
def test_settings_are_normalized(given: dict[str, Any], kept: dict[str, Any]) -> None:
    normalize(given, PROPERTIES)

    assert given == kept
    again = dict(kept)
    normalize(again, PROPERTIES)
    assert again == kept


@given(st.dictionaries(st.sampled_from(sorted(PROPERTIES)), json_values))
def test_any_config_can_be_normalized(config: dict[str, Any]) -> None:
    normalize(config, PROPERTIES)


@pytest.mark.parametrize(
    ("pasted", "token", "scheme"),
    [
        ("abc", "abc", None),
        (" abc\n", "abc", None),
        ("Token abc", "abc", "Token"),
        ("bearer\tabc", "abc", "Bearer"),
        ("Basic abc", "Basic abc", None),
        ("Token", "Token", None),
        ("", "", None),
    ],
)
def test_a_token_is_extracted_from_a_pasted_header(
    pasted: str, token: str, scheme: str | None
) -> None:
    assert split_token(pasted) == (token, scheme)


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("5", "string", "5"),
        ("5", ["string", "null"], "5"),
        ("5", "integer", 5),
        ("5.0", "integer", "5.0"),
        ("5.0", ["number", "integer"], "5.0"),
        ("5.5", "number", 5.5),
        ("NaN", "number", "NaN"),
        ("Infinity", "number", "Infinity"),
        ("five", "integer", "five"),
        (" Yes ", "boolean", True),
        ("OFF", "boolean", False),
        ("1", ["boolean", "null"], True),
        ("maybe", "boolean", "maybe"),
        ('{"a": [1]}', "object", {"a": [1]}),
        ("[", "array", "["),
        pytest.param("[" * 5000, "array", "[" * 5000, id="nested too deeply"),
        ("", "object", ""),
    ],
    ids=str,
)
def test_an_environment_variable_is_converted_to_the_type_of_its_setting_or_stays_a_string(
    text: str, types: str | list[str], value: object
) -> None:
    parsed = parse_variable(text, types)

    assert parsed == value
    assert type(parsed) is type(value)
