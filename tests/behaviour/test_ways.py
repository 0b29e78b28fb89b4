"""Every mode of the tap writes the same records and reports the same losses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.catalogs import catalog
from tests.pages import serve_pages
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Server

STREAM_MAP = {"stream_maps": {"customers": {"mapped": "external_id"}}}
FLATTENING = {"flattening_enabled": True, "flattening_max_depth": 2}


def batch_config(folder: Path, **encoding: str) -> dict[str, Any]:
    encoding = {"format": "jsonl", "compression": "gzip", **encoding}
    return {"encoding": encoding, "storage": {"root": f"file://{folder}", "prefix": "x-"}}


def batch_files(run: Run, stream: str) -> list[Path]:
    messages = [message for message in run.of_type("BATCH") if message["stream"] == stream]
    return [Path(urlsplit(url).path) for message in messages for url in message["manifest"]]


def rows(file: Path) -> list[dict[str, Any]]:
    content = file.read_bytes()
    content = gzip.decompress(content) if file.suffix == ".gz" else content
    return [json.loads(line) for line in content.splitlines()]


def customers(start: int, count: int, **values: object) -> list[dict[str, Any]]:
    return [{"external_id": f"C{number}", **values} for number in range(start, start + count)]


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_batch_files_contain_the_same_records_as_stdout(
    run_tap: RunTap, untidy_sandbox: Sandbox, tmp_path: Path, compression: str
) -> None:
    config = {**untidy_sandbox.config, "page_size": 60}
    selected = catalog(customers=True, events=True, campaigns=True)
    settings = {**batch_config(tmp_path, compression=compression), "batch_size": 100}

    plain = run_tap(config, catalog=selected)
    run = run_tap({**config, "batch_config": settings}, catalog=selected)

    assert run.exit_code == 0
    for stream in ("customers", "events", "campaigns"):
        written = [rows(file) for file in batch_files(run, stream)]
        assert [row for file_rows in written for row in file_rows] == plain.records(stream)
        assert {len(file_rows) for file_rows in written[:-1]} <= {100}
        assert all(
            file.name.startswith(f"x-tap-custobar--{stream}-") for file in batch_files(run, stream)
        )


def test_stream_maps_apply_to_batch_files(run_tap: RunTap, server: Server, tmp_path: Path) -> None:
    serve_pages(server, customers(0, 3, email="a@b.fi"))
    maps = {"stream_maps": {"customers": {"email": None, "marked": "external_id + '!'"}}}

    run = run_tap(
        {**server.config, **maps, "batch_config": batch_config(tmp_path)},
        catalog=catalog(customers=True),
    )

    (file,) = batch_files(run, "customers")
    assert [row["marked"] for row in rows(file)] == ["C0!", "C1!", "C2!"]
    assert "a@b.fi" not in gzip.decompress(file.read_bytes()).decode()


def test_batch_files_in_messages_are_complete_after_a_failure(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    serve_pages(server, customers(0, 5), [], at={2: lambda: Reply(status=403)})

    settings = {**batch_config(tmp_path), "batch_size": 2}
    run = run_tap({**server.config, "batch_config": settings}, catalog=catalog(customers=True))

    assert run.exit_code == 1
    written = [row["external_id"] for file in batch_files(run, "customers") for row in rows(file)]
    assert written == ["C0", "C1", "C2", "C3"]


@pytest.mark.parametrize(
    "mode",
    [{}, STREAM_MAP, FLATTENING, "batch"],
    ids=["plain", "stream map", "flattening", "batch"],
)
def test_a_property_that_is_not_in_the_schema_is_named_once_whichever_page_has_it(
    run_tap: RunTap, server: Server, tmp_path: Path, mode: dict[str, Any] | str
) -> None:
    settings = {"batch_config": batch_config(tmp_path)} if isinstance(mode, str) else mode
    second = customers(300, 300, newer=1)
    serve_pages(server, customers(0, 300), second, customers(600, 10, newer=1, newest=2))

    run = run_tap({**server.config, **settings}, catalog=catalog(customers=True))

    assert run.exit_code == 0
    lines = [line for line in run.log.splitlines() if "Not in the catalog and discarded" in line]
    assert len(lines) == 1
    assert "newer, newest" in lines[0]
    if not isinstance(mode, str):
        assert len(run.records("customers")) == 610


def test_flattened_records_have_only_properties_of_the_schema(
    run_tap: RunTap, server: Server
) -> None:
    folders = [{"id": 1, "name": "Ä"}, None, {"id": 2, "name": "b", "other": [1]}]
    campaigns = [{"campaign_key": f"CA-{n}", "folder": folder} for n, folder in enumerate(folders)]
    server.answer = lambda _: Reply({"campaigns": campaigns})

    run = run_tap({**server.config, **FLATTENING}, catalog=catalog(campaigns=True))

    known = run.schema("campaigns")["properties"].keys()
    records = run.records("campaigns")
    assert [record.get("folder__name") for record in records] == ["Ä", None, "b"]
    assert all(record.keys() <= known for record in records)


def test_flattened_lists_are_json_strings_like_those_of_the_sdk(
    run_tap: RunTap, server: Server
) -> None:
    serve_pages(server, customers(0, 1, tags=["ä", 'b"']) + customers(1, 1, tags=[]))

    records = run_tap({**server.config, **FLATTENING}, catalog=catalog(customers=True)).records(
        "customers"
    )

    assert [record["tags"] for record in records] == ['["\\u00e4","b\\""]', "[]"]


def test_a_failing_expression_is_named_without_the_values_of_the_record(
    run_tap: RunTap, server: Server
) -> None:
    serve_pages(server, customers(0, 1, city="Salainen"))
    maps = {"stream_maps": {"customers": {"length": "city.lower() + 1"}}}

    run = run_tap({**server.config, **maps}, catalog=catalog(customers=True))

    assert run.exit_code == 1
    (error,) = run.errors
    assert error.startswith("customers failed: stream_maps.customers.length: ")
    assert error.endswith("city.lower() + 1")
    assert "Salainen" not in run.log
