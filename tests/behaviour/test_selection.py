from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox
    from tests.server import Request, Server

Catalog = dict[str, Any]


def test_only_selected_fields_are_requested_and_written(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi", "city": "Oulu"}]}))

    run = run_tap(server.config, catalog=catalog(customers=["last_name", "email"]))

    assert dict(server.requests[0].query)["fields"] == "external_id,email,last_name"
    assert list(run.schema("customers")["properties"]) == ["external_id", "email", "last_name"]
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]


def test_fields_is_not_sent_if_all_are_selected(run_tap: RunTap, server: Server) -> None:
    run_tap(server.config, catalog=catalog(customers=True))

    assert [name for name, _ in server.requests[0].query] == ["limit"]


def test_selected_fields_have_the_values_of_a_full_read(run_tap: RunTap, sandbox: Sandbox) -> None:
    selected = ["email", "mailing_lists", "can_email"]
    full = run_tap(sandbox.config).records("customers")

    run = run_tap(sandbox.config, catalog=catalog(customers=selected))

    assert run.records("customers") == [
        {k: v for k, v in record.items() if k in {"external_id", *selected}} for record in full
    ]


def test_the_primary_key_is_written_regardless_of_the_catalog(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi"}]}))
    selected = catalog(customers=["email"])
    entry = entry_of(selected)
    del entry["key_properties"]
    del entry["schema"]["properties"]["external_id"]
    entry["metadata"] = [
        {"breadcrumb": [], "metadata": {"selected": True}},
        {"breadcrumb": ["properties", "external_id"], "metadata": {"selected": False}},
    ]

    run = run_tap(server.config, catalog=selected)

    assert run.of_type("SCHEMA")[0]["key_properties"] == ["external_id"]
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]


def test_a_property_that_is_not_in_the_schema_of_the_catalog_is_not_requested(
    run_tap: RunTap, server: Server
) -> None:
    selected = catalog(customers=True)
    entry = entry_of(selected)
    entry["schema"]["properties"] = {
        name: entry["schema"]["properties"][name] for name in ("external_id", "email")
    }

    run_tap(server.config, catalog=selected)

    assert dict(server.requests[0].query)["fields"] == "external_id,email"


def test_a_selected_stream_that_does_not_exist_is_rejected_by_name(
    run_tap: RunTap, server: Server
) -> None:
    selected = catalog(customers=True)
    selected["streams"].append({**entry_of(selected), "tap_stream_id": "custmers"})

    run = run_tap(server.config, catalog=selected)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "selects a stream custmers, which does not exist" in run.errors[0]
    assert server.requests == []


def test_a_replication_key_that_a_stream_does_not_have_is_rejected_by_name(
    run_tap: RunTap, server: Server
) -> None:
    selected = catalog(customers=True)
    entry_of(selected)["metadata"][-1]["metadata"]["replication-key"] = "date_joined"

    run = run_tap(server.config, catalog=selected)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "replication-key date_joined is not valid for customers" in run.errors[0]


def test_all_fields_are_requested_if_their_names_are_too_long_for_a_url(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi", "city": "Oulu"}]}))
    selected = catalog(customers=True)
    entry = entry_of(selected)
    for number in range(300):
        entry["schema"]["properties"][f"acme__{number:030}"] = {"type": ["string", "null"]}
    entry["metadata"] += metadata_of(("city", False))

    run = run_tap(server.config, catalog=selected)

    assert "fields" not in dict(server.requests[0].query)
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]
    assert "discarded" not in run.log


