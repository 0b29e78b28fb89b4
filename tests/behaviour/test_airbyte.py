"""source-custobar as a process: the same streams in the Airbyte protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest
from airbyte_protocol_dataclasses.models import AirbyteMessage, ConfiguredAirbyteCatalog
from jsonschema import Draft7Validator

from tap_custobar.tap import TapCustobar
from tests import fork_server
from tests.conftest import select
from tests.server import TOKEN, Reply
from tests.time_limit import time_limit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox
    from tests.server import Request, Server

START = "from tap_custobar.airbyte.source import main; main()"
SOURCE = [sys.executable, "-W", "error", "-c", START]
Json = dict[str, Any]


def contains(model: object, message: object) -> bool:
    """Return whether a converted message contains every value of the original."""
    match model, message:
        case dict(), dict():
            return all(name in model and contains(model[name], v) for name, v in message.items())
        case list(), list():
            return len(model) == len(message) and all(map(contains, model, message))
        case _:
            return model == message


def valid_message(line: str) -> Json:
    """Return the message of a line, validated with the published models of the protocol."""
    message: Json = json.loads(line)
    expected = json.loads(line)
    if message["type"] == "STATE":
        assert isinstance(message["state"]["stream"]["stream_state"], dict)
        expected["state"]["stream"]["stream_state"] = {}  # the model has no fields for it
    model = msgspec.to_builtins(msgspec.convert(message, AirbyteMessage))
    assert contains(model, expected), line
    return message


@dataclass
class SourceRun:
    """A finished run of the source."""

    exit_code: int
    messages: list[Json]
    log: str

    def of_type(self, kind: str) -> list[Json]:
        return [m[kind] for m in self.messages if m["type"] == kind.upper()]

    def records(self, stream: str) -> list[Json]:
        return [r["data"] for r in self.of_type("record") if r["stream"] == stream]

    @property
    def summary(self) -> list[str]:
        """A few words for each message but records."""
        return [text for message in self.messages if (text := _summary_of(message))]

    @property
    def errors(self) -> list[Json]:
        return [trace["error"] for trace in self.of_type("trace") if "error" in trace]


def _summary_of(message: Json) -> str:
    match message:
        case {"trace": {"stream_status": {"stream_descriptor": {"name": name}, "status": status}}}:
            return f"{name} {status}"
        case {"trace": {"error": {"failure_type": kind}}}:
            return str(kind)
        case {"state": {"stream": {"stream_descriptor": {"name": name}}, "sourceStats": stats}}:
            return f"{name} state of {stats['recordCount']:.0f}"
        case _:
            return ""


class RunSource(Protocol):
    def __call__(
        self, operation: str, *, config: object = None, catalog: object = None, state: object = None
    ) -> SourceRun: ...


def command(folder: Path, operation: str, **contents: object) -> list[str]:
    arguments = [*SOURCE, operation]
    for name, content in contents.items():
        if content is not None:
            file = folder / f"{name}.json"
            file.write_text(content if isinstance(content, str) else json.dumps(content))
            arguments += [f"--{name}", str(file)]
    return arguments


@pytest.fixture
def source(tmp_path: Path) -> RunSource:
    """Run the source to its end; each line of its output is a valid message."""

    def run(operation: str, **contents: object) -> SourceRun:
        arguments = command(tmp_path, operation, **contents)[len(SOURCE) :]
        result = fork_server.run(
            "tap_custobar.airbyte.__main__",
            arguments,
            env={"PATH": os.environ["PATH"]},
            cwd=tmp_path,
        )
        stdout, stderr = result.stdout.decode(), result.stderr.decode()
        assert TOKEN not in stdout + stderr
        assert "Traceback" not in stderr
        return SourceRun(result.returncode, [*map(valid_message, stdout.splitlines())], stderr)

    return run


def configured_stream(name: str, *fields: str, mode: str = "full_refresh", **more: object) -> Json:
    """Return a configured stream with string fields, like one of the Airbyte platform."""
    properties = {field: {"type": ["string", "null"]} for field in fields}
    configured = {
        "stream": {
            "name": name,
            "json_schema": {"type": "object", "properties": properties},
            "supported_sync_modes": [mode],
        },
        "sync_mode": mode,
        "destination_sync_mode": "append",
        **more,
    }
    msgspec.convert({"streams": [configured]}, ConfiguredAirbyteCatalog)
    return configured


CUSTOMERS = configured_stream("customers", "external_id", "email")


def customers(*ids: str, **more: object) -> Reply:
    return Reply(
        {"customers": [{"external_id": i, "email": f"{i}@e.example"} for i in ids], **more}
    )


def test_spec_lists_the_settings_as_the_schema_of_a_form(source: RunSource) -> None:
    run = source("spec")

    (spec,) = run.of_type("spec")
    assert spec["documentationUrl"] == "https://developers.custobar.com"
    form = spec["connectionSpecification"]
    declared = TapCustobar.config_jsonschema["properties"]
    names = [name for name, setting in declared.items() if "title" in setting]
    names = [
        n
        for n in names
        if not n.startswith(("emit_", "batch", "faker", "flatt", "resume", "stream_map"))
    ]
    assert [*form["properties"]] == names
    assert [setting["order"] for setting in form["properties"].values()] == [*range(len(names))]
    assert form["required"] == ["api_token"]
    assert form["properties"]["page_size"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100_000,
        "title": "Page size",
        "description": declared["page_size"]["description"],
        "order": names.index("page_size"),
    }
    assert [n for n, setting in form["properties"].items() if "airbyte_secret" in setting] == [
        "api_token",
        "hash_key",
    ]
    assert form["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert form["title"] == "Custobar"
    assert all(
        {"title", "description"} <= setting.keys() for setting in form["properties"].values()
    )
    text = json.dumps(form)
    assert '"null"' not in text
    assert "writeOnly" not in text


def test_check_requests_one_record(source: RunSource, server: Server) -> None:
    run = source("check", config={**server.config, "discover_custom_fields": True})

    assert run.messages == [
        {"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}
    ]
    assert [r.target for r in server.requests] == ["/api/data/customers/?limit=1"]
    assert run.exit_code == 0


def test_check_succeeds_if_one_stream_may_be_read(source: RunSource, server: Server) -> None:
    server.answer = lambda request: (
        Reply({"products": []}) if "products" in request.path else Reply(status=403)
    )

    (status,) = source("check", config=server.config).messages

    assert status["connectionStatus"] == {"status": "SUCCEEDED"}


def test_check_reports_a_wrong_token(source: RunSource, server: Server) -> None:
    server.replies(Reply(status=401))

    run = source("check", config={**server.config, "api_token": "of-another-company"})

    (message,) = run.messages
    status = message["connectionStatus"]
    assert status["status"] == "FAILED"
    assert status["message"].startswith("Custobar did not accept the token (401): api_token is")
    assert "of-another-company" not in run.log + json.dumps(run.messages)
    assert len(server.requests) == 1  # the token is wrong for every stream
    assert run.exit_code == 0


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("[]", "is not a JSON object"),
        ({"api_token": TOKEN}, "company: is missing. Either company or"),
        (
            {"company": "acme", "api_token": TOKEN, "stream_maps": {}},
            "stream_maps: for Singer targets only",
        ),
    ],
)
def test_check_reports_an_invalid_config(source: RunSource, config: object, problem: str) -> None:
    run = source("check", config=config)

    (message,) = run.messages
    assert message["connectionStatus"]["status"] == "FAILED"
    assert problem in message["connectionStatus"]["message"]
    assert run.exit_code == 0


def test_discover_returns_the_schemas_of_the_tap(
    source: RunSource, run_tap: RunTap, sandbox: Sandbox
) -> None:
    (catalog,) = source("discover", config=sandbox.config).of_type("catalog")

    singer = json.loads(run_tap(sandbox.config, "--discover").stdout)["streams"]
    schemas = {entry["tap_stream_id"]: entry["schema"] for entry in singer}
    assert {s["name"]: s.pop("json_schema") for s in catalog["streams"]} == schemas
    discovered = {entry["name"]: entry for entry in catalog["streams"]}
    assert discovered["customers"] == {
        "name": "customers",
        "supported_sync_modes": ["full_refresh"],
        "source_defined_cursor": False,
        "default_cursor_field": [],
        "source_defined_primary_key": [["external_id"]],
        "is_resumable": True,
    }
    assert discovered["events"] == {
        "name": "events",
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": ["date"],
        "source_defined_primary_key": [["event_key"]],
        "is_resumable": True,
    }


def test_read_writes_records_state_and_status(source: RunSource, server: Server) -> None:
    server.replies(customers("C1", next_url="?cursor=2"), customers("C2"))

    run = source("read", config=server.config, catalog={"streams": [CUSTOMERS]})

    for message in run.messages:
        content = message.get("record") or message.get("trace")
        assert content is None or content.pop("emitted_at") > 1_700_000_000_000
    descriptor = {"stream_descriptor": {"name": "customers"}}

    def status(status: str) -> Json:
        content = {"type": "STREAM_STATUS", "stream_status": {**descriptor, "status": status}}
        return {"type": "TRACE", "trace": content}

    def record(name: str) -> Json:
        data = {"external_id": name, "email": f"{name}@e.example"}
        return {"type": "RECORD", "record": {"stream": "customers", "data": data}}

    stream_state = {**descriptor, "stream_state": {"resume": None}}
    counts = {"recordCount": 2.0}
    assert run.messages == [
        status("STARTED"),
        status("RUNNING"),
        record("C1"),
        record("C2"),
        {
            "type": "STATE",
            "state": {"type": "STREAM", "stream": stream_state, "sourceStats": counts},
        },
        status("COMPLETE"),
    ]
    assert dict(server.requests[0].query)["fields"] == "external_id,email"
    assert run.exit_code == 0


def test_an_empty_stream_has_a_state(source: RunSource, server: Server) -> None:
    options = {"customers": {"filters": {"email": "nobody@e.example"}}}
    config = {**server.config, "stream_options": options}

    run = source("read", config=config, catalog={"streams": [CUSTOMERS]})

    assert run.summary == ["customers STARTED", "customers state of 0", "customers COMPLETE"]


def test_the_form_takes_filters_and_custom_fields_as_json_text(
    source: RunSource, server: Server
) -> None:
    (spec,) = source("spec").of_type("spec")
    row = {"external_id": "C1", "email": "a@e.example", "acme__points": "7"}
    server.replies(Reply({"customers": [row]}))
    options = {
        "filters": '{"email": "a@e.example"}',
        "custom_fields": '{"acme__points": "integer"}',
    }
    config = {**server.config, "company": "acme", "stream_options": {"customers": options}}

    Draft7Validator(spec["connectionSpecification"]).validate(config)
    all_fields = configured_stream("customers")
    run = source("read", config=config, catalog={"streams": [all_fields]})

    assert dict(server.requests[0].query)["email"] == "a@e.example"
    assert [record["acme__points"] for record in run.records("customers")] == [7]


def test_filters_that_are_not_json_are_named_and_not_shown(
    source: RunSource, server: Server
) -> None:
    options = {"customers": {"filters": "email=a@e.example"}}

    run = source("check", config={**server.config, "stream_options": options})

    (message,) = run.messages
    assert message["connectionStatus"]["status"] == "FAILED"
    text = message["connectionStatus"]["message"]
    assert "stream_options.customers.filters: must be an object" in text
    assert "a@e.example" not in f"{run.messages}{run.log}"


def test_the_records_are_the_same_as_those_of_the_tap(
    source: RunSource, run_tap: RunTap, untidy_sandbox: Sandbox
) -> None:
    config = {**untidy_sandbox.config, "timezone": "Europe/Helsinki"}
    (catalog,) = source("discover", config=config).of_type("catalog")
    singer = json.loads(run_tap(config, "--discover").stdout)
    selected = {
        s["name"]: [name for i, name in enumerate(s["json_schema"]["properties"]) if i % 3 != 1]
        for s in catalog["streams"]
        if s["name"] in {"customers", "products"}
    }
    assert any("__" in name for name in selected["customers"]), "no custom field"
    configured = []
    for entry in catalog["streams"]:
        properties = entry["json_schema"]["properties"]
        fields = selected.get(entry["name"], [])
        entry["json_schema"]["properties"] = {name: properties[name] for name in fields}
        if fields:
            modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
            configured.append({"stream": entry, **modes})

    run = source("read", config=config, catalog={"streams": configured})
    tap = run_tap(config, catalog=select(singer, **selected))

    for name in selected:
        assert run.records(name) == tap.records(name) != []


def test_a_nested_property_that_is_not_in_the_configured_catalog_is_not_written(
    source: RunSource, server: Server
) -> None:
    (catalog,) = source("discover", config=server.config).of_type("catalog")
    schemas = {s["name"]: s["json_schema"] for s in catalog["streams"]}
    folder = schemas["campaigns"]["properties"]["folder"]
    selected, *others = folder["properties"]
    configured = configured_stream("campaigns", "campaign_key")
    properties = configured["stream"]["json_schema"]["properties"]
    properties["folder"] = {**folder, "properties": {selected: folder["properties"][selected]}}
    received = dict.fromkeys([selected, *others], None)
    server.answer = lambda _: Reply({"campaigns": [{"campaign_key": "1", "folder": received}]})

    run = source("read", config=server.config, catalog={"streams": [configured]})

    assert others
    assert run.records("campaigns") == [{"campaign_key": "1", "folder": {selected: None}}]


def test_read_sends_no_request_for_streams_that_are_not_configured(
    source: RunSource, server: Server
) -> None:
    server.answer = lambda request: (
        Reply(status=500)
        if "customers" not in request.path
        else Reply(b"external_id,acme__x\n", headers={"Content-Type": "text/csv"})
        if dict(request.query).get("format")
        else Reply({"customers": [{"external_id": "1", "acme__x": "a"}]})
    )
    config = {**server.config, "discover_custom_fields": True}

    run = source(
        "read",
        config=config,
        catalog={"streams": [configured_stream("customers", "external_id", "acme__x")]},
    )

    assert run.exit_code == 0
    assert run.records("customers") == [{"external_id": "1", "acme__x": "a"}]
    assert {r.path for r in server.requests} == {"/api/data/customers/"}


def test_an_interrupted_full_refresh_resumes(source: RunSource, server: Server) -> None:
    config = {**server.config, "max_retries": 0}
    catalog = {"streams": [CUSTOMERS]}
    server.replies(customers("C1", next_url="?cursor=2"), Reply(status=503))
    first = source("read", config=config, catalog=catalog)
    server.requests.clear()
    server.replies(customers("C2"))
    second = source("read", config=config, catalog=catalog, state=first.of_type("state"))

    assert first.summary == [
        "customers STARTED",
        "customers RUNNING",
        "customers state of 1",
        "transient_error",
        "customers INCOMPLETE",
    ]
    assert first.exit_code == 1
    assert [r.target for r in server.requests] == ["/api/data/customers/?cursor=2"]
    assert second.summary[-2:] == ["customers state of 1", "customers COMPLETE"]
    (state,) = second.of_type("state")
    assert state["stream"]["stream_state"] == {"resume": None}


def test_a_stream_that_fails_does_not_stop_the_others(source: RunSource, server: Server) -> None:
    def answer(request: Request) -> Reply:
        rejection = Reply({"error": {"reason": f"{TOKEN} lacks a scope"}}, status=403)
        return customers("C1") if "customers" in request.path else rejection

    server.answer = answer
    products = configured_stream("products", "external_id")

    run = source("read", config=server.config, catalog={"streams": [products, CUSTOMERS]})

    (error,) = run.errors
    assert error["stream_descriptor"] == {"name": "products"}
    assert error["failure_type"] == "config_error"
    assert "give its API key the scope GET /api/data/products/" in error["message"]
    assert "customers COMPLETE" in run.summary
    assert "products INCOMPLETE" in run.summary
    assert run.exit_code == 1


def test_the_token_is_masked_in_quoted_responses(source: RunSource, server: Server) -> None:
    server.replies(Reply({"error": {"reason": f"bad token {TOKEN}"}}, status=400))

    run = source("read", config=server.config, catalog={"streams": [CUSTOMERS]})

    assert "bad token ***" in run.errors[0]["message"]


def test_a_token_that_is_configured_with_its_scheme_is_masked(
    source: RunSource, server: Server
) -> None:
    server.replies(Reply({"error": {"reason": f"bad token {TOKEN}"}}, status=400))

    run = source(
        "check", config={**server.config, "api_token": f" bearer {TOKEN}\n", "auth_scheme": "TOKEN"}
    )

    assert {r.headers["Authorization"] for r in server.requests} == {f"Token {TOKEN}"}
    assert "bad token ***" in run.messages[0]["connectionStatus"]["message"]


def test_unknown_streams_and_fields_are_logged_and_skipped(
    source: RunSource, server: Server
) -> None:
    server.replies(customers("C1"))
    unknown = configured_stream(
        "customers", "external_id", "acme__unknown", "email", generation_id=3
    )

    run = source(
        "read",
        config=server.config,
        catalog={"streams": [configured_stream("orders", "a"), unknown]},
    )

    assert run.records("customers") == [{"external_id": "C1", "email": "C1@e.example"}]
    assert dict(server.requests[0].query)["fields"] == "external_id,email"
    assert "orders is in the catalog but does not exist at Custobar: skipped" in run.log
    assert "customers.acme__unknown is in the catalog but is not known: skipped" in run.log
    # A destination keeps the table of a stream whose status is INCOMPLETE.
    assert [text for text in run.summary if "orders" in text] == ["orders INCOMPLETE"]
    assert "customers COMPLETE" in run.summary
    assert run.exit_code == 0


@pytest.mark.parametrize(
    ("catalog", "state", "problem"),
    [
        ("{", None, "catalog.json: is not valid JSON"),
        ({"streams": [{**CUSTOMERS, "sync_mode": TOKEN}]}, None, "Invalid enum value '***'"),
        ({"streams": [CUSTOMERS]}, [[], 1], "state.json: is not an Airbyte state"),
        (
            {"streams": [configured_stream("products", mode="incremental")]},
            {"products": {"progress_markers": 1}},
            "state.json: is not an Airbyte state",
        ),
        ({"streams": [CUSTOMERS] * 2}, None, "catalog.json: has the stream customers twice"),
    ],
)
def test_invalid_files_are_named(
    source: RunSource, server: Server, catalog: object, state: object, problem: str
) -> None:
    run = source("read", config=server.config, catalog=catalog, state=state)

    (error,) = run.errors
    assert problem in error["message"]
    assert error["failure_type"] == "config_error"
    assert problem in run.log
    assert (run.exit_code, server.requests) == (1, [])


def test_a_signal_leaves_complete_lines_and_a_state(server: Server, tmp_path: Path) -> None:
    page = [{"external_id": f"C{i}", "email": "x" * 5_000} for i in range(500)]
    server.answer = lambda _: Reply(
        {"customers": page, "next_url": f"?cursor={len(server.requests)}"}
    )
    arguments = command(tmp_path, "read", config=server.config, catalog={"streams": [CUSTOMERS]})
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log) as process,
        time_limit(process.kill),
    ):
        assert process.stdout
        first = [process.stdout.readline() for _ in range(1_100)]
        process.send_signal(signal.SIGTERM)
        lines = [*first, *process.stdout]

    run = SourceRun(process.returncode, [valid_message(line.decode()) for line in lines], "")
    assert run.exit_code == 143
    assert run.summary[-1] == "customers INCOMPLETE"
    states = run.of_type("state")
    assert states[-1]["stream"]["stream_state"]["resume"]["records"] % 500 == 0
    counted = sum(state["sourceStats"]["recordCount"] for state in states)
    assert counted == len(run.of_type("record"))


def test_a_closed_pipe_ends_the_source_without_a_traceback(server: Server, tmp_path: Path) -> None:
    page = [{"external_id": f"C{i}", "email": "x" * 5_000} for i in range(500)]
    server.answer = lambda _: Reply(
        {"customers": page, "next_url": f"?cursor={len(server.requests)}"}
    )
    arguments = command(tmp_path, "read", config=server.config, catalog={"streams": [CUSTOMERS]})
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(arguments, stdout=pipe, stderr=pipe) as process,
        time_limit(process.kill),
    ):
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        log = process.stderr.read().decode()

    assert process.returncode == 1
    assert "Traceback" not in log
    assert "Exception ignored" not in log


def test_a_setting_for_singer_targets_that_is_null_is_not_set(
    source: RunSource, server: Server
) -> None:
    (message,) = source("check", config={**server.config, "batch_config": None}).messages

    assert message["connectionStatus"] == {"status": "SUCCEEDED"}


def test_settings_without_effect_are_reported_once(source: RunSource, server: Server) -> None:
    server.replies(customers("C1"))
    config = {**server.config, "page_sise": 5, "company": "acme"}
    # Its unknown field makes `read` discover again.
    stream = configured_stream("customers", "external_id", "acme__unknown")

    run = source("read", config=config, catalog={"streams": [stream]})

    assert run.exit_code == 0
    assert run.log.count("Unknown setting page_sise is ignored") == 1
    assert run.log.count("company is ignored") == 1


LINE_ITEM = {
    "sale_external_id": "S1",
    "external_id": "L1",
    "sale_date": "2024-01-01T00:00:00Z",
    "product_id": "P1",
    "quantity": 2,
}
CSV = {"Content-Type": "text/csv"}


def serve_line_items(server: Server) -> None:
    """Serve sales as line items, and no records of other streams."""

    def answer(request: Request) -> Reply:
        is_sales = "sales" in request.path
        if dict(request.query).get("format") == "csv":
            header = ",".join(LINE_ITEM) if is_sales else "external_id,type,date"
            return Reply(f"{header}\n".encode(), headers=CSV)
        return Reply({request.path.split("/")[3]: [LINE_ITEM] if is_sales else []})

    server.answer = answer


@pytest.mark.parametrize("discovery", ["on", "off", "rejected"])
def test_the_primary_key_of_the_catalog_determines_the_fields_of_sales(
    source: RunSource, server: Server, discovery: str
) -> None:
    serve_line_items(server)
    config = {**server.config, "discover_custom_fields": True}
    (catalog,) = source("discover", config=config).of_type("catalog")
    sales = next(stream for stream in catalog["streams"] if stream["name"] == "sales")
    answer_all = server.answer
    if discovery == "rejected":
        server.answer = lambda request: (
            Reply(status=400) if dict(request.query).get("format") else answer_all(request)
        )
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}

    run = source(
        "read",
        config={**config, "discover_custom_fields": discovery != "off"},
        catalog={"streams": [{"stream": sales, **modes}]},
    )

    assert run.records("sales") == [LINE_ITEM]
    assert "sales COMPLETE" in run.summary
    assert "is in the catalog but" not in run.log


NOT_KNOWN = (
    "is not known: skipped. To read it, {}declare it in stream_options.customers.custom_fields"
)


@pytest.mark.parametrize(
    ("discovery", "problem"),
    [
        ("on", "does not exist at Custobar: skipped"),
        ("off", NOT_KNOWN.format("set discover_custom_fields: true or ")),
        ("rejected", NOT_KNOWN.format("")),
    ],
)
def test_a_field_does_not_exist_only_if_its_name_was_requested(
    source: RunSource, server: Server, discovery: str, problem: str
) -> None:
    def answer(request: Request) -> Reply:
        name = request.path.split("/")[3]
        if dict(request.query).get("format") != "csv":
            return customers("C1") if name == "customers" else Reply({name: []})
        is_rejected = discovery == "rejected" and name == "customers"
        return Reply(status=400) if is_rejected else Reply(b"external_id,title\n", headers=CSV)

    server.answer = answer
    unknown = configured_stream("customers", "external_id", "acme__a.b")

    run = source(
        "read",
        config={**server.config, "discover_custom_fields": discovery != "off"},
        catalog={"streams": [unknown, configured_stream("products", "external_id")]},
    )

    lines = [line for line in run.log.splitlines() if "is in the catalog but" in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"customers.acme__a.b is in the catalog but {problem}")
    assert run.records("customers")[0]["external_id"] == "C1"
    assert run.exit_code == 0
