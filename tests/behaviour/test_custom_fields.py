from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tap_custobar
from tap_custobar.catalog.custom_fields import JSON_SCHEMAS
from tests.catalogs import catalog
from tests.conftest import entry_of, select
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

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
    run_tap: RunTap, server: Server
) -> None:
    config = with_csv(server, b"external_id\n")
    chosen = catalog(customers=True)
    definition = {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1}
    entry_of(chosen)["schema"]["properties"]["acme__shoe_size"] = definition

    run = run_tap(config, catalog=chosen)

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
    assert "discarded" not in run.log


def test_a_property_in_no_schema_is_dropped_and_named_once(run_tap: RunTap, server: Server) -> None:
    rows = [{"external_id": str(i), "acme__new": 1, "acme__newer": 2} for i in range(9)]
    server.answer = lambda request: Reply({request.path.split("/")[3]: rows})

    by_catalog = run_tap(server.config, catalog=catalog(customers=True, products=True))
    without = run_tap(server.config)

    for run in (by_catalog, without):
        lines = [line for line in run.log.splitlines() if "acme__new" in line]
        assert len(lines) == 2  # one a stream
        assert "discarded: acme__new, acme__newer. To include them, " in lines[0]
        assert "declare them in custom_fields" in lines[0]
        assert ("discover again (Meltano: --refresh-catalog)" in lines[0]) == (run is by_catalog)
        assert run.records("customers")[0] == {"external_id": "0"}


@pytest.mark.parametrize("how", [{}, {"flattening_enabled": True, "flattening_max_depth": 1}])
def test_a_declared_field_that_never_comes_is_named(
    run_tap: RunTap, server: Server, how: dict[str, Any]
) -> None:
    first = Reply({"customers": [{"external_id": "1"}], "next_url": "?cursor=2"})
    second = Reply({"customers": [{"external_id": "2", "acme__a": 1, "acme__b": None}]})
    pages = [first, second]
    server.answer = lambda request: (
        Reply({"products": []}) if "products" in request.path else pages.pop(0)
    )
    fields = {"acme__a": "integer", "acme__b": "string", "acme__nowhere": "integer"}
    options = {name: {"custom_fields": fields} for name in ("customers", "products")}

    run = run_tap({**server.config, **how, "stream_options": options})

    warnings = [line for line in run.log.splitlines() if "Declared in custom_fields" in line]
    assert len(warnings) == 1  # none of the table without a record
    assert "customers: Declared in custom_fields, but in no record: acme__nowhere." in warnings[0]


def test_a_declared_field_is_not_missed_where_only_a_part_is_read(
    run_tap: RunTap, server: Server
) -> None:
    server.answer = lambda request: Reply({request.path.split("/")[3]: [{"external_id": "1"}]})
    options = {"customers": {"custom_fields": {"acme__a": "integer"}, "filters": {"city": "Oulu"}}}

    filtered = run_tap({**server.config, "stream_options": options})
    tested = run_tap({**server.config, "stream_options": options}, "--test")

    assert "Declared in custom_fields" not in filtered.log + tested.log


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
    assert "text without a CSV header of field names" in run.errors[0]
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


FAILURES = {
    "500": Reply(status=500),
    "429": Reply(status=429, headers={"Retry-After": "0"}),
    "401": Reply(status=401),
    "302": Reply(status=302, headers={"Location": "https://elsewhere.example/"}),
    "HTML": Reply(b"<html>"),
    "silence": Reply(b"external_id,a", headers={"Content-Length": "99"}),
}


def failing(server: Server, stream: str, failure: Reply) -> dict[str, Any]:
    """Let a server answer requests for all streams but one, and return a config for it."""
    config = with_csv(server, b"external_id,acme__x\n")
    answer = server.answer
    server.answer = lambda request: failure if f"/{stream}/" in request.path else answer(request)
    return {**config, "max_retries": 0, "request_timeout": 0.5}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_sync_asks_nothing_of_a_stream_that_it_does_not_read(
    run_tap: RunTap, server: Server, failure: str
) -> None:
    run = run_tap(failing(server, "events", FAILURES[failure]))

    assert run.exit_code == 0
    assert run.records("customers") == [{"external_id": "1"}]
    assert {r.path for r in server.requests} == {"/api/data/customers/", "/api/data/products/"}


