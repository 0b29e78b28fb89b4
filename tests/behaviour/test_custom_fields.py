from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tap_custobar
from tap_custobar.catalog.custom_fields import JSON_SCHEMAS
from tests.conftest import Reply, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Request, Run, RunTap, Sandbox, Server

Catalog = dict[str, Any]
CSV = {"Content-Type": "text/csv"}


def own_fields(run: Run, stream: str) -> dict[str, Any]:
    """Return the company's own fields that a catalog on stdout has for a stream."""
    entries = {e["tap_stream_id"]: e for e in json.loads(run.stdout)["streams"]}
    properties = entries[stream]["schema"]["properties"]
    return {name: d for name, d in properties.items() if name.startswith("acme__")}


def with_csv(server: Server, header: bytes, **headers: str) -> dict[str, Any]:
    """Let a server answer CSV with this header line, and return a config that asks for it."""

    def answer(request: Request) -> Reply:
        if dict(request.query).get("format") == "csv":
            return Reply(header, headers={**CSV, **headers})
        name = request.path.split("/")[3]
        return Reply({name: [{"external_id": "1", "acme__shoe_size": 42}]})

    server.answer = answer
    return {**server.config, "discover_custom_fields": True}


def test_all_of_a_companys_fields_are_found_as_strings(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config, "--discover")

    for stream in ("customers", "products"):
        own = own_fields(run, stream)
        assert "acme__unused" in own  # no record holds it
        assert len(own) == len(JSON_SCHEMAS) + 2
        assert list(own) == sorted(own)
        assert {tuple(d["type"]) for d in own.values()} == {("string", "null")}


def test_discovery_asks_once_a_stream_and_for_one_record(run_tap: RunTap, server: Server) -> None:
    config = with_csv(server, b"external_id\n1\n")
    others = server.answer
    of_events = Reply(b"type\nBROWSE\n", headers=CSV)
    server.answer = lambda request: of_events if "events" in request.path else others(request)

    run_tap(config, "--discover")

    # Not campaigns: their list knows no CSV.
    assert [r.target for r in server.requests] == [
        f"/api/data/{stream}/?format=csv&limit=1"
        for stream in ("customers", "products", "sales", "events")
    ]


def test_undeclared_fields_hold_anything(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config)

    mixed = [r["acme__legacy_code"] for r in run.records("customers") if "acme__legacy_code" in r]
    assert {type(value) for value in mixed} == {str}
    assert "true" in mixed
    assert any(value.startswith("[") for value in mixed)


def test_the_suggested_block_works_as_it_is(run_tap: RunTap, sandbox: Sandbox) -> None:
    log = run_tap(sandbox.config, "--discover").log
    block, _ = json.JSONDecoder().raw_decode(log[log.index("\n{") + 1 :])

    run = run_tap({**sandbox.config, **block})

    assert run.exit_code == 0
    assert " 0 values nulled, 0 records skipped" in run.log
    schema = run.schema("customers")["properties"]
    assert schema["acme__is_member"]["type"] == ["boolean", "null"]
    assert schema["acme__loyalty_points"]["type"] == ["integer", "null"]
    assert schema["acme__engagement_score"]["type"] == ["number", "null"]
    assert schema["acme__member_since"]["format"] == "date"
    assert schema["acme__last_visit"]["format"] == "date-time"
    assert schema["acme__interests"]["type"] == ["array", "null"]
    assert schema["acme__preferences"]["type"] == ["object", "null"]
    for name in ("acme__legacy_code", "acme__unused", "acme__name_day"):
        assert schema[name]["type"] == ["string", "null"]
    held: set[str] = set().union(*run.records("customers"))
    assert len([name for name in held if name.startswith("acme__")]) == len(JSON_SCHEMAS) + 1


def test_every_type_of_custobar_can_be_declared_without_asking(run_tap: RunTap) -> None:
    fields = {f"acme__{name}": name for name in JSON_SCHEMAS}
    config = {
        "company": "acme",
        "api_token": "APISANDBOX",
        "discover_custom_fields": False,
        "stream_options": {"customers": {"custom_fields": fields}},
    }

    own = own_fields(run_tap(config, "--discover"), "customers")

    assert len(own) == 15
    assert own["acme__money"]["type"] == ["integer", "null"]
    assert own["acme__set"]["type"] == ["array", "null"]


