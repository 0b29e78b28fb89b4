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


def custom_fields(run: Run, stream: str) -> dict[str, Any]:
    """Return the custom fields of a stream in the catalog on stdout, by name."""
    entries = {e["tap_stream_id"]: e for e in json.loads(run.stdout)["streams"]}
    properties = entries[stream]["schema"]["properties"]
    return {name: d for name, d in properties.items() if name.startswith("acme__")}


def serve_csv(server: Server, header: bytes, **headers: str) -> dict[str, Any]:
    """Serve CSV with this header line, and return a config for which it is requested."""

    def answer(request: Request) -> Reply:
        if dict(request.query).get("format") == "csv":
            return Reply(header, headers={**CSV, **headers})
        name = request.path.split("/")[3]
        return Reply({name: [{"external_id": "1", "acme__shoe_size": 42}]})

    server.answer = answer
    return {**server.config, "discover_custom_fields": True}


def test_all_custom_fields_are_discovered_as_strings(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config, "--discover")

    for stream in ("customers", "products"):
        found = custom_fields(run, stream)
        assert "acme__unused" in found  # no record has it
        assert len(found) == len(JSON_SCHEMAS) + 2
        assert list(found) == sorted(found)
        assert {tuple(d["type"]) for d in found.values()} == {("string", "null")}


def test_discovery_requests_few_records_of_each_stream(run_tap: RunTap, server: Server) -> None:
    config = serve_csv(server, b"external_id\n1\n")
    answer_others = server.answer
    events = Reply(b"type\nBROWSE\n", headers=CSV)
    server.answer = lambda request: events if "events" in request.path else answer_others(request)

    run_tap(config, "--discover")

    # Not campaigns, whose list has no CSV.
    assert [r.target for r in server.requests] == [
        "/api/data/customers/?format=csv&limit=1",
        "/api/data/products/?format=csv&limit=1",
        "/api/data/sales/?limit=100",  # shows their shape
        "/api/data/sales/?format=csv&limit=1",
        "/api/data/events/?format=csv&limit=1",
    ]


def test_undeclared_fields_accept_any_value(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config)

    mixed = [r["acme__legacy_code"] for r in run.records("customers") if "acme__legacy_code" in r]
    assert {type(value) for value in mixed} == {str}
    assert "true" in mixed
    assert any(value.startswith("[") for value in mixed)


def test_the_suggested_config_block_works_unchanged(run_tap: RunTap, sandbox: Sandbox) -> None:
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
    written: set[str] = set().union(*run.records("customers"))
    assert len([name for name in written if name.startswith("acme__")]) == len(JSON_SCHEMAS) + 1


def test_every_type_of_custobar_can_be_declared_without_a_request(run_tap: RunTap) -> None:
    fields = {f"acme__{name}": name for name in JSON_SCHEMAS}
    config = {
        "company": "acme",
        "api_token": "APISANDBOX",
        "discover_custom_fields": False,
        "stream_options": {"customers": {"custom_fields": fields}},
    }

    found = custom_fields(run_tap(config, "--discover"), "customers")

    assert len(found) == 15
    assert found["acme__money"]["type"] == ["integer", "null"]
    assert found["acme__set"]["type"] == ["array", "null"]


def test_an_unknown_type_is_rejected_with_the_list_of_types(run_tap: RunTap) -> None:
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


@pytest.mark.parametrize("options", [[], ["--discover"], ["--test"]])
def test_a_type_that_contradicts_a_documented_field_is_rejected_by_name(
    run_tap: RunTap, server: Server, options: list[str]
) -> None:
    fields = {"price": "string", "title": "string"}
    config = {**server.config, "stream_options": {"products": {"custom_fields": fields}}}

    run = run_tap(config, *options)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "stream_options.products.custom_fields.price: is a documented field" in run.errors[0]
    assert server.requests == []


