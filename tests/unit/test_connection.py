"""A tap in a process that continues: no thread and no connection is left."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.errors import StreamsFailedError
from tap_custobar.pages.reader import PageIterator
from tap_custobar.tap import TapCustobar
from tests.catalogs import catalog
from tests.faulty import Line, serving
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_custobar.pages.json_pages import Page
    from tests.faulty import FaultyServer
    from tests.server import Request, Server


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    yield from serving()


def answer(request: Request) -> Reply:
    stream = request.path.split("/")[-2]
    return Reply({stream: [{"external_id": "1"}]})


def assert_all_end(threads: Iterable[threading.Thread]) -> None:
    """Assert that threads end; those of the server do once the tap has closed its connections."""
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), thread.name


def test_a_tap_that_has_ended_leaves_no_thread_and_no_connection(server: Server) -> None:
    server.answer = answer
    before = {*threading.enumerate()}

    for _ in range(2):
        TapCustobar(config=server.config).sync_all()

    assert_all_end({*threading.enumerate()} - before)


def test_a_discovery_that_has_ended_leaves_no_thread_and_no_connection(server: Server) -> None:
    server.answer = lambda _: Reply(b"external_id,acme__size\n", headers={})
    before = {*threading.enumerate()}

    TapCustobar(config={**server.config, "discover_custom_fields": True}).run_discovery()

    assert len(server.requests) > 1
    assert_all_end({*threading.enumerate()} - before)


def test_a_tap_that_failed_while_a_request_hung_leaves_no_thread_and_no_connection(
    faulty: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The next link of the header is prefetched, and that of the body is rejected.
    page = b'{"customers": [{"external_id": "1"}], "next_url": "https://evil.example/"}'
    ahead = b"X-Custobar-Next-Url: ?cursor=2"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n\r\n" % (len(page), ahead)
    faulty.script = [lambda line: line.send(head, page), Line.hold]
    commit = PageIterator.commit

    def commit_later(pages: PageIterator, page: Page, **options: Any) -> None:
        assert faulty.requested_twice.wait(60)
        commit(pages, page, **options)

    monkeypatch.setattr(PageIterator, "commit", commit_later)
    before = {*threading.enumerate()}

    with pytest.raises(StreamsFailedError):
        TapCustobar(
            config={**faulty.config, "request_timeout": 3600}, catalog=catalog(customers=True)
        ).sync_all()

    assert_all_end({*threading.enumerate()} - before)


def test_the_tokens_of_two_taps_are_masked(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        TapCustobar(config={**server.config, "api_token": f"APISECRET{number}"})

    logging.getLogger("anything").warning("APISECRET0 and APISECRET1")

    assert caplog.messages[-1] == "*** and ***"
