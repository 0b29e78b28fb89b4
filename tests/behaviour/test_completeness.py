"""Missing records cause a warning, and a table that may be incomplete sends no deletes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.state.bookmark import MAX_SHORT_RUNS
from tests.catalogs import catalog, incremental
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.behaviour.conftest import Start
    from tests.conftest import Run, RunTap
    from tests.server import Request, Server


def bookmark(run: Run, stream: str) -> dict[str, Any]:
    result: dict[str, Any] = run.state["bookmarks"].get(stream, {})
    return result


def day(number: float) -> str:
    return f"2024-01-{number:02}T00:00:00Z"


def products(*days: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"external_id": f"P{start + index}", "date": day(number)}
        for index, number in enumerate(days)
    ]


def customers(*ids: object) -> list[dict[str, Any]]:
    return [{"external_id": f"C{id_}"} for id_ in ids]


def serve(
    server: Server,
    stream: str,
    *pages: list[dict[str, Any]] | None,
    counts: Sequence[object] = (),
    empty_once: Sequence[int] = (),
) -> None:
    """Serve pages; those in `empty_once` have no rows and no next link at the first request."""
    still_empty = list(empty_once)

    def answer(request: Request) -> Reply:
        if stream not in request.path:
            return Reply({request.path.split("/")[-2]: []})
        number = int(dict(request.query).get("cursor", 0))
        body: dict[str, Any] = {stream: pages[number]}
        if number + 1 < len(pages):
            body["next_url"] = f"?cursor={number + 1}"
        if counts:
            body["count"] = counts[number]
        if number in still_empty:
            still_empty.remove(number)
            body = {**body, stream: []}
            body.pop("next_url", None)
        return Reply(body)

    server.answer = answer


def read_products(run_tap: RunTap, server: Server, state: object = None, **settings: object) -> Run:
    return run_tap({**server.config, **settings}, catalog=incremental("products"), state=state)


def read_customers(
    run_tap: RunTap, server: Server, state: object = None, **settings: object
) -> Run:
    config = {**server.config, "emit_activate_version_messages": True, **settings}
    return run_tap(config, catalog=catalog(customers=True), state=state)


def sends_deletes(run: Run) -> bool:
    return bool(run.of_type("ACTIVATE_VERSION"))


# --- incremental streams: the bookmark and `count`


def test_a_shortfall_holds_the_bookmark_for_one_run(run_tap: RunTap, server: Server) -> None:
    serve(server, "products", products(9, 8), products(7, start=2), counts=[5, 5])

    first = read_products(run_tap, server)
    second = read_products(run_tap, server, first.state)
    third = read_products(run_tap, server, second.state)

    assert [run.exit_code for run in (first, second, third)] == [0, 0, 0]
    assert "replication_key_value" not in bookmark(first, "products")
    assert len(first.warnings) == 1
    assert "2 records fewer than Custobar's count: the bookmark does not move" in first.warnings[0]
    assert len(second.records("products")) == 3
    assert bookmark(second, "products")["replication_key_value"] == day(9)
    assert "2 records fewer than Custobar's count, as in the previous run" in second.warnings[0]
    # The shortfall is still the same, so it does not hold the bookmark either.
    assert bookmark(third, "products")["replication_key_value"] == day(9)


def test_a_different_shortfall_holds_the_bookmark_again(run_tap: RunTap, server: Server) -> None:
    serve(server, "products", products(9, 8), products(7, start=2), counts=[5, 5])
    first = read_products(run_tap, server)
    serve(server, "products", products(9, 8), products(7, start=2), counts=[4, 4])

    second = read_products(run_tap, server, first.state)

    assert "replication_key_value" not in bookmark(second, "products")


def test_a_varying_shortfall_does_not_hold_the_bookmark_forever(
    run_tap: RunTap, server: Server
) -> None:
    state = None
    for number in range(MAX_SHORT_RUNS + 1):
        count = 5 + number
        serve(server, "products", products(9, 8), products(7, start=2), counts=[count, count])
        run = read_products(run_tap, server, state)
        state = run.state
        moved = "replication_key_value" in bookmark(run, "products")
        assert moved == (number == MAX_SHORT_RUNS)

    assert "the bookmark moves" in run.warnings[-1]


@pytest.mark.parametrize("last_page", [products(7, start=2), []], ids=["short page", "empty page"])
def test_a_rising_count_does_not_hide_a_shortfall(
    run_tap: RunTap, server: Server, last_page: list[dict[str, Any]]
) -> None:
    serve(server, "products", products(9, 8), last_page, counts=[6, 7])

    run = read_products(run_tap, server)

    assert "replication_key_value" not in bookmark(run, "products")
    assert f"{4 - len(last_page)} records fewer than Custobar's count" in run.warnings[-1]


def test_missing_records_are_read_in_the_next_run(run_tap: RunTap, server: Server) -> None:
    serve(server, "products", products(9, 8), counts=[3])
    first = read_products(run_tap, server)
    serve(server, "products", products(9, 8), products(7, start=2), counts=[3, 3])

    second = read_products(run_tap, server, first.state)

    assert second.ids("products") == ["P0", "P1", "P2"]
    assert bookmark(second, "products") == {
        "replication_key": "date",
        "replication_key_value": day(9),
        "missing": None,
        "short_runs": None,
    }
    assert second.warnings == []


def test_duplicate_records_do_not_make_up_for_missing_ones(run_tap: RunTap, server: Server) -> None:
    first_page = [*products(9, 8), *products(9)]
    serve(server, "products", first_page, products(7, start=2), counts=[4, 4])

    run = read_products(run_tap, server)

    assert "replication_key_value" not in bookmark(run, "products")
    assert "products: Received 1 record whose key was already received" in run.warnings


def test_a_falling_count_causes_a_warning(run_tap: RunTap, server: Server) -> None:
    serve(server, "products", products(9, 8), products(7, start=2), counts=[4, 3])

    run = read_products(run_tap, server)

    assert len(run.warnings) == 1
    assert "up to 1 record may have been missed" in run.warnings[0]
    assert "--full-refresh" in run.warnings[0]
    assert bookmark(run, "products")["replication_key_value"] == day(9)


@pytest.mark.parametrize(
    "counts", [[2, 1], [3, 3], [4, 4]], ids=["of the page", "reached", "growing"]
)
def test_a_count_that_is_reached_or_of_one_page_causes_no_warning(
    run_tap: RunTap, server: Server, counts: list[int]
) -> None:
    rest = products(7, 6, start=2) if counts == [4, 4] else products(7, start=2)
    serve(server, "products", products(9, 8), rest, counts=counts)

    run = read_products(run_tap, server)

    assert run.warnings == []
    assert bookmark(run, "products")["replication_key_value"] == day(9)


def test_a_read_that_stops_early_is_not_compared_with_the_count(
    run_tap: RunTap, server: Server
) -> None:
    pages = [products(9, 8), products(3, start=2), products(2, start=3)]
    serve(server, "products", *pages, counts=[9, 9, 9])
    state = {
        "bookmarks": {"products": {"replication_key": "date", "replication_key_value": day(8)}}
    }

    run = read_products(run_tap, server, state)

    assert len(server.requests) == 2
    assert run.warnings == []
    assert bookmark(run, "products")["replication_key_value"] == day(9)


# --- an empty last page


@pytest.mark.parametrize("max_retries", [0, 3])
def test_an_empty_last_page_is_requested_once_more(
    run_tap: RunTap, server: Server, max_retries: int
) -> None:
    serve(server, "customers", customers(1, 2), customers(3), empty_once=[1])

    run = read_customers(run_tap, server, max_retries=max_retries)

    assert run.ids("customers") == ["C1", "C2", "C3"]
    assert sends_deletes(run)
    assert run.warnings == []


@pytest.mark.parametrize("empty", [[], None], ids=["empty list", "null"])
@pytest.mark.parametrize("counts", [(), [2, 2]], ids=["no count", "count reached"])
def test_a_table_whose_last_page_is_empty_twice_sends_no_deletes(
    run_tap: RunTap, server: Server, empty: list[dict[str, Any]] | None, counts: Sequence[int]
) -> None:
    serve(server, "customers", customers(1, 2), empty, counts=counts)

    run = read_customers(run_tap, server)

    assert run.exit_code == 0
    assert run.ids("customers") == ["C1", "C2"]
    assert not sends_deletes(run)
    assert "was empty twice" in run.warnings[0]
    assert "No deletes are sent to the target" in run.warnings[1]


def test_a_csv_page_with_only_a_header_is_an_empty_page(run_tap: RunTap, server: Server) -> None:
    def answer(request: Request) -> Reply:
        fields = dict(request.query).get("fields", "external_id")
        if "cursor" in dict(request.query):
            return Reply(b"external_id\n")
        assert fields == "external_id"
        next_url = {"X-Custobar-Next-Url": "?cursor=1"}
        return Reply(b"external_id\nC1\nC2\n", headers=next_url)

    server.answer = answer
    config = {
        **server.config,
        "emit_activate_version_messages": True,
        "response_format": "csv",
    }

    run = run_tap(config, catalog=catalog(customers=["external_id"]))

    assert run.ids("customers") == ["C1", "C2"]
    assert not sends_deletes(run)
    assert len(server.requests) == 3


def test_an_empty_last_page_holds_the_incremental_bookmark(run_tap: RunTap, server: Server) -> None:
    serve(server, "products", products(9, 8), [])

    run = read_products(run_tap, server)

    assert "replication_key_value" not in bookmark(run, "products")
    assert "The bookmark does not move" in run.warnings[1]


def test_an_empty_last_page_of_campaigns_is_requested_once_more(
    run_tap: RunTap, server: Server
) -> None:
    first = {"campaigns": [{"campaign_key": "CA-1"}], "next": "i9"}
    server.replies(Reply(first), Reply({"campaigns": []}))
    config = {**server.config, "emit_activate_version_messages": True}

    run = run_tap(config, catalog=catalog(campaigns=True))

    assert len(run.records("campaigns")) == 1
    assert not sends_deletes(run)
    assert len(server.requests) == 3


def interrupted_state(run_tap: RunTap, server: Server) -> object:
    """Return the state of a run that failed on the second of two pages."""
    first = Reply({"customers": customers(1, 2), "next_url": "?cursor=1"})
    server.replies(first, Reply(status=403))
    return read_customers(run_tap, server).state


def test_a_checkpoint_at_an_empty_page_restarts_the_sync(run_tap: RunTap, server: Server) -> None:
    state = interrupted_state(run_tap, server)
    server.requests.clear()
    empty = Reply({"customers": []})
    complete = Reply({"customers": customers(1, 2, 3)})
    server.answer = lambda request: empty if "cursor" in dict(request.query) else complete

    run = read_customers(run_tap, server, state)

    assert run.ids("customers") == ["C1", "C2", "C3"]
    assert "Restarting the interrupted sync" in run.warnings[0]
    assert sends_deletes(run)
    assert len(server.requests) == 3


@pytest.mark.parametrize("rows", [[], [None]], ids=["no rows", "only null rows"])
def test_an_endless_chain_of_empty_pages_fails_the_stream(
    run_tap: RunTap, server: Server, rows: list[None]
) -> None:
    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", 0))
        return Reply({"customers": rows, "next_url": f"?cursor={number + 1}"})

    server.answer = answer

    run = read_customers(run_tap, server)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "1,000 pages in a row without a new record" in run.errors[0]
    assert len(server.requests) <= 1002


# --- CSV without the header that has the next link


def serve_csv(server: Server, rows: int, *, has_link: bool) -> None:
    def answer(request: Request) -> Reply:
        limit = int(dict(request.query)["limit"])
        sent = min(limit, rows)
        body = "external_id\n" + "".join(f"C{number}\n" for number in range(sent))
        sends_link = sent < rows and has_link
        headers = {"X-Custobar-Next-Url": f"?limit={rows}&cursor=1"} if sends_link else {}
        return Reply(body.encode(), headers=headers)

    server.answer = answer


def read_csv(run_tap: RunTap, server: Server, page_size: int) -> Run:
    settings = {"emit_activate_version_messages": True, "response_format": "csv"}
    config = {**server.config, **settings, "page_size": page_size}
    return run_tap(config, catalog=catalog(customers=["external_id"]))


def test_a_full_last_csv_page_is_accepted_if_a_smaller_page_has_a_next_link(
    run_tap: RunTap, server: Server
) -> None:
    serve_csv(server, 3, has_link=True)

    run = read_csv(run_tap, server, page_size=3)

    assert run.exit_code == 0
    assert run.ids("customers") == ["C0", "C1", "C2"]
    assert sends_deletes(run)
    assert [dict(r.query)["limit"] for r in server.requests] == ["3", "1"]


def test_a_full_csv_page_without_the_next_link_header_fails_the_stream(
    run_tap: RunTap, server: Server
) -> None:
    serve_csv(server, 9, has_link=False)

    run = read_csv(run_tap, server, page_size=3)

    assert run.exit_code == 1
    assert "X-Custobar-Next-Url" in run.errors[0]
    assert "response_format: json" in run.errors[0]
    assert not sends_deletes(run)
    assert run.ids("customers") == ["C0", "C1", "C2"]


@pytest.mark.parametrize("page_size", [1, 4])
def test_a_csv_page_of_one_row_or_not_full_is_not_verified(
    run_tap: RunTap, server: Server, page_size: int
) -> None:
    serve_csv(server, 1 if page_size == 1 else 3, has_link=False)

    run = read_csv(run_tap, server, page_size=page_size)

    assert run.exit_code == 0
    assert len(server.requests) == 1


def serve_json(server: Server, rows: int, *, link: str) -> None:
    """Serve customers in pages as JSON, with the next link under a key."""

    def answer(request: Request) -> Reply:
        query = dict(request.query)
        start, limit = int(query.get("cursor", "0")), int(query["limit"])
        end = min(start + limit, rows)
        body: dict[str, object] = {"customers": customers(*range(start, end))}
        if end < rows:
            body[link] = f"?limit={limit}&cursor={end}"
        return Reply(body)

    server.answer = answer


@pytest.mark.parametrize("link", ["next", "Next_URL", "nextUrl"])
def test_a_full_json_page_without_the_next_link_fails_the_stream(
    run_tap: RunTap, server: Server, link: str
) -> None:
    serve_json(server, 9, link=link)

    run = read_customers(run_tap, server, page_size=3)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "The responses lack next_url, the link to the next page" in run.errors[0]
    assert not sends_deletes(run)


@pytest.mark.parametrize(("rows", "limits"), [(3, ["3", "1"]), (6, ["3", "3"])])
def test_a_full_last_json_page_is_accepted_if_another_page_has_a_next_link(
    run_tap: RunTap, server: Server, rows: int, limits: list[str]
) -> None:
    serve_json(server, rows, link="next_url")

    run = read_customers(run_tap, server, page_size=3)

    assert run.exit_code == 0
    assert len(run.ids("customers")) == rows
    assert sends_deletes(run)
    assert [dict(r.query)["limit"] for r in server.requests] == limits


# --- the order of incremental streams


def test_a_read_stops_early_only_after_a_record_at_or_after_the_bookmark(
    run_tap: RunTap, server: Server
) -> None:
    # Sorted by time of insertion: old records, imported lately, precede those already read.
    history = [products(3, 2), products(2, 1, start=2)]
    before = products(9, 8, start=4)
    state = {
        "bookmarks": {"products": {"replication_key": "date", "replication_key_value": day(9)}}
    }
    serve(server, "products", *history, before)

    first = read_products(run_tap, server, state, lookback_days=0)
    serve(
        server, "products", [*products(11, start=6), *history[0]], history[1], products(10), before
    )
    second = read_products(run_tap, server, first.state, lookback_days=0)

    assert first.ids("products") == ["P4"]
    assert bookmark(first, "products")["unordered"] is True
    assert second.ids("products") == ["P6", "P0", "P4"]
    assert bookmark(second, "products")["replication_key_value"] == day(11)


def test_an_order_that_is_correct_up_to_the_last_page_is_trusted_again(
    run_tap: RunTap, server: Server
) -> None:
    unordered = {"replication_key": "date", "replication_key_value": day(8), "unordered": True}
    serve(server, "products", products(9, 8), products(3, start=2), products(2, start=3))

    first = read_products(run_tap, server, {"bookmarks": {"products": unordered}})
    requests = len(server.requests)
    read_products(run_tap, server, first.state)

    assert requests == 3
    assert bookmark(first, "products")["unordered"] is None
    assert len(server.requests) == requests + 2


def test_an_order_that_was_not_checked_up_to_the_end_is_not_trusted_again(
    run_tap: RunTap, server: Server
) -> None:
    unordered = {"replication_key": "date", "replication_key_value": day(9), "unordered": True}
    serve(server, "products", products(9, 8), [])

    run = read_products(run_tap, server, {"bookmarks": {"products": unordered}})

    assert bookmark(run, "products") == unordered


@pytest.mark.parametrize(
    ("first_page", "requests"),
    [([9, 8], 2), ([8, 7], 3)],
    ids=["after the start date", "at the start date"],
)
def test_without_a_bookmark_a_read_stops_early_only_after_a_record_after_the_start_date(
    run_tap: RunTap, server: Server, first_page: list[int], requests: int
) -> None:
    serve(server, "products", products(*first_page), products(3, start=2), products(2, start=3))

    read_products(run_tap, server, start_date="2024-01-08")

    assert len(server.requests) == requests


def test_a_date_in_the_future_does_not_let_a_read_stop_early(
    run_tap: RunTap, server: Server
) -> None:
    future = [{"external_id": "F", "date": "2999-01-01T00:00:00Z"}]
    state = {
        "bookmarks": {"products": {"replication_key": "date", "replication_key_value": day(9)}}
    }
    serve(server, "products", future, products(2), products(1, start=1))

    read_products(run_tap, server, state)

    assert len(server.requests) == 3


# --- deletes


@pytest.mark.parametrize(
    ("pages", "counts", "reason"),
    [
        ([[1, 2, 2], [3]], (), "received 1 record twice"),
        ([[1, 2], [2, 3]], [4, 4], "1 record fewer than Custobar's count"),
        ([[1, 2], [3, 4]], [4, 5], "count changed between 4 and 5"),
        ([[1, 2], [3, 3]], [2, 2], "received 1 record twice"),
        ([[1, 2], [3]], [4, 4], "1 record fewer than Custobar's count"),
    ],
    ids=["duplicate", "duplicate and missing", "changed count", "duplicate, page counts", "fewer"],
)
def test_a_warning_says_why_no_deletes_are_sent(
    run_tap: RunTap,
    server: Server,
    pages: list[list[int]],
    counts: Sequence[int],
    reason: str,
) -> None:
    serve(server, "customers", *(customers(*page) for page in pages), counts=counts)

    run = read_customers(run_tap, server)

    assert not sends_deletes(run)
    assert reason in run.warnings[-1]
    assert "No deletes are sent to the target" in run.warnings[-1]


@pytest.mark.parametrize(
    ("pages", "counts"),
    [
        ([[1, 2], [3]], ()),
        ([[1, 2], [2, 3]], [3, 3]),
        ([[1, 2], [3]], [2, 2]),
        ([[1, 2], [3]], [2, 1]),
    ],
    ids=["no count", "duplicate", "more than count", "count of each page"],
)
def test_a_complete_table_sends_deletes(
    run_tap: RunTap, server: Server, pages: list[list[int]], counts: Sequence[int]
) -> None:
    serve(server, "customers", *(customers(*page) for page in pages), counts=counts)

    assert sends_deletes(read_customers(run_tap, server))


@pytest.mark.parametrize(
    ("pages", "counts", "message"),
    [
        ([[1, 2], [2]], (), "Received 1 record whose key was already received"),
        ([[1, 2], [3]], [2, 2], "Received 1 record more than Custobar's count"),
        ([[1, 2]], [4], "Received 2 records fewer than Custobar's count"),
    ],
    ids=["duplicate", "more", "fewer"],
)
def test_duplicates_and_wrong_counts_cause_a_warning_without_deletes_too(
    run_tap: RunTap,
    server: Server,
    pages: list[list[int]],
    counts: Sequence[int],
    message: str,
) -> None:
    serve(server, "customers", *(customers(*page) for page in pages), counts=counts)

    run = read_customers(run_tap, server, emit_activate_version_messages=False)

    assert [message in warning for warning in run.warnings] == [True]


def test_duplicate_keys_before_an_interruption_are_still_counted(
    run_tap: RunTap, server: Server
) -> None:
    first = Reply({"customers": customers(1, 1, 2), "next_url": "?cursor=1"})
    server.replies(first, Reply(status=403))
    state = read_customers(run_tap, server).state
    server.replies(Reply({"customers": customers(3)}))

    run = read_customers(run_tap, server, state)

    assert run.ids("customers") == ["C3"]
    assert "received 1 record twice" in run.warnings[-1]
    assert not sends_deletes(run)


def test_a_resumed_sync_sends_no_deletes(run_tap: RunTap, server: Server) -> None:
    """A record that moves to a page that was read before the interruption is never received."""
    state = interrupted_state(run_tap, server)
    server.replies(Reply({"customers": customers(2), "count": 3}))

    resumed = read_customers(run_tap, server, state)
    serve(server, "customers", customers(1, 3), customers(2), counts=[3, 3])
    whole = read_customers(run_tap, server, resumed.state)

    assert resumed.exit_code == 0
    assert resumed.ids("customers") == ["C2"]
    assert not sends_deletes(resumed)
    assert "No deletes are sent to the target: the sync was resumed" in resumed.warnings[-1]
    assert whole.ids("customers") == ["C1", "C3", "C2"]
    assert sends_deletes(whole)


def test_a_warning_says_that_filters_prevent_deletes(run_tap: RunTap, server: Server) -> None:
    serve(server, "customers", customers(1))
    options = {"customers": {"filters": {"city": "Turku"}}}

    run = read_customers(run_tap, server, stream_options=options)

    assert len(run.warnings) == 1
    assert "with filters only a part of the table is read" in run.warnings[0]


def test_a_checkpoint_of_the_first_version_is_accepted(run_tap: RunTap, server: Server) -> None:
    state: Any = interrupted_state(run_tap, server)
    for name in ("lowest", "repeated"):
        del state["bookmarks"]["customers"]["resume"][name]
    server.replies(Reply({"customers": customers(3)}))

    run = read_customers(run_tap, server, state)

    assert run.ids("customers") == ["C3"]
    assert "Restarting" not in run.log


def test_without_resume_no_checkpoint_is_written_or_used(run_tap: RunTap, server: Server) -> None:
    state = interrupted_state(run_tap, server)
    first = Reply({"customers": customers(1, 2), "next_url": "?cursor=1"})
    server.answer = lambda r: Reply(status=403) if "cursor" in dict(r.query) else first

    run = read_customers(run_tap, server, state, resume=False)

    assert run.ids("customers") == ["C1", "C2"]
    assert "the setting resume is false" in run.log
    assert bookmark(run, "customers") == {"resume": None}
    assert "cursor" not in json.dumps(run.state)


# --- filters


@pytest.mark.parametrize(
    ("name", "filter_value", "received"),
    [
        ("can_email", True, False),
        ("can_email", "false", True),
        ("external_id", "C1", "C2"),
        ("acme__points", 5, 6),
        ("acme__points", "5", 6),
        ("acme__rate", 1.5, 2),
        ("acme__consent", True, False),
    ],
    ids=[
        "boolean",
        "boolean as string",
        "key",
        "integer",
        "integer as string",
        "number",
        "undeclared",
    ],
)
@pytest.mark.parametrize("at", ["page 1", "page 2"])
def test_a_filter_without_effect_fails_the_stream_before_the_page_is_written(
    run_tap: RunTap, server: Server, name: str, filter_value: object, received: object, at: str
) -> None:
    value = {"true": True, "false": False}.get(str(filter_value).lower(), filter_value)
    good, bad = (
        [{"external_id": "C1", name: v}, {"external_id": "C1", name: v, "city": "Turku"}]
        for v in (value, received)
    )
    pages = [bad, good] if at == "page 1" else [good, [*good, *bad]]
    serve(server, "customers", *pages)
    options = {
        "filters": {name: filter_value},
        "custom_fields": {
            "acme__points": "integer",
            "acme__rate": "number",
            "acme__consent": "string",
        },
    }

    run = run_tap({**server.config, "stream_options": {"customers": options}})

    assert run.exit_code == 1
    assert f"stream_options.customers.filters.{name}" in run.errors[0]
    assert len(run.errors) == 1
    assert len(run.records("customers")) == (0 if at == "page 1" else 2)


@pytest.mark.parametrize(
    ("name", "filter_value", "received", "warned"),
    [
        ("city", "Turku", "TURKU ", False),
        ("city", "Turku", "Helsinki", True),
        ("city", "Turku", None, False),
        ("tags", "vip", ["new", "VIP"], False),
        ("tags", "vip", ["new"], True),
        ("phone_number", "+358 40 123", "+35840123", False),
        ("can_email", True, None, False),
        ("date_joined", "2024-01-31", "2024-01-31T00:00:00Z", False),
    ],
    ids=["case", "different", "null", "in list", "not in list", "phone", "null boolean", "date"],
)
def test_a_string_that_differs_from_its_filter_causes_a_warning(
    run_tap: RunTap,
    server: Server,
    name: str,
    filter_value: object,
    received: object,
    *,
    warned: bool,
) -> None:
    rows = [{"external_id": f"C{number}", name: received} for number in range(2)]
    serve(server, "customers", rows, [{"external_id": "C9", name: received}])
    options = {"customers": {"filters": {name: filter_value}}}

    run = run_tap({**server.config, "stream_options": options}, catalog=catalog(customers=True))

    assert run.exit_code == 0
    assert len(run.records("customers")) == 3
    assert len(run.warnings) == warned
    assert str(received) not in run.log


# --- batch files


def batches(run: Run) -> list[str]:
    return [path for message in run.of_type("BATCH") for path in message["manifest"]]


def test_with_batch_files_neither_deletes_nor_checkpoints_are_written(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    """Records in batch files have no version, so a delete would remove all of them."""
    first = Reply({"customers": customers(1), "next_url": "?cursor=1"})
    server.replies(first, Reply(status=403), Reply({"customers": customers(1, 2)}))
    storage = {"root": f"file://{tmp_path}", "prefix": "p-"}
    config = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": storage}

    failed = read_customers(run_tap, server, batch_config=config)
    run = read_customers(run_tap, server, failed.state, batch_config=config)

    assert (failed.exit_code, run.exit_code) == (1, 0)
    assert not bookmark(failed, "customers").get("resume")
    assert not sends_deletes(run)
    [warning] = run.warnings
    assert "No deletes are sent to the target: batch files hold no version" in warning


def test_the_bookmark_moves_after_the_last_batch_message(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    serve(server, "products", products(9, 8), products(7, start=2))
    storage = {"root": f"file://{tmp_path}", "prefix": "p-"}
    config = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": storage}

    run = read_products(run_tap, server, batch_config=config)

    kinds = [message["type"] for message in run.messages]
    assert run.exit_code == 0
    assert len(batches(run)) == 1
    moved = [
        number
        for number, message in enumerate(run.messages)
        if day(9) in json.dumps(message.get("value", ""))
    ]
    assert moved
    assert moved[0] > kinds.index("BATCH")
    assert bookmark(run, "products")["replication_key_value"] == day(9)


def test_an_unwritable_batch_file_does_not_move_the_bookmark(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    serve(server, "products", products(9, 8))
    (tmp_path / "file").write_text("")
    storage = {"root": f"file://{tmp_path}/file", "prefix": "p-"}
    config = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": storage}

    run = read_products(run_tap, server, batch_config=config)

    assert run.exit_code == 1
    assert batches(run) == []
    assert day(9) not in run.stdout


def test_a_batch_file_that_cannot_be_closed_does_not_move_the_bookmark(
    server: Server, start: Start, tmp_path: Path
) -> None:
    serve(server, "products", products(9, 8))
    storage = {"root": f"file://{tmp_path}", "prefix": "p-"}
    encoding = {"format": "jsonl", "compression": "none"}
    config = {**server.config, "batch_config": {"encoding": encoding, "storage": storage}}
    # The records are in a buffer, until the file is closed.
    no_files = (
        "import resource, tap_custobar.tap; resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))"
    )

    run = start(config, catalog=incremental("products"), before=no_files).end()

    assert run.exit_code == 1
    assert "File too large" in run.errors[0]
    assert batches(run) == []
    assert day(9) not in run.stdout