def test_custom_fields_of_a_catalog_keep_their_types_without_a_request(
    run_tap: RunTap, server: Server
) -> None:
    config = serve_csv(server, b"external_id\n")
    selected = catalog(customers=True)
    definition = {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1}
    entry_of(selected)["schema"]["properties"]["acme__shoe_size"] = definition

    run = run_tap(config, catalog=selected)

    assert [r.target for r in server.requests] == ["/api/data/customers/?limit=10000"]
    assert run.schema("customers")["properties"]["acme__shoe_size"] == definition
    assert run.records("customers") == [{"external_id": "1", "acme__shoe_size": 42}]


def test_a_deselected_custom_field_is_not_written(run_tap: RunTap, sandbox: Sandbox) -> None:
    catalog = json.loads(run_tap(sandbox.config, "--discover").stdout)
    for item in entry_of(catalog)["metadata"]:
        if item["breadcrumb"] == ["properties", "acme__note"]:
            item["metadata"]["selected"] = False

    run = run_tap(sandbox.config, catalog=catalog)

    assert "acme__note" not in run.schema("customers")["properties"]
    assert "acme__note" not in set().union(*run.records("customers"))
    assert "discarded" not in run.log


def test_a_property_that_is_not_in_the_schema_is_discarded_and_named_once(
    run_tap: RunTap, server: Server
) -> None:
    rows = [{"external_id": str(i), "acme__new": 1, "acme__newer": 2} for i in range(9)]
    server.answer = lambda request: Reply({request.path.split("/")[3]: rows})

    by_catalog = run_tap(server.config, catalog=catalog(customers=True, products=True))
    without_catalog = run_tap(server.config)

    for run in (by_catalog, without_catalog):
        lines = [line for line in run.log.splitlines() if "acme__new" in line]
        assert len(lines) == 2  # one of each stream
        assert "discarded: acme__new, acme__newer. To include them, " in lines[0]
        assert "declare them in custom_fields" in lines[0]
        assert ("discover again (Meltano: --refresh-catalog)" in lines[0]) == (run is by_catalog)
        assert run.records("customers")[0] == {"external_id": "0"}


@pytest.mark.parametrize("settings", [{}, {"flattening_enabled": True, "flattening_max_depth": 1}])
def test_a_declared_field_that_is_in_no_record_is_named(
    run_tap: RunTap, server: Server, settings: dict[str, Any]
) -> None:
    first = Reply({"customers": [{"external_id": "1"}], "next_url": "?cursor=2"})
    second = Reply({"customers": [{"external_id": "2", "acme__a": 1, "acme__b": None}]})
    pages = [first, second]
    server.answer = lambda request: (
        Reply({"products": []}) if "products" in request.path else pages.pop(0)
    )
    fields = {"acme__a": "integer", "acme__b": "string", "acme__nowhere": "integer"}
    options = {name: {"custom_fields": fields} for name in ("customers", "products")}

    run = run_tap({**server.config, **settings, "stream_options": options})

    warnings = [line for line in run.log.splitlines() if "Declared in custom_fields" in line]
    assert len(warnings) == 1  # none for products, which have no record
    assert "customers: Declared in custom_fields, but in no record: acme__nowhere." in warnings[0]


