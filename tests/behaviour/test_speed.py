"""What the speed rests on, looked at without a clock: `make bench` measures."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tap_custobar.singer import writer

from tap_custobar.pages.json_pages import BLOCK
from tap_custobar.tap import TapCustobar
from tests.conftest import Reply, Request, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tests.behaviour.conftest import Start
    from tests.conftest import RunTap

PATH = "/api/data/customers/"


def customer(number: int) -> dict[str, Any]:
    """A customer as real data has them: a number for a text, a text for a list, no zone."""
    return {
        "external_id": f"C{number}",
        "email": "maija@example.fi",
        "zip_code": 100,
        "can_email": True,
        "tags": "vip" if number % 2 else ["vip", "new"],
        "date_joined": "2024-02-29T10:00:00Z",
        "birth_date": "1990-01-31",
        "lifetime_value_month": 19.90,
    }


def product(number: int) -> dict[str, Any]:
    return {"external_id": f"P{number}", "category": "books", "price": 1095}


def page(size: int, next_url: str | None = None) -> Reply:
    return Reply({"customers": [customer(n) for n in range(size)], "next_url": next_url})


class Watch:
    """Counts what Python does for a sync, the calls of its functions and those of C."""

    def __init__(self, config: dict[str, Any], stream: str = "customers") -> None:
        self.python: Counter[str] = Counter()
        self.c: Counter[str] = Counter()
        tap = TapCustobar(config=config)
        sys.setprofile(self._note)
        try:
            tap.streams[stream].sync()
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, what: Any) -> None:  # noqa: ANN401
        if event == "call":
            self.python[frame.f_code.co_qualname] += 1
        elif (
            event == "c_call" and type(getattr(what, "__self__", None)).__module__ == "msgspec.json"
        ):
            # The check of a column's instants is no decoding of rows.
            self.c[what.__name__] += "instants" not in frame.f_code.co_name
        elif event == "c_call" and what is msgspec.convert:
            self.c["convert"] += 1


def tidy(number: int) -> dict[str, Any]:
    return {**customer(number), "zip_code": "00100", "tags": ["vip", "new"]}


#: What a record may cost: nothing, or the conversion of the values that are not as documented.
CALLS = [("customers", tidy, 0), ("customers", customer, 2), ("products", product, 1)]


@pytest.mark.parametrize(("stream", "row", "conversions"), CALLS)
def test_no_record_costs_a_call_of_python(
    server: Server, stream: str, row: Callable[[int], dict[str, Any]], conversions: int
) -> None:
    def calls(size: int) -> int:
        # Two pages: from the first it is learnt what a company sends otherwise than documented.
        first, second = ([row(n) for n in range(rows)] for rows in (BLOCK, size))
        server.replies(Reply({stream: first, "next_url": "?b"}), Reply({stream: second}))
        return Watch(server.config, stream).python.total()

    calls(1)  # what is imported and compiled once
    a_block = (calls(9 * BLOCK) - calls(BLOCK)) / 8

    assert a_block < 100 + conversions * BLOCK * 10


def test_a_page_is_decoded_once_and_written_by_the_block(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes | bytearray] = []
    monkeypatch.setattr(writer.output, "write", written.append)
    pages = [page(2 * BLOCK, f"?cursor={n}") for n in range(2, 5)]
    server.replies(*pages, page(2 * BLOCK))

    watch = Watch(server.config)

    # The first page is looked through for unknown properties on its way into structs, and the
    # number for a text is found then. Of the others the rows are found, then decoded by the block.
    assert watch.c["convert"] == 2
    assert watch.c["decode"] == 1 + 3 * (1 + 2)
    assert len(server.requests) == 4
    assert watch.c["encode_lines"] == 2 * 4
    assert sum(b'"RECORD"' in lines for lines in written) == 2 * 4


@pytest.mark.parametrize("where", ["body", "header"])
def test_the_next_page_is_asked_for_while_this_one_is_written(
    server: Server, start: Start, where: str
) -> None:
    asked_twice = threading.Event()

    def answer(request: Request) -> Reply:
        if "products" in request.path:
            return Reply({"products": []})
        if number := int(dict(request.query).get("cursor", 0)):
            asked_twice.set()
        following = f"?cursor={number + 1}" if number < 5 else None
        told = {"X-Custobar-Next-Url": following} if following else {}
        # Far more than a pipe holds.
        rows = page(1000, following if where == "body" else None).body
        return Reply(rows, headers=told if where == "header" else {})

    server.answer = answer
    tap = start(server.config)

    assert asked_twice.wait(60)
    assert tap.process.poll() is None
    # One ahead and no more: the first page is still being written.
    assert [r.target.partition("?")[2] for r in server.requests[1:]] == ["cursor=1"]


@pytest.mark.parametrize("maps", [{}, {"customers": {"city": None}}], ids=["fast", "SDK"])
def test_the_records_of_a_page_have_one_time(
    server: Server, run_tap: RunTap, maps: dict[str, Any]
) -> None:
    server.replies(page(3 * BLOCK, "?b"), page(BLOCK), Reply({"products": []}))

    run = run_tap({**server.config, "stream_maps": maps})

    times = [m["time_extracted"] for m in run.of_type("RECORD")]

    assert [times.count(time) for time in sorted(set(times))] == [3 * BLOCK, BLOCK]


def test_the_body_wins_over_the_header(server: Server, run_tap: RunTap) -> None:
    pages = {
        "0": Reply(
            {"customers": [customer(0)], "next_url": "?cursor=2"},
            headers={"X-Custobar-Next-Url": "?cursor=1"},
        ),
        "1": Reply({"customers": [customer(1)]}),
        "2": Reply({"customers": [customer(2)]}),
    }
    server.answer = lambda request: (
        Reply({"products": []})
        if "products" in request.path
        else pages[dict(request.query).get("cursor", "0")]
    )

    run = run_tap(server.config)

    assert run.exit_code == 0
    assert run.ids("customers") == ["C0", "C2"]


def test_an_error_ahead_shows_after_the_page_before_it(server: Server, run_tap: RunTap) -> None:
    server.replies(page(3, "?cursor=2"), Reply(status=403))

    run = run_tap(server.config)

    assert run.exit_code == 1
    assert run.ids("customers") == ["C0", "C1", "C2"]
    assert "customers failed: The token may not read this" in run.errors[0]


def test_the_test_verb_asks_for_nothing_ahead(server: Server, run_tap: RunTap) -> None:
    server.replies(page(3, "?cursor=2"))

    run_tap(server.config, "--test")

    assert [r.path for r in server.requests].count(PATH) == 1
