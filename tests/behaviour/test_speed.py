"""Properties that make the tap fast, tested without a clock; `make bench` measures the speed."""

from __future__ import annotations

import csv
import sys
import threading
from collections import Counter
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import pytest

from tap_custobar.api.client import CustobarClient
from tap_custobar.records.decoder import BATCH_SIZE
from tap_custobar.tap import TapCustobar
from tests.catalogs import catalog, incremental
from tests.conftest import entry_of
from tests.pages import serve_pages
from tests.server import Reply, Request, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from tests.behaviour.conftest import Start
    from tests.catalogs import Catalog
    from tests.conftest import RunTap

PATH = "/api/data/customers/"


def customer(number: int) -> dict[str, Any]:
    """Return a customer with types that differ from the documentation, as in real data."""
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


class CallCounter:
    """Counts the calls of Python functions in a sync, and of JSON decoders on rows."""

    def __init__(
        self, config: dict[str, Any], stream: str = "customers", catalog: Catalog | None = None
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.decoded = 0
        tap = TapCustobar(config=config, catalog=catalog)
        sys.setprofile(self._count)
        try:
            tap.streams[stream].sync()
        finally:
            sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401
        if event == "call":
            self.calls[frame.f_code.co_qualname] += 1
        elif event == "c_call" and argument.__name__ == "decode":
            is_json = type(argument.__self__) is msgspec.json.Decoder
            # The checks of timestamps do not decode rows.
            self.decoded += is_json and "timestamps" not in frame.f_globals["__name__"]


def matching_customer(number: int) -> dict[str, Any]:
    return {**customer(number), "zip_code": "00100", "tags": ["vip", "new"]}


def customer_with_null_tag(number: int) -> dict[str, Any]:
    return {**customer(number), "tags": ["vip", None]}


#: Custom fields without a declared type.
UNDECLARED_FIELDS = {
    "custom_fields": {f"acme__{n}": "string" for n in ("size", "is_vip", "list", "box")}
}


def customer_with_undeclared_fields(number: int) -> dict[str, Any]:
    fields = {"size": number + 0.5, "is_vip": True, "list": ["a", number], "box": {"w": 1}}
    return {**customer(number), **{f"acme__{name}": value for name, value in fields.items()}}


def catalog_with_nullable_items() -> Catalog:
    """Return a catalog whose array elements may be null, as with ArrayType of the SDK."""
    result = catalog(customers=True)
    entry = entry_of(result)
    entry["schema"]["properties"]["tags"]["items"] = {"type": ["string", "null"]}
    return result


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


class Case(NamedTuple):
    """A mode of the tap: the rows that the API sends, and the config."""

    row: Callable[[int], dict[str, Any]]
    config: Mapping[str, Any] = MappingProxyType({})
    stream: str = "customers"
    answer: Callable[[str, list[dict[str, Any]], str | None], Reply] = as_json
    catalog: Callable[[], Catalog | None] = lambda: None


FLATTENING = {"flattening_enabled": True, "flattening_max_depth": 2}
BATCH = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": "batches"}}
CASES = {
    "plain": Case(matching_customer),
    "other types than documented": Case(customer),
    "a string for a list": Case(product, stream="products"),
    "nullable list items": Case(customer_with_null_tag, catalog=catalog_with_nullable_items),
    "undeclared fields": Case(
        customer_with_undeclared_fields, {"stream_options": {"customers": UNDECLARED_FIELDS}}
    ),
    "CSV": Case(
        matching_customer,
        {"response_format": "csv"},
        answer=as_csv,
        catalog=lambda: catalog(customers=[*matching_customer(0)]),
    ),
    "batch files": Case(customer, {"batch_config": BATCH}),
    "flattening": Case(customer, FLATTENING),
    "flattening and undeclared fields": Case(
        customer_with_undeclared_fields,
        {**FLATTENING, "stream_options": {"customers": UNDECLARED_FIELDS}},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_python_function_is_called_for_each_record(
    server: Server, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # batch files are written there
    selected = case.catalog()

    def calls(size: int) -> Counter[str]:
        # Two pages: from the first, the fast path learns which types differ from the schema.
        first, second = ([case.row(n) for n in range(rows)] for rows in (BATCH_SIZE, size))
        server.replies(
            case.answer(case.stream, first, "?b"), case.answer(case.stream, second, None)
        )
        return CallCounter({**server.config, **case.config}, case.stream, selected).calls

    calls(1)  # imports and compiles
    more = calls(9 * BATCH_SIZE) - calls(BATCH_SIZE)
    per_record = {name: count / (8 * BATCH_SIZE) for name, count in more.items()}

    # Calls for each column of a block are far below; every second record may take the slow path.
    assert {name: count for name, count in per_record.items() if count > 0.4} == {}


def test_values_of_another_type_do_not_each_decode_the_block_again(server: Server) -> None:
    names = [f"acme__{number}" for number in range(300)]
    declared = {"customers": {"custom_fields": dict.fromkeys(names, "integer")}}
    config = {**server.config, "stream_options": declared}
    blocks = 4

    def decoded(mismatched: Sequence[str]) -> int:
        rows = [customer(number) for number in range(blocks * BATCH_SIZE)]
        for number, name in enumerate(mismatched):
            rows[3 * number][name] = str(number)
        server.replies(Reply({"customers": rows}))
        return CallCounter(config).decoded

    # For each block, once more to values and once more to structs, for any number of mismatches.
    assert 0 < decoded(names) - decoded([]) <= 2 * blocks


@pytest.mark.parametrize("where", ["body", "header"])
def test_the_next_page_is_requested_while_the_current_one_is_written(
    server: Server, start: Start, where: str
) -> None:
    second_page_requested = threading.Event()

    def answer(request: Request) -> Reply:
        if "products" in request.path:
            return Reply({"products": []})
        if number := int(dict(request.query).get("cursor", 0)):
            second_page_requested.set()
        next_url = f"?cursor={number + 1}" if number < 5 else None
        headers = {"X-Custobar-Next-Url": next_url} if next_url else {}
        # Far more than the capacity of a pipe.
        rows = page(1000, next_url if where == "body" else None).body
        return Reply(rows, headers=headers if where == "header" else {})

    server.answer = answer
    tap = start(server.config)

    assert second_page_requested.wait(60)
    assert tap.process.poll() is None


@pytest.mark.parametrize("maps", [{}, {"customers": {"city": None}}], ids=["fast", "SDK"])
def test_the_records_of_a_page_have_the_same_time_extracted(
    server: Server, run_tap: RunTap, maps: dict[str, Any]
) -> None:
    server.replies(page(3 * BATCH_SIZE, "?b"), page(BATCH_SIZE), Reply({"products": []}))

    run = run_tap({**server.config, "stream_maps": maps})

    times = [m["time_extracted"] for m in run.of_type("RECORD")]

    assert [times.count(time) for time in sorted(set(times))] == [3 * BATCH_SIZE, BATCH_SIZE]


def test_the_next_url_of_the_body_is_prefetched_rather_than_that_of_the_header(
    server: Server, run_tap: RunTap
) -> None:
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


def test_an_error_of_a_prefetched_page_is_raised_after_the_page_before_it(
    server: Server, run_tap: RunTap
) -> None:
    server.replies(page(3, "?cursor=2"), Reply(status=403))

    run = run_tap(server.config)

    assert run.exit_code == 1
    assert run.ids("customers") == ["C0", "C1", "C2"]
    assert "customers failed: The token has no access" in run.errors[0]


@pytest.fixture
def prefetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs that taps prefetch; a tap may end before the server receives the request."""
    urls: list[str] = []
    prefetch = CustobarClient.prefetch

    def record(client: CustobarClient, url: str | None) -> None:
        urls.extend([url] if url else [])
        prefetch(client, url)

    monkeypatch.setattr(CustobarClient, "prefetch", record)
    return urls


def test_the_option_test_prefetches_no_page(server: Server, prefetched: list[str]) -> None:
    server.replies(page(3, "?cursor=2"), page(1))
    tap = TapCustobar(config=server.config)

    tap.run_sync_dry_run(1, [tap.streams["customers"]])

    assert prefetched == []


def test_an_incremental_read_prefetches_after_new_records(server: Server, start: Start) -> None:
    second_page_requested = threading.Event()
    new = "2024-01-20T00:00:00Z"

    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", 0))
        if number:
            second_page_requested.set()
        # Far more than the capacity of a pipe.
        products = [
            {"external_id": f"P{number}-{index}", "date": new, "title": "x" * 500}
            for index in range(1000)
        ]
        return Reply({"products": products, "next_url": f"?cursor={number + 1}"})

    server.answer = answer
    config = {**server.config, "start_date": "2024-01-01"}
    tap = start(config, catalog=incremental("products"))

    assert second_page_requested.wait(60)
    assert tap.process.poll() is None


def test_an_incremental_read_prefetches_only_after_new_records(
    server: Server, prefetched: list[str]
) -> None:
    dates = [f"2024-01-0{day}T00:00:00Z" for day in (9, 8, 7)]
    pages = [[{"external_id": date, "date": date}] for date in dates]
    serve_pages(server, *pages, stream="products")
    bookmark = {"replication_key": "date", "replication_key_value": dates[0]}

    TapCustobar(
        config={**server.config, "lookback_days": 0},
        catalog=incremental("products"),
        state={"bookmarks": {"products": bookmark}},
    ).streams["products"].sync()

    assert [urlsplit(url).query for url in prefetched] == ["page=2"]