@pytest.mark.parametrize(
    ("definition", "value", "expected"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "12", 12),
        (
            {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "2024-05-01T12:00:00+03:00",
            "2024-05-01T09:00:00Z",
        ),
        ({"type": ["null"]}, 5, None),
        ({"type": ["string", "null"], "enum": ["a"]}, "b", "b"),
        ({"type": ["string", "null"], "maxLength": 1}, "long", "long"),
        ({"type": ["integer", "null"], "minimum": 10}, 5, 5),
        ({"type": ["string", "null"], "format": "email"}, "no address", "no address"),
        ({"type": ["object", "null"], "required": ["a"]}, {"b": 1}, {"b": 1}),
        ({"type": ["object", "null"], "additionalProperties": False}, {"b": 1}, {"b": 1}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_records_fit_the_written_schema_regardless_of_the_definitions_in_the_catalog(
    run_tap: RunTap,
    server: Server,
    definition: object,
    value: object,
    expected: object,
) -> None:
    server.replies(Reply({"customers": [{"external_id": 1, "acme__x": value}]}))
    selected = catalog(customers=True)
    properties = entry_of(selected)["schema"]["properties"]
    properties["acme__x"] = definition
    properties["external_id"] = {"type": "integer"}  # the type of a key does not change

    run = run_tap(server.config, catalog=selected)

    assert run.records("customers") == [{"external_id": "1", "acme__x": expected}]


def test_a_catalog_that_selects_no_stream_is_logged(run_tap: RunTap, server: Server) -> None:
    run = run_tap(server.config, catalog=catalog())

    assert run.exit_code == 0
    assert "The catalog selects no stream: nothing is read" in run.log
    assert server.requests == []


@pytest.mark.parametrize("first_option", ["--test", "--catalog"])
def test_the_option_test_reads_only_the_streams_of_the_catalog(
    run_tap: RunTap,
    server: Server,
    tmp_path: Path,
    first_option: str,
) -> None:
    rows = [{"external_id": str(i)} for i in range(5)]
    server.replies(Reply({"customers": rows}))
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(catalog(customers=True)))
    arguments = ["--catalog", str(file), "--test"]
    if first_option == "--test":
        arguments = ["--test", "--catalog", str(file)]

    run = run_tap({**server.config, "discover_custom_fields": True}, *arguments)

    assert run.exit_code == 0
    assert [r.target for r in server.requests] == ["/api/data/customers/?limit=2"]
    assert run.ids("customers") == ["0"]


CSV = {"Content-Type": "text/csv"}


def entry(**content: object) -> Catalog:
    """Return a catalog with only the given content of the entry for customers."""
    return {"streams": [{"tap_stream_id": "customers", "stream": "customers", **content}]}


def metadata_of(*selections: tuple[str, bool]) -> list[dict[str, Any]]:
    """Return metadata that select or deselect properties, or the stream, whose name is ""."""
    return [
        {"breadcrumb": ["properties", name] if name else [], "metadata": {"selected": is_selected}}
        for name, is_selected in selections
    ]


STRING = {"type": ["null", "string"]}


@pytest.mark.parametrize(
    "schema", [{}, {"schema": {}}, {"schema": None}, {"schema": {"type": "object"}}], ids=str
)
def test_without_a_schema_in_the_catalog_the_shipped_one_is_used(
    run_tap: RunTap, server: Server, schema: dict[str, Any]
) -> None:
    row = {"external_id": "1", "email": "a@b.fi", "acme__points": 5}
    server.replies(Reply({"customers": [row]}))
    options = {"customers": {"custom_fields": {"acme__points": "integer"}}}

    run = run_tap(
        {**server.config, "stream_options": options},
        catalog=entry(metadata=metadata_of(("", True)), **schema),
    )

    assert run.records("customers") == [row]
    assert "first_name" in run.schema("customers")["properties"]


@pytest.mark.parametrize(
    ("content", "is_read"),
    [
        ({"selected": True}, True),
        ({"selected": False}, False),
        ({"selected": "true"}, True),
        ({"schema": {"selected": True}}, True),
        ({"schema": {"selected": False}}, False),
        ({"schema": {"selected": True}, "metadata": []}, True),
        ({"selected": True, "metadata": metadata_of(("email", True))}, True),
        ({"selected": True, "metadata": metadata_of(("", False))}, False),
        ({"selected": False, "metadata": metadata_of(("", True))}, True),
        ({"selected": True, "metadata": [{"breadcrumb": [], "metadata": {}}]}, True),
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected": "false"}}]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_stream_may_be_selected_in_each_place_of_the_catalog(
    run_tap: RunTap, server: Server, content: dict[str, Any], *, is_read: bool
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi"}]}))

    run = run_tap(server.config, catalog=entry(**content))

    assert run.exit_code == 0
    assert bool(server.requests) == is_read
    assert bool(run.of_type("RECORD")) == is_read


@pytest.mark.parametrize(
    ("properties", "metadata", "expected"),
    [
        ({"email": {**STRING, "selected": True}}, [], ["external_id", "email"]),
        ({"email": {**STRING, "selected": False}, "city": STRING}, [], ["external_id", "city"]),
        ({"email": {**STRING, "selected": "false"}, "city": STRING}, [], ["external_id", "city"]),
        ({"external_id": {**STRING, "selected": False}}, [], ["external_id"]),
        (
            {"email": {**STRING, "selected": False}, "city": {**STRING, "selected": True}},
            metadata_of(("email", True), ("city", False)),
            ["external_id", "email"],
        ),
    ],
    ids=str,
)
def test_a_property_may_be_selected_in_each_place_of_the_catalog(
    run_tap: RunTap,
    server: Server,
    properties: dict[str, Any],
    metadata: list[dict[str, Any]],
    expected: list[str],
) -> None:
    row = {"external_id": "1", "email": "a@b.fi", "city": "Oulu"}
    server.replies(Reply({"customers": [row]}))
    schema = {"properties": {"external_id": STRING, **properties}, "selected": True}

    run = run_tap(server.config, catalog=entry(schema=schema, metadata=metadata))

    assert run.records("customers") == [{name: row[name] for name in expected}]
    assert list(run.schema("customers")["properties"]) == expected


OBJECT: dict[str, Any] = {"type": ["null", "object"], "properties": {"a": STRING, "b": STRING}}
NESTED = {
    "external_id": STRING,
    "prefs": {**OBJECT, "properties": {**OBJECT["properties"], "deep": OBJECT}},
    "lines": {"type": ["null", "array"], "items": OBJECT},
    "free": {"type": ["null", "object"]},
}
NESTED_ROW = {
    "external_id": "1",
    "prefs": {"a": "1", "b": "2", "deep": {"a": "1", "b": "2"}},
    "lines": [{"a": "1", "b": "2"}, {"b": "2"}, {"a": None}],
    "free": {"a": "1", "b": [{"c": "3"}, {"d": "4"}]},
}
SELECTED_ROW = {
    "external_id": "1",
    "prefs": {"a": "1", "deep": {"b": "2"}},
    "lines": [{"b": "2"}, {"b": "2"}, {}],
    "free": {"b": [{}, {"d": "4"}]},
}
DESELECTED = [
    ["properties", "prefs", "properties", "b"],
    ["properties", "prefs", "properties", "deep", "properties", "a"],
    ["properties", "lines", "items", "properties", "a"],
    ["properties", "free", "properties", "a"],
    ["properties", "free", "properties", "b", "items", "properties", "c"],
]


def nested_catalog() -> Catalog:
    nested = [{"breadcrumb": path, "metadata": {"selected": False}} for path in DESELECTED]
    schema = {"type": "object", "properties": NESTED}
    return entry(schema=schema, metadata=[*metadata_of(("", True)), *nested])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"stream_maps": {"customers": {"external_id": "external_id"}}},
        {"response_format": "csv"},
    ],
    ids=str,
)
def test_a_deselected_property_of_an_object_is_not_written(
    run_tap: RunTap, server: Server, config: dict[str, Any]
) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    if "response_format" in config:
        cells = [json.dumps(value).replace('"', '""') for value in NESTED_ROW.values()]
        body = f'{",".join(NESTED_ROW)}\n{",".join(f""""{cell}" """.strip() for cell in cells)}\n'
        server.replies(Reply(body.replace('"""1"""', "1").encode(), headers=CSV))

    run = run_tap({**server.config, **config}, catalog=nested_catalog())

    properties = run.schema("customers")["properties"]
    assert list(properties["prefs"]["properties"]) == ["a", "deep"]
    assert list(properties["prefs"]["properties"]["deep"]["properties"]) == ["b"]
    assert list(properties["lines"]["items"]["properties"]) == ["b"]
    assert run.records("customers") == [SELECTED_ROW]


def test_a_deselected_property_of_an_object_is_not_in_batch_files(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path / "batches")}}

    run = run_tap({**server.config, "batch_config": batch}, catalog=nested_catalog())

    (file,) = (tmp_path / "batches").iterdir()
    assert run.exit_code == 0
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == [SELECTED_ROW]


