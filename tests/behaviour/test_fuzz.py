"""Any response: valid records or an error with a known cause, and no request elsewhere."""

from __future__ import annotations

import gzip
import json
import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from singer_sdk.contrib.msgspec import serialize_jsonl

from tap_custobar.errors import CustobarError
from tap_custobar.tap import TapCustobar
from tests.conftest import formats
from tests.server import TOKEN, Reply, Server
from tests.unit.strategies import SCHEMAS, json_values, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The same examples in every run. Examples may share fixtures: `read` clears the requests and
#: creates a new tap.
fixed_examples = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

#: Number of pages of an example; the next one is an empty last page.
PAGES = 3

#: In queries, because filters may contain personal data; no message may show them.
PERSONAL_VALUES = ("maija", "needle")
FILTERS = {"customers": {"filters": {"email": "Maija@example.fi"}}}
VALIDATOR = Draft202012Validator(SCHEMAS["customers"], format_checker=formats)


@pytest.fixture
def foreign() -> Iterator[Server]:
    """A server that no setting names, so that it must not receive a request."""
    server = Server()
    yield server
    server.close()


class _LogCollector(logging.Handler):
    """Collects the messages of the log from WARNING on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert record.exc_info is None
        self.messages.append(record.getMessage())


@contextmanager
def collected_log() -> Iterator[list[str]]:
    """Yield the messages of the log, without pytest's handlers: a lone surrogate stops xdist."""
    root, handler = logging.getLogger(), _LogCollector()
    others, root.handlers = root.handlers, [handler]
    try:
        yield handler.messages
    finally:
        root.handlers = others


def read(server: Server, foreign: Server, reply: Reply, **config: object) -> list[dict[str, Any]]:
    """Read customers from a server that sends `reply`, and assert what is true for any response."""
    last = Reply({"customers": []})
    server.requests.clear()
    server.answer = lambda _: reply if len(server.requests) <= PAGES else last
    # Otherwise the tap may wait for the rest of a body that is shorter than its length.
    reply.headers["Connection"] = last.headers["Connection"] = "close"
    tap = TapCustobar(config={**server.config, "max_retries": 0, **config})
    records: list[Any] = []
    errors: list[str] = []
    with collected_log() as logged:
        try:
            records += tap.streams["customers"].get_records(None)
        except CustobarError as error:
            errors.append(str(error))

    for record in records:
        VALIDATOR.validate(record)
        line = serialize_jsonl(record)
        json.loads(line, parse_constant=pytest.fail, parse_float=finite)
        assert b"\\u0000" not in line
    serialize_jsonl(tap.state)
    assert [len(error.splitlines()) for error in errors] == [1] * len(errors)
    for message in logged + errors:
        assert not [s for s in (TOKEN.lower(), *PERSONAL_VALUES) if s in message.lower()]
    assert foreign.requests == []
    # The last page is empty, and therefore requested twice.
    assert 1 <= len(server.requests) <= PAGES + 2
    for request in server.requests:
        assert unquote(request.path).lstrip("/").startswith("api/")
    return records


def finite(number: str) -> float:
    assert math.isfinite(float(number))
    return float(number)


encode = msgspec.json.Encoder(decimal_format="number").encode

VALID = encode(
    {
        "count": 2,
        "next_url": "?cursor=needle",
        "customers": [
            {
                "external_id": "1",
                "email": "maija@example.fi",
                "can_email": True,
                "date_joined": "2024-02-29T10:00:00.5+02:00",
                "birth_date": "1970-01-01",
                "mailing_lists": ["news", "sales"],
                "tags": "vip",
                "lifetime_value_month": 19.9,
                "city": "Äänekoski \N{SNOWMAN} \N{GRINNING FACE}",
            },
            {"external_id": 2, "last_login": None, "acme__points": {"a": [1, 2.5, "x"]}},
        ],
    }
)
SNIPPETS = [
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"null", b"NaN", b"-", b"0", b"1e9", b"."),
    *(b"1e400", b"-1E-400", b"1e99999999999999999999", b"9" * 5000, b"[" * 5000, b'{"a":' * 500),
    *(b"\\ud800", b"\\u0000", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"<"),
    *(b'"customers":', b'"external_id":', b'"next_url":', b'"next_url":17,', b'"count":-1,'),
]


