"""What the tests share: the tap as a process, the sandbox, and a server that misbehaves."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests import fork_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

TAP = [sys.executable, "-W", "error", "-m", "tap_custobar"]
TOKEN = "APISANDBOX"  # noqa: S105 - of the sandbox

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


@dataclass(frozen=True)
class Request:
    """A request as the server got it."""

    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]

    @property
    def target(self) -> str:
        return self.path + ("?" if self.query else "") + "&".join("=".join(q) for q in self.query)


@dataclass
class Reply:
    """What the server answers: JSON, or bytes as they are."""

    body: object = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_length_delimited: bool = True


class QuietServer(ThreadingHTTPServer):
    """Says nothing of a client that goes away, as one does whose look-ahead is given up."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class Server:
    """A local server that answers as a test wants, and remembers what it was asked."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        """Speak TLS by a certificate and its key, where there are any."""
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda _: Reply({"customers": []})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qsl(parts.query, keep_blank_values=True)
                request = Request(parts.path, query, dict(self.headers))
                server.requests.append(request)
                reply = server.answer(request)
                body = (
                    reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                )
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json"}
                if reply.is_length_delimited:
                    headers["Content-Length"] = str(len(body))
                for name, value in {**headers, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._httpd = QuietServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._httpd.socket = context.wrap_socket(self._httpd.socket, server_side=True)
        threading.Thread(target=self._httpd.serve_forever, daemon=True).start()
        self.host = f"127.0.0.1:{self._httpd.server_port}"
        self.url = f"http{'s' if certificate else ''}://{self.host}/api"

    @property
    def config(self) -> dict[str, Any]:
        """Without questions before the sync, which most tests are not about."""
        return {
            "api_url": self.url,
            "api_token": TOKEN,
            "request_interval": 0,
            "discover_custom_fields": False,
        }

    def replies(self, *replies: Reply) -> None:
        """Answer one request after the other; the last one again and again."""
        left = list(replies)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()


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


@pytest.fixture
def catalog_of(run_tap: RunTap) -> Callable[..., dict[str, Any]]:
    """Make a catalog that selects what the test names."""

    def make(**streams: list[str] | bool) -> dict[str, Any]:
        return select(json.loads(run_tap(None, "--discover").stdout), **streams)

    return make
