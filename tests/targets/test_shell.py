"""The example of a pipe that keeps its state, as cron runs it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.readme import blocks
from tests.targets.conftest import ROOT, environment
from tests.targets.pages import fail, give, page_number

if TYPE_CHECKING:
    from tests.server import Server

SCRIPT = ROOT / "examples/shell/custobar.sh"
PAGES = [[{"external_id": f"{page}-{row}"} for row in range(3)] for page in range(1, 4)]


@pytest.fixture
def folder(server: Server, tmp_path: Path) -> Path:
    tap = {**server.config, "max_retries": 0}
    target = {"destination_path": "out", "do_timestamp_file": False}
    (tmp_path / "tap.json").write_text(json.dumps(tap))
    (tmp_path / "target.json").write_text(json.dumps(target))
    return tmp_path


def test_the_readmes_line_for_cron_works(server: Server, folder: Path, tmp_path: Path) -> None:
    [[line]] = blocks("cron")
    command = re.sub(r"^(\S+ ){5}", "", line).replace("target-postgres", "target-jsonl")
    (tmp_path / "custobar").symlink_to(folder)
    (folder / SCRIPT.name).symlink_to(SCRIPT)
    for name, programs in (
        ("tap-custobar", Path(sys.executable).parent),
        ("target-jsonl", environment("target-jsonl") / "bin"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bin").symlink_to(programs)
    give(server, *PAGES)

    ended = subprocess.run(["/bin/sh", "-c", command], env={"HOME": str(tmp_path)}, check=False)

    assert ended.returncode == 0
    assert "records/s" in (folder / "log").read_text()
    assert (folder / "state.json").exists()
    assert len((folder / "out/customers.jsonl").read_text().splitlines()) == 9


def run(folder: Path) -> int:
    programs = [Path(sys.executable).parent, environment("target-jsonl") / "bin"]
    path = ":".join([*map(str, programs), os.environ["PATH"]])
    command = [str(SCRIPT), str(folder), "target-jsonl"]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, check=False).returncode


def test_each_run_goes_on_where_the_one_before_was_interrupted(
    server: Server, folder: Path
) -> None:
    give(server, *PAGES, at={2: fail})
    assert run(folder) == 1

    give(server, *PAGES)
    server.requests.clear()
    assert run(folder) == 0

    assert page_number(server.requests[0]) == 2
    lines = (folder / "out/customers.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record for page in PAGES for record in page]


def test_a_target_that_fails_leaves_the_state_as_it_was(server: Server, folder: Path) -> None:
    give(server, *PAGES)
    assert run(folder) == 0
    state = (folder / "state.json").read_text()
    assert "customers" in json.loads(state)["bookmarks"]

    (folder / "out").rename(folder / "elsewhere")
    (folder / "out").write_text("a file, where the target wants a folder")
    assert run(folder) == 1

    assert (folder / "state.json").read_text() == state


def test_a_run_does_not_begin_while_another_is_at_it(folder: Path) -> None:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(folder) == 75