def test_a_breadcrumb_of_an_array_element_may_omit_items(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    catalog = nested_catalog()
    for item in catalog["streams"][0]["metadata"]:
        if item["breadcrumb"] == ["properties", "lines", "items", "properties", "a"]:
            item["breadcrumb"] = ["properties", "lines", "properties", "a"]

    run = run_tap(server.config, catalog=catalog)

    assert "a" not in run.schema("customers")["properties"]["lines"]["items"]["properties"]
    assert run.records("customers")[0]["lines"] == SELECTED_ROW["lines"]


@pytest.mark.parametrize(
    ("deselected", "selected", "name"),
    [
        (["properties", "prefs"], ["properties", "prefs", "properties", "b"], "prefs"),
        (["properties", "lines"], ["properties", "lines", "items", "properties", "a"], "lines"),
        (
            ["properties", "prefs", "properties", "deep"],
            ["properties", "prefs", "properties", "deep", "properties", "a"],
            "prefs.deep",
        ),
    ],
)
def test_a_deselected_object_with_selected_properties_is_named(
    run_tap: RunTap, server: Server, deselected: list[str], selected: list[str], name: str
) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    nested = [{"breadcrumb": deselected, "metadata": {"selected": False}}]
    nested += [{"breadcrumb": selected, "metadata": {"selected": True}}]
    schema = {"type": "object", "properties": NESTED}

    def run(*, is_selected: bool) -> str:
        metadata = [*metadata_of(("", is_selected)), *nested]
        return run_tap(server.config, catalog=entry(schema=schema, metadata=metadata)).log

    warning = f"customers: {name} is not selected in the catalog, although members of it are"
    assert run(is_selected=True).count(warning) == 1
    assert "although members" not in run(is_selected=False)


def test_another_name_for_a_stream_in_the_catalog_has_no_effect(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1"}]}))
    selected = catalog(customers=True)
    entry_of(selected)["stream"] = "clients"

    run = run_tap(server.config, catalog=selected)

    assert run.exit_code == 0
    assert run.ids("customers") == ["1"]
    assert "The catalog has another name for the stream customers, which has no effect" in run.log


@pytest.mark.parametrize(
    "definition",
    [
        5,
        [],
        {"type": "array", "items": [STRING]},
        {"type": "object", "properties": [STRING]},
        {"type": "object", "properties": {"a": 5}},
    ],
    ids=str,
)
def test_a_catalog_with_an_invalid_definition_is_rejected(
    run_tap: RunTap, server: Server, definition: object
) -> None:
    schema = {"type": "object", "properties": {"external_id": STRING, "acme__x": definition}}

    run = run_tap(server.config, catalog=entry(schema=schema, selected=True))

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "is not a Singer catalog" in run.errors[0]
    assert server.requests == []


@pytest.mark.parametrize(
    "definition",
    [
        {"type": 5},
        {"type": {"string": 1}},
        {"type": ["text", "null"]},
        {"type": [["string"], "null"]},
        {"anyOf": 5},
        {"anyOf": {"type": "string"}},
        {"anyOf": [5, None]},
        {"type": "string", "format": ["date"]},
    ],
    ids=str,
)
def test_an_invalid_keyword_of_a_definition_is_ignored(
    run_tap: RunTap, server: Server, definition: object
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "acme__x": "a"}]}))
    schema = {"type": "object", "properties": {"external_id": STRING, "acme__x": definition}}

    run = run_tap(server.config, catalog=entry(schema=schema, selected=True))

    assert run.exit_code == 0
    assert run.ids("customers") == ["1"]


