"""The example of `tap | target` that stores its state, run by cron's command line."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.pages import fail, page_number, serve_pages
from tests.readme import blocks
from tests.server import TOKEN
from tests.targets.conftest import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server
    from tests.targets.conftest import Postgres

SCRIPT = ROOT / "examples/shell/custobar.sh"
PAGES = [[{"external_id": f"{page}-{row}"} for row in range(3)] for page in range(1, 4)]


@pytest.fixture
def folder(server: Server, tmp_path: Path) -> Path:
    tap = {**server.config, "max_retries": 0}
    target = {"destination_path": "out", "do_timestamp_file": False}
    (tmp_path / "tap.json").write_text(json.dumps(tap))
    (tmp_path / "target.json").write_text(json.dumps(target))
    return tmp_path


@dataclass(frozen=True)
class CronJob:
    """The crontab of the README, with the paths that it names in HOME."""

    folder: Path
    command: str
    home: Path

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the line as cron does; its output is what cron mails."""
        return subprocess.run(
            ["/bin/sh", "-c", self.command],
            env={"HOME": str(self.home), "LOGNAME": "me", "PATH": "/usr/bin:/bin", **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def cron(folder: Path, tmp_path: Path) -> CronJob:
    [[*variables, line]] = blocks("cron")
    assert all(re.match(r"[A-Z]+=\S+$", variable) for variable in variables)
    (tmp_path / "custobar").symlink_to(folder)
    (folder / SCRIPT.name).symlink_to(SCRIPT)
    for name, programs in (
        ("tap-custobar", Path(sys.executable).parent),
        ("target-jsonl", environment("target-jsonl") / "bin"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bin").symlink_to(programs)
    command = re.sub(r"^(\S+ ){5}", "", line).replace("target-postgres", "target-jsonl")
    return CronJob(folder, command, tmp_path)


def test_cron_mails_nothing_if_the_run_succeeds(server: Server, cron: CronJob) -> None:
    serve_pages(server, *PAGES)

    ended = cron.run()

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert "records/s" in (cron.folder / "log").read_text()
    assert (cron.folder / "state.json").exists()
    assert len((cron.folder / "out/customers.jsonl").read_text().splitlines()) == 9


def test_cron_mails_the_end_of_the_log_of_a_failed_run(server: Server, cron: CronJob) -> None:
    (cron.folder / "log").write_text("of an earlier run\n")
    serve_pages(server, *PAGES, at={2: fail})

    ended = cron.run()

    assert ended.returncode == 1
    assert ended.stdout == ""
    head, *mailed = ended.stderr.splitlines()
    assert head == f"custobar.sh failed with exit code 1 in {cron.home}/custobar"
    log = (cron.folder / "log").read_text().splitlines()
    assert log[0] == "of an earlier run"
    assert mailed == log[1:][-20:]
    assert any("customers failed" in line for line in mailed)
    assert TOKEN not in ended.stderr


@pytest.mark.parametrize(
    ("missing", "named"), [("tap.json", "tap.json"), ("target.json", "target.json")]
)
def test_cron_mails_which_config_file_is_missing(cron: CronJob, missing: str, named: str) -> None:
    (cron.folder / missing).unlink()

    ended = cron.run()

    assert ended.returncode != 0
    assert named in ended.stderr


def test_cron_mails_that_the_folder_does_not_exist(cron: CronJob) -> None:
    command = cron.command.replace("$HOME/custobar target", "$HOME/elsewhere target")

    ended = replace(cron, command=command).run()

    assert ended.returncode == 1
    assert "elsewhere: No such file" in ended.stderr


class Webhook:
    """A local server that records what is posted to it."""

    def __init__(self, status: int = 204) -> None:
        self.posted: list[tuple[str, str, bytes]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.posted.append((self.path, self.headers["Content-Type"], body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.httpd = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}/hook/s3cret?channel=a"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()


@pytest.fixture(params=[204, 404])
def webhook(request: pytest.FixtureRequest) -> Iterator[Webhook]:
    webhook = Webhook(request.param)
    yield webhook
    webhook.httpd.shutdown()
    webhook.httpd.server_close()


def test_a_webhook_gets_the_exit_code_of_a_failed_run(
    server: Server, cron: CronJob, webhook: Webhook
) -> None:
    serve_pages(server, *PAGES, at={2: fail})

    ended = cron.run(CUSTOBAR_WEBHOOK=webhook.url)

    assert ended.returncode == 1
    assert "customers failed" in ended.stderr
    [(path, content_type, body)] = webhook.posted
    assert (path, content_type) == ("/hook/s3cret?channel=a", "application/json")
    expected = {"job": "custobar", "exit_code": 1, "text": "custobar: exit code 1"}
    assert json.loads(body) == expected
    assert b"\n" not in body
    assert "s3cret" not in ended.stderr + (cron.folder / "log").read_text()


def test_a_webhook_gets_nothing_if_the_run_succeeds(
    server: Server, cron: CronJob, webhook: Webhook
) -> None:
    serve_pages(server, *PAGES)

    assert cron.run(CUSTOBAR_WEBHOOK=webhook.url).returncode == 0
    assert webhook.posted == []


def test_an_unreachable_webhook_does_not_prevent_the_mail(server: Server, cron: CronJob) -> None:
    serve_pages(server, *PAGES, at={2: fail})

    ended = cron.run(CUSTOBAR_WEBHOOK="http://127.0.0.1:9/s3cret")

    assert ended.returncode == 1
    assert "customers failed" in ended.stderr
    assert ended.stderr.endswith("CUSTOBAR_WEBHOOK could not be reached.\n")
    assert "s3cret" not in ended.stderr


def run(folder: Path, target: str = "target-jsonl") -> int:
    programs = [Path(sys.executable).parent, environment(target) / "bin"]
    path = ":".join([*map(str, programs), os.environ["PATH"]])
    command = [str(SCRIPT), str(folder), target]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, check=False).returncode


def test_each_run_resumes_where_the_previous_one_failed(server: Server, folder: Path) -> None:
    serve_pages(server, *PAGES, at={2: fail})
    assert run(folder) == 1

    serve_pages(server, *PAGES)
    server.requests.clear()
    assert run(folder) == 0

    assert page_number(server.requests[0]) == 2
    lines = (folder / "out/customers.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record for page in PAGES for record in page]


def test_a_failed_target_does_not_change_the_state(server: Server, folder: Path) -> None:
    serve_pages(server, *PAGES)
    assert run(folder) == 0
    state = (folder / "state.json").read_text()
    assert "customers" in json.loads(state)["bookmarks"]

    (folder / "out").rename(folder / "elsewhere")
    (folder / "out").write_text("a file, where the target wants a folder")
    assert run(folder) == 1

    assert (folder / "state.json").read_text() == state


def test_a_run_does_not_start_while_another_is_running(folder: Path) -> None:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(folder) == 75


class Forwarder(BaseRequestHandler):
    """Connects a TCP client to the socket file of the tests' PostgreSQL."""

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server.socket_file)  # type: ignore[attr-defined]
            to_client = threading.Thread(target=self.copy, args=(server, self.request))
            to_client.start()
            self.copy(self.request, server)
            to_client.join()

    @staticmethod
    def copy(source: socket.socket, destination: socket.socket) -> None:
        while data := source.recv(65_536):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR)


@pytest.fixture
def postgres_port(postgres: Postgres) -> Iterator[int]:
    """A TCP port of the server, because users connect to a port."""
    [folder] = parse_qs(urlsplit(postgres.uri).query)["host"]
    with ThreadingTCPServer(("127.0.0.1", 0), Forwarder) as forwarder:
        forwarder.socket_file = f"{folder}/.s.PGSQL.5432"  # type: ignore[attr-defined]
        threading.Thread(target=forwarder.serve_forever, daemon=True).start()
        yield forwarder.server_address[1]
        forwarder.shutdown()


def test_the_example_config_of_target_postgres_works(
    server: Server, postgres: Postgres, postgres_port: int, tmp_path: Path
) -> None:
    """Only the address, the user and the database are replaced."""
    example = json.loads((SCRIPT.parent / "target-postgres.json").read_text())
    address = {"host": "127.0.0.1", "port": postgres_port}
    config = {**example, **address, "user": "postgres", "database": "postgres"}
    assert config.keys() == example.keys()
    (tmp_path / "tap.json").write_text(json.dumps(server.config))
    (tmp_path / "target.json").write_text(json.dumps(config))
    schema = example["default_target_schema"]
    postgres.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")  # test_meltano.py uses it, too
    serve_pages(server, *PAGES)

    assert run(tmp_path, "target-postgres") == 0, (tmp_path / "log").read_text()

    [count] = postgres.query(f"SELECT count(*) FROM {schema}.customers")  # noqa: S608
    assert count == {"count": 9}
    postgres.execute(f"DROP SCHEMA {schema} CASCADE")