def test_an_unknown_type_is_refused_with_the_list(run_tap: RunTap) -> None:
    config = {
        "company": "acme",
        "api_token": "APISANDBOX",
        "stream_options": {"customers": {"custom_fields": {"acme__x": "float"}}},
    }

    run = run_tap(config)

    assert run.exit_code == 1
    assert run.errors == [
        "stream_options.customers.custom_fields.acme__x: must be one of " + ", ".join(JSON_SCHEMAS)
    ]


@pytest.mark.parametrize("verb", [[], ["--discover"], ["--test"]])
def test_a_type_that_contradicts_a_documented_field_is_refused_by_name(
    run_tap: RunTap, server: Server, verb: list[str]
) -> None:
    fields = {"price": "string", "title": "string"}
    config = {**server.config, "stream_options": {"products": {"custom_fields": fields}}}

    run = run_tap(config, *verb)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "stream_options.products.custom_fields.price: is a documented field" in run.errors[0]
    assert server.requests == []


def test_a_catalogs_own_fields_keep_their_types_and_nothing_is_asked(
    run_tap: RunTap, server: Server, catalog_of: Callable[..., Catalog]
) -> None:
    config = with_csv(server, b"external_id\n")
    catalog = catalog_of(customers=True)
    definition = {"type": ["integer", "null"]}
    entry_of(catalog)["schema"]["properties"]["acme__shoe_size"] = definition

    run = run_tap(config, catalog=catalog)

    assert [r.target for r in server.requests] == ["/api/data/customers/?limit=10000"]
    assert run.schema("customers")["properties"]["acme__shoe_size"] == definition
    assert run.records("customers") == [{"external_id": "1", "acme__shoe_size": 42}]


def test_a_deselected_own_field_is_not_asked_for(run_tap: RunTap, sandbox: Sandbox) -> None:
    catalog = json.loads(run_tap(sandbox.config, "--discover").stdout)
    for item in entry_of(catalog)["metadata"]:
        if item["breadcrumb"] == ["properties", "acme__note"]:
            item["metadata"]["selected"] = False

    run = run_tap(sandbox.config, catalog=catalog)

    assert "acme__note" not in run.schema("customers")["properties"]
    assert "acme__note" not in set().union(*run.records("customers"))
    assert "dropped" not in run.log


def test_a_property_in_no_schema_is_dropped_and_named_once(run_tap: RunTap, server: Server) -> None:
    rows = [{"external_id": str(i), "acme__new": 1, "acme__newer": 2} for i in range(9)]
    server.answer = lambda request: Reply({request.path.split("/")[3]: rows})

    run = run_tap(server.config)

    lines = [line for line in run.log.splitlines() if "acme__new" in line]
    assert len(lines) == 2  # one a stream
    assert "dropped: acme__new, acme__newer. To get them, discover again" in lines[0]
    assert "--refresh-catalog" in lines[0]
    assert run.records("customers")[0] == {"external_id": "0"}


