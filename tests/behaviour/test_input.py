"""Invalid settings and files: one line for each problem, before any request, exit code 1."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox
    from tests.server import Server

FAKER = {"discover_custom_fields": False, "faker_config": {"locale": "xx_YY"}}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 1}
JSONL = {"format": "jsonl"}
GOOD = {"company": "acme", "api_token": "APISANDBOX"}


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"company": "acme"}, "api_token: is missing. An API key of Custobar"),
        ({"api_token": "APISANDBOX"}, "company: is missing. Either company or"),
        ({**GOOD, "api_token": 1234567890}, "api_token: must be a string"),
        ({**GOOD, "api_token": "API\nSANDBOX"}, "api_token: must not contain spaces, line breaks"),
        ({**GOOD, "api_token": "API SANDBOX"}, "api_token: must not contain spaces, line breaks"),
        ({**GOOD, "api_token": "'APISANDBOX'"}, "api_token: must not have quotation marks"),
        ({**GOOD, "api_token": 'Token "APISANDBOX"'}, "api_token: must not have quotation marks"),
        ({**GOOD, "api_token": ""}, "api_token: is empty"),
        (
            {**GOOD, "company": "Acme Oy"},
            "company: must look like acme. The first part of your Custobar address",
        ),
        ({**GOOD, "company": "a" * 70}, "company: must look like"),
        (
            {**GOOD, "api_url": f"https://{'a' * 70}.fi/api"},
            "api_url: is not a valid URL, like https://",
        ),
        ({**GOOD, "company": "acme.custobar.com.evil.example"}, "company: must look like acme"),
        ({**GOOD, "company": "user@acme.custobar.com"}, "company: must look like acme"),
        ({**GOOD, "api_url": "http://acme.custobar.com/api"}, "api_url: must begin with https"),
        ({**GOOD, "api_url": "http://127.0.0.1.evil.example/"}, "api_url: must begin with https"),
        (
            {**GOOD, "api_url": "ftp://acme.custobar.com"},
            "api_url: is not a valid URL, like https://",
        ),
        (
            {**GOOD, "api_url": "https://u:p@acme.custobar.com/api"},
            "api_url: must not contain a user",
        ),
        ({**GOOD, "api_url": "https://acme.custobar.com/api?x=1"}, "api_url: must end with the"),
        ({**GOOD, "auth_scheme": "Basic"}, "auth_scheme: must be one of Token, Bearer"),
        ({**GOOD, "page_size": 0}, "page_size: must be at least 1"),
        ({**GOOD, "page_size": 10001}, "page_size: must be at most 10000"),
        ({**GOOD, "page_size": 1000.0}, "page_size: must be an integer"),
        ({**GOOD, "page_size": "many"}, "page_size: must be an integer"),
        ({**GOOD, "request_interval": -1}, "request_interval: must be at least 0"),
        ({**GOOD, "request_timeout": 0}, "request_timeout: must be more than 0"),
        ({**GOOD, "max_retries": 1.5}, "max_retries: must be an integer"),
        ({**GOOD, "user_agent": "a\nb"}, "user_agent: must be one line of ASCII"),
        ({**GOOD, "start_date": "2204-01-01"}, "start_date: must not be in the future"),
        ({**GOOD, "resume": "no thanks"}, "resume: must be true or false"),
        ({**GOOD, "batch_config": {"encoding": JSONL}}, "batch_config.storage: is missing."),
        (
            {**GOOD, "batch_config": {"encoding": JSONL, "storage": {}}},
            "batch_config.storage.root: is missing. The folder or URL that",
        ),
        (
            {**GOOD, "batch_config": {"storage": {"root": "batches"}}},
            "batch_config.encoding: is missing.",
        ),
        (
            {**GOOD, "batch_config": {"encoding": {}, "storage": {"root": "batches"}}},
            "batch_config.encoding.format: is missing.",
        ),
        (
            {**GOOD, "batch_config": {"encoding": JSONL, "storage": {"root": "x", "roto": 1}}},
            "batch_config.storage: must not contain roto; allowed are root, prefix",
        ),
        (
            {**GOOD, "batch_config": {"encoding": {"format": "parquet"}, "storage": {"root": "x"}}},
            "batch_config.encoding.format: parquet requires the package pyarrow",
        ),
        (
            {**GOOD, "batch_config": {"encoding": JSONL, "storage": {"root": "s3://acme/x"}}},
            "batch_config.storage.root: requires a package: Install s3fs",
        ),
        (
            {**GOOD, "batch_config": {"encoding": JSONL, "storage": {"root": "nosuch://acme/x"}}},
            "batch_config.storage.root: is not a folder or URL",
        ),
        (
            {**GOOD, "stream_options": {"custmers": {}}},
            "stream_options: must not contain custmers; allowed are customers, products",
        ),
        (
            {**GOOD, "stream_options": {"customers": {"filter": {}}}},
            "stream_options.customers: must not contain filter; allowed are filters, order",
        ),
        (
            {**GOOD, "stream_options": {"customers": {"filters": {"limit": 5}}}},
            "stream_options.customers.filters.limit: is a parameter of the API",
        ),
        (
            {**GOOD, "stream_options": {"customers": {"filters": {"tags": ["a"]}}}},
            "stream_options.customers.filters.tags: must be a string or a number or true or false",
        ),
        (
            {**GOOD, "stream_maps": {"custmers": {"email": "md5(email)"}}},
            "stream_maps.custmers: there is no such stream; there are customers, products",
        ),
        (
            {**GOOD, "stream_maps": {"masked": {"__source__": "custmers"}}},
            "stream_maps.masked: there is no such stream",
        ),
        ({**GOOD, "stream_maps": {"__else__": "drop"}}, "stream_maps.__else__: must be __NULL__"),
        (
            {**GOOD, "stream_maps": {"customers": {"__else__": 5}}},
            "stream_maps.customers.__else__: must be __NULL__",
        ),
        (
            {**GOOD, "stream_maps": {"customers": {"__source__": 5}}},
            "stream_maps.customers: does not match its description",
        ),
        (
            {**GOOD, **FAKER, "stream_maps": {"customers": {"x": "fake.name()"}}},
            "faker_config cannot be used (AttributeError)",
        ),
        (
            {**GOOD, **FLAT, "flattening_max_key_length": 16},
            "flattening_max_key_length: must be at least 17, so that primary keys keep their names",
        ),
        (
            {**GOOD, "batch_config": {"encoding": JSONL, "storage": {"root": ""}}},
            "batch_config.storage.root: is empty",
        ),
        (
            {**GOOD, "stream_options": {"customers": {"order": ["a,b"]}}},
            "order.0: must be a field name, optionally with a leading dash, like -email",
        ),
        (
            {**GOOD, "stream_options": {"customers": {"order": "email"}}},
            "stream_options.customers.order: must be an array",
        ),
    ],
)
def test_an_invalid_setting_is_named_with_the_values_allowed(
    run_tap: RunTap, config: dict[str, Any], problem: str
) -> None:
    run = run_tap(config)

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert problem in run.errors[0]
    for secret in ("1234567890", "u:p", "Acme Oy"):
        assert secret not in run.log


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, "Token APISANDBOX"),
        ({"api_token": " APISANDBOX\n"}, "Token APISANDBOX"),
        ({"api_token": "Token APISANDBOX"}, "Token APISANDBOX"),
        ({"api_token": "bearer  APISANDBOX"}, "Bearer APISANDBOX"),
        ({"api_token": "Bearer APISANDBOX", "auth_scheme": "Token"}, "Token APISANDBOX"),
        ({"api_token": "Token APISANDBOX", "auth_scheme": " bearer"}, "Bearer APISANDBOX"),
        ({"api_token": "Bearer APISANDBOX", "auth_scheme": None}, "Bearer APISANDBOX"),
        ({"api_token": "abc"}, "Token abc"),
    ],
    ids=str,
)
def test_a_token_may_be_pasted_with_its_scheme_or_with_spaces(
    run_tap: RunTap, server: Server, given: dict[str, Any], sent: str
) -> None:
    server.replies(Reply({"error": {"reason": f"no {sent.split()[1]}"}}, status=400))

    run = run_tap({**server.config, **given})

    assert {r.headers["Authorization"] for r in server.requests} == {sent}
    assert "APISANDBOX" not in run.log


@pytest.mark.parametrize("write", [str, lambda url: url.removeprefix("http://"), " {}\n".format])
def test_a_url_may_be_pasted_without_a_scheme_or_with_spaces(
    run_tap: RunTap, server: Server, write: Callable[[str], str]
) -> None:
    config = {**server.config, "api_url": write(server.url), "response_format": "CSV"}

    run_tap(config, "--test")

    assert dict(server.requests[0].query)["format"] == "csv"


@pytest.mark.parametrize("option", ["--discover", "--test"])
@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"company": "acme"}, "api_token: is missing"),
        ({**GOOD, "api_token": 1234567890}, "api_token: must be a string"),
        ({**GOOD, "page_size": 0}, "page_size: must be at least 1"),
        ({**GOOD, "api_url": "http://acme.custobar.com/api"}, "api_url: must begin with https"),
    ],
)
def test_every_command_validates_the_config_first(
    run_tap: RunTap, config: dict[str, Any], problem: str, option: str
) -> None:
    run = run_tap(config, option)

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert problem in run.errors[0]
    assert "1234567890" not in run.log


@pytest.mark.parametrize("number", ["1e999", "Infinity", "NaN"])
def test_a_number_that_is_not_finite_is_rejected(run_tap: RunTap, number: str) -> None:
    config = f'{{"company": "acme", "api_token": "APISANDBOX", "request_interval": {number}}}'

    run = run_tap(config)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "must be at most 86400" in run.errors[0] or "is not valid JSON" in run.errors[0]


def test_each_problem_has_its_own_line(run_tap: RunTap) -> None:
    run = run_tap({"page_size": 0, "auth_scheme": "Basic"})

    assert [error.partition(":")[0] for error in sorted(run.errors)] == [
        "api_token",
        "auth_scheme",
        "page_size",
    ]


def test_an_unknown_setting_causes_a_warning_with_the_nearest_name(
    run_tap: RunTap, server: Server
) -> None:
    run = run_tap({**server.config, "page_sise": 5, "xyzzy": "hidden"}, "--discover")

    assert run.exit_code == 0
    assert "Unknown setting page_sise is ignored; did you mean page_size?" in run.log
    assert "Unknown setting xyzzy is ignored\n" in run.log
    assert "hidden" not in run.log


def test_a_setting_that_is_null_is_not_set(run_tap: RunTap, server: Server) -> None:
    run_tap({**server.config, "page_size": None, "auth_scheme": None, "stream_options": None})

    assert dict(server.requests[0].query) == {"limit": "10000"}
    assert server.requests[0].headers["Authorization"] == "Token APISANDBOX"


def test_api_url_takes_precedence_over_company(run_tap: RunTap, server: Server) -> None:
    run_tap({**server.config, "company": "acme"})

    assert server.requests


def test_settings_of_the_environment_are_converted_to_their_type(
    run_tap: RunTap, server: Server
) -> None:
    env = {
        "TAP_CUSTOBAR_API_URL": server.url,
        "TAP_CUSTOBAR_API_TOKEN": "12345678",
        "TAP_CUSTOBAR_PAGE_SIZE": "50",
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "0.0",
        "TAP_CUSTOBAR_COMPANY": "",
        "TAP_CUSTOBAR_DISCOVER_CUSTOM_FIELDS": " False\r",
        "TAP_CUSTOBAR_STREAM_OPTIONS": '{"customers": {"filters": {"city": "Oulu"}}}',
    }

    run_tap(None, "--config", "ENV", env=env)

    assert dict(server.requests[0].query) == {"limit": "50", "city": "Oulu"}
    assert server.requests[0].headers["Authorization"] == "Token 12345678"


def test_the_environment_takes_precedence_over_a_file(run_tap: RunTap, server: Server) -> None:
    run_tap(
        {**server.config, "page_size": 5}, "--config", "ENV", env={"TAP_CUSTOBAR_PAGE_SIZE": "7"}
    )

    assert dict(server.requests[0].query)["limit"] == "7"


def test_an_invalid_setting_in_the_environment_is_named(run_tap: RunTap) -> None:
    env = {
        "TAP_CUSTOBAR_API_TOKEN": "APISANDBOX",
        "TAP_CUSTOBAR_COMPANY": "acme",
        "TAP_CUSTOBAR_PAGE_SIZE": "many",
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "soon",
    }

    run = run_tap(None, "--config", "ENV", env=env)

    assert run.exit_code == 1
    assert sorted(run.errors) == [
        "page_size: must be an integer",
        "request_interval: must be a number",
    ]


@pytest.mark.parametrize("options", [[], ["--test"]])
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_an_error_names_settings_in_an_environment_that_is_not_read(
    run_tap: RunTap, tmp_path: Path, place: str, options: list[str]
) -> None:
    env = {"TAP_CUSTOBAR_API_TOKEN": "APISANDBOX", "TAP_CUSTOBAR_COMPANY": "acme"}
    if place == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}={env[name]}\n" for name in env))
        env = {}

    no_config = run_tap(None, *options, env=env)
    without_company = run_tap({"api_token": "APISANDBOX"}, *options, env=env)

    hint = "is set, but not read: add --config ENV"
    assert no_config.errors == [f"api_token: is missing. TAP_CUSTOBAR_API_TOKEN {hint}"]
    assert without_company.errors == [f"company: is missing. TAP_CUSTOBAR_COMPANY {hint}"]


def test_a_misspelled_variable_causes_a_warning_with_the_nearest_name(
    run_tap: RunTap, server: Server
) -> None:
    env = {
        "TAP_CUSTOBAR_PAGE_SISE": "5",
        "TAP_CUSTOBAR_LOGLEVEL": "info",
        "TAP_CUSTOBAR__SELECT": "of Meltano's",
    }

    read = run_tap(server.config, "--config", "ENV", "--discover", env=env)
    not_read = run_tap(server.config, "--discover", env=env)

    warnings = [line for line in read.log.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert warnings[0].endswith(
        "TAP_CUSTOBAR_PAGE_SISE: Unknown setting page_sise is ignored; did you mean page_size?"
    )
    assert "PAGE_SISE" not in not_read.log


def test_a_dotenv_file_that_is_not_utf_8_is_named(run_tap: RunTap, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("TAP_CUSTOBAR_COMPANY=Mäki".encode("latin-1"))

    read = run_tap(None, "--config", "ENV")
    not_read = run_tap(None)

    assert read.errors == [".env: is not valid UTF-8"]
    assert len(not_read.errors) == 1
    assert "api_token: is missing. An API key" in not_read.errors[0]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TAP_CUSTOBAR_LOGLEVEL", "chatty"), ("TAP_CUSTOBAR_LOGLEVEL", "10"), ("LOGLEVEL", "chatty")],
)
@pytest.mark.parametrize("options", [[], ["--discover"], ["--version"]])
def test_an_unknown_log_level_is_named(
    run_tap: RunTap, server: Server, variable: str, value: str, options: list[str]
) -> None:
    run = run_tap(server.config, *options, env={variable: value})

    assert run.exit_code == 1
    assert run.stdout == ""
    assert run.errors == [f"{variable}: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"]
    assert server.requests == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"5",
        b"root: [",
        b"\xff\xfe",
        b"root: {}",
        b"{version: 1, root: {level: CHATTY}}",
        b"{version: 1, root: {handlers: [nowhere]}}",
        b"{version: 1, handlers: {a: {class: no.Such}}, root: {handlers: [a]}}",
        b"{version: 1, disable_existing_loggers: true, formatters: {a: {(): no.Such}}}",
    ],
)
def test_a_broken_logging_configuration_is_named(
    run_tap: RunTap, server: Server, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "logging.yml"
    if content is not None:
        file.write_bytes(content)

    run = run_tap(server.config, env={"SINGER_SDK_LOG_CONFIG": str(file)})

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert run.errors[0].startswith(f"SINGER_SDK_LOG_CONFIG ({file}): ")
    assert server.requests == []


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not valid JSON (line 1)"),
        ("[" * 100_000, "is not valid JSON"),
        ('["APISANDBOX"]', "is not a JSON object"),
        ('"APISANDBOX"', "is not a JSON object"),
    ],
)
def test_a_broken_file_is_named(
    run_tap: RunTap, sandbox: Sandbox, option: str, content: str, problem: str
) -> None:
    files: dict[str, Any] = {"config": sandbox.config, option: content}

    run = run_tap(files.pop("config"), **files)

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert f"{option}.json: {problem}" in run.errors[0]


@pytest.mark.parametrize("value", [r'"\ud800"', "1e999"])
def test_a_state_that_cannot_be_written_again_is_named(
    run_tap: RunTap, sandbox: Sandbox, value: str
) -> None:
    run = run_tap(sandbox.config, state=f'{{"bookmarks": {{"x": {{"y": {value}}}}}}}')

    assert run.exit_code == 1
    assert run.stdout == ""
    assert len(run.errors) == 1
    assert "state.json: has a value that no STATE message can contain" in run.errors[0]


@pytest.mark.parametrize("option", ["--config", "--state", "--catalog"])
def test_a_missing_file_is_named(run_tap: RunTap, sandbox: Sandbox, option: str) -> None:
    run = run_tap(sandbox.config, option, "not-there.json")

    assert run.exit_code == 1
    assert run.errors == ["not-there.json: No such file or directory"]


def test_a_file_that_is_not_utf_8_is_named(
    run_tap: RunTap, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "state.bin").write_bytes(b"\xff\xfe\x00")

    run = run_tap(sandbox.config, "--state", "state.bin")

    assert run.errors == ["state.bin: is not valid UTF-8"]


@pytest.mark.parametrize(
    "state",
    [
        {"bookmarks": []},
        {"bookmarks": {"customers": 5}},
        {"bookmarks": None},
        {"bookmarks": {"customers": {"partitions": [5]}}},
        {"bookmarks": {"customers": {"progress_markers": []}}},
        {"type": "STATE", "value": 5},
        {"type": "STATE", "value": {"customers": "2024-05-01"}},
        {"singer_state": None},
        {"completed": {"bookmarks": {}}},
        {"type": "RECORD", "stream": "customers", "record": {}},
    ],
)
def test_an_invalid_state_is_one_error_line(
    run_tap: RunTap, sandbox: Sandbox, state: object
) -> None:
    run = run_tap(sandbox.config, state=state)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "state" in run.errors[0]


@pytest.mark.parametrize(
    "catalog",
    [
        {"streams": 5},
        {"streams": [{}]},
        {"streams": ["customers"]},
        {"streams": [{"tap_stream_id": "customers", "schema": []}]},
        {"streams": [{"tap_stream_id": "customers", "metadata": [{}]}]},
        {"streams": {}},
        {"streams": [None]},
        {"streams": [{"tap_stream_id": ["customers"]}]},
        {"streams": [{"tap_stream_id": "customers", "metadata": 5}]},
        {"streams": [{"tap_stream_id": "customers", "replication_method": ["FULL_TABLE"]}]},
        {"streams": [{"tap_stream_id": "customers", "replication_key": ["date"]}]},
    ],
)
def test_an_invalid_catalog_is_one_error_line(
    run_tap: RunTap, sandbox: Sandbox, catalog: object
) -> None:
    run = run_tap(sandbox.config, catalog=catalog)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "catalog" in run.errors[0]


def test_stream_maps_of_streams_that_are_not_selected_are_ignored(
    run_tap: RunTap, server: Server
) -> None:
    maps = {"customers": {"city": None}, "events": {"email": "md5(email)"}}

    config, selected = {**server.config, "stream_maps": maps}, catalog(customers=True)
    root = {"breadcrumb": [], "metadata": {"selected": False}}
    other = {"tap_stream_id": "orders", "stream": "orders", "metadata": [root]}
    selected["streams"].append({**selected["streams"][0], **other})

    run = run_tap(config, catalog=selected)
    schemas = run_tap(config, "--test=schema", catalog=selected)

    assert run.exit_code == 0, run.log
    assert "city" not in run.schema("customers")["properties"]
    assert schemas.exit_code == 0, schemas.log
    assert "customers" in {m["stream"] for m in schemas.of_type("SCHEMA")}


def test_a_config_may_be_read_from_a_pipe(server: Server, tmp_path: Path) -> None:
    pipe = tmp_path / "config"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "tap_custobar", "--config", str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tap:
        # In a thread, because it blocks until the tap reads.
        write = partial(pipe.write_text, json.dumps(server.config))
        threading.Thread(target=write, daemon=True).start()
        tap.wait(60)

    assert server.requests[0].headers["Authorization"] == "Token APISANDBOX"


def test_an_unknown_option_is_rejected(run_tap: RunTap) -> None:
    run = run_tap(None, "--no-such-option")

    assert run.exit_code == 2
    assert "No such option" in run.log


def test_settings_are_read_from_a_dotenv_file_in_the_folder(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        f"TAP_CUSTOBAR_API_URL={server.url}\n"
        "TAP_CUSTOBAR_API_TOKEN=12345678\n"
        "TAP_CUSTOBAR_DISCOVER_CUSTOM_FIELDS=false\n"
    )

    run_tap(None, "--config", "ENV")
    run_tap(None, "--config", "ENV", env={"TAP_CUSTOBAR_API_TOKEN": "87654321"})
    run_tap(None, "--config", "ENV", env={"TAP_CUSTOBAR_API_TOKEN": ""})

    tokens = [r.headers["Authorization"] for r in server.requests if "customers" in r.path]
    assert tokens == ["Token 12345678", "Token 87654321", "Token 12345678"]


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("PAGE_SIZE", "1000.0", "page_size: must be an integer"),
        ("REQUEST_INTERVAL", "NaN", "request_interval: must be a number"),
        ("REQUEST_TIMEOUT", "Infinity", "request_timeout: must be a number"),
    ],
)
def test_invalid_numbers_in_the_environment_are_rejected(
    run_tap: RunTap, name: str, value: str, error: str
) -> None:
    env = {"TAP_CUSTOBAR_API_TOKEN": "APISANDBOX", "TAP_CUSTOBAR_COMPANY": "acme"}

    run = run_tap(None, "--config", "ENV", env={**env, f"TAP_CUSTOBAR_{name}": value})

    assert run.errors == [error]


STATE = {"bookmarks": {"products": {"replication_key_value": "2024-05-01T00:00:00Z"}}}


@pytest.mark.parametrize(
    "stored",
    [
        STATE,
        {"type": "STATE", "value": STATE},
        {"singer_state": STATE},
        {"completed": {"singer_state": STATE}, "partial": {"singer_state": {"bookmarks": {}}}},
        {"singer_state": {"type": "STATE", "value": STATE}},
    ],
)
def test_a_state_is_read_in_every_format_in_which_it_is_stored(
    run_tap: RunTap, server: Server, stored: dict[str, Any]
) -> None:
    run = run_tap(server.config, catalog=catalog(customers=True), state=stored)

    assert run.exit_code == 0
    assert run.of_type("STATE")[0]["value"] == STATE


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_state_file_starts_without_a_state(
    run_tap: RunTap, server: Server, content: str
) -> None:
    run = run_tap(server.config, catalog=catalog(customers=True), state=content)

    assert run.exit_code == 0
    assert "state.json is empty: starting without a state" in run.log
    assert run.of_type("SCHEMA")


def test_a_catalog_that_has_a_stream_twice_is_rejected(run_tap: RunTap, server: Server) -> None:
    """One of them would decide about the stream, and what the other selects be lost."""
    twice = catalog(customers=True, products=True)
    twice["streams"] += [entry_of(catalog(products=True))]

    run = run_tap(server.config, catalog=twice)

    assert run.exit_code == 1
    assert run.errors == ["The catalog has the stream customers twice: remove one of them."]
    assert server.requests == []


def test_a_file_that_is_not_a_catalog_is_rejected(run_tap: RunTap, sandbox: Sandbox) -> None:
    run = run_tap(sandbox.config, catalog=sandbox.config)

    assert run.exit_code == 1
    assert "is not a Singer catalog" in run.errors[0]


START = "import {}.__main__ as command; command.main()"

#: Code that stops while the command imports a module, until a signal arrives.
STOP = """
import sys, time
class Stop:
    def find_spec(self, name, *_):
        if name == {name!r}:
            sys.stderr.write("waiting")
            sys.stderr.flush()
            time.sleep(60)
