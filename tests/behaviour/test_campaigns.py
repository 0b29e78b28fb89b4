"""Campaigns: paginated by `next` and `from`, ordered by keywords, and always read as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

#: Number of campaigns in the sandbox.
COUNT = 45


def keys_of(run: Run) -> list[str]:
    return [record["campaign_key"] for record in run.records("campaigns")]


def numbered_keys(numbers: range) -> list[str]:
    return [f"CA-{number}" for number in numbers]


def serve(server: Server, *nexts: object) -> None:
    """Serve a page of one campaign with each `next`, and a last one without."""

    def answer(request: Request) -> Reply:
        start = dict(request.query).get("from")
        number = nexts.index(start) + 1 if start in nexts else 0
        link = {"next": nexts[number]} if number < len(nexts) else {}
        return Reply({"campaigns": [{"campaign_key": f"CA-{number}"}], **link})

    server.answer = answer


def test_all_campaigns_are_read_in_pages_in_both_orders(run_tap: RunTap, sandbox: Sandbox) -> None:
    selected = catalog(campaigns=True)
    order = {"stream_options": {"campaigns": {"order": ["ascending"]}}}

    latest_first = run_tap(sandbox.config, catalog=selected)
    oldest_first = run_tap({**sandbox.config, "page_size": 7, **order}, catalog=selected)

    assert keys_of(latest_first) == numbered_keys(range(COUNT, 0, -1))
    assert "45 records, 2 pages" in latest_first.log
    assert keys_of(oldest_first) == numbered_keys(range(1, COUNT + 1))
    assert "45 records, 7 pages" in oldest_first.log
    assert " 0 values nulled, 0 records skipped" in latest_first.log


def test_campaigns_can_be_filtered_by_keys(run_tap: RunTap, sandbox: Sandbox) -> None:
    options = {"campaigns": {"filters": {"keys": "CA-3,CA-1,CA-40"}}}

    run = run_tap({**sandbox.config, "stream_options": options}, catalog=catalog(campaigns=True))

    assert keys_of(run) == ["CA-40", "CA-3", "CA-1"]


def test_parameters_of_the_data_api_are_not_sent(run_tap: RunTap, server: Server) -> None:
    serve(server, "i7", "i&3=ä+")
    config = {**server.config, "response_format": "csv"}

    run = run_tap(config, catalog=catalog(campaigns=["name", "folder"]))

    assert [r.query for r in server.requests] == [[], [("from", "i7")], [("from", "i&3=ä+")]]
    assert keys_of(run) == ["CA-0", "CA-1", "CA-2"]
    assert run.log.count("campaigns: Read as JSON") == 1
    assert set(run.schema("campaigns")["properties"]) == {"campaign_key", "name", "folder"}


def test_deselected_fields_are_discarded_without_a_warning(run_tap: RunTap, server: Server) -> None:
    row = {"campaign_key": "CA-1", "name": "Ale", "kind": "sms", "stats": {"audience_size": 3}}
    server.replies(Reply({"campaigns": [row], "order": "descending", "limit": "30"}))

    run = run_tap(server.config, catalog=catalog(campaigns=["name"]))

    assert run.records("campaigns") == [{"campaign_key": "CA-1", "name": "Ale"}]
    assert run.warnings == []


@pytest.mark.parametrize(
    ("page_size", "response_format", "limit"),
    [(50, "json", "50"), (100_000, "csv", "10000")],
)
def test_page_size_is_sent_as_limit(
    run_tap: RunTap, server: Server, page_size: int, response_format: str, limit: str
) -> None:
    serve(server, "i7")
    config = {**server.config, "page_size": page_size, "response_format": response_format}

    run_tap(config, catalog=catalog(campaigns=True))

    assert [r.query for r in server.requests] == [
        [("limit", limit)],
        [("limit", limit), ("from", "i7")],
    ]


@pytest.mark.parametrize("order", [["-date"], ["ascending", "descending"]])
def test_an_order_by_fields_is_rejected_before_any_request(
    run_tap: RunTap, server: Server, order: list[str]
) -> None:
    options = {"campaigns": {"order": order}}

    run = run_tap({**server.config, "stream_options": options}, catalog=catalog(campaigns=True))

    assert run.exit_code == 1
    assert 'stream_options.campaigns.order: must be ["ascending"] or ["descending"]' in run.log
    assert server.requests == []


@pytest.mark.parametrize(
    ("next_value", "message"),
    [("i7", "points to a page that was already read"), (1967, "JSON whose next is not a string")],
)
def test_an_invalid_next_fails_the_stream(
    run_tap: RunTap, server: Server, next_value: object, message: str
) -> None:
    server.replies(Reply({"campaigns": [{"campaign_key": "CA-1"}], "next": next_value}))

    run = run_tap({**server.config, "max_retries": 0}, catalog=catalog(campaigns=True))

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert run.errors[0].startswith("campaigns failed: ")
    assert message in run.errors[0]


def test_an_interrupted_sync_resumes_at_the_failed_page(run_tap: RunTap, server: Server) -> None:
    selected = catalog(campaigns=True)
    serve(server, "i7", "i3")
    answer_all = server.answer
    server.answer = lambda r: Reply(status=400) if ("from", "i3") in r.query else answer_all(r)

    first = run_tap(server.config, catalog=selected)
    server.answer = answer_all
    last = first.state
    second = run_tap(server.config, catalog=selected, state=last)

    assert last["bookmarks"]["campaigns"]["resume"]["next"] == "/api/campaign/actions/?from=i3"
    assert keys_of(first) == ["CA-0", "CA-1"]
    assert keys_of(second) == ["CA-2"]
    assert second.state["bookmarks"]["campaigns"] == {"resume": None}


def test_another_selection_restarts_an_interrupted_sync(run_tap: RunTap, server: Server) -> None:
    serve(server, "i7", "i3")
    answer_all = server.answer
    server.answer = lambda r: Reply(status=400) if ("from", "i3") in r.query else answer_all(r)
    selected = catalog(campaigns=True)
    properties = entry_of(selected, "campaigns")["schema"]["properties"].keys()
    # The request is the same, because the fields of campaigns cannot be selected in it.
    first = run_tap(server.config, catalog=catalog(campaigns=[*properties - {"state"}]))
    server.answer = answer_all

    second = run_tap(server.config, catalog=selected, state=first.state)

    assert keys_of(second) == ["CA-0", "CA-1", "CA-2"]


def test_custom_fields_of_campaigns_are_not_requested(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda _: Reply(b"external_id\n1\n", headers={"Content-Type": "text/csv"})

    run_tap({**server.config, "discover_custom_fields": True}, "--discover")

    assert server.requests
    assert [r for r in server.requests if "campaign" in r.path] == []


def test_a_next_that_is_not_valid_unicode_fails_the_stream_after_its_page(
    run_tap: RunTap, server: Server
) -> None:
    body = rb'{"campaigns": [{"campaign_key": "CA-1"}], "next": "\ud83d"}'
    server.replies(Reply(body))

    run = run_tap(server.config, catalog=catalog(campaigns=True))

    assert run.exit_code == 1
    assert keys_of(run) == ["CA-1"]
    assert run.errors == ["campaigns failed: next is not valid Unicode"]
