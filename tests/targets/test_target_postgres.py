from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.streams import STREAMS as STREAM_TYPES
from tests.catalogs import catalog
from tests.conftest import select, started_sandbox
from tests.targets.conftest import ROOT

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap, Sandbox
    from tests.targets.conftest import Pipe, Postgres

STREAMS = ("customers", "products")


@pytest.fixture(scope="module")
def loaded(sandbox: Sandbox, pipe: Pipe, postgres: Postgres) -> str:
    """The schema that the tap's default streams were loaded into."""
    schema = "loaded"
    piped = pipe(sandbox.config, "postgres", postgres.config(schema))
    assert piped.exit_codes == (0, 0), piped.target_log
    assert set(piped.states[-1]["bookmarks"]) == set(STREAMS)
    return schema


def expected(run: Run, stream: str) -> list[dict[str, Any]]:
    """Return the stream's records as rows: a column for every property, timestamps parsed."""
    properties = run.schema(stream)["properties"]
    timestamps = {
        name for name, schema in properties.items() if schema.get("format") == "date-time"
    }
    return [
        {
            name: datetime.fromisoformat(record[name])
            if name in timestamps and record.get(name) is not None
            else record.get(name)
            for name in properties
        }
        for record in run.records(stream)
    ]


def stored(run: Run, stream: str, postgres: Postgres, schema: str) -> list[dict[str, Any]]:
    """Return the table's rows in the order of the records, without the target's own columns."""
    rows = postgres.query(f'SELECT * FROM "{schema}"."{stream}"')  # noqa: S608
    assert len(rows) == len(run.ids(stream))
    by_id = {row["external_id"]: row for row in rows}
    properties = run.schema(stream)["properties"]
    return [
        {
            name: datetime.fromisoformat(row[name]).replace(tzinfo=UTC)
            if properties[name].get("format") == "date-time" and row[name] is not None
            else row[name]
            for name in row
            if not name.startswith("_sdc_")
        }
        for row in (by_id[external_id] for external_id in run.ids(stream))
    ]


def test_every_value_is_stored(
    loaded: str, sandbox: Sandbox, run_tap: RunTap, postgres: Postgres
) -> None:
    run = run_tap(sandbox.config)

    for stream, size in (("customers", sandbox.customers), ("products", sandbox.products)):
        records = expected(run, stream)
        assert len(records) == size
        # The records contain the characters that a target may handle wrongly.
        output = json.dumps(run.records(stream), ensure_ascii=False)
        special = (r"\"", "'", r"\\", r"\n", "ä", "⭐")
        assert [character for character in special if character not in output] == []
        assert stored(run, stream, postgres, loaded) == records


COLUMN_TYPES = {
    "string": "text",
    "string date": "date",
    "string date-time": "timestamp without time zone",
    "boolean": "boolean",
    "integer": "bigint",
    "number": "numeric",
    "array string": "text[]",
    "array object": "jsonb[]",
}


def kind(schema: dict[str, Any]) -> str:
    """Return a property's type as one string, like the keys of COLUMN_TYPES."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    (main,) = (name for name in types if name != "null")
    detail = kind(schema["items"]) if main == "array" else schema.get("format", "")
    return f"{main} {detail}".strip()


def test_columns_have_the_types_of_the_schema(
    loaded: str, sandbox: Sandbox, run_tap: RunTap, postgres: Postgres
) -> None:
    run = run_tap(sandbox.config)

    for stream in STREAMS:
        columns = postgres.query(f"""
            SELECT attname AS name, format_type(atttypid, atttypmod) AS type
            FROM pg_attribute
            WHERE attrelid = '"{loaded}"."{stream}"'::regclass AND attnum > 0
        """)  # noqa: S608
        assert {c["name"]: c["type"] for c in columns if not c["name"].startswith("_sdc_")} == {
            name: COLUMN_TYPES[kind(schema)]
            for name, schema in run.schema(stream)["properties"].items()
        }
        keys = postgres.query(f"""
            SELECT attname AS name
            FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid = '"{loaded}"."{stream}"'::regclass AND indisprimary
        """)  # noqa: S608
        assert keys == [{"name": "external_id"}]


def test_a_second_run_updates_and_adds_rows(
    loaded: str, sandbox: Sandbox, pipe: Pipe, run_tap: RunTap, postgres: Postgres
) -> None:
    postgres.execute(f"""
        UPDATE "{loaded}".customers SET email = 'old', tags = NULL;
        UPDATE "{loaded}".products SET title = 'old', visible = NULL;
        DELETE FROM "{loaded}".customers WHERE external_id < 'C00000010';
    """)  # noqa: S608

    piped = pipe(sandbox.config, "postgres", postgres.config(loaded))

    assert piped.exit_codes == (0, 0), piped.target_log
    run = run_tap(sandbox.config)
    for stream in STREAMS:
        assert stored(run, stream, postgres, loaded) == expected(run, stream)


def test_only_selected_properties_become_columns(
    sandbox: Sandbox, pipe: Pipe, postgres: Postgres
) -> None:
    selected = catalog(customers=["email", "tags"])

    piped = pipe(sandbox.config, "postgres", postgres.config("selected"), catalog=selected)

    assert piped.exit_codes == (0, 0), piped.target_log
    (row,) = postgres.query("SELECT * FROM selected.customers LIMIT 1")
    assert {name for name in row if not name.startswith("_sdc_")} == {
        *("external_id", "email", "tags")
    }
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'selected'"
    assert postgres.query(tables) == [{"table_name": "customers"}]


DOCUMENTED = re.findall(
    r"CREATE TABLE (\w+) \(\n(.*?)\n\);", (ROOT / "docs/streams.md").read_text("utf-8"), re.DOTALL
)


def created_table(postgres: Postgres, schema: str, name: str) -> list[str]:
    """Return one line for each column and one for the primary key, without custom fields."""
    of_table = f'attrelid = \'"{schema}"."{name}"\'::regclass'
    columns = postgres.query(f"""
        SELECT attname || ' ' || format_type(atttypid, atttypmod) AS line
        FROM pg_attribute WHERE {of_table} AND attnum > 0 ORDER BY attnum
    """)  # noqa: S608
    keys = postgres.query(f"""
        SELECT attname AS name FROM pg_index
        JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
        WHERE {of_table} AND indisprimary ORDER BY array_position(indkey::int[], attnum::int)
    """)  # noqa: S608
    lines = [str(column["line"]).removesuffix(" without time zone") for column in columns]
    key = ", ".join(str(each["name"]) for each in keys)
    return [*(line for line in lines if "__" not in line), f"PRIMARY KEY ({key})"]


@pytest.mark.parametrize("shape", ["transactions", "rows"])
def test_the_created_tables_are_the_documented_ones(
    run_tap: RunTap, pipe: Pipe, postgres: Postgres, shape: str
) -> None:
    schema = f"documented_{shape}"
    with started_sandbox("--sales-shape", shape) as sandbox:
        found = json.loads(run_tap(sandbox.config, "--discover").stdout)
        select(found, **{entry["tap_stream_id"]: True for entry in found["streams"]})
        piped = pipe(sandbox.config, "postgres", postgres.config(schema), catalog=found)

    assert piped.exit_codes == (0, 0), piped.target_log
    is_rows = shape == "rows"
    documented = {
        name: [line.strip(" ,") for line in body.split(",\n")]
        for name, body in DOCUMENTED
        if name != "sales" or ("sale_external_id" in body) == is_rows
    }
    assert len(documented) == len(STREAM_TYPES)
    assert {name: created_table(postgres, schema, name) for name in documented} == documented
