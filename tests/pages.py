"""Pages of one stream from a test's own server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.server import Request, Server


def page_number(request: Request) -> int:
    return int(dict(request.query).get("page", "1"))


def serve_pages(
    server: Server,
    *pages: Sequence[Mapping[str, Any]],
    stream: str = "customers",
    count: int | None = None,
    at: Mapping[int, Callable[[], Reply | None]] | None = None,
) -> None:
    """Serve these pages of a stream, and no records of the others.

    Args:
        server: The server.
        pages: The records of each page.
        stream: The stream's name.
        count: The number of records that each page declares; None to declare none.
        at: By page number, a function to call when the page is requested; if it returns a reply,
            that one is sent instead of the page.
    """
    actions = at or {}
    declared = {} if count is None else {"count": count}

    def answer(request: Request) -> Reply:
        requested = request.path.split("/")[-2]
        if requested != stream:
            return Reply({requested: []})
        number = page_number(request)
        if (action := actions.get(number)) and (reply := action()):
            return reply
        link = {"next_url": f"?page={number + 1}"} if number < len(pages) else {}
        return Reply({stream: pages[number - 1], **declared, **link})

    server.answer = answer


def fail() -> Reply:
    return Reply(status=500)
