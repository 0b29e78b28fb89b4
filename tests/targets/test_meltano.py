"""The Meltano project of this repository, run by the real Meltano, as the README says."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.pages import fail, page_number, serve_pages
from tests.server import TOKEN, Reply
from tests.targets.conftest import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Sandbox
    from tests.server import Request, Server
    from tests.targets.conftest import Postgres

#: The files and folders of the checkout that `meltano install` and the pipelines need.
NEEDED = (
    *("CHANGELOG.md", "LICENSE", "README.md", "meltano.yml", "pyproject.toml"),
    *("requirements", "schemas", "tap_custobar"),
)
PAGES = [
    [
        {
            "external_id": f"{page}-{row:02}",
            "first_name": "nul \0",
            "date_joined": "2024-06-01T12:00:00Z",
        }
        for row in range(50)
    ]
    for page in range(1, 4)
]
#: The rows in PostgreSQL: the tap replaces U+0000, which PostgreSQL cannot store, and with the
#: settings of meltano.yml the time is in UTC, whatever the server's time zone is.
ROWS = [
    [
        {**record, "first_name": "nul \ufffd", "date_joined": "2024-06-01T12:00:00"}
        for record in page
    ]
    for page in PAGES
]


@dataclass(frozen=True)
class Ended:
    """A finished command of Meltano: its exit code, its stdout and the lines that it logged."""

    exit_code: int
    stdout: str
    lines: list[dict[str, Any]]

    def of(self, plugin: str) -> str:
        """Return what a plugin logged."""
        return "\n".join(line["event"] for line in self.lines if line.get("name") == plugin)


@dataclass(frozen=True)
class Project:
    """A Meltano project outside the checkout.

    Attributes:
        folder: The folder that contains its meltano.yml.
        working: The working folder of commands, relative to `folder`.
    """

    folder: Path
    working: str = "."

    def meltano(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TAP_", "TARGET_"))}
        result = subprocess.run(
            [environment("meltano") / "bin/meltano", *arguments],
            cwd=self.folder / self.working,
            env={
                **inherited,
                "MELTANO_CLI_LOG_FORMAT": "json",
                "MELTANO_HUB_API_ROOT": "http://127.0.0.1:9",  # no server listens there
                "PYTHONDONTWRITEBYTECODE": "",  # compiling Meltano takes longer than running it
                **(env or {}),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert TOKEN not in result.stdout + result.stderr
        lines = [line for line in result.stderr.splitlines() if line.startswith("{")]
        return Ended(result.returncode, result.stdout, [json.loads(line) for line in lines])


@pytest.fixture(scope="module")
def project(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, with all plugins installed, and with the URL of the tests' sandbox in `dev`."""
    folder = tmp_path_factory.mktemp("project")
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    config = (folder / "meltano.yml").read_text()
    assert "http://127.0.0.1:8080/api" in config
    (folder / "meltano.yml").write_text(config.replace("http://127.0.0.1:8080/api", sandbox.url))
    project = Project(folder, "schemas")
    assert project.meltano("install").exit_code == 0
    return project


def test_the_sandbox_becomes_csv_files(project: Project, sandbox: Sandbox) -> None:
    dotenv = project.folder / ".env"
    dotenv.write_text("TAP_CUSTOBAR_COMPANY=acme\nTAP_CUSTOBAR_API_TOKEN=APIX\n")
    before = (project.folder / "meltano.yml").read_bytes()

    ended = project.meltano("run", "custobar-to-csv")
    dotenv.unlink()

    assert ended.exit_code == 0, ended.lines
    for stream, size in (("customers", sandbox.customers), ("products", sandbox.products)):
        (file,) = (project.folder / "output").glob(f"{stream}-*.csv")
        with file.open(encoding="utf-8", newline="") as rows:
            assert len({row["external_id"] for row in csv.DictReader(rows)}) == size
    assert (project.folder / "meltano.yml").read_bytes() == before


def prod(server: Server, postgres: Postgres) -> dict[str, str]:
    """Return what a user sets in the environment or in the project's `.env`."""
    return {
        "TAP_CUSTOBAR_API_URL": server.url,
        "TAP_CUSTOBAR_API_TOKEN": TOKEN,
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "0.05",
        "TAP_CUSTOBAR_MAX_RETRIES": "0",
        "TAP_CUSTOBAR_DISCOVER_CUSTOM_FIELDS": "false",
        "TARGET_POSTGRES_SQLALCHEMY_URL": postgres.url,
        "MELTANO_ENVIRONMENT": "prod",
    }


def test_each_run_resumes_from_the_state_of_the_previous_one(
    project: Project, server: Server, postgres: Postgres
) -> None:
    env = {**prod(server, postgres), "TARGET_POSTGRES_BATCH_SIZE_ROWS": "20"}

    def stored() -> list[dict[str, Any]]:
        return postgres.query(
            "SELECT external_id, first_name, date_joined FROM custobar.customers"
            " ORDER BY external_id"
        )

    def stop_when_some_rows_are_stored() -> None:
        postgres.wait_until("(SELECT count(*) FROM custobar.customers) > 50")
        postgres.stop()

    serve_pages(server, *PAGES, at={2: fail})
    first = project.meltano("run", "custobar-to-postgres", env=env)
    assert first.exit_code != 0
    assert "customers failed" in first.of("tap-custobar")
    assert stored() == ROWS[0]

    serve_pages(server, *PAGES, at={3: stop_when_some_rows_are_stored})
    second = project.meltano("schedule", "run", "custobar-daily", env=env)
    postgres.start()
    assert second.exit_code != 0
    assert "Traceback" not in second.of("tap-custobar")

    serve_pages(server, *PAGES)
    server.requests.clear()
    third = project.meltano("run", "custobar-to-postgres", env=env)
    assert third.exit_code == 0, third.lines
    assert page_number(server.requests[0]) == 2
    assert stored() == [row for page in ROWS for row in page]


