from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.catalogs import catalog
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import RunTap
    from tests.server import Server

GOOD = Reply({"customers": [{"external_id": "1"}]})
TOO_MANY_REQUESTS = Reply(status=429, headers={"Retry-After": "0"})
UNAVAILABLE = Reply(status=503, headers={"Retry-After": "0"})
HTML = Reply(b"<html>", headers={"Content-Type": "text/html", "Retry-After": "0"})


@pytest.mark.parametrize(
    "failures",
    [
        [TOO_MANY_REQUESTS],
        [UNAVAILABLE, UNAVAILABLE],
        [Reply(status=500)],
        [Reply(status=408)],
        [Reply(status=425)],
        [Reply(b'{"customers": [', headers={"Content-Length": "500", "Connection": "close"})],
        [Reply(b"no gzip", headers={"Content-Encoding": "gzip"})],
        [Reply(b"zz\r\n", headers={"Transfer-Encoding": "chunked", "Connection": "close"})],
        [Reply(b'{"customers": [{"external')],
        [HTML],
    ],
    ids=[
        "429",
        "503 twice",
        "500",
        "408",
        "425",
        "truncated body",
        "invalid gzip",
        "invalid chunk",
        "truncated JSON",
        "HTML",
    ],
)
def test_a_temporary_failure_is_retried(
    run_tap: RunTap, server: Server, failures: list[Reply]
) -> None:
    server.replies(*failures, GOOD)

    run = run_tap(server.config, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1"]
    assert len(server.requests) == len(failures) + 1
    assert f" {len(failures)} retr" in run.log


def test_retries_end_at_max_retries(run_tap: RunTap, server: Server) -> None:
    server.replies(UNAVAILABLE)

    run = run_tap({**server.config, "max_retries": 2}, catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert len(server.requests) == 3
    assert run.errors == [
        "customers failed: Custobar failed to process the request GET /api/data/customers/ (503)."
    ]


def test_a_likely_misconfiguration_is_retried_once_on_the_first_page(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(HTML)

    run = run_tap(server.config, catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert len(server.requests) == 2


def test_html_on_a_later_page_is_retried_like_any_other_failure(
    run_tap: RunTap, server: Server
) -> None:
    first = Reply({"customers": [{"external_id": "1"}], "next_url": "?cursor=2"})
    server.replies(first, HTML, HTML, Reply({"customers": [{"external_id": "2"}]}))

    run = run_tap(server.config, catalog=catalog(customers=True))

    assert run.ids("customers") == ["1", "2"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418])
def test_rejected_requests_are_not_retried(run_tap: RunTap, server: Server, status: int) -> None:
    server.replies(Reply(status=status))

    assert run_tap(server.config, catalog=catalog(customers=True)).exit_code == 1
    assert len(server.requests) == 1


def test_too_many_requests_until_the_retries_end_names_the_setting(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(TOO_MANY_REQUESTS)

    run = run_tap({**server.config, "max_retries": 1}, catalog=catalog(customers=True))

    assert len(run.errors) == 1
    assert "too many requests (429): raise request_interval" in run.errors[0]
