from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog
from tests.conftest import entry_of
from tests.server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox
    from tests.server import Server

Catalog = dict[str, Any]


def test_three_selected_fields_are_all_that_is_asked_for_and_emitted(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi", "city": "Oulu"}]}))

    run = run_tap(server.config, catalog=catalog(customers=["last_name", "email"]))

    assert dict(server.requests[0].query)["fields"] == "external_id,email,last_name"
    assert list(run.schema("customers")["properties"]) == ["external_id", "email", "last_name"]
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]


def test_no_fields_are_named_when_all_are_selected(run_tap: RunTap, server: Server) -> None:
    run_tap(server.config, catalog=catalog(customers=True))

    assert [name for name, _ in server.requests[0].query] == ["limit"]


def test_selected_fields_have_the_values_of_a_full_read(run_tap: RunTap, sandbox: Sandbox) -> None:
    wanted = ["email", "mailing_lists", "can_email"]
    full = run_tap(sandbox.config).records("customers")

    run = run_tap(sandbox.config, catalog=catalog(customers=wanted))

    assert run.records("customers") == [
        {k: v for k, v in record.items() if k in {"external_id", *wanted}} for record in full
    ]


def test_the_key_is_kept_whatever_an_edited_catalog_says(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi"}]}))
    chosen = catalog(customers=["email"])
    entry = entry_of(chosen)
    del entry["key_properties"]
    del entry["schema"]["properties"]["external_id"]
    entry["metadata"] = [
        {"breadcrumb": [], "metadata": {"selected": True}},
        {"breadcrumb": ["properties", "external_id"], "metadata": {"selected": False}},
    ]

    run = run_tap(server.config, catalog=chosen)

    assert run.of_type("SCHEMA")[0]["key_properties"] == ["external_id"]
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]


def test_a_property_dropped_from_the_catalogs_schema_is_not_asked_for(
    run_tap: RunTap, server: Server
) -> None:
    chosen = catalog(customers=True)
    entry = entry_of(chosen)
    entry["schema"]["properties"] = {
        name: entry["schema"]["properties"][name] for name in ("external_id", "email")
    }

    run_tap(server.config, catalog=chosen)

    assert dict(server.requests[0].query)["fields"] == "external_id,email"


def test_a_selected_stream_that_does_not_exist_is_refused_by_name(
    run_tap: RunTap, server: Server
) -> None:
    chosen = catalog(customers=True)
    chosen["streams"].append({**entry_of(chosen), "tap_stream_id": "custmers"})

    run = run_tap(server.config, catalog=chosen)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "selects a stream custmers, which does not exist" in run.errors[0]
    assert server.requests == []


def test_a_replication_key_that_a_stream_does_not_have_is_refused_by_name(
    run_tap: RunTap, server: Server
) -> None:
    chosen = catalog(customers=True)
    entry_of(chosen)["metadata"][-1]["metadata"]["replication-key"] = "date_joined"

    run = run_tap(server.config, catalog=chosen)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "replication-key date_joined is not valid for customers" in run.errors[0]


