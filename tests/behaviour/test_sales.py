"""Sales come whole or as their rows; the key is that of the shape they come in."""

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

ROW_KEYS = ["sale_external_id", "external_id"]
DATE = "2024-01-12T00:00:00Z"


@pytest.fixture(scope="module")
def rows_sandbox() -> Iterator[Sandbox]:
    """A running sandbox whose sales come as their rows."""
    with started_sandbox("--sales-shape", "rows", "--sales", "60") as running:
        yield running


def keys_of(catalog: Catalog) -> list[str]:
    entry = entry_of(catalog, "sales")
    root = next(m["metadata"] for m in entry["metadata"] if not m["breadcrumb"])
    keys = entry["key_properties"]
    assert root["table-key-properties"] == keys
    assert isinstance(keys, list)
    return keys


def test_previews_are_read_only_when_they_are_selected(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda request: Reply({request.path.split("/")[3]: []})

    run_tap(server.config)

    assert {r.path for r in server.requests} == {"/api/data/customers/", "/api/data/products/"}


def test_transactions_are_found_and_read(run_tap: RunTap, sandbox: Sandbox) -> None:
    found = json.loads(run_tap(sandbox.config, "--discover").stdout)

    run = run_tap(sandbox.config, catalog=select(found, sales=True))

    assert keys_of(found) == ["external_id"]
    sales = run.records("sales")
    assert len(sales) == len({sale["external_id"] for sale in sales}) == 1500
    assert any(sale.get("products") for sale in sales)


def test_rows_are_found_and_read(run_tap: RunTap, rows_sandbox: Sandbox) -> None:
    found = json.loads(run_tap(rows_sandbox.config, "--discover").stdout)
    assert keys_of(found) == ROW_KEYS
    chosen = select(found, sales=["sale_total", "quantity"])
    replicate(chosen, "sales", replication_method="INCREMENTAL", replication_key="sale_date")

    run = run_tap(rows_sandbox.config, catalog=chosen)

    schema = run.of_type("SCHEMA")[0]
    assert schema["key_properties"] == ROW_KEYS
    assert schema["bookmark_properties"] == ["sale_date"]
    assert set(schema["schema"]["properties"]) == {
        *ROW_KEYS,
        *("sale_total", "quantity", "sale_date"),
    }
    records = run.records("sales")
    assert len({tuple(record[key] for key in ROW_KEYS) for record in records}) == 120
    bookmark = run.of_type("STATE")[-1]["value"]["bookmarks"]["sales"]
    assert bookmark["replication_key"] == "sale_date"
    assert bookmark["replication_key_value"] == max(record["sale_date"] for record in records)


TRANSACTION = {"external_id": "S1", "date": DATE, "total": 100}
ROW = {"external_id": "R1", "sale_external_id": "S1", "sale_date": DATE, "total": 100}


@pytest.fixture(scope="module")
def catalog_of_rows() -> Catalog:
    """A catalog by hand that says that sales are rows: the key tells."""
    chosen = catalog(sales=True)
    entry = entry_of(chosen, "sales")
    entry["key_properties"] = ROW_KEYS
    root = next(m["metadata"] for m in entry["metadata"] if not m["breadcrumb"])
    root["table-key-properties"] = ROW_KEYS
    return chosen


@pytest.mark.parametrize("response_format", ["json", "csv"])
@pytest.mark.parametrize("fields", [True, ["total"]], ids=["all fields", "one field"])
@pytest.mark.parametrize("comes_as_rows", [True, False])
def test_a_shape_that_contradicts_the_key_ends_the_stream_before_a_record_is_lost(
    run_tap: RunTap,
    server: Server,
    catalog_of_rows: Catalog,
    response_format: str,
    *,
    fields: list[str] | bool,
    comes_as_rows: bool,
) -> None:
    given: dict[str, Any] = ROW if comes_as_rows else TRANSACTION

    def answer(request: Request) -> Reply:
        query = dict(request.query)
        named = query.get("fields", ",".join(given)).split(",")
        came = {name: given[name] for name in named if name in given}
        if query.get("format") == "csv":
            return Reply(f"{','.join(came)}\n{','.join(map(str, came.values()))}\n".encode())
        return Reply({"sales": [came]})

    server.answer = answer
    right = select(incremental("sales"), sales=fields)
    wrong = select(deepcopy(catalog_of_rows), sales=fields)
    if comes_as_rows:
        right, wrong = wrong, right
    config = {**server.config, "response_format": response_format}
    state = {"bookmarks": {"sales": {"replication_key": "date", "replication_key_value": DATE}}}

    refused = run_tap(config, catalog=wrong, state=state)
    taken = run_tap(config, catalog=right)

    assert refused.exit_code == 1
    assert refused.of_type("RECORD") == []
    told = "with" if comes_as_rows else "without"
    key = "external_id" if comes_as_rows else ", ".join(ROW_KEYS)
    assert len(refused.errors) == 1
    assert refused.errors[0] == (
        f"sales failed: sales come {told} sale_external_id, so their key is not {key}: "
        "discover again (Meltano: --refresh-catalog), with discover_custom_fields: true, which "
        "finds out the shape."
    )
    assert refused.of_type("STATE")[-1]["value"] == state
    assert taken.exit_code == 0
    assert taken.ids("sales") == [given["external_id"]]


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
def test_a_product_that_is_a_text_becomes_an_object(
    run_tap: RunTap, server: Server, body: bytes, products: list[object]
) -> None:
    whole = Reply({"sales": [TRANSACTION]})  # of which the shape is told, where CSV is asked for
    format_ = "json" if body.startswith(b"{") else "csv"
    server.replies(*[whole] * (format_ == "csv"), Reply(body))
    chosen = select(catalog(sales=True), sales=["products"])

    run = run_tap({**server.config, "response_format": format_}, catalog=chosen)

    assert run.records("sales") == [{"external_id": "S1", "products": products}]
    assert run.schema("sales")["properties"]["products"]["items"] == {"type": "object"}


def test_a_first_page_without_sales_tells_no_shape(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"sales": [], "next_url": "?cursor=1"}), Reply({"sales": [ROW]}))

    run = run_tap(server.config, catalog=catalog(sales=True))

    assert run.exit_code == 1
    assert run.of_type("RECORD") == []
    assert "come with sale_external_id" in run.errors[0]
