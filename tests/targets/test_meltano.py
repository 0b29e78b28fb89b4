"""The Meltano project of this repository, run by the real Meltano, as the README tells."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import TOKEN, Reply
from tests.targets.conftest import ROOT, environment
from tests.targets.pages import fail, give, page_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Sandbox
    from tests.server import Request, Server
    from tests.targets.conftest import Postgres

#: What `meltano install` and the pipelines need of the checkout.
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
#: What target-postgres makes of them, with the settings of meltano.yml: U+0000 replaced, which
#: PostgreSQL cannot hold, and the time in UTC, wherever the server is.
ROWS = [
    [
        {**record, "first_name": "nul \ufffd", "date_joined": "2024-06-01T12:00:00"}
        for record in page
    ]
    for page in PAGES
]


@dataclass(frozen=True)
class Ended:
    """How a command of Meltano ended, and the lines it logged."""

    exit_code: int
    lines: list[dict[str, Any]]

    def of(self, plugin: str) -> str:
        return "\n".join(line["event"] for line in self.lines if line.get("name") == plugin)


@dataclass(frozen=True)
class Project:
    """A copy of the project, so that the checkout stays as it is."""

    folder: Path

    def meltano(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("TAP_", "TARGET_"))}
        result = subprocess.run(
            [environment("meltano") / "bin/meltano", *arguments],
            cwd=self.folder / "schemas",  # any folder of the project will do
            env={
                **ours,
                "MELTANO_CLI_LOG_FORMAT": "json",
                "MELTANO_HUB_API_ROOT": "http://127.0.0.1:9",  # nobody is there
                "PYTHONDONTWRITEBYTECODE": "",  # compiling Meltano takes longer than running it
                **(env or {}),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert TOKEN not in result.stdout + result.stderr
        lines = [line for line in result.stderr.splitlines() if line.startswith("{")]
        return Ended(result.returncode, [json.loads(line) for line in lines])


@pytest.fixture(scope="module")
def project(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, with all of its plugins installed, and `dev` at the tests' own sandbox."""
    folder = tmp_path_factory.mktemp("project")
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    config = (folder / "meltano.yml").read_text()
    assert "http://127.0.0.1:8080/api" in config
    (folder / "meltano.yml").write_text(config.replace("http://127.0.0.1:8080/api", sandbox.url))
    project = Project(folder)
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
    """What a user's environment holds, or the `.env` of the project."""
    return {
        "TAP_CUSTOBAR_API_URL": server.url,
        "TAP_CUSTOBAR_API_TOKEN": TOKEN,
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "0.05",
        "TAP_CUSTOBAR_MAX_RETRIES": "0",
        "TAP_CUSTOBAR_DISCOVER_CUSTOM_FIELDS": "false",
        "TARGET_POSTGRES_SQLALCHEMY_URL": postgres.url,
        "MELTANO_ENVIRONMENT": "prod",
    }


def test_each_run_goes_on_from_the_state_of_the_one_before(
    project: Project, server: Server, postgres: Postgres
) -> None:
    env = {**prod(server, postgres), "TARGET_POSTGRES_BATCH_SIZE_ROWS": "20"}

    def stored() -> list[dict[str, Any]]:
        return postgres.query(
            "SELECT external_id, first_name, date_joined FROM custobar.customers"
            " ORDER BY external_id"
        )

    def stop_when_some_is_stored() -> None:
        postgres.wait_until("(SELECT count(*) FROM custobar.customers) > 50")
        postgres.stop()

    give(server, *PAGES, at={2: fail})
    first = project.meltano("run", "custobar-to-postgres", env=env)
    assert first.exit_code != 0
    assert "customers failed" in first.of("tap-custobar")
    assert stored() == ROWS[0]

    give(server, *PAGES, at={3: stop_when_some_is_stored})
    second = project.meltano("schedule", "run", "custobar-daily", env=env)
    postgres.start()
    assert second.exit_code != 0
    assert "Traceback" not in second.of("tap-custobar")

    give(server, *PAGES)
    server.requests.clear()
    third = project.meltano("run", "custobar-to-postgres", env=env)
    assert third.exit_code == 0, third.lines
    assert page_number(server.requests[0]) == 2
    assert stored() == [row for page in ROWS for row in page]


def test_an_incremental_run_asks_for_what_is_new(
    project: Project, server: Server, postgres: Postgres
) -> None:
    env = {
        **prod(server, postgres),
        "TAP_CUSTOBAR__SELECT": '["products.*"]',
        "TAP_CUSTOBAR__METADATA": json.dumps(
            {"products": {"replication-method": "INCREMENTAL", "replication-key": "date"}}
        ),
    }

    def run_at_the(day: int) -> int:
        """Run when there is a product of each day so far; return how many pages it asked for."""
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

    assert run_at_the(30) == 10
    assert run_at_the(31) <= 3  # of 11
