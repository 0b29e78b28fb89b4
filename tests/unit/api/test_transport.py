from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import requests

from tap_custobar.api.transport import (
    THREAD_NAME,
    Cancellation,
    NoRedirects,
    RateLimiter,
    RequestWorker,
    TokenAuth,
)
from tap_custobar.errors import CustobarError
from tap_custobar.signals import POLL_SECONDS, interruptible_sleep
from tests.faulty import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faulty import FaultyServer, Line
    from tests.unit.conftest import Clock

ONE_BYTE = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    yield from serving()


def new_worker() -> RequestWorker:
    return RequestWorker(
        auth=TokenAuth("Token", "APISECRET"),
        user_agent="tests",
        timeout=60,
        rate_limiter=RateLimiter(0),
        secrets=frozenset(),
    )


def test_the_token_is_sent_with_the_auth_scheme() -> None:
    request = requests.Request("GET", "https://acme.example/").prepare()

    assert TokenAuth("Bearer", "abc")(request).headers["Authorization"] == "Bearer abc"


def test_a_wait_is_split_so_that_a_signal_can_interrupt_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", clock)
    monkeypatch.setattr("time.sleep", clock.sleep)

    interruptible_sleep(1.75)
    interruptible_sleep(0)

    assert clock.slept == [0.5, 0.5, 0.5, 0.25]
    assert max(clock.slept) <= POLL_SECONDS


def test_requests_start_an_interval_apart_however_long_the_work_between_them_took(
    clock: Clock,
) -> None:
    limiter, cancellation = RateLimiter(2.0, sleep=clock.sleep, clock=clock), Cancellation()
    starts = []
    for seconds in (0, 0.5, 5.0, 0):
        assert limiter.acquire(cancellation)
        starts.append(clock.now - 1000)
        clock.work(seconds)

    assert starts == [0, 2, 4, 9]


def test_a_wait_for_the_rate_limit_ends_with_its_cancellation(clock: Clock) -> None:
    cancellation = Cancellation()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        cancellation.set()

    limiter = RateLimiter(3600.0, sleep=sleep, clock=clock)

    assert limiter.acquire(cancellation)
    assert not limiter.acquire(cancellation)
    assert clock.slept == [POLL_SECONDS]


def test_a_worker_that_was_never_used_has_no_thread() -> None:
    worker = new_worker()

    worker.close()
    worker.join(1)

    assert not worker.is_running


def test_a_worker_sends_its_requests_from_one_thread_over_one_connection(
    faulty: FaultyServer,
) -> None:
    before = threading.enumerate()
    threads: set[threading.Thread] = set()
    faulty.script = [lambda line: line.send(ONE_BYTE)]
    worker = new_worker()
    for number in range(3):
        pending = worker.submit(f"http://{faulty.host}/{number}")
        assert worker.result(pending).body == b"1"
        threads |= {t for t in threading.enumerate() if t.name == THREAD_NAME and t not in before}

    assert faulty.targets == ["/0", "/1", "/2"]
    assert (faulty.connections, len(threads)) == (1, 1)
    worker.close()
    worker.join(60)


def test_an_abandoned_worker_ends_its_thread_its_connection_and_its_session(
    faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, closed = threading.Event(), list[requests.Session]()

    def note_closing(session: requests.Session) -> None:
        closed.append(session)

    monkeypatch.setattr(NoRedirects, "close", note_closing)

    def respond_and_watch(line: Line) -> None:
        line.send(ONE_BYTE)
        assert not line.connection.recv(1)  # waits until the client closes the connection
        gone.set()

    faulty.script = [respond_and_watch]
    worker = new_worker()
    worker.result(worker.submit(f"http://{faulty.host}/"))
    assert (gone.is_set(), closed) == (False, [])

    worker.close()
    worker.join(60)

    assert not worker.is_running
    assert gone.wait(60)
    [session] = closed  # else its sockets stay open in this process
    requests.Session.close(session)


def test_a_request_in_flight_fails_once_its_worker_is_closed(faulty: FaultyServer) -> None:
    faulty.script = [lambda line: line.hold()]
    worker = new_worker()
    pending = worker.submit(f"http://{faulty.host}/")
    assert faulty.requested.wait(60)

    worker.close()
    worker.join(60)

    assert not worker.is_running
    with pytest.raises(CustobarError):
        worker.result(pending)
