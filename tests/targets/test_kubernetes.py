"""The Meltano project of the CronJob, run by the real Meltano with the pod's command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.pages import page_number, serve_pages
from tests.server import TOKEN, Reply
from tests.targets.conftest import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server import Server
    from tests.targets.conftest import Postgres

EXAMPLE = ROOT / "examples/kubernetes"
PAGES = [[{"external_id": f"{page}-{row}"} for row in range(3)] for page in range(1, 4)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder that the pod mounts, with the paths of the programs on this machine."""
    [config_map, _] = yaml.safe_load_all((EXAMPLE / "custobar.yaml").read_text())
    definition: str = config_map["data"]["meltano.yml"]
    for name, programs in (
        ("tap-custobar", Path(sys.executable).parent),
        ("target-postgres", environment("target-postgres") / "bin"),
    ):
        assert definition.count(f"/opt/{name}/bin/") == 1
        definition = definition.replace(f"/opt/{name}/bin", str(programs))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "meltano.yml").write_text(definition)
    folder.chmod(0o555)
    return folder


def serve(server: Server, at_second_page: Callable[[], Reply | None]) -> None:
    """Serve pages of customers, and the names of their fields as CSV."""
    serve_pages(server, *PAGES, at={2: at_second_page})
    pages = server.answer
    columns = Reply(b"external_id\n", headers={"Content-Type": "text/csv"})
    server.answer = lambda request: (
        columns if ("format", "csv") in request.query else pages(request)
    )


def run_job(project: Path, server: Server, postgres: Postgres) -> subprocess.CompletedProcess[str]:
    """Run the pod's command; each pod starts with an empty /tmp, and only the bucket remains."""
    [_, cron_job] = yaml.safe_load_all((EXAMPLE / "custobar.yaml").read_text())
    [container] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    pod = project.parent / f"tmp-{len(list(project.parent.iterdir()))}"
    (project.parent / "bucket").mkdir(exist_ok=True)
    pod.mkdir()
    ended = subprocess.run(
        [environment("meltano") / "bin/meltano", *container["args"]],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(pod),
            "MELTANO_PROJECT_ROOT": str(project),
            "MELTANO_PROJECT_READONLY": "true",
            "MELTANO_SYS_DIR_ROOT": f"{pod}/meltano",
            "MELTANO_STATE_BACKEND_URI": f"file://{project.parent}/bucket",
            "TAP_CUSTOBAR_API_URL": server.url,
            "TAP_CUSTOBAR_API_TOKEN": TOKEN,
            "TARGET_POSTGRES_SQLALCHEMY_URL": postgres.url,
            **{variable["name"]: variable["value"] for variable in container["env"]},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert TOKEN not in ended.stdout + ended.stderr
    assert [file.name for file in project.iterdir()] == ["meltano.yml"]
    return ended


def test_each_job_resumes_from_the_state_in_the_bucket(
    project: Path, server: Server, postgres: Postgres
) -> None:
    postgres.execute("DROP SCHEMA IF EXISTS custobar CASCADE")  # test_meltano.py uses it, too
    serve(server, lambda: Reply(status=403))  # not retried
    first = run_job(project, server, postgres)
    assert first.returncode != 0
    assert "customers failed" in first.stdout + first.stderr, first.stderr

    serve(server, lambda: None)
    server.requests.clear()
    ended = run_job(project, server, postgres)

    assert ended.returncode == 0, ended.stderr
    pages = [
        page_number(request)
        for request in server.requests
        if "customers" in request.path and ("format", "csv") not in request.query
    ]
    assert pages == [2, 3]
    stored = postgres.query("SELECT external_id FROM custobar.customers ORDER BY 1")
    assert [row["external_id"] for row in stored] == [r["external_id"] for p in PAGES for r in p]
    postgres.execute("DROP SCHEMA custobar CASCADE")
