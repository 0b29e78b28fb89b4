"""Personal data: hashed or left out before it is written, in every mode of the tap."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.behaviour.test_airbyte import configured_stream, source
from tests.catalogs import catalog, incremental
from tests.conftest import entry_of, select, started_sandbox, tap_in
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.behaviour.test_airbyte import RunSource
    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

__all__ = ["source"]  # a fixture

KEY = "a key of the tests: 0123456789"
OTHER_KEY = "another key of tests: 987654321"
PSEUDONYMIZE = {"personal_data": "pseudonymize", "hash_key": KEY}
STREAMS = ("customers", "sales", "events")
IDENTIFIERS = {
    *("email", "phone_number", "canonical_id", "cb_token", "customer_id", "customer_token"),
    *("sale_email", "sale_phone_number", "sale_customer_id"),
}
ATTRIBUTES = {
    *("first_name", "last_name", "street_address", "zip_code", "city", "company", "vat_number"),
    *("birth_date", "customer_company", "gender"),
}


def hashed(value: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()


def hash_settings(*names: str, key: str = KEY, **more: object) -> dict[str, Any]:
    return {"hash_key": key, "stream_options": {"customers": {"hash": [*names], **more}}}


def serve(server: Server, *rows: dict[str, Any], name: str = "customers") -> None:
    """Serve rows of one stream, each with an external_id, and none of the others."""
    with_ids = [{"external_id": str(number), **row} for number, row in enumerate(rows)]

    def reply(request: Request) -> Reply:
        requested = request.path.split("/")[3]
        return Reply({requested: with_ids if requested == name else []})

    server.answer = reply


# Hashes


VECTORS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"phone_number": "+358401234567"}, {"phone_number": hashed("+358401234567")}),
    ({"phone_number": " +358 "}, {"phone_number": hashed(" +358 ")}),
    ({"phone_number": 358}, {"phone_number": hashed("358")}),
    ({"first_name": "Äijälä 🎉"}, {"first_name": hashed("Äijälä 🎉")}),
    ({"email": " Aino@Example.COM\n"}, {"email": hashed("aino@example.com")}),
    ({"acme__mail": " A@b.C "}, {"acme__mail": hashed("a@b.c")}),
    ({"email": ""}, {"email": ""}),
    ({"email": "  "}, {"email": ""}),
    ({"email": None}, {"email": None}),
    ({"tags": ["vip", "uusi"]}, {"tags": [hashed("vip"), hashed("uusi")]}),
    ({"tags": []}, {"tags": []}),
    ({"can_email": True}, {"can_email": hashed("true")}),
    ({"acme__points": 12}, {"acme__points": hashed("12")}),
    ({"lifetime_value_month": 19.9}, {"lifetime_value_month": hashed("19.9")}),
    ({"birth_date": "1990-02-03T00:00:00"}, {"birth_date": hashed("1990-02-03")}),
    (
        {"date_joined": "2024-01-01T02:00:00+02:00"},
        {"date_joined": hashed("2024-01-01T00:00:00Z")},
    ),
]
HASHED_FIELDS = sorted({name for _, record in VECTORS for name in record} | {"external_id"})
CUSTOM_FIELDS = {"acme__points": "integer", "acme__mail": "email"}


@pytest.mark.parametrize("has_nul", [False, True], ids=["blocks", "row by row"])
def test_a_hash_is_the_hmac_of_the_value_that_would_be_written(
    run_tap: RunTap, server: Server, *, has_nul: bool
) -> None:
    rows = [row for row, _ in VECTORS]
    # A character that must be replaced, so that rows are decoded one by one.
    rows += [{"city": "\0"}] if has_nul else []
    serve(server, *rows)

    run = run_tap({**server.config, **hash_settings(*HASHED_FIELDS, custom_fields=CUSTOM_FIELDS)})

    assert run.exit_code == 0, run.log
    records = run.records("customers")
    assert [r.pop("external_id") for r in records] == [hashed(str(n)) for n in range(len(rows))]
    assert records[: len(VECTORS)] == [record for _, record in VECTORS]


@pytest.mark.parametrize("key", ["x" * 16, "y" * 64, "z" * 65, "ä" * 40, " with spaces around it "])
def test_any_hash_key_gives_the_hashes_of_the_standard_library(
    run_tap: RunTap, server: Server, key: str
) -> None:
    serve(server, {"email": "a@b.example"})

    run = run_tap({**server.config, **hash_settings("email", key=key)})

    assert [r["email"] for r in run.records("customers")] == [hashed("a@b.example", key)]


def test_the_schema_declares_hashes_with_and_without_a_catalog(
    run_tap: RunTap, server: Server
) -> None:
    config = {
        **server.config,
        **hash_settings("external_id", "email", "tags", "can_sms", "birth_date"),
    }
    by_discovery = select(json.loads(run_tap(config, "--discover").stdout), customers=True)

    schema = run_tap(config).schema("customers")

    assert {name: schema["properties"][name] for name in ("external_id", "email", "tags")} == {
        "external_id": {"description": "hashed", "type": "string"},
        "email": {"description": "hashed", "type": ["string", "null"]},
        "tags": {
            "description": "hashed",
            "type": ["array", "null"],
            "items": {"type": "string"},
        },
    }
    for name in ("can_sms", "birth_date"):
        hash_schema = {"description": "hashed", "type": ["string", "null"]}
        assert schema["properties"][name] == hash_schema
    assert run_tap(config, catalog=by_discovery).schema("customers") == schema
    assert run_tap(config, catalog=catalog(customers=True)).schema("customers") == schema
    # The catalog keeps the original type, so that the field can be read without hashes again.
    properties = entry_of(by_discovery)["schema"]["properties"]
    assert properties["can_sms"]["type"] == ["boolean", "null"]
    assert "hashed" in properties["can_sms"]["description"]
    assert properties["birth_date"]["format"] == "date"
    plain = run_tap(server.config, catalog=by_discovery).schema("customers")
    assert plain == run_tap(server.config).schema("customers")


def test_an_event_key_is_computed_from_hashes(run_tap: RunTap, server: Server) -> None:
    event = {"date": "2024-01-01T00:00:00.1234567Z", "email": "a@b.example", "type": "BROWSE"}
    options = {"events": {"hash": ["email", "acme__at"], "custom_fields": {"acme__at": "datetime"}}}
    config = {**server.config, "hash_key": KEY, "stream_options": options}
    selected = catalog(events=True)
    server.replies(Reply({"events": [event | {"acme__at": event["date"]}]}))
    entry_of(selected, "events")["schema"]["properties"]["acme__at"] = {
        "type": ["string", "null"],
        "format": "date-time",
    }

    (record,) = run_tap(config, catalog=selected).records("events")
    (other,) = run_tap(config | {"hash_key": OTHER_KEY}, catalog=selected).records("events")

    hashed_event = {**event, "email": hashed("a@b.example")}
    hashed_event["acme__at"] = hashed("2024-01-01T00:00:00.123456Z")
    line = json.dumps(hashed_event, sort_keys=True, separators=(",", ":"))
    assert record["event_key"] == hashlib.sha256(line.encode()).hexdigest()
    assert record["acme__at"] == hashed_event["acme__at"]
    assert other["event_key"] != record["event_key"]


def test_filters_are_sent_and_compared_without_hashing(run_tap: RunTap, server: Server) -> None:
    serve(server, {"email": "a@b.example", "can_email": True})
    config = {**server.config, **hash_settings("email", filters={"email": "a@b.example"})}

    run = run_tap(config)
    serve(server, {"email": "other@b.example"})
    other = run_tap(config)

    assert dict(server.requests[0].query)["email"] == "a@b.example"
    assert "a different string" not in run.log
    assert "a different string" in other.log
    assert "b.example" not in run.stdout + run.log + other.stdout + other.log


# pseudonymize


@pytest.fixture(scope="module", params=["transactions", "rows"])
def sales_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with started_sandbox(
        "--sales-shape", request.param, "--sales", "300", "--events", "400"
    ) as running:
        yield running


def discovered_catalog(run_tap: RunTap, config: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run_tap(config, "--discover").stdout)
    for entry in result["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] in STREAMS
    return result


def strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for element in value:
                yield from strings(element)
        case dict():
            yield from strings([*value.values()])
        case _:
            pass


def personal_values(raw: Run) -> tuple[set[str], set[str]]:
    """Return the values of raw records that identify a person, and all others about a person."""
    identifiers, others = set(), set()
    for name in STREAMS:
        for record in raw.records(name):
            is_person = name == "customers"
            for field, value in record.items():
                plain = field.removeprefix("sale_") if name == "sales" else field
                if field in IDENTIFIERS or (is_person and field == "external_id"):
                    identifiers |= {*strings(value)}
                elif plain in ATTRIBUTES or field.startswith("acme__"):
                    others |= {*strings(value)}
    return identifiers - {""}, others - {""}


def select_all(selected: dict[str, Any]) -> dict[str, Any]:
    """Select every field, as Meltano does for `*.*`; the settings take precedence."""
    for entry in selected["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"]:
                item["metadata"]["selected"] = True
    return selected


class Raw(NamedTuple):
    """A run with the raw values of the sandbox, and a catalog that selects all fields."""

    run: Run
    catalog: dict[str, Any]


@pytest.fixture(scope="module")
def raw(sales_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Raw:
    run_tap = tap_in(tmp_path_factory.mktemp("raw"))
    selected = select_all(discovered_catalog(run_tap, sales_sandbox.config))
    return Raw(run_tap(sales_sandbox.config, catalog=selected), selected)


def assert_no_personal_data(raw: Raw, output: str, messages: object) -> None:
    """Assert that no value about a person is in the output or its messages."""
    identifiers, others = personal_values(raw.run)
    assert len(identifiers) > 500
    assert len(others) > 100
    written = {*strings(messages)}
    assert not (identifiers | others) & written - impersonal_strings(raw.run)
    assert not [value for value in identifiers if value in output]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"response_format": "csv"},
        {
            "stream_maps": {
                n: {"copy": "record.get('email') or record.get('sale_email')"} for n in STREAMS
            }
        },
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"emit_activate_version_messages": True, "timezone": "Europe/Helsinki"},
    ],
    ids=["json", "csv", "stream maps", "flattening", "versions"],
)
def test_no_personal_data_is_written(
    run_tap: RunTap, sales_sandbox: Sandbox, raw: Raw, settings: dict[str, Any]
) -> None:
    config = {**sales_sandbox.config, **PSEUDONYMIZE, "page_size": 97, **settings}

    run = run_tap(config, catalog=raw.catalog)

    assert run.exit_code == 0, run.log
    for name in STREAMS:
        assert len(run.records(name)) == len(raw.run.records(name))
    assert_no_personal_data(raw, run.stdout + run.log, run.messages)


def test_batch_files_contain_no_personal_data(
    run_tap: RunTap, sales_sandbox: Sandbox, raw: Raw, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    encoding = {"format": "jsonl", "compression": "gzip"}
    batch = {"encoding": encoding, "storage": {"root": folder.as_uri()}}

    run = run_tap(
        {**sales_sandbox.config, **PSEUDONYMIZE, "batch_config": batch}, catalog=raw.catalog
    )

    assert run.exit_code == 0, run.log
    lines = [
        line for f in folder.iterdir() for line in gzip.decompress(f.read_bytes()).splitlines()
    ]
    assert len(lines) == sum(len(raw.run.records(name)) for name in STREAMS)
    output = b"\n".join(lines).decode() + run.stdout + run.log
    assert_no_personal_data(raw, output, [*map(json.loads, lines), *run.messages])


def test_airbyte_receives_no_personal_data(
    source: RunSource, sales_sandbox: Sandbox, raw: Raw
) -> None:
    config = {**sales_sandbox.config, **PSEUDONYMIZE}
    (offered,) = source("discover", config=config).of_type("catalog")
    selected = [
        configured_stream(found["name"]) for found in offered["streams"] if found["name"] in STREAMS
    ]
    for configured in selected:
        name = configured["stream"]["name"]
        configured["stream"] = next(found for found in offered["streams"] if found["name"] == name)

    run = source("read", config=config, catalog={"streams": selected})

    assert not run.errors
    for name in STREAMS:
        assert len(run.records(name)) == len(raw.run.records(name))
    output = json.dumps([offered, run.messages], ensure_ascii=False) + run.log
    assert_no_personal_data(raw, output, run.messages)
    assert "left out by personal_data" not in run.log


def impersonal_strings(raw: Run) -> set[str]:
    """Return the strings that are also in fields about things: `FI`, the name of a shop."""
    personal = {*IDENTIFIERS, *ATTRIBUTES, "path", "state", "tracking_number"}
    return {
        string
        for name in STREAMS
        for record in raw.records(name)
        for field, value in record.items()
        if field.removeprefix("sale_") not in personal and not field.startswith("acme__")
        for string in strings(value)
    } - {record["external_id"] for record in raw.records("customers")}


def test_streams_join_on_hashes_as_on_the_raw_values(
    run_tap: RunTap, sales_sandbox: Sandbox, raw: Raw
) -> None:
    config = {**sales_sandbox.config, **PSEUDONYMIZE}
    run = run_tap(config, catalog=raw.catalog)
    other = run_tap({**config, "hash_key": OTHER_KEY}, catalog=raw.catalog)
    customer = next(n for n in raw.run.schema("sales")["properties"] if n.endswith("customer_id"))

    def joins(run: Run) -> list[Counter[int]]:
        people = {record["external_id"] for record in run.records("customers")}
        counts = []
        for name, key in (("sales", customer), ("events", "customer_id")):
            keys = [record[key] for record in run.records(name) if record.get(key)]
            count = Counter(key for key in keys if key in people)
            assert count
            counts.append(Counter(count.values()))
        return counts

    assert joins(raw.run) == joins(run) == joins(other)
    assert "do not join" not in run.log
    ids, others = set(run.ids("customers")), set(other.ids("customers"))
    assert len(ids) == len(raw.run.ids("customers"))
    assert not ids & others


def test_json_and_csv_give_the_same_hashes(run_tap: RunTap, sandbox: Sandbox) -> None:
    options = {"customers": {"keep": ["city"], "hash": ["tags", "can_email", "last_login"]}}
    config = {**sandbox.config, **PSEUDONYMIZE, "stream_options": options}

    by_json, by_csv = (run_tap({**config, "response_format": name}) for name in ("json", "csv"))

    assert by_json.records("customers") == by_csv.records("customers")
    assert by_json.schema("customers") == by_csv.schema("customers")
    assert "city" in by_json.schema("customers")["properties"]


@pytest.mark.parametrize("has_catalog", [False, True], ids=["no catalog", "catalog"])
def test_fields_that_are_left_out_are_not_requested(
    run_tap: RunTap, server: Server, *, has_catalog: bool
) -> None:
    serve(server, {"email": "a@b.example"})
    custom = {"acme__a": "string", "acme__b": "string", "acme__c": "string"}
    options = {
        "hash": ["acme__b", "vat_number"],
        "keep": ["acme__c", "city"],
        "custom_fields": custom,
    }
    config = {**server.config, **PSEUDONYMIZE, "stream_options": {"customers": options}}
    selected = json.loads(run_tap(config, "--discover").stdout) if has_catalog else None
    server.requests.clear()

    run = run_tap(config, catalog=selected)

    requested = dict(server.requests[0].query)["fields"].split(",")
    assert {"external_id", "email", "vat_number", "city", "acme__b", "acme__c", "tags"} <= {
        *requested
    }
    assert not {"first_name", "street_address", "birth_date", "company", "acme__a"} & {*requested}
    assert [*run.schema("customers")["properties"]] == requested
    assert "Selected in the catalog" not in run.log


@pytest.mark.parametrize("kept", [[], ["acme__a"]])
def test_discovery_requests_no_records_to_suggest_types_of_fields_that_are_left_out(
    run_tap: RunTap, server: Server, kept: list[str]
) -> None:
    def answer(request: Request) -> Reply:
        if "csv" in dict(request.query).values():
            return Reply(b"external_id,type,date,acme__a,acme__b\n")
        return Reply({request.path.split("/")[3]: []})

    server.answer = answer
    options = {"stream_options": {"customers": {"keep": kept}}, "discover_custom_fields": True}

    run = run_tap({**server.config, **PSEUDONYMIZE, **options}, "--discover")

    assert run.exit_code == 0
    samples = [r.path for r in server.requests if ("limit", "1000") in r.query]
    assert samples == (["/api/data/customers/"] if kept else [])
    assert ('"acme__a": "string"' in run.log) is bool(kept)
    assert "acme__b" not in run.log


def test_discovery_shows_which_fields_are_hashed_and_left_out(
    run_tap: RunTap, source: RunSource, server: Server
) -> None:
    options = {"customers": {"custom_fields": {"acme__a": "string"}, "keep": ["city"]}}
    config = {**server.config, **PSEUDONYMIZE, "stream_options": options}

    catalog = json.loads(run_tap(config, "--discover").stdout)

    entry = entry_of(catalog)
    selected = {
        item["breadcrumb"][1]: item["metadata"].get("selected")
        for item in entry["metadata"]
        if item["breadcrumb"]
    }
    assert [selected[name] for name in ("first_name", "birth_date", "acme__a")] == [False] * 3
    assert [selected[name] for name in ("email", "city", "tags")] == [None] * 3
    assert "hashed" in entry["schema"]["properties"]["email"]["description"]
    assert "hashed" not in entry["schema"]["properties"]["city"]["description"]
    assert "x-" not in json.dumps(catalog)
    (offered,) = source("discover", config=config).of_type("catalog")
    (found,) = (found for found in offered["streams"] if found["name"] == "customers")
    fields = found["json_schema"]["properties"]
    assert fields["email"] == {"description": "hashed", "type": ["string", "null"]}
    assert not {"first_name", "acme__a"} & fields.keys()


def test_airbyte_hashes_the_original_value_although_its_catalog_declares_a_string(
    source: RunSource, server: Server
) -> None:
    serve(server, {"lifetime_value_month": 19.9, "date_joined": "2024-01-01"})
    config = {**server.config, **hash_settings("lifetime_value_month", "date_joined")}
    selected = configured_stream("customers", "external_id", "lifetime_value_month", "date_joined")

    run = source("read", config=config, catalog={"streams": [selected]})

    (record,) = run.records("customers")
    assert record["lifetime_value_month"] == hashed("19.9")
    assert record["date_joined"] == hashed("2024-01-01T00:00:00Z")


def test_selected_fields_that_the_settings_leave_out_are_named_in_one_line(
    run_tap: RunTap, server: Server
) -> None:
    serve(server, {})
    selected = catalog(customers=["external_id", "email", "first_name", "city"])

    run = run_tap({**server.config, **PSEUDONYMIZE}, catalog=selected)

    lines = [line for line in run.log.splitlines() if "left out by personal_data" in line]
    assert len(lines) == 1
    assert "first_name, city" in lines[0]
    assert "WARNING" in lines[0]
    assert {*run.schema("customers")["properties"]} == {"external_id", "email"}


def test_about_lists_the_personal_fields(run_tap: RunTap) -> None:
    listed = json.loads(run_tap(None, "--about", "--format", "json").stdout)["personal_data"]

    assert {"email", "external_id", "cb_token"} <= {*listed["customers"]["identifier"]}
    assert {"first_name", "vat_number"} <= {*listed["customers"]["attribute"]}
    assert "sale_customer_id" in listed["sales_as_rows"]["identifier"]
    assert {*listed} == {"customers", "sales", "sales_as_rows", "events"}
    assert "customers, identifiers: external_id" in run_tap(None, "--about").stdout
    assert "vat_number" in run_tap(None, "--about", "--format", "markdown").stdout


# Columns that join


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"customers": ["external_id"]}, ["sales.customer_id", "events.customer_id"]),
        ({"sales": ["customer_id"]}, ["customers.external_id", "events.customer_id"]),
        (
            {"customers": ["external_id"], "sales": ["customer_id"]},
            ["events.customer_id"],
        ),
        ({"sales": ["external_id"]}, ["events.sale_id"]),
        (
            {
                "customers": ["external_id"],
                "sales": ["customer_id"],
                "events": ["customer_id"],
            },
            [],
        ),
        ({"customers": ["first_name"]}, []),
    ],
)
def test_a_raw_column_that_no_longer_joins_with_a_hashed_one_is_named(
    run_tap: RunTap, server: Server, options: dict[str, list[str]], named: list[str]
) -> None:
    serve(server)
    hashes = {name: {"hash": fields} for name, fields in options.items()}
    config = {**server.config, "hash_key": KEY, "stream_options": hashes}

    run = run_tap(config, catalog=catalog(customers=True, sales=True, events=True))

    lines = [line for line in run.log.splitlines() if "do not join" in line]
    assert len(lines) == bool(named)
    assert all(name in lines[0].split("but not")[1] for name in named)


def test_a_raw_column_of_a_stream_that_is_not_read_is_not_named(
    run_tap: RunTap, server: Server
) -> None:
    serve(server)

    run = run_tap({**server.config, **hash_settings("external_id")})

    assert "do not join" not in run.log


# Invalid settings


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"personal_data": "pseudonymize"}, "hash_key: is missing"),
        ({"stream_options": {"customers": {"hash": ["email"]}}}, "hash_key: is missing"),
        (hash_settings("email", key="short"), "hash_key: must have at least 16 characters"),
        (hash_settings("email", key=""), "hash_key: must have at least 16 characters"),
        (hash_settings("email", key=" " * 20), "hash_key: must have at least 16 characters"),
        ({"personal_data": "hide"}, "personal_data: must be one of keep, pseudonymize"),
        (hash_settings("emails"), "customers.hash: there is no emails; did you mean email?"),
        (hash_settings("email", keep=["email"]), "customers.keep: email is hashed by"),
        (
            hash_settings("email", keep=["ctiy"]),
            "customers.keep: there is no ctiy; did you mean city?",
        ),
        (
            hash_settings("acme__o", custom_fields={"acme__o": "object"}),
            "customers.hash: acme__o is an object",
        ),
        (
            {"hash_key": KEY, "stream_options": {"products": {"hash": ["stock"]}}},
            "products.hash: stock is an object",
        ),
        (
            {"hash_key": KEY, "stream_options": {"products": {"hash": ["date"]}}},
            "products.hash: date is a replication key",
        ),
        (
            {"hash_key": KEY, "stream_options": {"events": {"hash": ["event_key"]}}},
            "events.hash: event_key is computed from the other properties",
        ),
    ],
)
@pytest.mark.parametrize("has_catalog", [False, True], ids=["no catalog", "catalog"])
def test_invalid_settings_of_hashing_are_rejected_before_any_request(
    run_tap: RunTap, server: Server, config: dict[str, Any], line: str, *, has_catalog: bool
) -> None:
    selected = incremental("products", "events", "sales") if has_catalog else None
    if selected:
        select(selected, customers=True, products=True, events=True)

    run = run_tap({**server.config, **config}, catalog=selected)

    assert run.exit_code == 1
    assert [line in error for error in run.errors] == [True], run.log
    assert server.requests == []
    assert KEY not in run.log


def test_the_hash_key_is_neither_written_nor_logged(run_tap: RunTap, server: Server) -> None:
    serve(server, {"email": "a@b.example"})

    run = run_tap(
        {**server.config, **hash_settings("email")}, env={"TAP_CUSTOBAR_LOGLEVEL": "DEBUG"}
    )

    assert run.exit_code == 0
    assert KEY not in run.stdout + run.log
    for encoded in (KEY.encode().hex(), base64.b64encode(KEY.encode()).decode()):
        assert encoded not in run.stdout + run.log


# State


def serve_links(server: Server, queries: Iterable[str]) -> None:
    """Serve a page of one row for each of these queries, which its next link has; then fail."""
    links = [*queries]

    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("page", "0"))
        if number == len(links):
            return Reply(status=403)
        row = {"external_id": f"C-{number}", "email": f"Aino.{number}@example.com"}
        return Reply({"customers": [row], "next_url": f"?page={number + 1}&{links[number]}"})

    server.answer = answer


def test_another_hash_key_causes_a_warning_and_restarts_the_sync(
    run_tap: RunTap, server: Server
) -> None:
    serve_links(server, ["a=1", "b=2"])
    config = {**server.config, **hash_settings("email")}
    state = run_tap(config).state
    assert state["bookmarks"]["customers"]["resume"]["next"].endswith("page=2&b=2")

    same = run_tap(config, state=state)
    other = run_tap({**config, **hash_settings("email", key=OTHER_KEY)}, state=state)
    again = run_tap({**config, **hash_settings("email", key=OTHER_KEY)}, state=other.state)

    assert "Resuming the interrupted sync" in same.log
    assert "hash_key differs" not in same.log + again.log
    assert "equal values now have different hashes" in other.log
    assert "Restarting the interrupted sync" in other.log
    assert len(other.records("customers")) == 2
    assert KEY not in json.dumps(state)
    assert OTHER_KEY not in other.stdout


def test_a_checkpoint_of_a_run_without_hashes_is_not_used(run_tap: RunTap, server: Server) -> None:
    serve_links(server, ["a=1", "b=2"])
    state = run_tap(server.config).state

    run = run_tap({**server.config, **hash_settings("email")}, state=state)

    assert "Restarting the interrupted sync" in run.log
    assert "hash_key differs" not in run.log
    assert len(run.records("customers")) == 2


@pytest.mark.parametrize("stream", ["customers", "products"])
def test_a_checkpoint_of_a_run_without_hashes_is_in_no_state(
    run_tap: RunTap, server: Server, stream: str
) -> None:
    """Whether the stream that it belongs to is still selected or not."""
    serve_links(server, ["after=Aino.0@example.com"])
    state = run_tap(server.config, catalog=catalog(customers=True)).state
    assert "Aino" in json.dumps(state)
    config = {**server.config, **PSEUDONYMIZE}

    run = run_tap(config, catalog=catalog(**{stream: True}), state=state)

    assert run.of_type("STATE")
    assert "Aino" not in run.stdout


def test_a_checkpoint_of_a_run_before_an_unselected_field_was_hashed_is_in_no_state(
    run_tap: RunTap, server: Server
) -> None:
    serve_links(server, ["after=Aino.0@example.com"])
    selected = catalog(customers=["country"])
    state = run_tap(server.config, catalog=selected).state
    assert "Aino" in json.dumps(state)

    run = run_tap({**server.config, **hash_settings("email")}, catalog=selected, state=state)

    assert len(run.records("customers")) == 1
    assert "Aino" not in run.stdout


def test_no_checkpoint_is_written_after_rows_were_skipped(run_tap: RunTap, server: Server) -> None:
    rows = [{"external_id": "1", "email": "a@example.com"}, {"email": EMAIL}]
    server.replies(Reply({"customers": rows, "next_url": f"?after={EMAIL}"}), Reply(status=403))

    run = run_tap({**server.config, **hash_settings("email")}, catalog=catalog(customers=True))

    assert len(run.records("customers")) == 1
    assert EMAIL not in run.stdout + run.log


EMAIL = "Aino.1@example.com"


@pytest.mark.parametrize(
    "cursor",
    [
        f"after={EMAIL}",
        f"after={quote(EMAIL)}",
        f"after={quote(quote(EMAIL))}",
        f"after={EMAIL.lower()}",
        f"after=email:{EMAIL},id:1",
        f"after={base64.urlsafe_b64encode(f'p={EMAIL}'.encode()).decode()}",
        f"after={base64.b64encode(quote(EMAIL).encode()).decode().rstrip('=')}",
        f"after={EMAIL.encode().hex()}",
        f"after={base64.b64encode(json.dumps([EMAIL]).encode()).decode()}.{'0' * 9}",
    ],
)
def test_no_checkpoint_is_written_that_shows_a_hashed_value(
    run_tap: RunTap, server: Server, cursor: str
) -> None:
    serve_links(server, ["n=0", cursor])

    run = run_tap({**server.config, **hash_settings("email")})

    assert len(run.records("customers")) == 2
    assert run.state["bookmarks"]["customers"]["resume"] is None
    assert cursor not in run.stdout
    assert "example.com" not in run.stdout


@pytest.mark.parametrize(
    "settings", [PSEUDONYMIZE, hash_settings("email")], ids=["pseudonymize", "hash"]
)
def test_no_checkpoint_is_written_that_shows_an_email_address_that_is_not_selected(
    run_tap: RunTap, server: Server, settings: dict[str, Any]
) -> None:
    serve_links(server, ["n=0", f"after={base64.b64encode(EMAIL.encode()).decode()}"])

    run = run_tap({**server.config, **settings}, catalog=catalog(customers=["country"]))

    assert len(run.records("customers")) == 2
    assert run.state["bookmarks"]["customers"]["resume"] is None


def test_a_checkpoint_is_written_if_a_short_hashed_value_is_only_part_of_a_word(
    run_tap: RunTap, server: Server
) -> None:
    serve_links(server, ["n=0", "after=xC-1x"])

    run = run_tap({**server.config, **hash_settings("external_id")})

    assert run.state["bookmarks"]["customers"]["resume"] is not None


def test_no_checkpoint_is_written_if_the_order_is_by_a_hashed_field(
    run_tap: RunTap, server: Server
) -> None:
    """A cursor may show a part of a value, which cannot be recognized."""
    serve_links(server, ["n=0", "after=Ain"])

    run = run_tap({**server.config, **hash_settings("email", order=["email"])})

    assert "after=Ain" not in run.stdout
    assert len(run.records("customers")) == 2


PRODUCT = {"external_id": "R1", "product_id": "P1", "quantity": 2, "product_title": "[New] Shoe"}
SALE_TYPES: list[dict[str, Any] | None] = [
    None,
    {"type": "string"},
    {},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {}},
    {"type": ["object", "null"]},
]


@pytest.mark.parametrize("definition", SALE_TYPES, ids=str)
@pytest.mark.parametrize("flattens", [False, True])
def test_products_of_sales_have_no_personal_data_and_no_unknown_members(
    run_tap: RunTap, server: Server, definition: dict[str, Any] | None, *, flattens: bool
) -> None:
    """In whatever form they come, and whatever type a catalog gives them."""
    more = {
        "sale_email": EMAIL,
        "email": EMAIL,
        "customer": {"email": EMAIL},
        "acme__engraving": EMAIL,
        "sale_coupon_codes": ["A", {"email": EMAIL}],
    }
    personal = {**PRODUCT, **more}
    sales = [
        [personal, "P2", {"note": EMAIL}, None],
        personal,
        json.dumps([personal]),
        [json.dumps(personal)],
        None,
        [],
    ]
    serve(server, *({"products": products} for products in sales), name="sales")
    selected = catalog(sales=True)
    if definition is not None:
        entry_of(selected, "sales")["schema"]["properties"]["products"] = definition
    flattening = {"flattening_enabled": True, "flattening_max_depth": 2} if flattens else {}

    run = run_tap({**server.config, **PSEUDONYMIZE, **flattening}, catalog=selected)

    assert EMAIL not in run.stdout + run.log
    if not flattens:
        assert [record["products"] for record in run.records("sales")] == [
            [PRODUCT, {"product_id": "P2"}, {}],
            [PRODUCT],
            [{}],
            [{}],
            None,
            [],
        ]
    line = (
        "Left out of products by personal_data, because they describe a person or are not "
        "documented: acme__engraving, customer, email, note, product_id, sale_coupon_codes, "
        "sale_email. To write them, name products in stream_options.sales.keep"
    )
    assert run.log.count(line) == 1


@pytest.mark.parametrize("write", [json.dumps, str])
def test_products_of_sales_in_csv_have_no_personal_data(
    run_tap: RunTap, server: Server, write: Callable[[object], str]
) -> None:
    """Neither as JSON nor as the text of a Python list, which no parser of JSON accepts."""
    cell = write([{**PRODUCT, "email": EMAIL, "sale_email": EMAIL}]).replace('"', '""')
    server.answer = lambda _: Reply(f'external_id,products\n1,"{cell}"\n'.encode())
    config = {**server.config, **PSEUDONYMIZE, "response_format": "csv"}

    run = run_tap(config, catalog=catalog(sales=["products"]))

    assert [record["products"] for record in run.records("sales")] == [
        [PRODUCT if write is json.dumps else {}]
    ]
    assert EMAIL not in run.stdout + run.log


def test_products_of_sales_that_the_settings_keep_are_unchanged(
    run_tap: RunTap, server: Server
) -> None:
    products = [{**PRODUCT, "note": "x", "customer": {"email": EMAIL}}]
    serve(server, {"products": products}, name="sales")
    options = {"sales": {"keep": ["products"]}}

    run = run_tap(
        {**server.config, **PSEUDONYMIZE, "stream_options": options}, catalog=catalog(sales=True)
    )

    assert [record["products"] for record in run.records("sales")] == [products]
    assert "Left out of products" not in run.log


def test_no_checkpoint_is_written_if_the_order_is_by_a_field_that_is_left_out(
    run_tap: RunTap, server: Server
) -> None:
    serve_links(server, ["n=0", "after=Virtanen"])
    options = {"customers": {"order": ["-last_name"]}}

    run = run_tap({**server.config, **PSEUDONYMIZE, "stream_options": options})

    assert "Virtanen" not in run.stdout
    assert len(run.records("customers")) == 2
