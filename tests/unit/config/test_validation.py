from __future__ import annotations

import copy
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_custobar.config import validation
from tap_custobar.streams import STREAMS
from tap_custobar.tap import TapCustobar

SCHEMA: dict[str, Any] = copy.deepcopy(TapCustobar.config_jsonschema)
TapCustobar.append_builtin_config(SCHEMA)
DEFAULTS = {
    name: definition["default"]
    for name, definition in SCHEMA["properties"].items()
    if "default" in definition
}
GOOD: dict[str, Any] = {**DEFAULTS, "api_token": "token", "company": "acme"}
SECRET = "s3cr3t-9182736455"  # noqa: S105 - to be looked for # pragma: allowlist secret
SECRET_NUMBER = 9182736455


def problems(config: object) -> list[str]:
    """Return the problems of a config, as the tap reports them."""
    errors = list(Draft202012Validator(SCHEMA).iter_errors(config))
    if errors or not isinstance(config, dict):
        return list(map(validation.describe, errors))
    return list(
        validation.cross_check(config, {stream.name: stream.endpoint.orders for stream in STREAMS})
    )


def test_a_valid_config_has_no_problems() -> None:
    assert problems(GOOD) == []
    assert problems({**GOOD, "api_url": "http://127.0.0.1:8000/api"}) == []


PLACES: list[list[str | int]] = [
    [],
    *([name] for name in SCHEMA["properties"]),
    ["stream_options", "customers"],
    ["stream_options", "customers", "filters"],
    ["stream_options", "customers", "filters", "email"],
    ["stream_options", "customers", "filters", "limit"],
    ["stream_options", "customers", "order"],
    ["stream_options", "customers", "order", 0],
    ["stream_options", "unknown"],
    ["stream_options", "customers", "unknown"],
    ["unknown"],
]

secret_texts = st.sampled_from(
    [
        *(SECRET, f" {SECRET}", f"{SECRET}\n", f"ä{SECRET}", f"a,{SECRET}", f"-{SECRET}"),
        *(f"http://{SECRET}.example/api", f"https://user:{SECRET}@acme.example/api"),
        *(f"https://acme.example/api?{SECRET}", f"https://acme.example:{SECRET}/api"),
        *(f"https://acme.example/{SECRET} /", f"https://[{SECRET}", f"ftp://{SECRET}/"),
    ]
)
secret_values = st.recursive(
    secret_texts | st.sampled_from([SECRET_NUMBER, -SECRET_NUMBER, SECRET_NUMBER + 0.5]),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.fixed_dictionaries({"a": inner}),
    max_leaves=3,
)


def put(config: Any, place: list[str | int], value: object) -> object:  # noqa: ANN401 - any JSON value
    """Return the config with a value at a path, whose missing parents are created."""
    if not place:
        return value
    first, *rest = place
    if isinstance(first, int):
        return [put(None, rest, value)]
    return {**(config or {}), first: put((config or {}).get(first), rest, value)}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)) or "config")
@given(value=secret_values)
@example(SECRET.upper())
@example(SECRET_NUMBER)
def test_no_problem_shows_a_value(place: list[str | int], value: object) -> None:
    for problem in problems(put(GOOD, place, value)):
        assert "s3cr3t" not in problem.lower()
        assert str(SECRET_NUMBER) not in problem


@given(st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])), secret_values))
def test_no_problem_shows_a_value_beside_others(config: dict[str, object]) -> None:
    for problem in problems({**DEFAULTS, **config}):
        assert "s3cr3t" not in problem
        assert str(SECRET_NUMBER) not in problem


