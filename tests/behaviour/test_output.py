"""A non-blocking stdout that is full."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TAP, Run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox

PIPE_SIZE = 4096
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}


def run_into_full_pipe(
    config: Path, *arguments: str, env: dict[str, str], number: signal.Signals | None = None
) -> Run:
    """Run the tap with a small non-blocking pipe, which is not read before it is full."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    os.set_blocking(writing, False)
    command = [*TAP, "--config", str(config), *arguments]
    log = config.with_suffix(".log")
    with (
        os.fdopen(reading, "rb") as stdout,
        log.open("wb") as stderr,
        subprocess.Popen(
            command, stdout=writing, stderr=stderr, env={"PATH": os.environ["PATH"], **env}
        ) as process,
    ):
        while select.select([], [writing], [], 0)[1]:
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
        os.close(writing)
        if number is not None:
            process.send_signal(number)
        content = stdout.read()
    return Run(process.returncode, content.decode(), log.read_text())


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(sandbox.config))
    return file


@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_all_records_are_written_to_a_full_non_blocking_stdout(
    sandbox: Sandbox, config: Path, env: dict[str, str]
) -> None:
    run = run_into_full_pipe(config, env=env)

    assert run.exit_code == 0, run.log
    assert len(set(run.ids("customers"))) == len(run.ids("customers")) == sandbox.customers
    assert len(set(run.ids("products"))) == len(run.ids("products")) == sandbox.products


@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_complete_catalog_is_written_to_a_full_non_blocking_stdout(
    run_tap: RunTap, sandbox: Sandbox, config: Path, env: dict[str, str]
) -> None:
    run = run_into_full_pipe(config, "--discover", env=env)

    assert run.exit_code == 0, run.log
    assert run.stdout == run_tap(sandbox.config, "--discover").stdout


@pytest.mark.parametrize("env", [{}, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_signal_while_stdout_is_full_stops_the_tap_between_two_lines(
    config: Path, env: dict[str, str]
) -> None:
    run = run_into_full_pipe(config, env=env, number=signal.SIGTERM)

    assert run.exit_code == 143, run.log
    assert run.stdout.endswith("\n")
    assert run.messages[-1]["type"] == "STATE"