sys.meta_path.insert(0, Stop())
"""


@pytest.mark.parametrize("package", ["tap_custobar", "tap_custobar.airbyte"])
@pytest.mark.parametrize("name", ["singer_sdk", "tap_custobar.streams"])
def test_ctrl_c_during_the_start_ends_the_tap_without_a_traceback(package: str, name: str) -> None:
    command = [sys.executable, "-c", STOP.format(name=name) + START.format(package)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tap:
        assert tap.stderr
        assert tap.stderr.read(7) == b"waiting"
        tap.send_signal(signal.SIGINT)
        log = tap.stderr.read()

    assert tap.returncode == 130
    assert log == b""


@pytest.mark.parametrize(
    ("addresses", "count"),
    [
        ({"company": "acme"}, 1),
        ({"company": "acme", "api_url": "https://ACME.custobar.com/api/"}, 0),
        ({}, 0),
    ],
    ids=str,
)
def test_a_company_that_api_url_overrides_is_one_warning(
    run_tap: RunTap, server: Server, addresses: dict[str, str], count: int
) -> None:
    run = run_tap({**server.config, **addresses}, "--discover")

    assert run.exit_code == 0
    warnings = [line for line in run.log.splitlines() if "company is ignored" in line]
    assert len(warnings) == count
    assert all("WARNING" in line and "because api_url names" in line for line in warnings)