def test_too_many_fields_to_name_are_all_read_and_the_rest_dropped(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi", "city": "Oulu"}]}))
    chosen = catalog(customers=True)
    entry = entry_of(chosen)
    for number in range(300):
        entry["schema"]["properties"][f"acme__{number:030}"] = {"type": ["string", "null"]}
    entry["metadata"].append(
        {"breadcrumb": ["properties", "city"], "metadata": {"selected": False}}
    )

    run = run_tap(server.config, catalog=chosen)

    assert "fields" not in dict(server.requests[0].query)
    assert run.records("customers") == [{"external_id": "1", "email": "a@b.fi"}]
    assert "discarded" not in run.log


@pytest.mark.parametrize(
    ("definition", "value", "kept"),
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
def test_whatever_an_edited_catalog_demands_records_fit_the_schema_that_is_written(
    run_tap: RunTap,
    server: Server,
    definition: object,
    value: object,
    kept: object,
) -> None:
    server.replies(Reply({"customers": [{"external_id": 1, "acme__x": value}]}))
    chosen = catalog(customers=True)
    properties = entry_of(chosen)["schema"]["properties"]
    properties["acme__x"] = definition
    properties["external_id"] = {"type": "integer"}  # a key stays what it is

    run = run_tap(server.config, catalog=chosen)

    assert run.records("customers") == [{"external_id": "1", "acme__x": kept}]


def test_a_catalog_that_selects_nothing_is_told(run_tap: RunTap, server: Server) -> None:
    run = run_tap(server.config, catalog=catalog())

    assert run.exit_code == 0
    assert "The catalog selects no stream: nothing is read" in run.log
    assert server.requests == []


@pytest.mark.parametrize("first", ["--test", "--catalog"])
def test_the_test_verb_heeds_the_catalog(
    run_tap: RunTap,
    server: Server,
    tmp_path: Path,
    first: str,
) -> None:
    rows = [{"external_id": str(i)} for i in range(5)]
    server.replies(Reply({"customers": rows}))
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(catalog(customers=True)))
    arguments = ["--catalog", str(file), "--test"]
    if first == "--test":
        arguments = ["--test", "--catalog", str(file)]

    run = run_tap({**server.config, "discover_custom_fields": True}, *arguments)

    assert run.exit_code == 0
    assert [r.target for r in server.requests] == ["/api/data/customers/?limit=2"]
    assert run.ids("customers") == ["0"]


CSV = {"Content-Type": "text/csv"}


def entry(**content: object) -> Catalog:
    """Return a catalog with a hand-written entry for customers."""
    return {"streams": [{"tap_stream_id": "customers", "stream": "customers", **content}]}


def chosen(*places: tuple[str, bool]) -> list[dict[str, Any]]:
    """Return metadata that select the stream ("") or its properties, or do not."""
    return [
        {"breadcrumb": ["properties", name] if name else [], "metadata": {"selected": is_selected}}
        for name, is_selected in places
    ]


TEXT = {"type": ["null", "string"]}


@pytest.mark.parametrize(
    "schema", [{}, {"schema": {}}, {"schema": None}, {"schema": {"type": "object"}}], ids=str
)
def test_without_a_schema_in_the_catalog_the_shipped_one_serves(
    run_tap: RunTap, server: Server, schema: dict[str, Any]
) -> None:
    row = {"external_id": "1", "email": "a@b.fi", "acme__points": 5}
    server.replies(Reply({"customers": [row]}))
    options = {"customers": {"custom_fields": {"acme__points": "integer"}}}

    run = run_tap(
        {**server.config, "stream_options": options},
        catalog=entry(metadata=chosen(("", True)), **schema),
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
        ({"selected": True, "metadata": chosen(("email", True))}, True),
        ({"selected": True, "metadata": chosen(("", False))}, False),
        ({"selected": False, "metadata": chosen(("", True))}, True),
        ({"selected": True, "metadata": [{"breadcrumb": [], "metadata": {}}]}, True),
        ({"metadata": [{"breadcrumb": [], "metadata": {"selected": "false"}}]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_stream_is_selected_wherever_the_catalog_says_so(
    run_tap: RunTap, server: Server, content: dict[str, Any], *, is_read: bool
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "email": "a@b.fi"}]}))

    run = run_tap(server.config, catalog=entry(**content))

    assert run.exit_code == 0
    assert bool(server.requests) == is_read
    assert bool(run.of_type("RECORD")) == is_read


@pytest.mark.parametrize(
    ("properties", "metadata", "kept"),
    [
        ({"email": {**TEXT, "selected": True}}, [], ["external_id", "email"]),
        ({"email": {**TEXT, "selected": False}, "city": TEXT}, [], ["external_id", "city"]),
        ({"email": {**TEXT, "selected": "false"}, "city": TEXT}, [], ["external_id", "city"]),
        ({"external_id": {**TEXT, "selected": False}}, [], ["external_id"]),
        (
            {"email": {**TEXT, "selected": False}, "city": {**TEXT, "selected": True}},
            chosen(("email", True), ("city", False)),
            ["external_id", "email"],
        ),
    ],
    ids=str,
)
def test_a_property_is_selected_wherever_the_catalog_says_so(
    run_tap: RunTap,
    server: Server,
    properties: dict[str, Any],
    metadata: list[dict[str, Any]],
    kept: list[str],
) -> None:
    row = {"external_id": "1", "email": "a@b.fi", "city": "Oulu"}
    server.replies(Reply({"customers": [row]}))
    schema = {"properties": {"external_id": TEXT, **properties}, "selected": True}

    run = run_tap(server.config, catalog=entry(schema=schema, metadata=metadata))

    assert run.records("customers") == [{name: row[name] for name in kept}]
    assert list(run.schema("customers")["properties"]) == kept


OBJECT: dict[str, Any] = {"type": ["null", "object"], "properties": {"a": TEXT, "b": TEXT}}
NESTED = {
    "external_id": TEXT,
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
LEFT_ROW = {
    "external_id": "1",
    "prefs": {"a": "1", "deep": {"b": "2"}},
    "lines": [{"b": "2"}, {"b": "2"}, {}],
    "free": {"b": [{}, {"d": "4"}]},
}
LEFT_OUT = [
    ["properties", "prefs", "properties", "b"],
    ["properties", "prefs", "properties", "deep", "properties", "a"],
    ["properties", "lines", "items", "properties", "a"],
    ["properties", "free", "properties", "a"],
    ["properties", "free", "properties", "b", "items", "properties", "c"],
]


def nested_catalog() -> Catalog:
    marks = [{"breadcrumb": place, "metadata": {"selected": False}} for place in LEFT_OUT]
    schema = {"type": "object", "properties": NESTED}
    return entry(schema=schema, metadata=[*chosen(("", True)), *marks])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"stream_maps": {"customers": {"external_id": "external_id"}}},
        {"response_format": "csv"},
    ],
    ids=str,
)
def test_a_member_that_is_not_selected_does_not_leave(
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
    assert run.records("customers") == [LEFT_ROW]


def test_nor_does_it_in_batch_files(run_tap: RunTap, server: Server, tmp_path: Path) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path / "batches")}}

    run = run_tap({**server.config, "batch_config": batch}, catalog=nested_catalog())

    (file,) = (tmp_path / "batches").iterdir()
    assert run.exit_code == 0
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == [LEFT_ROW]


