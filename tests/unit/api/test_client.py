"""The client against a test server, with a clock that advances only by sleeping."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tap_custobar.api.client import CustobarClient
from tap_custobar.api.transport import THREAD_NAME
from tap_custobar.errors import (
    BadRequestError,
    CertificateError,
    ConnectionFailedError,
    CustobarError,
    ForbiddenError,
    HostNotFoundError,
    InvalidResponseError,
    PageGoneError,
    RateLimitedError,
    RedirectedError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    UnauthorizedError,
    UnreachableError,
)
from tests.faulty import Line, serving
from tests.server import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_custobar.api.responses import Response
    from tests.faulty import Act, FaultyServer
    from tests.server import Server
    from tests.unit.conftest import Clock

Settings = dict[str, Any]
WorkerThreads: TypeAlias = "Callable[[], list[threading.Thread]]"
GOOD = Reply({"customers": []})


def body_of(response: Response) -> bytes:
    return bytes(response.body)


def get(client: CustobarClient, server: Server, path: str = "/data/customers/?limit=5") -> bytes:
    return client.get(f"{server.url}{path}", body_of, first_page=False)


def test_get_passes_the_body_and_headers_to_the_parser(
    server: Server, client_settings: Settings
) -> None:
    server.replies(Reply(b'{"a": 1}', headers={"X-Custobar-Next-Url": "?b"}))

    page = CustobarClient(**client_settings).get(f"{server.url}/x/", lambda p: p, first_page=True)

    assert page.body == b'{"a": 1}'
    assert page.headers["x-custobar-next-url"] == "?b"


def starts(server: Server, clock: Clock) -> list[float]:
    """Return a list that receives the time of each request."""
    times: list[float] = []

    def answer(_: Request) -> Reply:
        times.append(clock.now)
        return GOOD

    server.answer = answer
    return times


def test_requests_start_at_least_the_interval_apart_including_processing_time(
    server: Server, client_settings: Settings, clock: Clock
) -> None:
    times = starts(server, clock)
    client = CustobarClient(**{**client_settings, "request_interval": 2.0})
    for seconds in (0, 0.5, 2, 7, 0):
        get(client, server)
        clock.work(seconds)
    get(client, server)

    assert [at - 1000 for at in times] == [0, 2, 4, 6, 13, 15]
    assert sum(clock.slept) == 5.5


def test_the_request_interval_applies_to_retries(
    server: Server, client_settings: Settings, clock: Clock
) -> None:
    times = starts(server, clock)
    good, faults = server.answer, [Reply(status=503, headers={"Retry-After": "1"})] * 2

    def answer(request: Request) -> Reply:
        reply = good(request)
        return faults.pop() if faults else reply

    server.answer = answer
    get(CustobarClient(**{**client_settings, "request_interval": 5.0}), server)

    assert [at - 1000 for at in times] == [0, 5, 10]


def test_without_an_interval_there_is_no_wait(
    server: Server, client_settings: Settings, clock: Clock
) -> None:
    client = CustobarClient(**client_settings)
    for _ in range(3):
        get(client, server)

    assert clock.slept == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "86400"}, 600),
        ({"Retry-After": "soon"}, 60),
    ],
    ids=str,
)
def test_a_429_waits_as_long_as_retry_after_requests(
    server: Server,
    client_settings: Settings,
    clock: Clock,
    headers: dict[str, str],
    seconds: float,
) -> None:
    server.replies(Reply(status=429, headers=headers), GOOD)
    client = CustobarClient(**client_settings)

    get(client, server)

    assert clock.slept == [seconds]
    assert client.stats.retries == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("header", ["0", "1", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_below_the_own_delay_does_not_shorten_it(
    server: Server, client_settings: Settings, clock: Clock, header: str, status: int
) -> None:
    busy = Reply(status=status, headers={"Retry-After": header})
    server.replies(*[busy] * 8, GOOD)

    get(CustobarClient(**client_settings), server)

    for step, wait in zip([1, 2, 4, 8, 16, 32, 60, 60], clock.slept, strict=True):
        assert step / 2 <= wait <= step


@pytest.mark.parametrize("status", [408, 425])
def test_a_408_or_425_is_retried_within_a_second(
    server: Server, client_settings: Settings, clock: Clock, status: int
) -> None:
    server.replies(Reply(status=status), GOOD)

    get(CustobarClient(**client_settings), server)

    assert len(clock.slept) == 1
    assert clock.slept[0] <= 1


def test_a_503_waits_as_long_as_retry_after_requests(
    server: Server, client_settings: Settings, clock: Clock
) -> None:
    down = Reply(status=503)
    server.replies(Reply(status=503, headers={"Retry-After": "90"}), down, down, GOOD)

    get(CustobarClient(**client_settings), server)

    first, second, third = clock.slept
    assert first == 90
    assert 1 <= second <= 2
    assert 2 <= third <= 4


def test_all_waits_together_end_after_15_minutes(
    server: Server, client_settings: Settings, clock: Clock
) -> None:
    server.replies(Reply(status=503, headers={"Retry-After": "400"}))

    with pytest.raises(ServerError):
        get(CustobarClient(**{**client_settings, "max_retries": 100}), server)

    assert clock.slept == [400, 400, 100]
    assert len(server.requests) == 4


def test_a_page_the_parser_rejects_is_requested_again(
    server: Server, client_settings: Settings
) -> None:
    server.replies(Reply(b"1"), Reply(b"2"), Reply(b"3"))
    client = CustobarClient(**client_settings)

    def accept_third(response: Response) -> str:
        if response.body != b"3":
            what = "something else"
            raise InvalidResponseError(what)
        return "parsed"

    assert client.get(f"{server.url}/x/", accept_third, first_page=False) == "parsed"
    assert client.stats.retries == 2


def test_a_first_page_the_parser_rejects_is_requested_once_more(
    server: Server, client_settings: Settings
) -> None:
    client = CustobarClient(**client_settings)

    def reject(_: Response) -> None:
        what = "something else"
        raise InvalidResponseError(what)

    with pytest.raises(InvalidResponseError):
        client.get(f"{server.url}/x/", reject, first_page=True)
    assert len(server.requests) == 2


def test_retries_are_counted_over_all_requests(server: Server, client_settings: Settings) -> None:
    down = Reply(status=500)
    server.replies(down, GOOD, GOOD, down, down, GOOD)
    client = CustobarClient(**client_settings)
    for _ in range(3):
        get(client, server)

    assert client.stats.retries == 3
    assert len(server.requests) == 6


def test_a_body_larger_than_the_limit_is_rejected(
    server: Server, client_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 3 << 20
    monkeypatch.setattr("tap_custobar.api.responses.MAX_BODY", limit)
    server.replies(Reply(b"x" * limit), Reply(b"x" * (limit + 1)))
    client = CustobarClient(**client_settings)

    assert len(get(client, server)) == limit
    with pytest.raises(ResponseTooLargeError, match="larger than 3 MiB: lower page_size"):
        get(client, server)
    assert client.stats.retries == 0


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    yield from serving()


@pytest.fixture
def worker_threads() -> WorkerThreads:
    """Return the worker threads of the clients of this test."""
    before = threading.enumerate()
    return lambda: [t for t in threading.enumerate() if t.name == THREAD_NAME and t not in before]


def trickle(head: bytes, drip: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(head)
        line.send_slowly(drip)

    return act


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100000000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["length", "chunked", "until closed", "error", "header", "100", "103"],
)
def test_a_response_slower_than_the_timeout_is_aborted(
    faulty: FaultyServer,
    client_settings: Settings,
    worker_threads: WorkerThreads,
    head: bytes,
    drip: bytes,
) -> None:
    faulty.script = [trickle(head, drip)]
    client = CustobarClient(**{**client_settings, "request_timeout": 0.15, "max_retries": 0})

    with pytest.raises(RequestTimeoutError, match=r"did not respond within 0\.45 s"):
        client.get(f"http://{faulty.host}/", body_of, first_page=False)

    assert faulty.disconnected.wait(60)
    for thread in worker_threads():
        thread.join(60)
        assert not thread.is_alive()


def test_an_abandoned_prefetch_is_closed_while_its_headers_are_pending(
    faulty: FaultyServer, client_settings: Settings
) -> None:
    may_respond = threading.Event()
    answer = trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", b" ")
    faulty.script = [lambda line: may_respond.wait(60) and answer(line)]
    client = CustobarClient(**client_settings)
    client.prefetch(f"http://{faulty.host}/")
    assert faulty.requested.wait(60)

    client.prefetch(None)
    may_respond.set()

    assert faulty.disconnected.wait(60)


def test_an_abandoned_prefetch_without_a_response_ends_its_thread(
    faulty: FaultyServer, client_settings: Settings, worker_threads: WorkerThreads
) -> None:
    faulty.script = [Line.hold]
    client = CustobarClient(**client_settings)
    client.prefetch(f"http://{faulty.host}/")
    assert faulty.requested.wait(60)
    [thread] = worker_threads()

    client.prefetch(None)
    thread.join(60)

    assert not thread.is_alive()


def test_closing_the_client_ends_a_thread_that_waits_for_the_interval(
    server: Server, client_settings: Settings, worker_threads: WorkerThreads
) -> None:
    settings = {**client_settings, "sleep": time.sleep, "clock": time.monotonic}
    client = CustobarClient(**{**settings, "request_interval": 3600.0})
    get(client, server)
    client.prefetch(f"{server.url}/next/")

    client.close()

    assert worker_threads() == []
    assert len(server.requests) == 1


def test_a_closed_client_leaves_no_thread_and_no_connection_and_can_be_used_again(
    faulty: FaultyServer, client_settings: Settings, worker_threads: WorkerThreads
) -> None:
    faulty.script = [lambda line: line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")]
    client = CustobarClient(**client_settings)
    for number in range(1, 3):
        assert client.get(f"http://{faulty.host}/", body_of, first_page=True) == b"1"
        client.close()
        client.close()

        assert worker_threads() == []
        assert faulty.connections == number


def test_a_thread_that_could_not_start_is_started_by_the_next_request(
    server: Server, client_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies(GOOD)
    client = CustobarClient(**client_settings)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError):
            get(client, server)

    assert get(client, server)


def no_thread(_: threading.Thread) -> None:
    msg = "can't start new thread"
    raise RuntimeError(msg)


SECRETS = ("APISECRET", "maija", "example.fi", "oulu", "cursor")
QUERY = "?limit=5&email=Maija%40example.fi&city=OULU&cursor=1"
REASON = {"error": {"reason": "no field of APISECRET for maija@EXAMPLE.fi in Oulu or apisecret"}}
FAULTS: dict[str, tuple[Reply, type[CustobarError]]] = {
    "301": (Reply(status=301, headers={"Location": "/x?token=APISECRET"}), RedirectedError),
    "400": (Reply(REASON, status=400), BadRequestError),
    "400 escaped": (
        Reply(b'{"error": {"reason": "no maija%40example.fi or \\u004faPISECRET"}}', status=400),
        BadRequestError,
    ),
    "401": (Reply(REASON, status=401), UnauthorizedError),
    "403": (Reply(REASON, status=403), ForbiddenError),
    "404": (Reply(REASON, status=404), PageGoneError),
    "418": (Reply(b"APISECRET", status=418), BadRequestError),
    "429": (Reply(REASON, status=429), RateLimitedError),
    "500": (Reply(REASON, status=500), ServerError),
    "cut": (
        Reply(b"APISECRET", headers={"Content-Length": "500", "Connection": "close"}),
        ConnectionFailedError,
    ),
    "broken gzip": (
        Reply(b"APISECRET", headers={"Content-Encoding": "gzip"}),
        ConnectionFailedError,
    ),
    "broken chunk": (
        Reply(b"APISECRET\r\n", headers={"Transfer-Encoding": "chunked", "Connection": "close"}),
        ConnectionFailedError,
    ),
}


def failure_texts(
    url: str, client_settings: Settings, caplog: pytest.LogCaptureFixture, cause: type[Exception]
) -> str:
    """Return the error text and the log of a failing request."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(cause) as raised:
        CustobarClient(**{**client_settings, "max_retries": 1}).get(url, body_of, first_page=False)
    error = raised.value
    assert error.__suppress_context__ or error.__context__ is None
    shown = [r.getMessage() for r in caplog.records if r.levelno > logging.DEBUG]
    return "\n".join([str(error), *map(str, error.args), *shown])


