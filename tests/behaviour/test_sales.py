"""Sales are transactions or line items, and each shape has its own primary key."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import Catalog, catalog, incremental, replicate
from tests.conftest import entry_of, select, started_sandbox
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunTap, Sandbox
    from tests.server import Request, Server

LINE_ITEM_KEYS = ["sale_external_id", "external_id"]
DATE = "2024-01-12T00:00:00Z"


@pytest.fixture(scope="module")
def line_item_sandbox() -> Iterator[Sandbox]:
    """A running sandbox whose sales are line items."""
    with started_sandbox("--sales-shape", "rows", "--sales", "60") as running:
        yield running


def keys_of(catalog: Catalog) -> list[str]:
    entry = entry_of(catalog, "sales")
    root = next(m["metadata"] for m in entry["metadata"] if not m["breadcrumb"])
    keys = entry["key_properties"]
    assert root["table-key-properties"] == keys
    assert isinstance(keys, list)
    return keys


def test_previews_are_read_only_if_selected(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda request: Reply({request.path.split("/")[3]: []})

    run_tap(server.config)

    assert {r.path for r in server.requests} == {"/api/data/customers/", "/api/data/products/"}


def test_transactions_are_discovered_and_read(run_tap: RunTap, sandbox: Sandbox) -> None:
    discovered = json.loads(run_tap(sandbox.config, "--discover").stdout)

    run = run_tap(sandbox.config, catalog=select(discovered, sales=True))

    assert keys_of(discovered) == ["external_id"]
    sales = run.records("sales")
    assert len(sales) == len({sale["external_id"] for sale in sales}) == 1500
    assert any(sale.get("products") for sale in sales)


def test_line_items_are_discovered_and_read(run_tap: RunTap, line_item_sandbox: Sandbox) -> None:
    discovered = json.loads(run_tap(line_item_sandbox.config, "--discover").stdout)
    assert keys_of(discovered) == LINE_ITEM_KEYS
    selected = select(discovered, sales=["sale_total", "quantity"])
    replicate(selected, "sales", replication_method="INCREMENTAL", replication_key="sale_date")

    run = run_tap(line_item_sandbox.config, catalog=selected)

    schema = run.of_type("SCHEMA")[0]
    assert schema["key_properties"] == LINE_ITEM_KEYS
    assert schema["bookmark_properties"] == ["sale_date"]
    assert set(schema["schema"]["properties"]) == {
        *LINE_ITEM_KEYS,
        *("sale_total", "quantity", "sale_date"),
    }
    records = run.records("sales")
    assert len({tuple(record[key] for key in LINE_ITEM_KEYS) for record in records}) == 120
    bookmark = run.state["bookmarks"]["sales"]
    assert bookmark["replication_key"] == "sale_date"
    assert bookmark["replication_key_value"] == max(record["sale_date"] for record in records)


TRANSACTION = {"external_id": "S1", "date": DATE, "total": 100}
LINE_ITEM = {"external_id": "R1", "sale_external_id": "S1", "sale_date": DATE, "total": 100}


@pytest.fixture(scope="module")
def line_item_catalog() -> Catalog:
    """A catalog in which the primary key of sales is that of line items."""
    selected = catalog(sales=True)
    entry = entry_of(selected, "sales")
    entry["key_properties"] = LINE_ITEM_KEYS
    root = next(m["metadata"] for m in entry["metadata"] if not m["breadcrumb"])
    root["table-key-properties"] = LINE_ITEM_KEYS
    return selected


@pytest.mark.parametrize("response_format", ["json", "csv"])
@pytest.mark.parametrize("fields", [True, ["total"]], ids=["all fields", "one field"])
@pytest.mark.parametrize("is_line_items", [True, False])
def test_sales_of_the_wrong_shape_fail_before_a_record_is_written(
    run_tap: RunTap,
    server: Server,
    line_item_catalog: Catalog,
    response_format: str,
    *,
    fields: list[str] | bool,
    is_line_items: bool,
) -> None:
    sale: dict[str, Any] = LINE_ITEM if is_line_items else TRANSACTION

    def answer(request: Request) -> Reply:
        query = dict(request.query)
        fields = query.get("fields", ",".join(sale)).split(",")
        row = {name: sale[name] for name in fields if name in sale}
        if query.get("format") == "csv":
            return Reply(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n".encode())
        return Reply({"sales": [row]})

    server.answer = answer
    matching = select(incremental("sales"), sales=fields)
    contradicting = select(deepcopy(line_item_catalog), sales=fields)
    if is_line_items:
        matching, contradicting = contradicting, matching
    config = {**server.config, "response_format": response_format}
    state = {"bookmarks": {"sales": {"replication_key": "date", "replication_key_value": DATE}}}

    rejected = run_tap(config, catalog=contradicting, state=state)
    accepted = run_tap(config, catalog=matching)

    assert rejected.exit_code == 1
    assert rejected.of_type("RECORD") == []
    shape = "with" if is_line_items else "without"
    key = "external_id" if is_line_items else ", ".join(LINE_ITEM_KEYS)
    assert len(rejected.errors) == 1
    assert rejected.errors[0] == (
        f"sales failed: sales come {shape} sale_external_id, so their key is not {key}: "
        "discover again (Meltano: --refresh-catalog), with discover_custom_fields: true, which "
        "finds out the shape."
    )
    assert rejected.state == state
    assert accepted.exit_code == 0
    assert accepted.ids("sales") == [sale["external_id"]]


@pytest.mark.parametrize(
    ("body", "products"),
    [
        (
            b'{"sales": [{"external_id": "S1", "products": ["P1", {"total": 1}, 7]}]}',
            [{"product_id": "P1"}, {"total": 1}, {"product_id": "7"}],
        ),
        (b'{"sales": [{"external_id": "S1", "products": "P1"}]}', [{"product_id": "P1"}]),
        (b'external_id,products\nS1,"P1,P2"\n', [{"product_id": "P1"}, {"product_id": "P2"}]),
    ],
)
def test_a_product_that_is_a_string_becomes_an_object(
    run_tap: RunTap, server: Server, body: bytes, products: list[object]
) -> None:
    format_ = "json" if body.startswith(b"{") else "csv"
    server.replies(Reply(body))
    selected = select(catalog(sales=True), sales=["products"])

    run = run_tap({**server.config, "response_format": format_}, catalog=selected)

    assert run.records("sales") == [{"external_id": "S1", "products": products}]
    assert run.schema("sales")["properties"]["products"]["items"] == {"type": "object"}


def test_the_shape_is_checked_on_the_first_page_with_sales(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"sales": [], "next_url": "?cursor=1"}), Reply({"sales": [LINE_ITEM]}))

    run = run_tap(server.config, catalog=catalog(sales=True))

    assert run.exit_code == 1
    assert run.of_type("RECORD") == []
    assert "come with sale_external_id" in run.errors[0]


def serve_both_shapes(server: Server, *, csv: dict[str, Any], json: dict[str, Any]) -> None:
    """Serve sales of one shape as CSV and of the other as JSON, and no records of other streams."""

    def answer(request: Request) -> Reply:
        query, name = dict(request.query), request.path.split("/")[3]
        is_csv = query.get("format") == "csv"
        if name != "sales":
            return Reply(b"external_id,type,date\n" if is_csv else {name: []})
        sale = csv if is_csv else json
        names = query.get("fields", ",".join(sale)).split(",")
        row = {name: sale[name] for name in names if name in sale}
        if is_csv:
            return Reply(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n".encode())
        return Reply({"sales": [row]})

    server.answer = answer


@pytest.mark.parametrize("response_format", ["json", "csv"])
@pytest.mark.parametrize("fields", [True, ["total", "acme__x"]], ids=["all fields", "two fields"])
@pytest.mark.parametrize("is_line_items", [True, False])
def test_sales_have_the_shape_of_the_format_that_is_read(
    run_tap: RunTap,
    server: Server,
    response_format: str,
    *,
    fields: list[str] | bool,
    is_line_items: bool,
) -> None:
    read, other = {**TRANSACTION, "acme__x": "a"}, {**LINE_ITEM, "acme__row": "b"}
    keys, other_keys = ["external_id"], LINE_ITEM_KEYS
    if is_line_items:
        read, other, keys, other_keys = {**LINE_ITEM, "acme__x": "a"}, TRANSACTION, other_keys, keys
    other_format = "csv" if response_format == "json" else "json"
    serve_both_shapes(server, **{response_format: read, other_format: other})
    config = {**server.config, "discover_custom_fields": True, "response_format": response_format}

    discovered = json.loads(run_tap(config, "--discover").stdout)
    selected = select(discovered, sales=fields)
    run = run_tap(config, catalog=selected)
    in_other_format = run_tap({**config, "response_format": other_format}, catalog=selected)

    assert keys_of(discovered) == keys
    assert run.schema("sales")["properties"].keys().isdisjoint(other.keys() - read.keys())
    expected = (
        read if fields is True else {name: read[name] for name in (*keys, "total", "acme__x")}
    )
    assert run.records("sales") == [expected]
    assert run.exit_code == 0
    assert in_other_format.exit_code == 1
    assert "discover again" in in_other_format.errors[0]
    again = json.loads(run_tap({**config, "response_format": other_format}, "--discover").stdout)
    assert keys_of(again) == other_keys


def test_line_items_are_discovered_although_csv_is_rejected(
    run_tap: RunTap, server: Server
) -> None:
    serve_both_shapes(server, csv=LINE_ITEM, json=LINE_ITEM)
    answer_all = server.answer
    server.answer = lambda request: (
        Reply(status=400)
        if "sales" in request.path and len(request.query) > 1
        else answer_all(request)
    )
    config = {**server.config, "discover_custom_fields": True}

    discovered = run_tap(config, "--discover")
    run = run_tap(config, catalog=select(json.loads(discovered.stdout), sales=True))

    assert "sales: only documented fields are known" in discovered.log
    assert run.records("sales") == [LINE_ITEM]


def test_without_json_records_the_header_of_csv_shows_the_shape(
    run_tap: RunTap, server: Server
) -> None:
    serve_both_shapes(server, csv=LINE_ITEM, json={})
    answer_all = server.answer
    server.answer = lambda request: (
        answer_all(request) if len(request.query) > 1 else Reply({request.path.split("/")[3]: []})
    )
    config = {**server.config, "discover_custom_fields": True}

    discovered = json.loads(run_tap(config, "--discover").stdout)

    assert keys_of(discovered) == LINE_ITEM_KEYS
