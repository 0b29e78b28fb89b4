from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.api.urls import MAX_LENGTH, ApiUrl
from tap_custobar.request import (
    CAMPAIGN_API,
    DATA_API,
    StreamRequest,
    page_size,
    requested_fields,
)

if TYPE_CHECKING:
    from tap_custobar.request import Endpoint

BASE = ApiUrl.parse("https://acme.custobar.com/api")


def request(*, endpoint: Endpoint = DATA_API, **options: Any) -> StreamRequest:
    return StreamRequest(BASE, "/data/customers/", endpoint, **options)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, ""),
        ({"page_size": 5}, "?limit=5"),
        ({"fields": ["external_id", "email"]}, "?fields=external_id,email"),
        ({"order": ["-date", "id"]}, "?order=-date,id"),
        (
            {"filters": {"email": "a b@c.fi", "is_member": "true"}},
            "?email=a%20b%40c.fi&is_member=true",
        ),
        ({"is_csv": True}, "?format=csv"),
        (
            {
                "page_size": 5,
                "fields": ["id"],
                "filters": {"x": "1"},
                "order": ["date"],
                "is_csv": True,
            },
            "?limit=5&fields=id&x=1&order=date&format=csv",
        ),
    ],
    ids=str,
)
def test_the_first_url_has_the_parameters_that_are_needed(
    options: dict[str, Any], query: str
) -> None:
    assert request(**options).first_url == f"https://acme.custobar.com/api/data/customers/{query}"


@pytest.mark.parametrize(
    ("fields", "filter_value", "names_fields"),
    [
        ("x" * 4_000, "", True),
        ("x" * 4_100, "", False),
        ("я" * 600, "", True),
        ("я" * 700, "", False),
        ("x," * 1_000, "", True),
        ("x," * 1_100, "", False),
        ("x", "я" * 600, True),
        ("x", "я" * 700, False),
        ("", "", False),
    ],
    ids=lambda value: str(value)[:3],
)
def test_fields_are_left_out_of_a_query_that_is_too_long_once_encoded(
    fields: str, filter_value: str, *, names_fields: bool
) -> None:
    names = [name for name in fields.split(",") if name]
    stream_request = request(fields=names, filters={"city": filter_value})

    assert stream_request.names_fields is names_fields
    assert ("fields=" in stream_request.first_url) is names_fields
    assert len(stream_request.first_url) < MAX_LENGTH - 1_000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"is_csv": True, "page_size": 5}, ("X-Custobar-Next-Url", "&format=csv")),
        ({"is_csv": True, "page_size": 1}, None),
        ({"is_csv": True}, None),
        ({"page_size": 5}, ("next_url", "")),
        ({"page_size": 5, "endpoint": CAMPAIGN_API}, None),
    ],
    ids=["CSV", "CSV, one row", "CSV, any size", "JSON", "campaigns"],
)
def test_the_last_page_is_probed_if_the_request_names_the_page_size(
    options: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    probe = request(fields=["id"], **options).last_page_probe()

    assert (probe is None) is (expected is None)
    if probe and expected:
        name, format_parameter = expected
        assert probe.full_page == 5
        assert probe.url.endswith(f"/data/customers/?limit=1&fields=id{format_parameter}")
        assert probe.name == name
        assert probe.is_header is ("format" in format_parameter)


@pytest.mark.parametrize(
    ("endpoint", "is_csv", "wanted", "needed", "size"),
    [
        (DATA_API, False, None, None, 10_000),
        (DATA_API, True, None, None, 100_000),
        (DATA_API, False, 500, None, 500),
        (DATA_API, False, 20_000, None, 10_000),
        (DATA_API, True, 20_000, None, 20_000),
        (DATA_API, False, 500, 5, 5),
        (DATA_API, False, 5, 500, 5),
        (DATA_API, False, None, 1, 1),
        (CAMPAIGN_API, False, None, None, None),
        (CAMPAIGN_API, False, 500, None, 500),
        (CAMPAIGN_API, False, 50_000, None, 10_000),
        (CAMPAIGN_API, False, None, 5, 5),
    ],
)
def test_a_page_is_as_large_as_is_allowed_wanted_and_needed(
    endpoint: Endpoint, wanted: int | None, needed: int | None, size: int | None, *, is_csv: bool
) -> None:
    assert page_size(endpoint, is_csv=is_csv, wanted=wanted, needed=needed) == size


PROPERTIES = ["external_id", "email", "city"]


@pytest.mark.parametrize(
    ("selected", "fields"),
    [
        (["external_id"], ["external_id"]),
        (["city", "external_id"], ["external_id", "city"]),
        (("city", "city", "external_id"), ["external_id", "city"]),
        ({"email": 1, "external_id": 2}, ["external_id", "email"]),
        (["external_id", "not_in_the_schema"], ["external_id"]),
        (PROPERTIES, []),
        ([*reversed(PROPERTIES), "not_in_the_schema"], []),
    ],
)
def test_fields_are_the_selected_in_schema_order_unless_all_are(
    selected: list[str], fields: list[str]
) -> None:
    assert requested_fields(PROPERTIES, selected) == fields


def test_the_selection_may_be_an_iterator() -> None:
    assert requested_fields(PROPERTIES, iter(["city", "email"])) == ["email", "city"]


@given(
    st.data(),
    st.lists(st.text("abc_", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
)
def test_order_of_selection_does_not_matter(data: st.DataObject, names: list[str]) -> None:
    selected = data.draw(st.lists(st.sampled_from(names), min_size=1))

    fields = requested_fields(names, selected)

    assert fields == requested_fields(names, sorted(selected))
    if set(selected) == set(names):
        assert not fields
    else:
        assert fields == [name for name in names if name in selected]


@pytest.mark.parametrize("name", ["Size, cm", ",", "", " size", "size\u00a0"])
def test_a_name_that_a_list_cannot_hold_is_not_in_the_query(name: str) -> None:
    stream_request = request(fields=["external_id", name], is_csv=True)

    assert not stream_request.names_fields
    assert stream_request.first_url.endswith("/data/customers/?format=csv")
    assert request(fields=["external_id", "Size in cm"]).names_fields