@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_shows_the_token_or_the_query(
    server: Server, client_settings: Settings, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    reply, cause = FAULTS[fault]
    server.replies(reply)

    shown = failure_texts(f"{server.url}/data/customers/{QUERY}", client_settings, caplog, cause)

    assert not [secret for secret in SECRETS if secret.lower() in shown.lower()]


def test_a_body_too_large_shows_neither_token_nor_query(
    server: Server,
    client_settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tap_custobar.api.responses.MAX_BODY", 5)
    server.replies(Reply(b"APISECRET"))

    shown = failure_texts(
        f"{server.url}/data/customers/{QUERY}", client_settings, caplog, ResponseTooLargeError
    )

    assert not [secret for secret in SECRETS if secret.lower() in shown.lower()]


@pytest.mark.parametrize(
    ("sent", "then", "cause"),
    [
        (b"", Line.hold, RequestTimeoutError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nAPISECR", Line.hold, RequestTimeoutError),
        (b"", Line.close, ConnectionFailedError),
        (b"APISECRET no HTTP\r\n\r\n", Line.close, ConnectionFailedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nAPISECR", Line.close, ConnectionFailedError),
    ],
    ids=["silence", "silence within", "closed", "no HTTP", "closed within"],
)
def test_a_connection_failure_shows_neither_token_nor_query(
    faulty: FaultyServer,
    client_settings: Settings,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
    then: Act,
    cause: type[CustobarError],
) -> None:
    def act(line: Line) -> None:
        line.send(sent)
        then(line)

    faulty.script = [act]

    shown = failure_texts(
        f"http://{faulty.host}/{QUERY}", {**client_settings, "request_timeout": 0.1}, caplog, cause
    )

    assert "127.0.0.1" in shown
    assert not [secret for secret in SECRETS if secret.lower() in shown.lower()]


def test_a_refused_connection_or_tls_error_shows_neither_token_nor_query(
    server: Server, client_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed_port = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        shown = [failure_texts(closed_port + QUERY, client_settings, caplog, UnreachableError)]
    no_tls = f"https://{server.host}/"
    shown.append(failure_texts(no_tls + QUERY, client_settings, caplog, CertificateError))

    texts = "".join(shown).lower()
    assert not [secret for secret in SECRETS if secret.lower() in texts]


def test_an_unknown_host_shows_neither_token_nor_query(
    client_settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    url = f"https://no-such-company.custobar.com/{QUERY}"

    shown = failure_texts(url, client_settings, caplog, HostNotFoundError)

    assert "no host named no-such-company.custobar.com" in shown
    assert not [secret for secret in SECRETS if secret.lower() in shown.lower()]