def test_a_member_of_a_list_needs_no_items_in_its_place(run_tap: RunTap, server: Server) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    catalog = nested_catalog()
    place = ["properties", "lines", "properties", "a"]
    catalog["streams"][0]["metadata"].append({"breadcrumb": place, "metadata": {"selected": False}})

    run = run_tap(server.config, catalog=catalog)

    assert "a" not in run.schema("customers")["properties"]["lines"]["items"]["properties"]
    assert run.records("customers")[0]["lines"] == LEFT_ROW["lines"]


@pytest.mark.parametrize(
    ("off", "on", "told"),
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
def test_an_object_that_is_switched_off_with_members_on_is_named(
    run_tap: RunTap, server: Server, off: list[str], on: list[str], told: str
) -> None:
    server.replies(Reply({"customers": [NESTED_ROW]}))
    marks = [{"breadcrumb": off, "metadata": {"selected": False}}]
    marks += [{"breadcrumb": on, "metadata": {"selected": True}}]
    schema = {"type": "object", "properties": NESTED}

    def run(*, is_selected: bool) -> str:
        metadata = [*chosen(("", is_selected)), *marks]
        return run_tap(server.config, catalog=entry(schema=schema, metadata=metadata)).log

    warning = f"customers: {told} is not selected in the catalog, although members of it are"
    assert run(is_selected=True).count(warning) == 1
    assert "although members" not in run(is_selected=False)


def test_a_stream_that_the_catalog_names_otherwise_keeps_its_name(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1"}]}))
    chosen = catalog(customers=True)
    entry_of(chosen)["stream"] = "clients"

    run = run_tap(server.config, catalog=chosen)

    assert run.exit_code == 0
    assert run.ids("customers") == ["1"]
    assert "The catalog has another name for the stream customers, which has no effect" in run.log


@pytest.mark.parametrize(
    "definition",
    [
        5,
        [],
        {"type": 5},
        {"type": {"string": 1}},
        {"type": ["text", "null"]},
        {"type": [["string"], "null"]},
        {"anyOf": 5},
        {"anyOf": {"type": "string"}},
        {"anyOf": [5, None]},
        {"type": "array", "items": [TEXT]},
        {"type": "object", "properties": [TEXT]},
        {"type": "object", "properties": {"a": 5}},
        {"type": "string", "format": ["date"]},
    ],
    ids=str,
)
def test_a_definition_of_another_shape_is_named_or_passed_over(
    run_tap: RunTap, server: Server, definition: object
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1", "acme__x": "a"}]}))
    schema = {"type": "object", "properties": {"external_id": TEXT, "acme__x": definition}}

    run = run_tap(server.config, catalog=entry(schema=schema, selected=True))

    assert "Unexpected" not in run.log
    if run.exit_code == 0:
        assert run.ids("customers") == ["1"]
    else:
        assert len(run.errors) == 1
        assert "is not a Singer catalog" in run.errors[0]


def test_partitions_of_another_taps_state_do_not_repeat_a_stream(
    run_tap: RunTap, server: Server
) -> None:
    server.replies(Reply({"customers": [{"external_id": "1"}]}))
    partitions = [{"context": {"shop": "a"}}, {"context": {"shop": "b"}}]
    state = {"bookmarks": {"customers": {"partitions": partitions}}}

    run = run_tap(server.config, catalog=catalog(customers=True), state=state)

    assert run.ids("customers") == ["1"]


@pytest.mark.parametrize("source", ["sandbox", "untidy_sandbox"])
def test_the_schema_is_the_same_with_and_without_a_catalog(
    run_tap: RunTap, request: pytest.FixtureRequest, source: str
) -> None:
    config = request.getfixturevalue(source).config
    found = json.loads(run_tap(config, "--discover").stdout)

    without, given = run_tap(config, "--test"), run_tap(config, "--test", catalog=found)

    schemas = [
        [line for line in run.stdout.splitlines() if "SCHEMA" in line[:20]]
        for run in (without, given)
    ]
    assert schemas[0] == schemas[1]
    assert len(schemas[0]) == 2
    assert "$schema" not in schemas[0][0]
