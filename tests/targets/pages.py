"""Pages of customers, as a test's own server gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.server import Request, Server


def page_number(request: Request) -> int:
    return int(dict(request.query).get("page", "1"))


def give(
    server: Server,
    *pages: list[dict[str, Any]],
    at: Mapping[int, Callable[[], Reply | None]] | None = None,
) -> None:
    """Let the server give these pages of customers, and no products.

    What is to happen `at` a page happens before it is given, or in its stead.
    """
    steps = at or {}

    def answer(request: Request) -> Reply:
        if "products" in request.path:
            return Reply({"products": []})
        number = page_number(request)
        step = steps.get(number)
        next_url = f"{request.path}?page={number + 1}" if number < len(pages) else None
        body = {"customers": pages[number - 1], "next_url": next_url}
        return (step and step()) or Reply(body)

    server.answer = answer


def fail() -> Reply:
    return Reply(status=500)
