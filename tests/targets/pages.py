"""Pages of customers from a test's own server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.server import Request, Server


def page_number(request: Request) -> int:
    return int(dict(request.query).get("page", "1"))


def serve_pages(
    server: Server,
    *pages: list[dict[str, Any]],
    at: Mapping[int, Callable[[], Reply | None]] | None = None,
) -> None:
    """Serve these pages of customers, and no products.

    Args:
        server: The server.
        pages: The records of each page.
        at: By page number, a function to call when the page is requested; if it returns a reply,
            that one is sent instead of the page.
    """
    actions = at or {}

    def answer(request: Request) -> Reply:
        if "products" in request.path:
            return Reply({"products": []})
        number = page_number(request)
        action = actions.get(number)
        next_url = f"{request.path}?page={number + 1}" if number < len(pages) else None
        body = {"customers": pages[number - 1], "next_url": next_url}
        return (action and action()) or Reply(body)

    server.answer = answer


def fail() -> Reply:
    return Reply(status=500)
