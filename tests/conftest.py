"""What the tests share: the tap as a process, the sandbox, and a server that misbehaves."""

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
def is_instant(text: object) -> bool:
    return not isinstance(text, str) or (
        bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text))
        and bool(datetime.fromisoformat(re.sub(r"\.\d+", "", text)))
    )


@formats.checks("date", raises=ValueError)
def is_date(text: object) -> bool:
    return not isinstance(text, str) or bool(date.fromisoformat(text))


@dataclass
class Run:
    """One run of the tap: what it wrote, and how it ended."""

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
        """Return the stream's records, every one of them checked against its SCHEMA."""
        records = [m["record"] for m in self.of_type("RECORD") if m["stream"] == stream]
        validator = Draft202012Validator(self.schema(stream), format_checker=formats)
        for record in records:
            validator.validate(record)
        return records

    def ids(self, stream: str) -> list[str]:
        return [record["external_id"] for record in self.records(stream)]

    @property
    def errors(self) -> list[str]:
        """The texts of the lines logged as errors."""
        return [
            line.split("|", 3)[3].strip() for line in self.log.splitlines() if "| ERROR" in line
        ]


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
    """Run the tap to its end: config in, Singer lines out."""
    return tap_in(tmp_path)


def tap_in(folder: Path) -> RunTap:
    """Return what runs the tap in a folder of its own."""

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
                # Before --discover and --test, which read the config as they are met.
                command[:0] = [f"--{option}", str(file)]
        result = fork_server.run(
            "tap_custobar", command, env={"PATH": os.environ["PATH"], **(env or {})}, cwd=folder
        )
        ended = Run(result.returncode, result.stdout.decode(), result.stderr.decode())
        assert "Traceback" not in ended.log or "DEBUG" in str(env)
        assert TOKEN not in ended.stdout + ended.log
        return ended

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
    """A running sandbox whose data is as untidy as real data is."""
    with started_sandbox("--untidy") as running:
        yield running


@pytest.fixture
def server() -> Iterator[Server]:
    """A local server that answers as the test wants."""
    server = Server()
    yield server
    server.close()


def entry_of(catalog: dict[str, Any], stream: str = "customers") -> dict[str, Any]:
    """Return the catalog's entry for a stream."""
    return next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream)


def select(catalog: dict[str, Any], **streams: list[str] | bool) -> dict[str, Any]:
    """Return the catalog with the named streams selected, whole or with only these properties."""
    for entry in catalog["streams"]:
        wanted = streams.get(entry["tap_stream_id"], False)
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = wanted is not False
            elif isinstance(wanted, list):
                item["metadata"]["selected"] = item["breadcrumb"][1] in wanted
    return catalog
