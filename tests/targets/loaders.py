"""The targets of the matrix: how each is configured, and how its stored rows are read."""

from __future__ import annotations

import ast
import csv
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

from tests.targets.cases import kind
from tests.targets.conftest import ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.conftest import MariaDb, Postgres

Json: TypeAlias = Any
Row: TypeAlias = dict[str, Json]
Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a case is loaded into: a folder, and a schema or database with its own name."""

    folder: Path
    name: str
    fixture: Callable[[str], Any]

    @property
    def postgres(self) -> Postgres:
        server: Postgres = self.fixture("postgres")
        return server

    @property
    def mariadb(self) -> MariaDb:
        server: MariaDb = self.fixture("mariadb")
        return server


@dataclass(frozen=True)
class Gap:
    """A known difference between what a target stores and what it was sent.

    Attributes:
        reason: What the target does.
        cause: What causes it: the target, its format or a setting.
        differences: The expected `Comparison.differences`; a test fails if one no longer occurs.
    """

    reason: str
    cause: str
    differences: frozenset[str]


def gap(reason: str, *differences: str, cause: str = "the target") -> Gap:
    return Gap(reason, cause, frozenset(differences))


@dataclass(frozen=True)
class Loader:
    """A target of the matrix."""

    name: str
    #: Its environment is `.venv-target-<environment>`, pinned in `requirements/`.
    environment: str
    package: str
    command: str
    config: Callable[[Place], dict[str, Any]]
    read: Callable[[Place, str], list[Row]]
    #: Called before the first load, with the SCHEMA messages.
    prepare: Callable[[Place, Sequence[Mapping[str, Any]]], object] = lambda *_: None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    #: Whether it stores empty strings, arrays and objects as null.
    empty_is_null: bool = False
    #: Whether each stream is loaded alone, because it writes all streams of a run to one table.
    one_stream: bool = False
    #: Its additional environment variables.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Whether `make test` runs it, too.
    in_ci: bool = False
    #: What a user has to set or prepare, besides the destination.
    needs: str = ""

    def load(self, messages: str, place: Place) -> tuple[int, str, str]:
        """Load lines of Singer messages, and return the exit code, stdout and log of the target."""
        config = place.folder / "target.json"
        config.write_text(json.dumps(self.config(place)), encoding="utf-8")
        ended = [
            subprocess.run(
                [self._bin / self.command, "--config", config],
                input=part.encode(),
                capture_output=True,
                check=False,
                cwd=place.folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(place.folder), **self.variables},
                timeout=180,
            )
            for part in (_split(messages) if self.one_stream else [messages])
        ]
        worst = max(ended, key=lambda process: abs(process.returncode))
        return worst.returncode, ended[-1].stdout.decode(), worst.stderr.decode()

    @property
    def _bin(self) -> Path:
        return environment(f"target-{self.environment}") / "bin"


def _split(messages: str) -> list[str]:
    """Return the messages of each stream, the last followed by all STATE messages."""
    parts: dict[str, list[str]] = {}
    states: list[str] = []
    for line in messages.encode().splitlines(keepends=True):
        stream = json.loads(line).get("stream")
        (parts.setdefault(stream, []) if stream else states).append(line.decode())
    *others, last = parts.values()
    return ["".join(part) for part in (*others, last + states)]


def _query(name: str, script: str, *arguments: str) -> list[Row]:
    """Run a script in a target's environment, and return the rows that it prints as JSON."""
    result = subprocess.run(
        [environment(f"target-{name}") / "bin/python", "-W", "ignore", "-c", script, *arguments],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr.decode()
    rows: list[Row] = json.loads(result.stdout)
    return rows


def _read_csv(place: Place, stream: str) -> list[Row]:
    with (place.folder / f"{stream}.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: value if value != "" else None for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _read_jsonl(place: Place, stream: str) -> list[Row]:
    lines = (place.folder / f"{stream}.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def _read_postgres(place: Place, stream: str) -> list[Row]:
    return place.postgres.query(f'SELECT * FROM "{place.name}"."{stream}"')  # noqa: S608


def _read_sqlite(place: Place, stream: str) -> list[Row]:
    with closing(sqlite3.connect(place.folder / "target.db")) as connection:
        cursor = connection.execute(f'SELECT * FROM "{stream}"')  # noqa: S608
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


_QUERY_DUCKDB = """
import duckdb, json, sys
result = duckdb.connect(sys.argv[1]).execute(f'SELECT * FROM main."{sys.argv[2]}"')
names = [column[0] for column in result.description]
print(json.dumps([dict(zip(names, row)) for row in result.fetchall()], default=str))
"""

_QUERY_PARQUET = """
import json, pathlib, sys
import pyarrow.parquet
files = sorted(pathlib.Path(sys.argv[1]).glob(f"*/{sys.argv[2]}-*.parquet"))
rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
print(json.dumps(rows, default=str))
"""

_QUERY_MYSQL = """
import json, sys
import pymysql
connection = pymysql.connect(
    unix_socket=sys.argv[1], user="root", database=sys.argv[2], charset="utf8mb4",
    cursorclass=pymysql.cursors.DictCursor,
)
cursor = connection.cursor()
cursor.execute(f"SELECT * FROM `{sys.argv[3]}`")
print(json.dumps(cursor.fetchall(), default=str))
"""


def _pipelinewise(place: Place) -> dict[str, Any]:
    parts = urlsplit(place.postgres.uri)
    query = dict(part.split("=", 1) for part in parts.query.split("&") if part)
    return {
        "host": unquote(query.get("host", parts.hostname or "")),
        "port": parts.port or int(query.get("port", 5432)),
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password or "any"),
        "dbname": parts.path.strip("/"),
        "default_target_schema": place.name,
        "hard_delete": True,
    }


def _mysql(place: Place) -> dict[str, Any]:
    socket = f"unix_socket={place.mariadb.socket}"
    return {
        "sqlalchemy_url": f"mysql+pymysql://root@localhost/{place.name}?{socket}&charset=utf8mb4",
        "user": "root",
    }


def _make_mysql_tables(place: Place, schemas: Sequence[Mapping[str, Any]]) -> None:
    """Create the tables with strings as TEXT, because the target creates them as VARCHAR(1000)."""
    statements = [f"CREATE DATABASE `{place.name}` CHARACTER SET utf8mb4; USE `{place.name}`;"]
    for message in schemas:
        keys = message["key_properties"]
        columns = [f"`{key}` VARCHAR(1000) CHARACTER SET utf8mb3" for key in keys] + [
            f"`{name}` TEXT"
            for name, schema in message["schema"]["properties"].items()
            if name not in keys and kind(schema) == "string" and re.fullmatch("[a-z][a-z_]*", name)
        ]
        primary = ", ".join(f"`{key}`" for key in keys)
        table = (
            f"CREATE TABLE `{message['stream']}` ({', '.join(columns)}, PRIMARY KEY ({primary}))"
        )
        statements.append(f"{table};")
    place.mariadb.execute("\n".join(statements))


_IGNORES_VERSIONS = "ignores ACTIVATE_VERSION: the row is not deleted"
_APPENDS = (
    "appends to its files in each run: of several rows with the same key, the last is current"
)
_EMPTIES = (
    "empties its files in each run, unless `file_naming_scheme` has a `{timestamp}`: with a state "
    "they contain only what is new"
)
_ESCAPES = "stores line breaks, tabs and control characters of strings as JSON escapes"
_ROUNDS = "maps numbers to FLOAT, with six digits, and timestamps to DATETIME, without fractions"
_FLOATS = "converts integers to floats if some rows have none: beyond 2^53 they are rounded"
_MEMBERS = "has no column for an object, but one for each member"

CSV_GAPS = {case: gap(_EMPTIES, "missing rows", cause="a setting") for case in ("twice", "state")}
JSONL_GAPS = {
    "twice": gap(_APPENDS, "duplicate rows", cause="the format"),
    "state": gap(_APPENDS, "duplicate rows", cause="the format"),
    "deletes": gap(_APPENDS, "duplicate rows", "extra rows", cause="the format"),
}
PIPELINEWISE_GAPS = {
    **dict.fromkeys(
        ("plain", "untidy", "edges", "custom", "flattened", "mapped"), gap(_ESCAPES, "string")
    ),
    "deletes": gap(_IGNORES_VERSIONS, "extra rows"),
}
SQLITE_GAPS = {
    **dict.fromkeys(("untidy", "edges"), gap(_MEMBERS, "missing columns")),
    "deletes": gap(_IGNORES_VERSIONS, "extra rows"),
}
DUCKDB_GAPS = {"deletes": gap(_IGNORES_VERSIONS, "extra rows")}
PARQUET_GAPS = {
    **JSONL_GAPS,
    **dict.fromkeys(
        ("untidy", "edges", "custom"), gap(f"{_FLOATS}; {_MEMBERS}", "integer", "object")
    ),
    "flattened": gap(_FLOATS, "integer"),
}
MYSQL_GAPS = {
    **dict.fromkeys(
        ("edges", "custom", "flattened", "mapped"), gap(_ROUNDS, "number", "string date-time")
    ),
    "untidy": gap("fails on a number with a fraction in an object or a list", "stops"),
    "doubles": gap("fails on a number beyond the range of FLOAT", "stops"),
    "names": gap("fails on a property that is named like an SQL keyword, e.g. `order`", "stops"),
    "twice": gap("does not update existing rows", "array string", "boolean", "string"),
    "deletes": gap(_IGNORES_VERSIONS, "extra rows"),
}


def _new_folder(folder: Path) -> str:
    """Create and return a folder for one run, because the target names its files by the second."""
    new = folder / f"{len(list(folder.iterdir())):03}"
    new.mkdir()
    return str(new)


#: For a target that was written for a Python before 3.10.
OLD_PYTHON = {"PYTHONPATH": str(ROOT / "tests/targets/old_python")}

LOADERS: Sequence[Loader] = (
    Loader(
        "target-csv",
        "csv",
        "meltanolabs-target-csv",
        "target-csv",
        lambda place: {"output_path": str(place.folder)},
        _read_csv,
        gaps=CSV_GAPS,
        empty_is_null=True,
        in_ci=True,
    ),
    Loader(
        "target-jsonl",
        "jsonl",
        "target-jsonl",
        "target-jsonl",
        lambda place: {"destination_path": str(place.folder), "do_timestamp_file": False},
        _read_jsonl,
        gaps=JSONL_GAPS,
        in_ci=True,
    ),
    Loader(
        "target-postgres",
        "postgres",
        "meltanolabs-target-postgres",
        "target-postgres",
        lambda place: {**place.postgres.config(place.name), "hard_delete": True},
        _read_postgres,
        in_ci=True,
        needs="a session in UTC: `PGTZ=UTC`",
    ),
    Loader(
        "target-postgres, COPY",
        "postgres",
        "meltanolabs-target-postgres",
        "target-postgres",
        lambda place: {
            **place.postgres.config(place.name),
            "hard_delete": True,
            "use_copy": True,
        },
        _read_postgres,
        needs="`use_copy: true`, and a session in UTC: `PGTZ=UTC`",
    ),
    Loader(
        "target-postgres of PipelineWise",
        "pipelinewise-postgres",
        "pipelinewise-target-postgres",
        "target-postgres",
        _pipelinewise,
        _read_postgres,
        gaps=PIPELINEWISE_GAPS,
    ),
    Loader(
        "target-sqlite",
        "sqlite",
        "target-sqlite",
        "target-sqlite",
        lambda place: {"database": str(place.folder / "target")},
        _read_sqlite,
        gaps=SQLITE_GAPS,
        variables=OLD_PYTHON,
        in_ci=True,
    ),
    Loader(
        "target-duckdb",
        "duckdb",
        "target-duckdb",
        "target-duckdb",
        lambda place: {"path": str(place.folder / "db"), "default_target_schema": "main"},
        lambda place, stream: _query("duckdb", _QUERY_DUCKDB, str(place.folder / "db"), stream),
        gaps=DUCKDB_GAPS,
        empty_is_null=True,
        in_ci=True,
        needs="`duckdb<1.2`",
    ),
    Loader(
        "target-parquet",
        "parquet",
        "target-parquet",
        "target-parquet",
        lambda place: {"destination_path": _new_folder(place.folder), "disable_collection": True},
        lambda place, stream: _query("parquet", _QUERY_PARQUET, str(place.folder), stream),
        gaps=PARQUET_GAPS,
        one_stream=True,
        variables=OLD_PYTHON,
        needs="a separate run for each stream: it writes all streams of a run to one file",
    ),
    Loader(
        "target-mysql, MariaDB",
        "mysql",
        "thk-target-mysql",
        "target-mysql",
        _mysql,
        lambda place, stream: _query(
            "mysql", _QUERY_MYSQL, place.mariadb.socket, place.name, stream
        ),
        prepare=_make_mysql_tables,
        gaps=MYSQL_GAPS,
        variables={"SINGER_SDK_LOG_CONFIG": str(ROOT / "tests/targets/quiet.yml")},
        needs=(
            "tables created in advance: strings as `TEXT`, the key as `VARCHAR(1000) CHARACTER SET "
            "utf8mb3`"
        ),
    ),
)
"""The targets, in the order of docs/targets.md."""


def column(name: str) -> str:
    """Return a column name without what targets may change: its case and its punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass
class Comparison:
    """Compares what a target stored with the records that it was sent.

    Attributes:
        differences: Each kind of difference found; for a value, the type of its property.
        details: An example of each difference, by kind, stream and property.
    """

    loader: Loader
    place: Place
    differences: set[str] = field(default_factory=set)
    details: dict[tuple[object, ...], str] = field(default_factory=dict)

    def compare(self, schema: Schema, sent: Sequence[Row]) -> None:
        """Compare a stream's table.

        Args:
            schema: The stream's SCHEMA message.
            sent: Its records; of several with the same key, the last is expected.
        """
        stream, keys = schema["stream"], schema["key_properties"]
        try:
            rows = self.loader.read(self.place, stream)
        except (AssertionError, OSError, sqlite3.Error) as error:
            self._differ("missing table", stream, "", error)
            return
        stored: dict[tuple[str, ...], Row] = {}
        for row in rows:
            values = {column(name): value for name, value in row.items()}
            key = tuple(str(values.get(column(name))) for name in keys)
            if key in stored:
                self._differ("duplicate rows", stream, "", key)
            stored[key] = values
        expected = {tuple(str(record[name]) for name in keys): record for record in sent}
        for key in expected.keys() - stored.keys():
            self._differ("missing rows", stream, "", key)
        for key in stored.keys() - expected.keys():
            self._differ("extra rows", stream, "", key)
        for key in expected.keys() & stored.keys():
            self._compare_row(schema, expected[key], stored[key])

    def _compare_row(self, schema: Schema, record: Row, row: Row) -> None:
        for name, definition in schema["schema"]["properties"].items():
            sent, stored = record.get(name), row.get(column(name))
            if column(name) not in row:
                if sent is not None:
                    self._differ("missing columns", schema["stream"], name)
            elif not _equal(
                kind(definition), sent, stored, empty_is_null=self.loader.empty_is_null
            ):
                values = f"{str(sent)[:200]!r} -> {str(stored)[:200]!r}"
                self._differ(kind(definition), schema["stream"], name, values)

    def _differ(self, difference: str, *where: object) -> None:
        self.differences.add(difference)
        self.details.setdefault((difference, *where[:2]), " ".join(map(str, (difference, *where))))


def _equal(its_kind: str, sent: Json, stored: Json, *, empty_is_null: bool) -> bool:
    try:
        values = [_value(its_kind, value) for value in (sent, stored)]
    except (ArithmeticError, ValueError, SyntaxError, TypeError):
        return False
    if empty_is_null:
        values = [None if value in ("", [], {}) else value for value in values]
    return repr(values[0]) == repr(values[1])


def _value(its_kind: str, value: Json) -> Json:
    """Return a value in one form, because targets store the same type in different forms."""
    if value is None:
        return None
    match its_kind.split():
        case ["boolean"]:
            return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
        case ["integer"]:
            return int(float(value)) if isinstance(value, float) else int(str(value))
        case ["number"]:
            return float(value)
        case ["string", "date-time"]:
            return _timestamp(str(value))
        case ["string", "date"]:
            return str(value).split("T")[0].split(" ")[0]
        case ["string", *_]:
            return str(value)
        case _:
            return _ordered(_parse(value) if isinstance(value, str) else value)


def _timestamp(string: str) -> datetime:
    """Return the timestamp in UTC; one without a time zone is in UTC."""
    parsed = datetime.fromisoformat(string.replace(" ", "T", 1))
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _parse(string: str) -> Json:
    """Return the value of JSON or, as some targets write, of a Python literal."""
    try:
        return json.loads(string)
    except ValueError:
        return ast.literal_eval(re.sub(r"Decimal\('([^']*)'\)", r"\1", string))


def _ordered(value: Json) -> Json:
    """Return a JSON value with the members of objects sorted, and all numbers as floats."""
    match value:
        case dict():
            return {name: _ordered(value[name]) for name in sorted(value)}
        case list():
            return [_ordered(element) for element in value]
        case bool():
            return value
        case int() | float():
            return float(value)
        case _:
            return value