@st.composite
def mutated(draw: st.DrawFn, content: bytes = VALID) -> bytes:
    """Return valid content with a few parts replaced, inserted or removed."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.sampled_from([start, start + 1, start + 9, len(content)]))
        inserted = st.sampled_from(SNIPPETS) | st.binary(max_size=3)
        content = content[:start] + draw(inserted) + content[end:]
    return content


#: Valid content with a snippet in place of a number.
number_replaced = st.sampled_from(SNIPPETS).map(lambda snippet: VALID.replace(b"19.9", snippet))


def to_json(value: object) -> bytes:
    """Return a value as JSON; lone surrogates are escaped."""
    return json.dumps(value, default=float).encode()


names = st.sampled_from([*SCHEMAS["customers"]["properties"], "acme__points"])
rows = st.builds(
    lambda row, key: {**row, "external_id": key},
    st.dictionaries(names, json_values, max_size=6),
    st.text(min_size=1) | json_values,
)
envelopes = st.fixed_dictionaries(
    {"customers": st.lists(rows | json_values, max_size=3)},
    optional={"count": json_values, "next_url": json_values, "more": json_values},
).map(to_json)


@given(
    body=st.binary(max_size=200)
    | mutated()
    | number_replaced
    | envelopes
    | json_values.map(to_json)
)
@settings(fixed_examples, max_examples=60)
def test_any_body_is_read_or_rejected(server: Server, foreign: Server, body: bytes) -> None:
    read(server, foreign, Reply(body), stream_options=FILTERS)


def test_the_page_before_its_mutation_is_read_completely(server: Server, foreign: Server) -> None:
    records = read(server, foreign, Reply(VALID.replace(b"?cursor=needle", b"")))

    assert [record["external_id"] for record in records] == ["1", "2"]
    assert records[0]["tags"] == ["vip"]


#: What http.server can send in a header: Latin-1, folded lines and line breaks.
header_values = st.text(
    st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30
) | st.sampled_from(
    ["", " ", "\t", ",", ";", "a\r\n b", "a\rb", "\x00", "\x1b[2J", "x" * 9000, TOKEN]
)
next_url_headers = header_values | st.sampled_from(
    [
        *("?cursor=needle", "http://FOREIGN/api/?q=needle", "//FOREIGN/api/", "/api/data/x/?a"),
        *("/admin/", "http://user@OWN/api/x/", "http://OWN/api/x/?needle"),
    ]
)
link_values = header_values | st.sampled_from(
    ["http://FOREIGN/", "//FOREIGN/api/", "http://[", "/api/?needle"]
)
HEADERS = {
    "Content-Type": header_values
    | st.sampled_from(["text/html", "application/json;charset=utf-16", "a/b"]),
    "Content-Encoding": header_values
    | st.sampled_from(["gzip", "deflate", "gzip, gzip", "br", "zstd", "identity", "gzip," * 20]),
    "X-Custobar-Next-Url": next_url_headers,
    "Retry-After": header_values
    | st.sampled_from(
        [
            *("0", "-1", "1e9", "9" * 400, "Thu, 01 Jan 99999999999999999999 00:00:00 GMT"),
            *("Thu, 01 Jan 1970 00:00:00 +99999999999999", "0 ", "1 Jan 1970 0:0:0 -", "\xb2"),
        ]
    ),
    "Link": link_values.map("<{}>; rel=next".format),
    "Location": link_values,
    "Refresh": link_values.map("0; url={}".format),
    "Set-Cookie": header_values
    | st.sampled_from(["a=b; Domain=FOREIGN", "a=b; expires=never; max-age=z"]),
    "Content-Length": st.sampled_from(["0", "-1", "2", "x", "9" * 30, " 1 "]),
}
STATUSES = [200, 200, 200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 429, 500, 599]
DEEP = b"[" * 50_000
REASON = to_json({"error": {"reason": f"{TOKEN}\n\x1b for maija@EXAMPLE.fi"}})


@given(
    status=st.sampled_from(STATUSES),
    headers=st.fixed_dictionaries({}, optional=HEADERS),
    body=st.sampled_from([VALID, gzip.compress(VALID), b"", b"<html>", REASON, DEEP]),
)
@example(status=400, headers={}, body=DEEP)
@example(status=302, headers={"Location": "http://FOREIGN/"}, body=b"")
@settings(fixed_examples, max_examples=60)
def test_any_headers_are_accepted_or_rejected(
    server: Server, foreign: Server, status: int, headers: dict[str, str], body: bytes
) -> None:
    with_hosts = {name: _with_hosts(value, server, foreign) for name, value in headers.items()}

    read(server, foreign, Reply(body, status, with_hosts), stream_options=FILTERS)


AUTHORITIES = [
    *("", "//OWN", "//FOREIGN", "//127.0.0.1", "//localhost", "//LOCALFOREIGN", "//[::1]", "//["),
    *("//user@OWN", "//OWN@FOREIGN", "//FOREIGN#@OWN", "//FOREIGN\\@OWN", "//FOREIGN%2f@OWN"),
    *("//0x7f.1", "//127.1", "//2130706433", "//OWN.", "//127.0.0.1:99999", "//127.0.0.1:x"),
    *("//\u2028", "\\\\FOREIGN", "/\\FOREIGN", "///FOREIGN", "//\uff11\uff12\uff17.0.0.1"),
]
SEGMENTS = [
    *("api", "API", "apix", "data", "customers", "", ".", "..", "..;", "%2e%2e", "%252e%252e"),
    *("%2f", "%5c..", "%", "%zz", "é", "\u2028", "\U0001f600", "a b", "[", "@", "//FOREIGN"),
]
structured = st.builds(
    lambda scheme, authority, path, end: f"{scheme}{authority}{''.join(path)}{end}",
    st.sampled_from(["", "http:", "https:", "HTTP:", "ftp:", "file:", "javascript:", " http:"]),
    st.sampled_from(["", "//OWN", "//FOREIGN"]) | st.sampled_from(AUTHORITIES),
    st.just(["/api/data/customers/"])
    | st.lists(st.sampled_from(SEGMENTS).map("/{}".format), max_size=5)
    | st.sampled_from([["/api/"], ["/api/", "x" * 8000], ["/admin/"], ["/api/../admin/"]]),
    st.sampled_from(["", "?", "?cursor=needle", "?a=needle#b", "#x", "?\n", "?%0d%0aX:needle"]),
)
next_urls = structured | texts | texts.map("/api/data/customers/{}?cursor=needle".format)


@given(next_url=next_urls)
@example(next_url="http://FOREIGN/api/data/customers/?cursor=needle")
@example(next_url="0/")
@example(next_url="//LOCALFOREIGN/api/data/customers/?cursor=needle")
@settings(fixed_examples, max_examples=80)
def test_any_next_url_stays_below_the_base_url_or_is_rejected(
    server: Server, foreign: Server, next_url: str
) -> None:
    body = {"customers": [{"external_id": "1"}], "next_url": _with_hosts(next_url, server, foreign)}

    records = read(server, foreign, Reply(body))

    assert records[:1] == [{"external_id": "1"}]


def _with_hosts(value: str, server: Server, foreign: Server) -> str:
    """Replace the placeholders of a string by the hosts of the two servers."""
    local = foreign.host.replace("127.0.0.1", "localhost")
    value = value.replace("LOCALFOREIGN", local)
    return value.replace("FOREIGN", foreign.host).replace("OWN", server.host)