def test_partitions_in_the_state_of_another_tap_do_not_repeat_a_stream(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1"}]}))
    partitions = [{"context": {"shop": "a"}}, {"context": {"shop": "b"}}]
    state = {"bookmarks": {"customers": {"partitions": partitions}}}

    run = run_tap(server.config, catalog=catalog(customers=True), state=state)

    assert run.ids("customers") == ["1"]


@pytest.mark.parametrize(
    "definition",
    [
        {"properties": {"a": {"type": "integer"}}},
        {"items": {"type": "integer"}},
        {"anyOf": [{"$ref": "#/a"}, {"type": "null"}]},
        {"oneOf": [{"enum": ["a", {"a": "b"}]}, {"type": "null"}]},
    ],
    ids=str,
)
def test_a_property_of_any_type_in_the_catalog_keeps_its_values(
    run_tap: RunTap, server: Server, definition: Catalog
) -> None:
    values = ["a", {"a": "b"}, ["a"], None]
    rows = [{"external_id": str(n), "email": value} for n, value in enumerate(values)]
    server.replies(Reply({"customers": rows}))
    edited = catalog(customers=True)
    entry_of(edited)["schema"]["properties"]["email"] = definition

    run = run_tap(server.config, catalog=edited)

    assert run.records("customers") == rows
    assert "did not match" not in run.log


def test_the_schema_of_a_stream_is_an_object_whatever_its_catalog_says(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1"}]}))
    edited = catalog(customers=True)
    entry_of(edited)["schema"]["type"] = "string"

    assert run_tap(server.config, catalog=edited).ids("customers") == ["1"]


@pytest.mark.parametrize("sandbox_fixture", ["sandbox", "untidy_sandbox"])
def test_the_schema_is_the_same_with_and_without_a_catalog(
    run_tap: RunTap, request: pytest.FixtureRequest, sandbox_fixture: str
) -> None:
    config = request.getfixturevalue(sandbox_fixture).config
    discovered = json.loads(run_tap(config, "--discover").stdout)

    without_catalog = run_tap(config, "--test")
    with_catalog = run_tap(config, "--test", catalog=discovered)

    schemas = [
        [line for line in run.stdout.splitlines() if "SCHEMA" in line[:20]]
        for run in (without_catalog, with_catalog)
    ]
    assert schemas[0] == schemas[1]
    assert len(schemas[0]) == 2
    assert "$schema" not in schemas[0][0]


@pytest.mark.parametrize("option", ["--test", "--test=all", "--test=records", "--test=schema"])
@pytest.mark.parametrize("has_catalog", [True, False])
def test_the_option_test_of_any_value_leaves_out_what_is_not_selected(
    run_tap: RunTap, server: Server, option: str, *, has_catalog: bool
) -> None:
    def answer(request: Request) -> Reply:
        name = request.path.split("/")[3]
        is_allowed = name in {"customers", "products"}
        return Reply({name: [{"external_id": "1"}]}) if is_allowed else Reply(status=403)

    server.answer = answer
    selected = catalog(customers=True, products=True) if has_catalog else None

    run = run_tap(server.config, option, catalog=selected)

    assert run.exit_code == 0
    assert [m["stream"] for m in run.of_type("SCHEMA")] == ["customers", "products"]
    assert all(m["schema"]["properties"] for m in run.of_type("SCHEMA"))
    records = [] if option == "--test=schema" else ["1"]
    assert run.ids("customers") == run.ids("products") == records
    assert bool(server.requests) == bool(records)


@pytest.mark.parametrize("option", ["--test", "--test=all", "--test=records"])
def test_the_option_test_of_any_value_reports_all_streams_that_fail(
    run_tap: RunTap, server: Server, option: str
) -> None:
    server.answer = lambda _: Reply(status=403)

    run = run_tap(server.config, option)

    assert run.exit_code == 1
    assert [error.split(":")[0] for error in run.errors] == ["customers failed", "products failed"]


@pytest.mark.parametrize("value", ["x", "", "Schema", "record"])
def test_another_value_of_the_option_test_is_rejected(
    run_tap: RunTap, server: Server, value: str
) -> None:
    run = run_tap(server.config, f"--test={value}")

    assert run.exit_code == 2
    assert run.stdout == ""
    assert len(run.log.splitlines()) == 1
    assert run.errors == ["--test: must be one of all, records, schema"]
    assert server.requests == []


@pytest.mark.parametrize(("count", "is_named"), [(25, True), (30, False), (90, False)])
def test_a_query_that_names_fields_leaves_room_for_the_cursor_of_next_url(
    run_tap: RunTap, server: Server, count: int, *, is_named: bool
) -> None:
    """A server may repeat the query in `next_url` with every comma percent-encoded."""
    selected = catalog(customers=True)
    entry = entry_of(selected)
    for number in range(count):
        name = f"яблоко__лояльность_баллы_{number}"
        entry["schema"]["properties"][name] = {"type": ["string", "null"]}
    entry["metadata"] += metadata_of(("city", False))

    def answer(request: Request) -> Reply:
        query = dict(request.query)
        if "cursor" in query:
            return Reply({"customers": [{"external_id": "2"}]})
        link = f"?{urlencode({**query, 'cursor': 'x' * 2_000})}"
        return Reply({"customers": [{"external_id": "1"}], "next_url": link})

    server.answer = answer

    run = run_tap(server.config, catalog=selected)

    assert run.exit_code == 0
    assert run.ids("customers") == ["1", "2"]
    assert ("fields" in dict(server.requests[0].query)) is is_named


@pytest.mark.parametrize(
    ("response_format", "body"),
    [
        ("json", b'{"customers": [{"external_id": "1", "city": "Oulu", "Size, cm": "44"}]}'),
        ("csv", b'external_id,city,"Size, cm",first_name\n1,Oulu,44,\n'),
    ],
)
def test_a_selected_field_may_have_a_comma_in_its_name(
    run_tap: RunTap, server: Server, response_format: str, body: bytes
) -> None:
    server.replies(Reply(body))
    selected = catalog(customers=True)
    entry = entry_of(selected)
    entry["schema"]["properties"]["Size, cm"] = {"type": ["string", "null"]}
    entry["metadata"] += metadata_of(("city", False))

    run = run_tap({**server.config, "response_format": response_format}, catalog=selected)

    is_csv = response_format == "csv"
    assert run.records("customers") == [{"external_id": "1", "Size, cm": "44"}]
    assert "fields" not in dict(server.requests[0].query)
    assert run.log.count("Requesting all fields") == 1
    assert bool(run.warnings) is is_csv


def test_a_deselected_field_with_a_comma_in_its_name_changes_nothing(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "city": "Oulu"}]}))
    selected = catalog(customers=["city"])
    entry = entry_of(selected)
    entry["schema"]["properties"]["Size, cm"] = {"type": ["string", "null"]}
    entry["metadata"] += metadata_of(("Size, cm", False))

    run = run_tap(server.config, catalog=selected)

    assert dict(server.requests[0].query)["fields"] == "external_id,city"
    assert "Requesting all fields" not in run.log