def test_a_declared_field_is_not_named_if_only_part_of_the_table_is_read(
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
def test_the_delimiter_is_detected(run_tap: RunTap, server: Server, header: str) -> None:
    run = run_tap(serve_csv(server, f"{header}\r\n".encode()), "--discover")

    assert list(custom_fields(run, "customers")) == ["acme__x"]


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"customers": []}', b"hello\n", b"\xff\xfe\n", b"external_id\x00,a"]
)
def test_an_error_for_invalid_csv_names_the_setting_that_turns_discovery_off(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    run = run_tap({**serve_csv(server, body), "max_retries": 0}, "--discover")

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert "text without a CSV header of field names" in run.errors[0]
    assert "discover_custom_fields: false" in run.errors[0]


def test_an_empty_table_has_no_custom_fields(run_tap: RunTap, server: Server) -> None:
    config = serve_csv(server, b"")
    with_record = run_tap({**config, "max_retries": 0}, "--discover")
    answer_csv = server.answer
    server.answer = lambda request: (
        answer_csv(request) if len(request.query) > 1 else Reply({request.path.split("/")[3]: []})
    )

    run = run_tap(config, "--discover")

    assert run.exit_code == 0
    assert custom_fields(run, "customers") == {}
    assert with_record.exit_code == 1  # JSON has a record
    assert "an empty body" in with_record.errors[0]


@pytest.mark.parametrize("status", [400, 500])
def test_discovery_succeeds_without_a_sample_record(
    run_tap: RunTap, server: Server, status: int
) -> None:
    config = serve_csv(server, b"external_id,acme__x\n")
    answer_csv = server.answer
    server.answer = lambda request: (
        answer_csv(request) if len(request.query) > 1 else Reply(status=status)
    )

    run = run_tap({**config, "max_retries": 0}, "--discover")

    assert run.exit_code == 0
    assert list(custom_fields(run, "customers")) == ["acme__x"]
    assert "customers: no types can be suggested" in run.log
    assert "customers: only documented fields are known" not in run.log


def test_a_wrong_token_fails_discovery_and_names_the_settings(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap({**sandbox.config, "api_token": "APIWRONG"}, "--discover")

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "api_token is wrong" in run.errors[0]
    assert "discover_custom_fields: false" in run.errors[0]


def test_discovery_succeeds_with_a_token_without_the_scope_of_one_stream(
    run_tap: RunTap, sandbox: Sandbox
) -> None:
    run = run_tap({**sandbox.config, "api_token": "APISANDBOXCUSTOMERS"}, "--discover")

    assert run.exit_code == 0
    assert custom_fields(run, "customers")
    assert custom_fields(run, "products") == {}
    assert re.search(r"WARNING .*\| products: only documented fields are known", run.log)
    assert re.search(r"INFO .*\| events: only documented fields are known", run.log)  # a preview
    assert "GET /api/data/products/" in run.log


@pytest.mark.parametrize("status", [400, 404])
def test_a_rejected_request_of_one_stream_causes_a_warning(
    run_tap: RunTap, server: Server, status: int
) -> None:
    config = serve_csv(server, b"external_id,acme__x\n")
    answer_csv = server.answer
    rejection = Reply(status=status)
    server.answer = lambda request: rejection if "products" in request.path else answer_csv(request)

    run = run_tap(config, "--discover")

    assert run.exit_code == 0
    assert "products: only documented fields are known" in run.log
    assert custom_fields(run, "products") == {}
    assert custom_fields(run, "customers")


FAILURES = {
    "500": Reply(status=500),
    "429": Reply(status=429, headers={"Retry-After": "0"}),
    "401": Reply(status=401),
    "302": Reply(status=302, headers={"Location": "https://elsewhere.example/"}),
    "HTML": Reply(b"<html>"),
    "silence": Reply(b"external_id,a", headers={"Content-Length": "99"}),
}


def serve_failure(server: Server, stream: str, failure: Reply) -> dict[str, Any]:
    """Serve CSV for all streams but one, which fails, and return a config for the server."""
    config = serve_csv(server, b"external_id,acme__x\n")
    answer_others = server.answer
    server.answer = lambda request: (
        failure if f"/{stream}/" in request.path else answer_others(request)
    )
    return {**config, "max_retries": 0, "request_timeout": 0.5}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_sync_sends_no_request_for_a_stream_that_is_not_read(
    run_tap: RunTap, server: Server, failure: str
) -> None:
    run = run_tap(serve_failure(server, "events", FAILURES[failure]))

    assert run.exit_code == 0
    assert run.records("customers") == [{"external_id": "1"}]
    assert {r.path for r in server.requests} == {"/api/data/customers/", "/api/data/products/"}


@pytest.mark.parametrize("failure", FAILURES)
def test_discovery_continues_if_a_stream_that_is_not_selected_fails(
    run_tap: RunTap, server: Server, failure: str
) -> None:
    run = run_tap(serve_failure(server, "events", FAILURES[failure]), "--discover")

    assert run.exit_code == 0
    assert custom_fields(run, "customers")
    assert custom_fields(run, "events") == {}
    warnings = [line for line in run.log.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert (
        "events: only documented fields are known, the columns of the company's own are missing"
        in warnings[0]
    )


@pytest.mark.parametrize(
    ("failure", "is_named_in_a_sync"),
    [
        ("500", True),
        ("429", False),
        ("401", False),
        ("302", False),
        ("HTML", True),
        ("silence", False),
    ],
)
def test_the_setting_that_turns_discovery_off_is_named_if_it_would_help(
    run_tap: RunTap, server: Server, failure: str, *, is_named_in_a_sync: bool
) -> None:
    config = serve_failure(server, "customers", FAILURES[failure])

    runs = {options: run_tap(config, *options) for options in [(), ("--test",), ("--discover",)]}

    for options, run in runs.items():
        assert run.exit_code == 1
        assert run.stdout == ""
        assert len(run.errors) == 1
        is_named = "discover_custom_fields: false" in run.errors[0]
        assert is_named == (is_named_in_a_sync or options == ("--discover",))


def test_discovery_fails_if_the_requests_of_all_streams_are_rejected(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply(status=404))

    run = run_tap({**server.config, "discover_custom_fields": True}, "--discover")

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert "company or api_url" in run.errors[0]


def test_without_a_sample_record_strings_are_suggested(run_tap: RunTap, server: Server) -> None:
    config = serve_csv(server, b"external_id,acme__x\n")
    answer_csv = server.answer
    server.answer = lambda request: (
        answer_csv(request) if len(request.query) > 1 else Reply({request.path.split("/")[3]: []})
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


def test_a_field_of_any_name_is_written(run_tap: RunTap, server: Server) -> None:
    name = 'acme__19" rims\\\n'
    server.replies(Reply({"customers": [{"external_id": "1", name: 1}]}))
    options = {"customers": {"custom_fields": {name: "boolean"}}}

    run = run_tap({**server.config, "stream_options": options, "max_retries": 0})

    (record,) = run.records("customers")
    assert [*record.values()] == ["1", True]


LONG = "acme__" + "x" * 70
SIMILAR = ["acme__Points", "acme__points"]
ROW = {
    "external_id": "1",
    "email": "a@b.fi",
    LONG: "l",
    "Email": "e",
    SIMILAR[0]: "A",
    SIMILAR[1]: "a",
}


def serve_unsafe_names(server: Server) -> dict[str, Any]:
    """Serve fields whose names databases reject, and return a config for the server."""

    def answer(request: Request) -> Reply:
        if dict(request.query).get("format") == "csv":
            return Reply(f"{','.join(ROW)}\n".encode(), headers=CSV)
        return Reply({request.path.split("/")[3]: [ROW]})

    server.answer = answer
    return {**server.config, "discover_custom_fields": True}


def without_digests(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the digests removed from the names of renamed fields."""
    return {re.sub("_[0-9a-f]{10}$", "", name): value for name, value in record.items()}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"stream_maps": {"customers": {"email": "email", LONG: f"record['{LONG}']"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
    ids=["plain", "stream_maps", "flattening"],
)
def test_fields_with_names_that_databases_reject_are_written_under_safe_names(
    run_tap: RunTap, server: Server, settings: dict[str, Any]
) -> None:
    config = serve_unsafe_names(server)
    discovered = run_tap(config, "--discover")
    catalog = json.loads(discovered.stdout)

    run = run_tap({**config, **settings})
    by_catalog = run_tap({**config, **settings}, catalog=catalog)

    properties = entry_of(catalog)["schema"]["properties"]
    assert ROW.keys() <= properties.keys()  # the catalog has the original names
    names = [name for name in run.schema("customers")["properties"] if name not in properties]
    assert len(names) == 4
    assert len({name.lower() for name in [*names, "email"]}) == 5
    assert all(len(name) <= 63 for name in names)
    (record,) = run.records("customers")
    assert record["email"] == "a@b.fi"
    assert sorted(without_digests({n: record[n] for n in names}).values()) == ["A", "a", "e", "l"]
    assert by_catalog.of_type("SCHEMA") == run.of_type("SCHEMA")
    assert by_catalog.records("customers") == run.records("customers")
    for name in names:
        lines = [line for line in discovered.log.splitlines() if f"is written as {name}" in line]
        assert len([line for line in lines if "| customers: the field" in line]) == 1
        assert any(name in d["description"] for d in properties.values())


@pytest.mark.parametrize("name", ["", "a\0b", "a\ud800b", "_sdc_extracted_at"])
def test_invalid_declared_names_are_written_under_safe_names(
    run_tap: RunTap, server: Server, name: str
) -> None:
    server.answer = lambda r: Reply({r.path.split("/")[3]: [{"external_id": "1", name: "v"}]})
    if "\ud800" in name:  # which JSON cannot contain
        server.answer = lambda r: Reply({r.path.split("/")[3]: [{"external_id": "1"}]})
    options = {"customers": {"custom_fields": {name: "string"}}}

    run = run_tap({**server.config, "stream_options": options})

    assert run.exit_code == 0
    assert name not in run.schema("customers")["properties"]
    assert "\\u0000" not in run.stdout
    (record,) = run.records("customers")
    assert list(record.values()) == (["1"] if "\ud800" in name else ["1", "v"])


def test_batch_files_have_the_safe_names(run_tap: RunTap, server: Server, tmp_path: Path) -> None:
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path / "batches")}}

    run = run_tap({**serve_unsafe_names(server), "batch_config": batch})

    (file,) = (tmp_path / "batches").glob("*customers*")
    (row,) = map(json.loads, gzip.decompress(file.read_bytes()).splitlines())
    assert len(row) == len(ROW)
    assert row.keys() <= run.schema("customers")["properties"].keys()


def test_the_api_and_the_settings_use_the_original_names(run_tap: RunTap, server: Server) -> None:
    config = serve_unsafe_names(server)
    catalog = select(json.loads(run_tap(config, "--discover").stdout), customers=[LONG])
    fields = {LONG: "string"}
    options = {"filters": {LONG: "l"}, "order": [LONG], "custom_fields": fields}
    server.requests.clear()

    run = run_tap({**config, "stream_options": {"customers": options}}, catalog=catalog)

    query = dict(server.requests[0].query)
    assert query["fields"] == f"external_id,{LONG}"
    assert query[LONG] == "l"
    assert query["order"] == LONG
    assert [*without_digests(run.records("customers")[0]).values()] == ["1", "l"]
    assert "Declared in custom_fields" not in run.log


def test_a_field_that_another_one_renames_is_a_warning(run_tap: RunTap, server: Server) -> None:
    config = serve_unsafe_names(server)
    first, second = SIMILAR

    run = run_tap(config)
    discovered = run_tap(config, "--discover")
    catalog = json.loads(discovered.stdout)
    by_catalog = run_tap(config, catalog=select(catalog, customers=True))
    del entry_of(catalog)["schema"]["properties"][first]
    kept = run_tap(config, catalog=select(catalog, customers=True))

    for log in (run.log, discovered.log):
        lines = [line for line in log.splitlines() if "| customers: the field" in line]
        warned = [line for line in lines if "| WARNING" in line]
        assert len(lines) == 4
        assert len(warned) == 2  # the others are unsafe in any company
        for name, line in zip(SIMILAR, warned, strict=True):
            assert f"the field {name} is written as {name}_" in line
            assert "in an existing table has that other name from now on" in line
            assert "use a catalog without the other field" in line
            assert "stream_maps" in line
    assert "is written as" not in by_catalog.log + kept.log
    assert kept.records("customers")[0][second] == "a"


def test_a_name_for_a_renamed_field_may_be_chosen(run_tap: RunTap, server: Server) -> None:
    config = serve_unsafe_names(server)
    names = {"points": f"record['{SIMILAR[1]}']", SIMILAR[1]: None}

    run = run_tap({**config, "stream_maps": {"customers": names}})

    assert run.records("customers")[0]["points"] == "a"
