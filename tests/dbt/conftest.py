"""The dbt project in examples/dbt, with data that the tap loads into DuckDB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.test_pyairbyte import listening_proxy
from tests.conftest import select, started_sandbox, tap_in
from tests.targets.conftest import ROOT, environment, pipe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.conftest import Pipe

__all__ = ["pipe"]


@dataclass(frozen=True)
class Project:
    """A copy of the project, and the records that were loaded into its database."""

    folder: Path
    variables: dict[str, Any]
    records: dict[str, list[dict[str, Any]]]

    def dbt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run dbt, and check that it connects to no server."""
        program, options = environment("dbt") / "bin/dbt", ("--quiet", "--no-use-colors")
        with listening_proxy() as proxy:
            return subprocess.run(
                [program, *options, *command, "--vars", json.dumps(self.variables)],
                capture_output=True,
                check=False,
                cwd=self.folder,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.folder),
                    "HTTP_PROXY": proxy,
                    "HTTPS_PROXY": proxy,
                },
                text=True,
                timeout=300,
            )

    def show(self, query: str) -> list[dict[str, Any]]:
        """Return all rows of a query that may contain `ref`."""
        ended = self.dbt("show", "--inline", query, "--limit", "-1", "--output", "json")
        assert ended.returncode == 0, ended.stdout
        rows: list[dict[str, Any]] = json.loads(ended.stdout)["show"]
        return rows


def load(pipe: Pipe, folder: Path, variables: dict[str, Any], *sandbox: str) -> Project:
    """Copy the project, and load all streams of a sandbox into its DuckDB database."""
    shutil.copytree(ROOT / "examples/dbt", folder, dirs_exist_ok=True)
    target = {"path": str(folder / "custobar.duckdb"), "default_target_schema": "main"}
    run_tap = tap_in(folder)
    with started_sandbox(*sandbox) as running:
        catalog = json.loads(run_tap(running.config, "--discover").stdout)
        streams = [entry["tap_stream_id"] for entry in catalog["streams"]]
        select(catalog, **dict.fromkeys(streams, True))
        piped = pipe(running.config, "duckdb", target, catalog=catalog)
        assert piped.exit_codes == (0, 0), piped.target_log
        run = run_tap(running.config, catalog=select(catalog, customers=True, sales=True))
    records: dict[str, list[dict[str, Any]]] = {}
    for message in run.of_type("RECORD"):
        records.setdefault(message["stream"], []).append(message["record"])
    return Project(folder, variables, records)


@pytest.fixture(scope="session")
def whole_sales(pipe: Pipe, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with nine months of whole sales."""
    folder = tmp_path_factory.mktemp("whole")
    sizes = ("--sales", "55600", "--customers", "7000")
    return load(pipe, folder, {"active_months": 3}, *sizes)


@pytest.fixture(scope="session")
def line_items(pipe: Pipe, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with four months of sales as line items."""
    folder = tmp_path_factory.mktemp("line-items")
    variables = {"active_months": 1, "sales_shape": "line_items"}
    return load(pipe, folder, variables, "--sales", "9000", "--sales-shape", "rows")
