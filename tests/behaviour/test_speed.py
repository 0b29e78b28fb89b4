"""What the speed rests on, looked at without a clock: `make bench` measures."""

from __future__ import annotations

import csv
import sys
import threading
from collections import Counter
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from tap_custobar.records.decoder import BATCH_SIZE
from tap_custobar.tap import TapCustobar
from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply, Request, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from tests.behaviour.conftest import Start
    from tests.catalogs import Catalog
    from tests.conftest import RunTap

PATH = "/api/data/customers/"

#: Rows that are decoded at once in any way of running.
BLOCK = BATCH_SIZE


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
    """Counts what Python does for a sync: calls of its functions, and decoders' runs over rows."""

    def __init__(
        self, config: dict[str, Any], stream: str = "customers", catalog: Catalog | None = None
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.decoded = 0
        tap = TapCustobar(config=config, catalog=catalog)
        sys.setprofile(self._note)
        try:
            tap.streams[stream].sync()
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, what: Any) -> None:  # noqa: ANN401
        if event == "call":
            self.calls[frame.f_code.co_qualname] += 1
        elif event == "c_call" and what.__name__ == "decode":
            is_json = type(what.__self__) is msgspec.json.Decoder
            # The checks of a column's timestamps decode no rows.
            self.decoded += is_json and "timestamps" not in frame.f_globals["__name__"]


def tidy(number: int) -> dict[str, Any]:
    return {**customer(number), "zip_code": "00100", "tags": ["vip", "new"]}


def nullable(number: int) -> dict[str, Any]:
    return {**customer(number), "tags": ["vip", None]}


#: Fields of the company's own of which only the names are known.
UNDECLARED = {"custom_fields": {f"acme__{n}": "string" for n in ("size", "is_vip", "list", "box")}}


def undeclared(number: int) -> dict[str, Any]:
    own = {"size": number + 0.5, "is_vip": True, "list": ["a", number], "box": {"w": 1}}
    return {**customer(number), **{f"acme__{name}": value for name, value in own.items()}}


def with_nullable_items() -> Catalog:
    """Return a catalog whose lists are as the SDK's own ArrayType writes them."""
    chosen = catalog(customers=True)
    entry = entry_of(chosen)
    entry["schema"]["properties"]["tags"]["items"] = {"type": ["string", "null"]}
    return chosen


def as_json(stream: str, rows: list[dict[str, Any]], next_url: str | None) -> Reply:
    return Reply({stream: rows, "next_url": next_url})


def as_csv(_: str, rows: list[dict[str, Any]], next_url: str | None) -> Reply:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({**row, "tags": ",".join(row["tags"])} for row in rows)
    return Reply(
        text.getvalue().encode(), headers={"X-Custobar-Next-Url": next_url} if next_url else {}
    )


class Way(NamedTuple):
    """A way of running the tap: what comes, and what it is set to."""

    row: Callable[[int], dict[str, Any]]
    config: Mapping[str, Any] = MappingProxyType({})
    stream: str = "customers"
    answer: Callable[[str, list[dict[str, Any]], str | None], Reply] = as_json
    catalog: Callable[[], Catalog | None] = lambda: None


FLATTENING = {"flattening_enabled": True, "flattening_max_depth": 2}
BATCH = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": "batches"}}
WAYS = {
    "plain": Way(tidy),
    "other types than documented": Way(customer),
    "a string for a list": Way(product, stream="products"),
    "nullable list items": Way(nullable, catalog=with_nullable_items),
    "undeclared fields": Way(undeclared, {"stream_options": {"customers": UNDECLARED}}),
    "CSV": Way(
        tidy,
        {"response_format": "csv"},
        answer=as_csv,
        catalog=lambda: catalog(customers=[*tidy(0)]),
    ),
    "batch files": Way(customer, {"batch_config": BATCH}),
    "flattening": Way(customer, FLATTENING),
    "flattening and undeclared fields": Way(
        undeclared, {**FLATTENING, "stream_options": {"customers": UNDECLARED}}
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_record_costs_a_call_of_python(
    server: Server, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where batch files go
    chosen = way.catalog()

    def calls(size: int) -> Counter[str]:
        # Two pages: from the first it is learnt what a company sends otherwise than documented.
        first, second = ([way.row(n) for n in range(rows)] for rows in (BLOCK, size))
        server.replies(way.answer(way.stream, first, "?b"), way.answer(way.stream, second, None))
        return Watch({**server.config, **way.config}, way.stream, chosen).calls

    calls(1)  # what is imported and compiled once
    more = calls(9 * BLOCK) - calls(BLOCK)
    a_record = {name: count / (8 * BLOCK) for name, count in more.items()}

    # Far below is what is called once a block for each column; every second record may be odd here.
    assert {name: count for name, count in a_record.items() if count > 0.4} == {}


def test_rare_fields_of_another_type_cost_no_restart_each(server: Server) -> None:
    names = [f"acme__{number}" for number in range(300)]
    declared = {"customers": {"custom_fields": dict.fromkeys(names, "integer")}}
    config = {**server.config, "stream_options": declared}
    blocks = 4

    def decoded(odd: Sequence[str]) -> int:
        rows = [customer(number) for number in range(blocks * BATCH_SIZE)]
        for number, name in enumerate(odd):
            rows[3 * number][name] = str(number)
        server.replies(Reply({"customers": rows}))
        return Watch(config).decoded

    # Once more into values and once more into structs, for each block, however many are odd.
    assert 0 < decoded(names) - decoded([]) <= 2 * blocks


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
    server.replies(page(3 * BATCH_SIZE, "?b"), page(BATCH_SIZE), Reply({"products": []}))

    run = run_tap({**server.config, "stream_maps": maps})

    times = [m["time_extracted"] for m in run.of_type("RECORD")]

    assert [times.count(time) for time in sorted(set(times))] == [3 * BATCH_SIZE, BATCH_SIZE]


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
    assert "customers failed: The token has no access" in run.errors[0]


def test_the_test_verb_asks_for_nothing_ahead(server: Server, run_tap: RunTap) -> None:
    server.replies(page(3, "?cursor=2"))

    run_tap(server.config, "--test")

    assert [r.path for r in server.requests].count(PATH) == 1