@pytest.mark.parametrize("failure", FAILURES)
def test_discovery_goes_on_without_the_own_fields_of_a_stream_that_is_not_selected(
    run_tap: RunTap, server: Server, failure: str
) -> None:
    run = run_tap(failing(server, "events", FAILURES[failure]), "--discover")

    assert run.exit_code == 0
    assert own_fields(run, "customers")
    assert own_fields(run, "events") == {}
    warnings = [line for line in run.log.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert (
        "events: only documented fields are known, the columns of the company's own are missing"
        in warnings[0]
    )


@pytest.mark.parametrize(
    ("failure", "in_a_sync"),
    [
        ("500", True),
        ("429", False),
        ("401", False),
        ("302", False),
        ("HTML", True),
        ("silence", False),
    ],
)
def test_the_setting_that_does_without_is_named_where_it_would_help(
    run_tap: RunTap, server: Server, failure: str, *, in_a_sync: bool
) -> None:
    config = failing(server, "customers", FAILURES[failure])

    runs = {verb: run_tap(config, *verb) for verb in [(), ("--test",), ("--discover",)]}

    for verb, run in runs.items():
        assert run.exit_code == 1
        assert run.stdout == ""
        assert len(run.errors) == 1
        is_named = "discover_custom_fields: false" in run.errors[0]
        assert is_named == (in_a_sync or verb == ("--discover",))


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
    assert run.errors == ["schemas/products.json is missing or broken: reinstall tap-custobar."]


def test_a_field_of_any_name_arrives(run_tap: RunTap, server: Server) -> None:
    name = 'acme__19" rims\\\n'
    server.replies(Reply({"customers": [{"external_id": "1", name: 1}]}))
    options = {"customers": {"custom_fields": {name: "boolean"}}}

    run = run_tap({**server.config, "stream_options": options, "max_retries": 0})

    (record,) = run.records("customers")
    assert [*record.values()] == ["1", True]


LONG = "acme__" + "x" * 70
ALIKE = ["acme__Points", "acme__points"]
ROW = {"external_id": "1", "email": "a@b.fi", LONG: "l", "Email": "e", ALIKE[0]: "A", ALIKE[1]: "a"}


def answer_odd_names(server: Server) -> dict[str, Any]:
    """Let a server have fields whose names databases do not take, and return a config for it."""

    def answer(request: Request) -> Reply:
        if dict(request.query).get("format") == "csv":
            return Reply(f"{','.join(ROW)}\n".encode(), headers=CSV)
        return Reply({request.path.split("/")[3]: [ROW]})

    server.answer = answer
    return {**server.config, "discover_custom_fields": True}


def without_names(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the renamed fields under what their names begin with."""
    return {re.sub("_[0-9a-f]{10}$", "", name): value for name, value in record.items()}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"stream_maps": {"customers": {"email": "email", LONG: f"record['{LONG}']"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
    ids=["plain", "stream_maps", "flattening"],
)
def test_fields_that_databases_cannot_name_leave_under_a_safe_name(
    run_tap: RunTap, server: Server, how: dict[str, Any]
) -> None:
    config = answer_odd_names(server)
    discovered = run_tap(config, "--discover")
    catalog = json.loads(discovered.stdout)

    run = run_tap({**config, **how})
    by_catalog = run_tap({**config, **how}, catalog=catalog)

    properties = entry_of(catalog)["schema"]["properties"]
    assert ROW.keys() <= properties.keys()  # the catalog has the real names
    names = [name for name in run.schema("customers")["properties"] if name not in properties]
    assert len(names) == 4
    assert len({name.lower() for name in [*names, "email"]}) == 5
    assert all(len(name) <= 63 for name in names)
    (record,) = run.records("customers")
    assert record["email"] == "a@b.fi"
    assert sorted(without_names({n: record[n] for n in names}).values()) == ["A", "a", "e", "l"]
    assert by_catalog.of_type("SCHEMA") == run.of_type("SCHEMA")
    assert by_catalog.records("customers") == run.records("customers")
    for name in names:
        lines = [line for line in discovered.log.splitlines() if f"leaves as {name}" in line]
        assert len([line for line in lines if "| customers: the field" in line]) == 1
        assert any(name in d["description"] for d in properties.values())


@pytest.mark.parametrize("name", ["", "a\0b", "a\ud800b", "_sdc_extracted_at"])
def test_declared_names_that_are_no_names_leave_under_a_safe_name(
    run_tap: RunTap, server: Server, name: str
) -> None:
    server.answer = lambda r: Reply({r.path.split("/")[3]: [{"external_id": "1", name: "v"}]})
    if "\ud800" in name:  # which no JSON can hold
        server.answer = lambda r: Reply({r.path.split("/")[3]: [{"external_id": "1"}]})
    options = {"customers": {"custom_fields": {name: "string"}}}

    run = run_tap({**server.config, "stream_options": options})

    assert run.exit_code == 0
    assert name not in run.schema("customers")["properties"]
    assert "\\u0000" not in run.stdout
    (record,) = run.records("customers")
    assert list(record.values()) == (["1"] if "\ud800" in name else ["1", "v"])


def test_batch_files_have_the_safe_names_too(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path / "batches")}}

    run = run_tap({**answer_odd_names(server), "batch_config": batch})

    (file,) = (tmp_path / "batches").glob("*customers*")
    (row,) = map(json.loads, gzip.decompress(file.read_bytes()).splitlines())
    assert len(row) == len(ROW)
    assert row.keys() <= run.schema("customers")["properties"].keys()


def test_the_api_and_the_settings_have_the_real_names(run_tap: RunTap, server: Server) -> None:
    config = answer_odd_names(server)
    catalog = select(json.loads(run_tap(config, "--discover").stdout), customers=[LONG])
    fields = {LONG: "string"}
    options = {"filters": {LONG: "l"}, "order": [LONG], "custom_fields": fields}
    server.requests.clear()

    run = run_tap({**config, "stream_options": {"customers": options}}, catalog=catalog)

    query = dict(server.requests[0].query)
    assert query["fields"] == f"external_id,{LONG}"
    assert query[LONG] == "l"
    assert query["order"] == LONG
    assert [*without_names(run.records("customers")[0]).values()] == ["1", "l"]
    assert "Declared in custom_fields" not in run.log
