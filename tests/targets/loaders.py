"""The targets of the matrix: how each is configured, and how what it stored is read back."""

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
    """Where a case is loaded into: a folder, and a schema or database of its own name."""

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
    """What a target does to a case, and whose fault that is.

    Attributes:
        signs: What `differences` returns for it, each time: a gap that closes is to be noticed.
    """

    reason: str
    whose: str
    signs: frozenset[str]


def gap(reason: str, *signs: str, whose: str = "the target") -> Gap:
    return Gap(reason, whose, frozenset(signs))


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
    #: Done before the first load, with the SCHEMA messages.
    prepare: Callable[[Place, Sequence[Mapping[str, Any]]], object] = lambda *_: None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    #: What it makes of empty texts, lists and objects: nothing of them.
    empty_is_null: bool = False
    #: Whether it writes all streams of a run to one table, so that each is loaded alone.
    one_stream: bool = False
    #: What its environment variables are beside the usual ones.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Whether `make test` has it, too.
    in_ci: bool = False
    #: Settings beside the place of the data, or what else a user has to do.
    needs: str = ""

    def load(self, messages: str, place: Place) -> tuple[int, str, str]:
        """Let it load lines of Singer messages; return its exit code, its stdout and its log."""
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
        worst = max(ended, key=lambda one: abs(one.returncode))
        return worst.returncode, ended[-1].stdout.decode(), worst.stderr.decode()

    @property
    def _bin(self) -> Path:
        return environment(f"target-{self.environment}") / "bin"


def _split(messages: str) -> list[str]:
    """Return the messages of each stream, with those of the state at the end of the last."""
    parts: dict[str, list[str]] = {}
    states: list[str] = []
    for line in messages.encode().splitlines(keepends=True):
        stream = json.loads(line).get("stream")
        (parts.setdefault(stream, []) if stream else states).append(line.decode())
    *others, last = parts.values()
    return ["".join(part) for part in (*others, last + states)]


def _ask(name: str, script: str, *arguments: str) -> list[Row]:
    """Return the rows that a script in a target's environment writes as JSON."""
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
        found = connection.execute(f'SELECT * FROM "{stream}"')  # noqa: S608
        names = [name for name, *_ in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]


_ASK_DUCKDB = """
import duckdb, json, sys
result = duckdb.connect(sys.argv[1]).execute(f'SELECT * FROM main."{sys.argv[2]}"')
names = [column[0] for column in result.description]
print(json.dumps([dict(zip(names, row)) for row in result.fetchall()], default=str))
"""

_ASK_PARQUET = """
import json, pathlib, sys
import pyarrow.parquet
files = sorted(pathlib.Path(sys.argv[1]).glob(f"*/{sys.argv[2]}-*.parquet"))
rows = [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]
print(json.dumps(rows, default=str))
"""

_ASK_MYSQL = """
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
    """Make the tables with texts as TEXT, for the target makes VARCHAR(1000) of each."""
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

CSV_GAPS = {case: gap(_EMPTIES, "missing rows", whose="a setting") for case in ("twice", "state")}
JSONL_GAPS = {
    "twice": gap(_APPENDS, "duplicate rows", whose="the format"),
    "state": gap(_APPENDS, "duplicate rows", whose="the format"),
    "deletes": gap(_APPENDS, "duplicate rows", "extra rows", whose="the format"),
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
    """Make a folder for one run of a target that names its files by the second."""
    made = folder / f"{len(list(folder.iterdir())):03}"
    made.mkdir()
    return str(made)


#: For a target that was made for a Python before 3.10.
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
        lambda place, stream: _ask("duckdb", _ASK_DUCKDB, str(place.folder / "db"), stream),
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
        lambda place, stream: _ask("parquet", _ASK_PARQUET, str(place.folder), stream),
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
        lambda place, stream: _ask("mysql", _ASK_MYSQL, place.mariadb.socket, place.name, stream),
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
    """Return what is left of a name whatever a target makes of its case and of other signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass
class Comparison:
    """What a target stored, compared with the records that it was sent."""

    loader: Loader
    place: Place
    #: What differs, as the signs of a Gap, and the same in detail: one of a kind is enough.
    signs: set[str] = field(default_factory=set)
    details: dict[tuple[object, ...], str] = field(default_factory=dict)

    def compare(self, schema: Schema, sent: Sequence[Row]) -> None:
        """Compare a stream's table.

        Args:
            schema: The stream's SCHEMA message.
            sent: Its records, the last of a key last.
        """
        stream, keys = schema["stream"], schema["key_properties"]
        try:
            rows = self.loader.read(self.place, stream)
        except (AssertionError, OSError, sqlite3.Error) as error:
            self._differ("missing table", stream, "", error)
            return
        stored: dict[tuple[str, ...], Row] = {}
        for row in rows:
            named = {column(name): value for name, value in row.items()}
            key = tuple(str(named.get(column(name))) for name in keys)
            if key in stored:
                self._differ("duplicate rows", stream, "", key)
            stored[key] = named
        wanted = {tuple(str(record[name]) for name in keys): record for record in sent}
        for key in wanted.keys() - stored.keys():
            self._differ("missing rows", stream, "", key)
        for key in stored.keys() - wanted.keys():
            self._differ("extra rows", stream, "", key)
        for key in wanted.keys() & stored.keys():
            self._compare_row(schema, wanted[key], stored[key])

    def _compare_row(self, schema: Schema, record: Row, row: Row) -> None:
        for name, definition in schema["schema"]["properties"].items():
            sent, there = record.get(name), row.get(column(name))
            if column(name) not in row:
                if sent is not None:
                    self._differ("missing columns", schema["stream"], name)
            elif not _same(kind(definition), sent, there, empty_is_null=self.loader.empty_is_null):
                shown = f"{str(sent)[:200]!r} -> {str(there)[:200]!r}"
                self._differ(kind(definition), schema["stream"], name, shown)

    def _differ(self, sign: str, *where: object) -> None:
        self.signs.add(sign)
        self.details.setdefault((sign, *where[:2]), " ".join(map(str, (sign, *where))))


def _same(its_kind: str, sent: Json, stored: Json, *, empty_is_null: bool) -> bool:
    try:
        values = [_value(its_kind, value) for value in (sent, stored)]
    except (ArithmeticError, ValueError, SyntaxError, TypeError):
        return False
    if empty_is_null:
        values = [None if value in ("", [], {}) else value for value in values]
    return repr(values[0]) == repr(values[1])


def _value(its_kind: str, value: Json) -> Json:
    """Return a value in one form, whatever a target keeps its kind in."""
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
            return _instant(str(value))
        case ["string", "date"]:
            return str(value).split("T")[0].split(" ")[0]
        case ["string", *_]:
            return str(value)
        case _:
            return _ordered(_parse(value) if isinstance(value, str) else value)


def _instant(text: str) -> datetime:
    """Return the instant; without a zone it is in UTC."""
    found = datetime.fromisoformat(text.replace(" ", "T", 1))
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _parse(text: str) -> Json:
    """Return what JSON or, as some targets write it, Python text holds."""
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(re.sub(r"Decimal\('([^']*)'\)", r"\1", text))


def _ordered(value: Json) -> Json:
    """Return JSON with its members in order, and its numbers as such."""
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
