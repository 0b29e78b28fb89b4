from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from tap_custobar.api.urls import ApiUrl, is_loopback, query_filter_values, url_for_message
from tap_custobar.errors import UrlError

if TYPE_CHECKING:
    import ipaddress

ACME = ApiUrl.parse("https://acme.custobar.com/api")
BASES = [
    "https://acme.custobar.com/api",
    "https://app.custobar.com/v1/api",
    "https://shop.example/api",
    "https://shop.example:8443/custobar/api/",
    "https://shop.example",
    "http://127.0.0.1:8000/api",
    "http://[::1]:8000/api",
    "http://localhost/api",
]

HOSTS = [
    *("acme.custobar.com", "ACME.custobar.com", "x.custobar.com", "custobar.com", "shop.example"),
    *("evil.example", "evilcustobar.com", "custobar.com.evil.example", "acme.custobar.com.", ""),
    *("127.0.0.1", "localhost", "[::1]", "[::1", "evil.example\\.custobar.com"),
    "acme.custobar.com",
    *("evil.example%2f.custobar.com", "evil.example?.custobar.com", "a\u3002custobar.com"),
    *("evil.example\uff0f.custobar.com", "evil\u2100.custobar.com", "\ud800.custobar.com", "."),
]
SEGMENTS = [
    *("api", "API", "apix", "data", "customers", "", ".", "..", "...", "..;", ";..", "custobar"),
    *("%2e", "%2E%2e", ".%2e", "%252e%252e", "%25252e%25252e", "%2f", "%2F..%2f", "%5c..", "\\.."),
    *("..\\", "v1", "%00", "%0a", "%20", "%ff", "%", "%2", "é", "\ud800", "\u2028", "a b", "["),
    *("%ef%bc%8e%ef%bc%8e", "\uff0e\uff0e", "@", "user@evil.example", "http:", ":", "//", "*"),
    *("|", "^", '"'),
]
structured = st.builds(
    lambda scheme, user, host, port, path, end: "".join(
        [scheme, *([f"//{user}{host}{port}"] if host or user else []), path, end]
    ),
    st.sampled_from(["", "https:", "http:", "HTTPS:", "ftp:", "javascript:", " https:", "\x00"]),
    st.sampled_from(["", "", "", "user@", "user:password@", "evil.example\\@", "@"]),
    st.sampled_from(HOSTS),
    st.sampled_from(["", "", ":443", ":8000", ":0", ":", ":port", ":99999", ":-1", ":\u0664"]),
    st.lists(st.sampled_from(SEGMENTS), max_size=6).map(lambda s: "".join(f"/{i}" for i in s)),
    st.sampled_from(["", "?cursor=2", "?", "?a=b@c", "#x", "?next=//evil.example/", "\t", "\n?x"]),
)
soup = st.lists(
    st.sampled_from(
        [*HOSTS, *SEGMENTS, "https://", "http://", "//", "/", "\\", "@", ":", "?", "#", "&", "\r"]
    ),
    max_size=8,
).map("".join)
anything = (
    structured | soup | soup.map("/api/".__add__) | st.text(st.characters(exclude_categories=()))
)


def reduced(path: str) -> list[str]:
    """Return the segments of a path after all decoding that a server might apply."""
    while unquote(path) != path:
        path = unquote(path)
    segments: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in {"", "."}:
            segments.append(segment)
    return segments


@pytest.mark.parametrize("text", BASES)
@given(next_url=anything)
@example(next_url="https://acme.custobar.com:99/api/x/?a=1#b")
@example(next_url="/api/a/%2e%2e/b/")
@example(next_url="/api/..%2fadmin")
@example(next_url="/custobar/api/x")
def test_any_next_link_stays_below_the_base_or_is_rejected(text: str, next_url: str) -> None:
    base = ApiUrl.parse(text)
    wanted = urlsplit(text)
    below = reduced(wanted.path)
    try:
        url = base.resolve(next_url, current=base.endpoint("/data/customers/", {"limit": "5"}))
    except UrlError:
        return
    prepared = requests.Request("GET", url).prepare().url
    assert prepared
    for requested in (url, prepared):
        parts = urlsplit(requested)
        assert (parts.scheme, parts.hostname, parts.port) == (
            wanted.scheme,
            wanted.hostname,
            wanted.port,
        )
        assert "@" not in parts.netloc
        segments = reduced(parts.path)
        assert segments[: len(below)] == below
        assert len(segments) > len(below)


