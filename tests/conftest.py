"""Fixtures that all tests share: the tap as a process, the sandbox, and a local server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests import fork_server
from tests.server import TOKEN, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TAP = [sys.executable, "-W", "error", "-m", "tap_custobar"]

formats = FormatChecker()


@formats.checks("date-time", raises=ValueError)
def is_timestamp(value: object) -> bool:
    return not isinstance(value, str) or (
        bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value))
        and bool(datetime.fromisoformat(re.sub(r"\.\d+", "", value)))
    )


@formats.checks("date", raises=ValueError)
def is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@dataclass
class Run:
    """A finished run of the tap: its exit code, stdout and log."""

    exit_code: int
    stdout: str
    log: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.encode().splitlines()]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def schema(self, stream: str) -> dict[str, Any]:
        return next(m["schema"] for m in self.of_type("SCHEMA") if m["stream"] == stream)

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Return the stream's records, each validated against its SCHEMA."""
        records = [m["record"] for m in self.of_type("RECORD") if m["stream"] == stream]
        validator = Draft202012Validator(self.schema(stream), format_checker=formats)
        for record in records:
            validator.validate(record)
        return records

    def ids(self, stream: str) -> list[str]:
        return [record["external_id"] for record in self.records(stream)]

    @property
    def state(self) -> dict[str, Any]:
        """The last state; empty if none was written."""
        states: list[dict[str, Any]] = [message["value"] for message in self.of_type("STATE")]
        return states[-1] if states else {}

    @property
    def errors(self) -> list[str]:
        """The messages of the log lines of level ERROR."""
        return self._logged("ERROR")

    @property
    def warnings(self) -> list[str]:
        """The messages of the log lines of level WARNING."""
        return self._logged("WARNING")

    def _logged(self, level: str) -> list[str]:
        lines = [line for line in self.log.splitlines() if f"| {level}" in line]
        return [line.split("|", 3)[3].strip() for line in lines]


class RunTap(Protocol):
    def __call__(
        self,
        config: object = None,
        *arguments: str,
        catalog: object = None,
        state: object = None,
        env: Mapping[str, str] | None = None,
    ) -> Run: ...


@pytest.fixture
def run_tap(tmp_path: Path) -> RunTap:
    """Run the tap to its end: config in, Singer messages out."""
    return tap_in(tmp_path)


def tap_in(folder: Path) -> RunTap:
    """Return a function that runs the tap in a folder, where its files are written."""

    def run(
        config: object = None,
        *arguments: str,
        catalog: object = None,
        state: object = None,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        command = [*arguments]
        for option, content in (("config", config), ("catalog", catalog), ("state", state)):
            if content is not None:
                file = folder / f"{option}.json"
                file.write_text(content if isinstance(content, str) else json.dumps(content))
                # Before --discover and --test, which read the config while options are parsed.
                command[:0] = [f"--{option}", str(file)]
        result = fork_server.run(
            "tap_custobar", command, env={"PATH": os.environ["PATH"], **(env or {})}, cwd=folder
        )
        finished = Run(result.returncode, result.stdout.decode(), result.stderr.decode())
        assert "Traceback" not in finished.log or "DEBUG" in str(env)
        assert TOKEN not in finished.stdout + finished.log
        return finished

    return run


@dataclass(frozen=True)
class Sandbox:
    url: str
    customers: int = 250
    products: int = 160

    @property
    def config(self) -> dict[str, Any]:
        return {"api_url": self.url, "api_token": TOKEN, "request_interval": 0}


@contextmanager
def started_sandbox(*options: str) -> Iterator[Sandbox]:
    command = [sys.executable, "-m", "tap_custobar.sandbox", "--port", "0", *options]
    sizes = ["--customers", str(Sandbox.customers), "--products", str(Sandbox.products)]
    with subprocess.Popen([*command, *sizes], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        match = re.search(r"http://\S+", process.stdout.readline())
        assert match
        try:
            yield Sandbox(match[0])
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox with a few hundred records."""
    with started_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def untidy_sandbox() -> Iterator[Sandbox]:
    """A running sandbox whose data is as untidy as real data."""
    with started_sandbox("--untidy") as running:
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    """A local server whose responses the test determines."""
    server = Server()
    yield server
    server.close()


def entry_of(catalog: dict[str, Any], stream: str = "customers") -> dict[str, Any]:
    """Return the catalog's entry for a stream."""
    return next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream)


def select(catalog: dict[str, Any], **streams: list[str] | bool) -> dict[str, Any]:
    """Set the selection of a catalog in place, and return the catalog.

    Args:
        catalog: The catalog.
        streams: By stream, the properties to select, or True to leave its properties unchanged.
            Other streams are deselected.
    """
    for entry in catalog["streams"]:
        selection = streams.get(entry["tap_stream_id"], False)
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = selection is not False
            elif isinstance(selection, list):
                item["metadata"]["selected"] = item["breadcrumb"][1] in selection
    return catalog
