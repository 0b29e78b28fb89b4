"""The `next_url` pagination of the specification, in cases where a generic paginator fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.catalogs import catalog
from tests.pages import serve_pages
from tests.server import Reply, Request

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap
    from tests.server import Server

PATH = "/api/data/customers/"


def page(*ids: str, next_url: object = None, **headers: str) -> Reply:
    body: dict[str, object] = {"customers": [{"external_id": i} for i in ids]}
    if next_url is not None:
        body["next_url"] = next_url
    return Reply(body, headers=headers)


def run_customers(run_tap: RunTap, server: Server, **config: object) -> Run:
    """Read the ids and the e-mail addresses of customers."""
    settings = {**server.config, "max_retries": 0, **config}
    return run_tap(settings, catalog=catalog(customers=["email"]))


def test_the_request_of_page_2_has_no_duplicate_parameters(run_tap: RunTap, server: Server) -> None:
    server.replies(
        page("1", next_url=f"{server.url}/data/customers/?limit=5&fields=email&cursor=2"),
        page("2"),
    )

    run = run_customers(run_tap, server, stream_options={"customers": {"order": ["email"]}})

    assert run.ids("customers") == ["1", "2"]
    assert server.requests[0].query == [
        ("limit", "10000"),
        ("fields", "external_id,email"),
        ("order", "email"),
    ]
    assert server.requests[1].query == [("limit", "5"), ("fields", "email"), ("cursor", "2")]


def test_an_empty_page_with_a_next_url_is_not_the_last(run_tap: RunTap, server: Server) -> None:
    server.replies(page(next_url="?cursor=2"), page(next_url="?cursor=3"), page("1"))

    assert run_customers(run_tap, server).ids("customers") == ["1"]


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.example/api/data/customers/?cursor=2",
        "//evil.example/api/data/customers/?cursor=2",
        "http://acme.custobar.com/api/data/customers/?cursor=2",
    ],
)
def test_a_next_url_of_another_host_is_rejected_before_any_request(
    run_tap: RunTap, server: Server, next_url: str
) -> None:
    server.replies(page("1", next_url=next_url), page("2"))

    run = run_customers(run_tap, server)

    assert run.ids("customers") == ["1"]
    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "names another server" in run.errors[0]
    assert len(server.requests) == 1


def test_the_token_does_not_reach_another_server(run_tap: RunTap, server: Server) -> None:
    other = type(server)()
    try:
        # Another name of the same machine is another host.
        host = other.host.replace("127.0.0.1", "localhost")
        server.replies(page("1", next_url=f"http://{host}{PATH}?cursor=2"), page("2"))
        run = run_customers(run_tap, server)
        assert other.requests == []
        assert run.exit_code == 1
    finally:
        other.close()


def test_a_loop_of_two_pages_is_detected(run_tap: RunTap, server: Server) -> None:
    def answer(request: Request) -> Reply:
        cursor = dict(request.query).get("cursor")
        return page("1", next_url="?cursor=b" if cursor == "a" else "?cursor=a")

    server.answer = answer

    run = run_customers(run_tap, server)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "page that was already read" in run.errors[0]
    assert [r.target for r in server.requests[1:]] == [f"{PATH}?cursor=a", f"{PATH}?cursor=b"]


def test_a_relative_next_url_is_followed(run_tap: RunTap, server: Server) -> None:
    server.replies(
        page("1", next_url="?cursor=2"),
        page("2", next_url="/api/data/customers/?cursor=3"),
        page("3"),
    )

    assert run_customers(run_tap, server).ids("customers") == ["1", "2", "3"]
    assert [r.target for r in server.requests[1:]] == [f"{PATH}?cursor=2", f"{PATH}?cursor=3"]


def test_a_next_url_only_in_the_header_is_followed(run_tap: RunTap, server: Server) -> None:
    header = {"X-Custobar-Next-Url": f"{server.url}/data/customers/?cursor=2"}
    server.replies(page("1", **header), page("2"))

    assert run_customers(run_tap, server).ids("customers") == ["1", "2"]


def test_the_body_takes_precedence_over_the_header(run_tap: RunTap, server: Server) -> None:
    header = {"X-Custobar-Next-Url": "?cursor=header"}
    server.replies(page("1", next_url="?cursor=body", **header), page("2"))

    run_customers(run_tap, server)
    assert server.requests[1].query == [("cursor", "body")]


@pytest.mark.parametrize("last", [{"next_url": None}, {"next_url": ""}, {}])
def test_the_stream_ends_if_next_url_is_null_empty_or_absent(
    run_tap: RunTap, server: Server, last: dict[str, object]
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1"}], **last}))

    run = run_customers(run_tap, server)

    assert run.exit_code == 0
    assert run.ids("customers") == ["1"]
    assert len(server.requests) == 1


def test_another_scheme_and_port_of_the_same_host_are_ignored(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(page("1", next_url=f"https://127.0.0.1:444{PATH}?cursor=2"), page("2"))

    assert run_customers(run_tap, server).ids("customers") == ["1", "2"]
    assert server.requests[1].target == f"{PATH}?cursor=2"


@pytest.mark.parametrize(
    ("next_url", "message"),
    [
        ("http://user@127.0.0.1/api/data/customers/?cursor=2", "user name"),
        ("https://127.0.0.1@evil.example/api/x/", "user name"),
        ("/api/../admin/?cursor=2", "not below /api"),
        ("/api/%2e%2e/admin/", "not below /api"),
        ("/api/%252e%252e/admin/", "not below /api"),
        ("/x//../api/data/customers/?cursor=2", "not below /api"),
        ("/api//evil/", "not below /api"),
        ("/apix/data/", "not below /api"),
        ("?cursor=" + "x" * 9000, "longer than"),
        ("?cursor=a\nb", "control characters"),
        ("?cursor=a b", "spaces"),
        ("http://[::1", "is not a valid URL"),
        ("http://127.0.0.1:port/api/x/", "is not a valid URL"),
        ("ftp://127.0.0.1/api/x/", "another server"),
    ],
)
def test_an_unsafe_next_url_is_not_requested(
    run_tap: RunTap, server: Server, next_url: str, message: str
) -> None:
    server.replies(page("1", next_url=next_url), page("2"))

    run = run_customers(run_tap, server)

    assert run.exit_code == 1
    assert run.ids("customers") == ["1"]
    assert len(server.requests) == 1
    assert len(run.errors) == 1
    assert message in run.errors[0]


def test_a_next_url_that_is_not_a_string_is_an_error(run_tap: RunTap, server: Server) -> None:
    server.replies(page("1", next_url=17))

    run = run_customers(run_tap, server)

    assert run.exit_code == 1
    assert "next_url is not a string" in run.errors[0]


def test_a_page_that_links_to_itself_is_a_loop(run_tap: RunTap, server: Server) -> None:
    server.replies(page("1", next_url=f"{PATH}?cursor=1"), page("2", next_url=f"{PATH}?cursor=1"))

    run = run_customers(run_tap, server)

    assert run.exit_code == 1
    assert run.ids("customers") == ["1", "2"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("pages", [1, 3])
def test_an_endless_chain_of_the_same_records_ends(
    run_tap: RunTap, server: Server, pages: int
) -> None:
    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", 0))
        rows = [{"external_id": f"{number % pages}"}]
        return Reply({"customers": rows, "next_url": f"?cursor={number + 1}"})

    server.answer = answer

    run = run_tap({**server.config, "max_retries": 0}, catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "1,000 pages in a row without a new record" in run.errors[0]
    # The next page may have been requested while the last one was processed.
    assert len(server.requests) <= 1001 + pages
    assert len(run.records("customers")) == 1000 + pages


def test_events_that_are_equal_in_what_is_selected_are_all_read(
    run_tap: RunTap, server: Server
) -> None:
    pages = 1_010
    serve_pages(server, *[[{"type": "BROWSE"}]] * pages, stream="events")

    run = run_tap(server.config, catalog=catalog(events=True))

    assert run.exit_code == 0
    assert len(run.records("events")) == pages
    assert run.warnings == []


def test_pages_of_a_table_that_changes_may_have_the_same_records(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(*(page("1", next_url=f"?cursor={number}") for number in range(1, 10)), page("2"))

    assert run_customers(run_tap, server).ids("customers") == [*"111111111", "2"]