@pytest.mark.parametrize(
    ("next_url", "requested"),
    [
        ("?cursor=2", "/api/data/customers/?cursor=2"),
        ("/api/data/customers/?cursor=2", "/api/data/customers/?cursor=2"),
        ("../products/?x=1", "/api/data/products/?x=1"),
        ("http://acme.custobar.com/api/x/?a=%20b&a=c,d&e=", "/api/x/?a=%20b&a=c,d&e="),
        ("https://acme.custobar.com:8443/api/x/", "/api/x/"),
        ("https://ACME.custobar.com/api/x/#fragment", "/api/x/"),
        ("//acme.custobar.com/api/x/?y", "/api/x/?y"),
        ("https://other.custobar.com/api/x/?cursor=2", "/api/x/?cursor=2"),
        ("https://custobar.com/api/x/", "/api/x/"),
        ("?email=a@b.fi", "/api/data/customers/?email=a@b.fi"),
        ("/api/x%20y/", "/api/x%20y/"),
    ],
)
def test_path_and_query_are_requested_from_the_configured_host(
    next_url: str, requested: str
) -> None:
    current = "https://acme.custobar.com/api/data/customers/?limit=5"

    assert ACME.resolve(next_url, current=current) == f"https://acme.custobar.com{requested}"


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://data.pöytä.example/api", "data.xn--pyt-sla1g.example"),
        ("https://data.xn--pyt-sla1g.example/api", "data.PÖYTÄ.example"),
        ("https://shop.example/api", "shop.example."),
    ],
)
def test_a_host_may_be_written_in_another_form(base: str, host: str) -> None:
    requested = ApiUrl.parse(base).resolve(f"https://{host}/api/x/?y", current=f"{base}/x/")

    assert requested == f"{base}/x/?y"


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://acme.custobar.com/api", "evilcustobar.com"),
        ("https://acme.custobar.com/api", "custobar.com.evil.example"),
        ("https://acme.custobar.com/api", "acme.custobar.community"),
        ("https://evilcustobar.com/api", "acme.custobar.com"),
        ("https://shop.example/api", "acme.custobar.com"),
        ("https://shop.example/api", "other.shop.example"),
        ("http://127.0.0.1:8000/api", "localhost:8000"),
    ],
)
def test_another_host_is_rejected_by_name(base: str, host: str) -> None:
    api = ApiUrl.parse(base)

    with pytest.raises(UrlError, match="names another server") as raised:
        api.resolve(f"https://{host}/api/x/?secret=1", current=f"{base}/x/")

    assert host.partition(":")[0] in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/.", "/api/x/..", "/ap/i", "/API/x", "/"])
def test_a_path_outside_the_base_is_rejected(path: str) -> None:
    with pytest.raises(UrlError, match="not below /api"):
        ACME.resolve(path, current="https://acme.custobar.com/api/x/")


def test_a_base_without_a_path_is_not_below_itself() -> None:
    with pytest.raises(UrlError, match="not below"):
        ApiUrl.parse("https://shop.example").resolve(
            "https://shop.example", current="https://shop.example/x/"
        )


@pytest.mark.parametrize(
    "path",
    [
        "/api/%2e/x/",
        "/api/x/%2E",
        "/api//x/",
        "/api/x/%252e/y/",
        "/api/x%5C..%5Cy/",
        "/api/x/%5C..",
    ],
)
def test_a_path_that_servers_may_normalize_is_rejected(path: str) -> None:
    with pytest.raises(UrlError, match="not below /api"):
        ACME.resolve(path, current="https://acme.custobar.com/api/x/")


def test_a_url_of_8_kb_is_followed_and_a_longer_one_is_not() -> None:
    url = "https://acme.custobar.com/api/x/?cursor=".ljust(8192, "x")

    assert ACME.resolve(url, current="https://acme.custobar.com/api/") == url
    with pytest.raises(UrlError, match="longer than 8192"):
        ACME.resolve(f"{url}x", current="https://acme.custobar.com/api/")


@pytest.mark.parametrize("control", [chr(c) for c in (*range(0x21), *range(0x7F, 0xA1))], ids=ascii)
def test_no_control_character_is_stripped_or_sent(control: str) -> None:
    for url in (f"{control}/api/x/", f"/api/x/?a={control}b", f"/api/x/{control}"):
        with pytest.raises(UrlError, match="control characters"):
            ACME.resolve(url, current="https://acme.custobar.com/api/")