def test_an_incremental_run_does_not_request_the_whole_table(
    project: Project, server: Server, postgres: Postgres
) -> None:
    env = {
        **prod(server, postgres),
        "TAP_CUSTOBAR__SELECT": '["products.*"]',
        "TAP_CUSTOBAR__METADATA": json.dumps(
            {"products": {"replication-method": "INCREMENTAL", "replication-key": "date"}}
        ),
    }

    def run_on_day(day: int) -> int:
        """Run with one product for each day so far, and return the highest page requested."""
        days = [f"2024-01-{number:02}" for number in range(day, 0, -1)]
        products = [{"external_id": day, "date": f"{day}T00:00:00Z"} for day in days]

        def answer(request: Request) -> Reply:
            number = page_number(request)
            page = products[3 * number - 3 : 3 * number]
            next_url = f"{request.path}?page={number + 1}" if products[3 * number :] else None
            return Reply({"products": page, "next_url": next_url})

        server.answer = answer
        server.requests.clear()
        ended = project.meltano("run", "custobar-to-postgres", env=env)
        assert ended.exit_code == 0, ended.lines
        stored = postgres.query("SELECT external_id FROM custobar.products ORDER BY 1 DESC")
        assert [row["external_id"] for row in stored] == days
        return max(page_number(request) for request in server.requests)

    assert run_on_day(30) == 10
    assert run_on_day(31) <= 3  # of 11


#: The project of a user: with other plugins, a comment and other names.
EXISTING = f"""\
# of the data team
default_environment: nightly
project_id: existing
environments:
- name: nightly
jobs:
- name: load
  tasks:
  - tap-custobar target-jsonl
plugins:
  extractors:
  - name: tap-other
    namespace: tap_other
    pip_url: tap-other
  loaders:
  - name: target-jsonl
    namespace: target_jsonl
    pip_url: -r {ROOT}/requirements/target-jsonl.txt
    settings:
    - name: destination_path
    config:
      destination_path: $MELTANO_PROJECT_ROOT
"""


def add_the_tap(project: Project) -> None:
    """Add it with the definition for the Hub, as the README says, installed from the checkout."""
    definition = str(ROOT / "hub/tap-custobar.yml")
    added = project.meltano("add", "tap-custobar", "--from-ref", definition, "--no-install")
    assert added.exit_code == 0, added.lines
    file = project.folder / "meltano.yml"
    config = file.read_text()
    assert config.count("pip_url: tap-custobar\n") == 1
    pins = ROOT / "requirements/demo.txt"
    pip_url = f"pip_url: --constraint {pins} --build-constraint {pins} {ROOT}\n"
    file.write_text(config.replace("pip_url: tap-custobar\n", pip_url))


def prepare(project: Project) -> None:
    """Set the token and select a stream, with Meltano's own commands."""
    ended = project.meltano("config", "set", "tap-custobar", "api_token", TOKEN)
    assert ended.exit_code == 0, ended.lines
    assert project.meltano("select", "tap-custobar", "customers", "*").exit_code == 0
    assert TOKEN not in (project.folder / "meltano.yml").read_text()
    assert TOKEN in (project.folder / ".env").read_text()


def environment_for(server: Server) -> dict[str, str]:
    """Return the environment variables of the other settings."""
    return {
        "TAP_CUSTOBAR_API_URL": server.url,
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "0.05",
        "TAP_CUSTOBAR_DISCOVER_CUSTOM_FIELDS": "false",
    }


def test_the_definition_for_the_hub_works_in_a_new_project(server: Server, tmp_path: Path) -> None:
    assert Project(tmp_path).meltano("init", "fresh", "--no-usage-stats").exit_code == 0
    project = Project(tmp_path / "fresh")
    serve_pages(server, *PAGES)

    add_the_tap(project)
    installed = project.meltano("install")
    assert installed.exit_code == 0, installed.lines
    prepare(project)
    ended = project.meltano("invoke", "tap-custobar", env=environment_for(server))

    assert ended.exit_code == 0, ended.lines
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {message["stream"] for message in messages if "stream" in message} == {"customers"}
    ids = [message["record"]["external_id"] for message in messages if "record" in message]
    assert ids == [record["external_id"] for page in PAGES for record in page]


def test_the_definition_for_the_hub_works_in_an_existing_project(
    server: Server, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    (tmp_path / "meltano.yml").write_text(EXISTING)
    serve_pages(server, *PAGES)

    add_the_tap(project)
    installed = project.meltano("install", "tap-custobar", "target-jsonl")
    assert installed.exit_code == 0, installed.lines
    prepare(project)
    ended = project.meltano("run", "load", env=environment_for(server))

    assert ended.exit_code == 0, ended.lines
    [file] = tmp_path.glob("customers*.jsonl")
    lines = file.read_text().splitlines()
    assert len(lines) == sum(map(len, PAGES))
    config = (tmp_path / "meltano.yml").read_text()
    assert config.startswith(EXISTING[: EXISTING.index("  - name: tap-other")])
    assert EXISTING[EXISTING.index("  loaders:") :] in config
