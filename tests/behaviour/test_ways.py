"""Every way of running: the same records, the same losses, whoever writes them."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.catalogs import catalog, incremental
from tests.server import Reply

if TYPE_CHECKING:
    from tests.behaviour.conftest import Start
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

MAP = {"stream_maps": {"customers": {"mapped": "external_id"}}}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 2}


def batch_config(folder: Path, **encoding: str) -> dict[str, Any]:
    encoding = {"format": "jsonl", "compression": "gzip", **encoding}
    return {"encoding": encoding, "storage": {"root": f"file://{folder}", "prefix": "x-"}}


def files(run: Run, stream: str) -> list[Path]:
    messages = [message for message in run.of_type("BATCH") if message["stream"] == stream]
    return [Path(urlsplit(url).path) for message in messages for url in message["manifest"]]


def rows(file: Path) -> list[dict[str, Any]]:
    content = file.read_bytes()
    content = gzip.decompress(content) if file.suffix == ".gz" else content
    return [json.loads(line) for line in content.splitlines()]


def pages(server: Server, *listed: list[dict[str, Any]]) -> None:
    """Serve pages of customers."""

    def answer(request: Request) -> Reply:
        if "customers" not in request.path:
            return Reply({request.path.split("/")[-2]: []})
        number = int(dict(request.query).get("cursor", 0))
        body: dict[str, Any] = {"customers": listed[number]}
        if number + 1 < len(listed):
            body["next_url"] = f"?cursor={number + 1}"
        return Reply(body)

    server.answer = answer


def customers(start: int, count: int, **values: object) -> list[dict[str, Any]]:
    return [{"external_id": f"C{number}", **values} for number in range(start, start + count)]


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_batch_files_hold_the_records_that_would_be_written(
    run_tap: RunTap, untidy_sandbox: Sandbox, tmp_path: Path, compression: str
) -> None:
    config = {**untidy_sandbox.config, "page_size": 60}
    chosen = catalog(customers=True, events=True, campaigns=True)
    settings = {**batch_config(tmp_path, compression=compression), "batch_size": 100}

    plain = run_tap(config, catalog=chosen)
    run = run_tap({**config, "batch_config": settings}, catalog=chosen)

    assert run.exit_code == 0
    for stream in ("customers", "events", "campaigns"):
        written = [rows(file) for file in files(run, stream)]
        assert [row for part in written for row in part] == plain.records(stream)
        assert {len(part) for part in written[:-1]} <= {100}
        assert all(
            file.name.startswith(f"x-tap-custobar--{stream}-") for file in files(run, stream)
        )


def test_batch_files_are_mapped_as_their_schema_is(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    pages(server, customers(0, 3, email="a@b.fi"))
    maps = {"stream_maps": {"customers": {"email": None, "shouted": "external_id + '!'"}}}

    run = run_tap(
        {**server.config, **maps, "batch_config": batch_config(tmp_path)},
        catalog=catalog(customers=True),
    )

    (file,) = files(run, "customers")
    assert [row["shouted"] for row in rows(file)] == ["C0!", "C1!", "C2!"]
    assert "a@b.fi" not in gzip.decompress(file.read_bytes()).decode()


def test_no_batch_file_is_announced_that_does_not_hold_all(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    pages(server, customers(0, 5), [])
    server_answer = server.answer
    server.answer = lambda r: Reply(status=403) if "cursor" in dict(r.query) else server_answer(r)

    run = run_tap(
        {**server.config, "batch_config": batch_config(tmp_path)}, catalog=catalog(customers=True)
    )

    assert run.exit_code == 1
    for file in files(run, "customers"):
        assert len(rows(file)) == 5


@pytest.mark.parametrize(
    "way", [{}, MAP, FLAT, "batch"], ids=["plain", "stream map", "flattening", "batch"]
)
def test_a_property_of_no_schema_is_named_once_on_whatever_page_it_comes(
    run_tap: RunTap, server: Server, tmp_path: Path, way: dict[str, Any] | str
) -> None:
    settings = {"batch_config": batch_config(tmp_path)} if isinstance(way, str) else way
    more = customers(300, 300, newer=1)
    pages(server, customers(0, 300), more, customers(600, 10, newer=1, newest=2))

    run = run_tap({**server.config, **settings}, catalog=catalog(customers=True))

    assert run.exit_code == 0
    lines = [line for line in run.log.splitlines() if "Not in the catalog and discarded" in line]
    assert len(lines) == 1
    assert "newer, newest" in lines[0]
    if not isinstance(way, str):
        assert len(run.records("customers")) == 610


def test_flattened_records_hold_nothing_that_the_schema_lacks(
    run_tap: RunTap, server: Server
) -> None:
    folders = [{"id": 1, "name": "Ä"}, None, {"id": 2, "name": "b", "other": [1]}]
    listed = [{"campaign_key": f"CA-{n}", "folder": folder} for n, folder in enumerate(folders)]
    server.answer = lambda _: Reply({"campaigns": listed})

    run = run_tap({**server.config, **FLAT}, catalog=catalog(campaigns=True))

    known = run.schema("campaigns")["properties"].keys()
    records = run.records("campaigns")
    assert [record.get("folder__name") for record in records] == ["Ä", None, "b"]
    assert all(record.keys() <= known for record in records)


def test_flattened_lists_are_text_as_the_sdk_writes_it(run_tap: RunTap, server: Server) -> None:
    pages(server, customers(0, 1, tags=["ä", 'b"']) + customers(1, 1, tags=[]))

    records = run_tap({**server.config, **FLAT}, catalog=catalog(customers=True)).records(
        "customers"
    )

    assert [record["tags"] for record in records] == ['["\\u00e4","b\\""]', "[]"]


def test_a_failing_expression_is_named_with_its_place_and_no_value(
    run_tap: RunTap, server: Server
) -> None:
    pages(server, customers(0, 1, city="Salainen"))
    maps = {"stream_maps": {"customers": {"length": "city.lower() + 1"}}}

    run = run_tap({**server.config, **maps}, catalog=catalog(customers=True))

    assert run.exit_code == 1
    (error,) = run.errors
    assert error.startswith("customers failed: stream_maps.customers.length: ")
    assert error.endswith("city.lower() + 1")
    assert "Salainen" not in run.log


def test_an_incremental_read_asks_ahead_once_something_new_has_come(
    server: Server, start: Start
) -> None:
    asked_twice = threading.Event()
    late = "2024-01-20T00:00:00Z"

    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", 0))
        if number:
            asked_twice.set()
        # Far more than a pipe holds.
        listed = [
            {"external_id": f"P{number}-{place}", "date": late, "title": "x" * 500}
            for place in range(1000)
        ]
        return Reply({"products": listed, "next_url": f"?cursor={number + 1}"})

    server.answer = answer
    config = {**server.config, "start_date": "2024-01-01"}
    tap = start(config, catalog=incremental("products"))

    assert asked_twice.wait(60)
    assert tap.process.poll() is None


def test_an_incremental_read_without_news_asks_for_nothing_ahead(
    run_tap: RunTap, server: Server
) -> None:
    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", 0))
        old = {"external_id": f"P{number}", "date": f"2024-01-{9 - number:02}T00:00:00Z"}
        return Reply({"products": [old], "next_url": f"?cursor={number + 1}"})

    server.answer = answer
    mark = {"replication_key": "date", "replication_key_value": "2024-01-09T00:00:00Z"}

    run_tap(
        {**server.config, "lookback_days": 0},
        catalog=incremental("products"),
        state={"bookmarks": {"products": mark}},
    )

    assert len(server.requests) == 2