def test_an_error_shows_no_query_and_is_short() -> None:
    for url in (
        f"https://{'a' * 5000}.example/?email=maija",
        "/admin/?email=maija",
        "https://u:maija@h/",  # pragma: allowlist secret
    ):
        with pytest.raises(UrlError) as raised:
            ACME.resolve(url, current="https://acme.custobar.com/api/")
        assert "maija" not in str(raised.value)
        assert len(str(raised.value)) < 300
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "scheme", "host", "netloc", "path"),
    [
        (
            "https://acme.custobar.com/api",
            "https",
            "acme.custobar.com",
            "acme.custobar.com",
            "/api",
        ),
        (
            "https://Shop.Example:8443/a/api//",
            "https",
            "shop.example",
            "Shop.Example:8443",
            "/a/api",
        ),
        ("https://shop.example", "https", "shop.example", "shop.example", ""),
        ("http://127.0.0.1:8000/api", "http", "127.0.0.1", "127.0.0.1:8000", "/api"),
        ("http://[::1]/api", "http", "::1", "[::1]", "/api"),
        ("HTTP://localhost/api", "http", "localhost", "localhost", "/api"),
        ("https://shop.example/API-X", "https", "shop.example", "shop.example", "/API-X"),
        *(
            (f"https://{host}/api", "https", host, host, "/api")
            for host in (f"{'a' * 63}.example", ".".join(["shop"] * 20))
        ),
    ],
)
def test_a_base_url_is_parsed(text: str, scheme: str, host: str, netloc: str, path: str) -> None:
    assert ApiUrl.parse(text) == ApiUrl(scheme, host, netloc, path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "^is not a valid URL, like https://COMPANY.custobar.com/api$"),
        (f"https://{'a' * 64}.example/api", "is not a valid URL, like"),
        ("acme", "is not a valid URL, like"),
        ("https:///api", "is not a valid URL, like"),
        ("ftp://acme.custobar.com/api", "is not a valid URL, like"),
        ("file:///etc/passwd", "is not a valid URL, like"),
        ("https://acme.custobar.com/api?x", "^must end with the path, without query or fragment$"),
        ("https://acme.custobar.com/api#x", "query or fragment"),
        ("http://acme.custobar.com/api", "^must begin with https .*unencrypted.$"),
        ("http://localhost.evil.example/api", "must begin with https"),
        ("http://10.0.0.1/api", "must begin with https"),
        ("https://token@acme.custobar.com/api", "user name or password"),
        ("https://acme.custobar.com:port/api", "is not a valid URL"),
        ("https://acme.custobar.com:70000/api", "is not a valid URL"),
        ("https://[::1/api", "is not a valid URL"),
        ("https://acme.custobar.com/a pi", "spaces"),
        ("https://acme.custobar.com\\api", "backslashes"),
        ("https://acme.custobar.com/" + "x" * 8192, "longer than"),
    ],
)
def test_an_invalid_base_url_is_rejected(text: str, problem: str) -> None:
    with pytest.raises(UrlError, match=problem):
        ApiUrl.parse(text)


@given(st.text(st.characters(exclude_categories=())) | structured)
def test_any_string_is_parsed_as_base_url_or_rejected(text: str) -> None:
    try:
        base = ApiUrl.parse(text)
    except UrlError:
        return
    assert base.scheme == "https" or is_loopback(base.host)
    assert "@" not in base.netloc
    assert base.endpoint("/x/", {}) == f"{base.scheme}://{base.netloc}{base.path}/x/"


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_an_endpoint_keeps_its_query_unchanged(query: dict[str, str]) -> None:
    url = ACME.endpoint("/data/customers/", query)

    parts = urlsplit(url)
    assert url.startswith("https://acme.custobar.com/api/data/customers/")
    assert parse_qsl(parts.query, keep_blank_values=True) == list(query.items())


def test_an_endpoint_keeps_commas_readable_and_encodes_spaces() -> None:
    query = {"fields": "email,tags", "city": "Ylöjärvi & Oulu+"}

    assert ACME.endpoint("/data/customers/", query) == (
        "https://acme.custobar.com/api/data/customers/"
        "?fields=email,tags&city=Yl%C3%B6j%C3%A4rvi%20%26%20Oulu%2B"
    )
    assert ACME.endpoint("/data/x/", {}) == "https://acme.custobar.com/api/data/x/"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_local_hosts_are_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost.example", "127.0.0.1.example", "10.0.0.1", "0.0.0.0", "::", "128.0.0.1"),  # noqa: S104 - not bound
        *("2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1", "acme.custobar.com", "notlocalhost"),
    ],
)
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.ip_addresses())
def test_any_ip_address_is_loopback_as_ipaddress_defines_it(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert is_loopback(str(address)) == address.is_loopback


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/data/customers/", "/api/data/customers/"),
        ("/v2.1/api/data/sales/page-12/", "/v2.1/api/data/sales/page-12/"),
        ("/api/after/a.b@c.fi/x", "/api/after/***/x"),
        ("/api/after/a.b%2540c.fi/x", "/api/after/***/x"),
        ("/api/after/+358401234567/", "/api/after/***/"),
    ],
)
def test_a_url_in_a_message_shows_no_query_and_no_personal_data(path: str, shown: str) -> None:
    url = f"http://192.168.100.200:8000{path}"

    assert url_for_message(url) == f"http://192.168.100.200:8000{shown}"
    assert url_for_message(f"{url}?email=a@b.fi") == f"http://192.168.100.200:8000{shown}"


def test_filter_values_exclude_the_parameters_of_the_api() -> None:
    url = "https://h/api/?limit=5&email=maija%40example.fi&order=-a&city=New+York&tag=%C3%A4&x="

    assert query_filter_values(f"{url}&fields=a,b&format=csv") == [
        "maija@example.fi",
        "New York",
        "ä",
    ]
    assert query_filter_values("https://h/api/") == []


@given(
    st.dictionaries(st.sampled_from(["email", "city", "Limit", "a b"]), st.text(min_size=1)),
    st.dictionaries(st.sampled_from(["limit", "fields", "order", "format"]), st.text(min_size=1)),
)
def test_filter_values_are_returned_as_given(
    filters: dict[str, str], parameters: dict[str, str]
) -> None:
    assert query_filter_values(ACME.endpoint("/x/", {**parameters, **filters})) == list(
        filters.values()
    )
