"""A stream that fails: the others are read, and no record that was received is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.pages import serve_pages
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox
    from tests.server import Request, Server


@pytest.mark.parametrize(
    ("token", "readable", "failed"),
    [
        ("APISANDBOXCUSTOMERS", "customers", "products"),
        ("APISANDBOXPRODUCTS", "products", "customers"),
    ],
)
def test_a_missing_scope_does_not_stop_the_other_stream(
    run_tap: RunTap, sandbox: Sandbox, token: str, readable: str, failed: str
) -> None:
    config = {**sandbox.config, "api_token": token, "discover_custom_fields": False}

    run = run_tap(config)

    assert run.exit_code == 1
    assert len(run.ids(readable)) == getattr(sandbox, readable)
    assert run.state["bookmarks"][readable] == {"resume": None}
    assert len(run.errors) == 1
    assert run.errors[0].startswith(f"{failed} failed: ")
    assert f"GET /api/data/{failed}/" in run.errors[0]


def test_every_failed_stream_is_named_with_its_reason(run_tap: RunTap, server: Server) -> None:
    def answer(request: Request) -> Reply:
        return Reply(status=403 if "customers" in request.path else 400)

    server.answer = answer

    run = run_tap(server.config)

    assert run.exit_code == 1
    assert [error.partition(":")[0] for error in run.errors] == [
        "customers failed",
        "products failed",
    ]
    assert "(403)" in run.errors[0]
    assert "(400)" in run.errors[1]


def test_the_bookmark_of_a_failed_stream_does_not_move(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda request: (
        Reply({"products": []}) if "products" in request.path else Reply(status=403)
    )
    bookmark: dict[str, Any] = {"replication_key": "date", "replication_key_value": "2024-01-01"}

    run = run_tap(server.config, state={"bookmarks": {"customers": bookmark}})

    last = run.state["bookmarks"]
    assert {key: last["customers"].get(key) for key in bookmark} == bookmark


def test_records_before_a_failure_are_written_and_the_checkpoint_is_at_the_failed_page(
    run_tap: RunTap, server: Server
) -> None:
    pages = [[{"external_id": external_id}] for external_id in "abc"]
    serve_pages(server, *pages, at={3: lambda: Reply(status=400)})

    run = run_tap(server.config)

    assert run.exit_code == 1
    assert run.ids("customers") == ["a", "b"]
    checkpoint = run.state["bookmarks"]["customers"]["resume"]
    assert checkpoint["next"] == "/api/data/customers/?page=3"