@pytest.mark.parametrize("name", [name for name in SCHEMA["properties"] if name != "api_url"])
def test_a_setting_of_the_wrong_type_is_named(name: str) -> None:
    definition = SCHEMA["properties"][name]
    types = definition.get("type", ["object", "array", "string"])
    wrong = 5 if "number" not in types and "integer" not in types else "text"

    reported = problems({**GOOD, name: wrong})

    assert reported
    assert all(problem.startswith(f"{name}: ") for problem in reported)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([], "config: must be an object"),
        ("text", "config: must be an object"),
        ({**GOOD, "stream_options": []}, "stream_options: must be an object"),
        ({**GOOD, "page_size": True}, "page_size: must be an integer"),
        ({**GOOD, "request_interval": "1"}, "request_interval: must be a number"),
        ({**GOOD, "request_timeout": 0}, "request_timeout: must be more than 0"),
        ({**GOOD, "max_retries": -1}, "max_retries: must be at least 0"),
        ({**GOOD, "page_size": 100_001}, "page_size: must be at most 100000"),
        (
            {**GOOD, "page_size": 10_001},
            "page_size: must be at most 10000, unless response_format is csv",
        ),
        (
            {**GOOD, "start_date": "soon"},
            "start_date: must be a date or date-time, like 2024-01-31",
        ),
        ({**GOOD, "auth_scheme": "token"}, "auth_scheme: must be one of Token, Bearer"),
        ({**GOOD, "request_timeout": math.inf}, "request_timeout: must be at most 86400"),
        (
            {**GOOD, "stream_options": {"customers": {"order": ["a", 5]}}},
            "stream_options.customers.order.1: must be a string",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_problem_names_the_setting_and_what_is_allowed(config: object, problem: str) -> None:
    assert problems(config) == [problem]


@pytest.mark.parametrize(
    ("schema", "instance", "text"),
    [
        ({"minLength": 40}, SECRET, "config: does not match its description"),
        ({"const": 1}, SECRET, "config: does not match its description"),
        ({"anyOf": [{"type": "null"}]}, SECRET, "config: does not match its description"),
        ({"type": ["array", "null"]}, SECRET, "config: must be an array"),
        (
            {"type": ["boolean", "integer"]},
            SECRET,
            "config: must be true or false or an integer",
        ),
        ({"enum": ["a", None, 1]}, SECRET, "config: must be one of a, 1"),
    ],
    ids=str,
)
def test_problems_of_unused_schema_rules_show_no_value(
    schema: dict[str, Any], instance: object, text: str
) -> None:
    [error] = Draft202012Validator(schema).iter_errors(instance)

    assert validation.describe(error) == text


@pytest.mark.parametrize("token", ['"abc"', "'abc", "abc`", "“abc”", "»abc«", '"a b"'], ids=ascii)
def test_a_token_in_quotation_marks_is_rejected(token: str) -> None:
    assert problems({**GOOD, "api_token": token}) == [
        "api_token: must not have quotation marks around it"
    ]


@pytest.mark.parametrize("token", ["a b", "a\n", "\ta", "ä", "a\u00a0", "a\x7f"], ids=ascii)
def test_a_token_invalid_in_a_header_is_rejected_without_showing_it(token: str) -> None:
    assert problems({**GOOD, "api_token": token}) == [
        "api_token: must not contain spaces, line breaks or non-ASCII characters"
    ]


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"hash_key": "\udcff" * 16}, "hash_key"),
        ({"stream_options": {"events": {"filters": {"email": "\udcff"}}}}, "filters"),
        ({"stream_options": {"events": {"filters": {"\udcff": "a"}}}}, "filters"),
        ({"stream_options": {"events": {"order": ["\udcff"]}}}, "order"),
    ],
    ids=ascii,
)
def test_invalid_unicode_is_rejected(setting: dict[str, Any], name: str) -> None:
    """The bytes of an environment variable that are not UTF-8 become such characters."""
    [problem] = problems({**GOOD, **setting})

    assert problem.endswith(f"{name}: must not contain invalid Unicode")


@pytest.mark.parametrize("agent", ["a\nb", "a\r", " a", "a ", "ä", "\x00"], ids=ascii)
def test_a_user_agent_invalid_in_a_header_is_rejected(agent: str) -> None:
    assert problems({**GOOD, "user_agent": agent}) == [
        "user_agent: must be one line of ASCII characters"
    ]


