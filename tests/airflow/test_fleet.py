"""The DAG of the example, parsed and run by the real Airflow in its own environment."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.demo import sandbox
from tests.targets.conftest import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

EXAMPLE = ROOT / "examples/airflow"
CUSTOMERS = {"acme": 120, "carl-co": 90}
SHOW_POOLS = """
import json
from fleet import fleet
print(json.dumps({task.task_id: [task.pool, task.pool_slots] for task in fleet.tasks}))
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment variables that the example reads, with a sandbox for each company."""
    folder = tmp_path_factory.mktemp("airflow")
    programs = [environment("airflow") / "bin", environment("target-csv") / "bin"]
    path = [*map(str, programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    variables = {
        "PATH": os.pathsep.join(path),
        "HOME": str(folder),
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "FLEET_HOME": str(folder / "fleet"),
        "FLEET_COMPANIES": " ".join(CUSTOMERS),
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "0",
    }
    with ExitStack() as running:
        for company, size in CUSTOMERS.items():
            url, token = running.enter_context(
                sandbox("--customers", str(size), "--products", "40", "--seed", str(size))
            )
            suffix = company.upper().replace("-", "_")
            variables[f"TAP_CUSTOBAR_API_URL__{suffix}"] = url
            variables[f"TAP_CUSTOBAR_API_TOKEN__{suffix}"] = token
        yield variables


def run(env: dict[str, str], *command: str) -> str:
    ended = subprocess.run(
        command, env=env, cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_each_company_has_its_own_pool(env: dict[str, str]) -> None:
    output = run(env, str(environment("airflow") / "bin/python"), "-c", SHOW_POOLS)

    assert json.loads(output.splitlines()[-1]) == {
        f"{company}.{stream}": [f"custobar_{company}", 1]
        for company in CUSTOMERS
        for stream in ("customers", "products")
    }


def test_the_readmes_commands_load_every_company(env: dict[str, str]) -> None:
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    *_, commands = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)

    run(env, "/bin/bash", "-euc", commands)

    pools = json.loads(run(env, "airflow", "pools", "list", "--output", "json"))
    slots = {pool["pool"]: int(pool["slots"]) for pool in pools}
    for company, size in CUSTOMERS.items():
        assert slots[f"custobar_{company}"] == 1
        folder = Path(env["FLEET_HOME"], company)
        for stream, count in (("customers", size), ("products", 40)):
            [file] = folder.glob(f"{stream}-*.csv")
            with file.open(encoding="utf-8", newline="") as rows:
                assert len({row["external_id"] for row in csv.DictReader(rows)}) == count
            state = json.loads((folder / f"{stream}.state.json").read_text())
            assert state["bookmarks"].keys() == {stream}


def test_the_example_has_at_most_sixty_lines() -> None:
    assert len((EXAMPLE / "fleet.py").read_text(encoding="utf-8").splitlines()) <= 60