@pytest.mark.parametrize(
    "header", ["external_id,acme__x", "external_id;acme__x", '\ufeff"external_id"\t"acme__x"']
)
def test_the_delimiter_is_found(run_tap: RunTap, server: Server, header: str) -> None:
    run = run_tap(with_csv(server, f"{header}\r\n".encode()), "--discover")

    assert list(own_fields(run, "customers")) == ["acme__x"]


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"customers": []}', b"hello\n", b"\xff\xfe\n", b"external_id\x00,a"]
)
def test_an_answer_that_is_not_csv_names_the_setting_that_does_without(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    run = run_tap({**with_csv(server, body), "max_retries": 0}, "--discover")

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert "no CSV with a header of field names" in run.errors[0]
    assert "discover_custom_fields: false" in run.errors[0]


def test_an_empty_answer_has_no_fields_of_its_own(run_tap: RunTap, server: Server) -> None:
    config = with_csv(server, b"")
    refused = run_tap({**config, "max_retries": 0}, "--discover")
    csv = server.answer
    server.answer = lambda request: (
        csv(request) if len(request.query) > 1 else Reply({request.path.split("/")[3]: []})
    )

    run = run_tap(config, "--discover")

    assert run.exit_code == 0
    assert own_fields(run, "customers") == {}
    assert refused.exit_code == 1  # JSON has a record
    assert "an empty body" in refused.errors[0]


@pytest.mark.parametrize("status", [400, 500])
def test_without_a_sample_there_is_still_a_catalog(
    run_tap: RunTap, server: Server, status: int
) -> None:
    config = with_csv(server, b"external_id,acme__x\n")
    csv = server.answer
    server.answer = lambda request: csv(request) if len(request.query) > 1 else Reply(status=status)

    run = run_tap({**config, "max_retries": 0}, "--discover")

    assert run.exit_code == 0
    assert list(own_fields(run, "customers")) == ["acme__x"]
    assert "customers: no types can be suggested" in run.log
    assert "customers: only documented fields are known" not in run.log


def test_a_wrong_token_fails_discovery_and_names_the_setting(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap({**sandbox.config, "api_token": "APIWRONG"}, "--discover")

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "api_token is wrong" in run.errors[0]
    assert "discover_custom_fields: false" in run.errors[0]


def test_a_token_without_the_scope_of_one_stream_still_discovers(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap({**sandbox.config, "api_token": "APISANDBOXCUSTOMERS"}, "--discover")

    assert run.exit_code == 0
    assert own_fields(run, "customers")
    assert own_fields(run, "products") == {}
    assert re.search(r"WARNING .*\| products: only documented fields are known", run.log)
    assert re.search(r"INFO .*\| events: only documented fields are known", run.log)  # a preview
    assert "GET /api/data/products/" in run.log


@pytest.mark.parametrize("status", [400, 404])
def test_a_refusal_of_one_stream_is_a_warning(run_tap: RunTap, server: Server, status: int) -> None:
    config = with_csv(server, b"external_id,acme__x\n")
    csv = server.answer
    refusal = Reply(status=status)
    server.answer = lambda request: refusal if "products" in request.path else csv(request)

    run = run_tap(config, "--discover")

    assert run.exit_code == 0
    assert "products: only documented fields are known" in run.log
    assert own_fields(run, "products") == {}
    assert own_fields(run, "customers")


def test_a_refusal_of_all_streams_is_a_failure(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply(status=404))

    run = run_tap({**server.config, "discover_custom_fields": True}, "--discover")

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert "company or api_url" in run.errors[0]


def test_a_sample_without_records_suggests_strings(run_tap: RunTap, server: Server) -> None:
    config = with_csv(server, b"external_id,acme__x\n")
    csv = server.answer
    server.answer = lambda request: (
        csv(request) if len(request.query) > 1 else Reply({request.path.split("/")[3]: []})
    )

    run = run_tap(config, "--discover")

    assert run.exit_code == 0
    assert '"acme__x": "string"' in run.log


@pytest.mark.parametrize("content", ["{", "[]", '{"type": "object"}', None])
def test_a_broken_schema_file_is_named(
    run_tap: RunTap, tmp_path: Path, content: str | None
) -> None:
    package = tmp_path / "tap_custobar"
    shutil.copytree(Path(tap_custobar.__file__).parent, package)
    shutil.copytree(Path(tap_custobar.__file__).parent.parent / "schemas", package / "schemas")
    file = package / "schemas/products.json"
    file.write_text(content) if content is not None else file.unlink()

    run = run_tap(None, "--discover", env={"PYTHONPATH": str(tmp_path)})

    assert run.exit_code == 1
    assert run.errors == ["schemas/products.json is missing or broken: install tap-custobar again."]


def test_a_field_of_any_name_arrives(run_tap: RunTap, server: Server) -> None:
    name = 'acme__19" rims\\\n'
    server.replies(Reply({"customers": [{"external_id": "1", name: 1}]}))
    options = {"customers": {"custom_fields": {name: "boolean"}}}

    run = run_tap({**server.config, "stream_options": options, "max_retries": 0})

    assert run.records("customers") == [{"external_id": "1", name: True}]