@pytest.mark.parametrize("agent", ["acme-etl/2 (nightly; +https://acme.example)", "x"])
def test_other_user_agents_are_accepted(agent: str) -> None:
    assert problems({**GOOD, "user_agent": agent}) == []


@pytest.mark.parametrize("name", ["limit", "fields", "order", "format"])
def test_a_filter_named_like_a_parameter_is_rejected(name: str) -> None:
    config = {**GOOD, "stream_options": {"products": {"filters": {name: SECRET, "email": "x"}}}}

    [problem] = problems(config)

    assert problem.startswith(f"stream_options.products.filters.{name}: is a parameter of the API")


@pytest.mark.parametrize(
    ("ahead", "zone", "is_rejected"),
    [
        (timedelta(seconds=-5), UTC, False),
        (timedelta(minutes=5), UTC, True),
        (timedelta(minutes=5), timezone(timedelta(hours=-11)), True),  # there it is yesterday yet
        (timedelta(seconds=-5), timezone(timedelta(hours=12)), False),  # there it is tomorrow
        (timedelta(days=400), UTC, True),
    ],
)
def test_a_start_date_in_the_future_is_rejected_in_any_timezone(
    ahead: timedelta, zone: timezone, *, is_rejected: bool
) -> None:
    start_date = (datetime.now(UTC) + ahead).astimezone(zone).isoformat()

    reported = problems({**GOOD, "start_date": start_date})

    assert reported == (["start_date: must not be in the future"] if is_rejected else [])


def test_a_start_date_without_an_offset_is_in_the_configured_timezone() -> None:
    now = datetime.now(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None)
    config = {**GOOD, "start_date": (now - timedelta(minutes=5)).isoformat()}

    assert problems({**config, "timezone": "Asia/Tokyo"}) == []
    assert problems(config) == ["start_date: must not be in the future"]


def test_a_config_without_company_and_api_url_has_one_problem() -> None:
    config = {name: value for name, value in GOOD.items() if name != "company"}

    assert problems(config) == ["company: is missing. Either company or api_url is required"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("page_sise", "; did you mean page_size?"),
        ("apitoken", "; did you mean api_token?"),
        ("Company", "; did you mean company?"),
        ("requestinterval", "; did you mean request_interval?"),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_an_unknown_setting_is_logged_with_the_most_similar_name(name: str, hint: str) -> None:
    known = list(SCHEMA["properties"])

    assert list(validation.unknown_settings([name, "company"], known)) == [
        f"Unknown setting {name} is ignored{hint}"
    ]


def test_known_settings_are_not_warned_about() -> None:
    assert list(validation.unknown_settings(SCHEMA["properties"], SCHEMA["properties"])) == []


@pytest.mark.parametrize(
    ("addresses", "is_ignored"),
    [
        ({"company": "acme"}, False),
        ({"api_url": "https://shop.example/api"}, False),
        ({"company": "acme", "api_url": "https://ACME.custobar.com/api/"}, False),
        ({"company": "acme", "api_url": "https://other.custobar.com/api"}, True),
        ({"company": "acme", "api_url": "http://127.0.0.1:8000/api"}, True),
        ({"company": "acme", "api_url": ""}, False),
    ],
    ids=str,
)
def test_a_company_that_is_ignored_is_a_warning_that_names_both_settings(
    addresses: dict[str, str], *, is_ignored: bool
) -> None:
    warnings = list(validation.ignored_company({**DEFAULTS, "api_token": "token", **addresses}))

    assert len(warnings) == is_ignored
    assert all("company" in warning and "api_url" in warning for warning in warnings)


def test_flattening_shortens_no_key() -> None:
    keys = {
        key
        for stream in TapCustobar.declarations
        for key in (
            *stream.valid_replication_keys,
            *(stream.line_items.keys if stream.line_items else ()),
            stream.surrogate_key or "",
        )
    }

    assert max(map(len, keys)) < validation.MIN_KEY_LENGTH
