"""The first process of a container: the kernel ignores signals that it does not handle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server import Server

#: Runs a command as the first process of a new namespace.
UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
TAP, SOURCE = "tap_custobar", "tap_custobar.airbyte"


def can_create_namespaces() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(
    not can_create_namespaces(), reason="namespaces cannot be created here"
)


@contextmanager
def started(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a module as the first process, and yield its parent process."""
    command = [*UNSHARE, sys.executable, "-W", "error", "-m", module, *arguments]
    with (
        subprocess.Popen(command, env={"PATH": os.environ["PATH"]}) as unshare,
        time_limit(unshare.kill),  # its child is killed with it
    ):
        yield unshare


def terminate(unshare: subprocess.Popen[bytes]) -> None:
    with open(f"/proc/{unshare.pid}/task/{unshare.pid}/children", "rb") as children:  # noqa: PTH123
        os.kill(int(children.read()), signal.SIGTERM)


@pytest.mark.parametrize("command", [[TAP], [SOURCE, "check"]], ids=["tap", "source"])
def test_sigterm_stops_it_while_it_reads_its_config(command: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with started(*command, "--config", str(pipe)) as unshare:
        # Opens once the module does. Closing it ends a read that began just after the signal.
        with pipe.open("w"):
            terminate(unshare)
        exit_code = unshare.wait()

    assert exit_code == 143


@pytest.mark.parametrize("command", [[TAP], [SOURCE, "check"]], ids=["tap", "source"])
def test_sigterm_stops_it_while_it_waits_for_a_response(
    server: Server, command: list[str], tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(server.config))
    with (
        server.holding() as requested,
        started(*command, "--config", str(config)) as unshare,
    ):
        assert requested.wait(60)
        terminate(unshare)
        exit_code = unshare.wait()

    assert exit_code == 143
