"""As the first process of a container: the kernel keeps signals from it that it does not handle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server import Server

#: Makes a command the first process of its namespace.
FIRST = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
TAP, SOURCE = "tap_custobar", "tap_custobar.airbyte"


def is_allowed() -> bool:
    try:
        return subprocess.run([*FIRST, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not is_allowed(), reason="namespaces cannot be made here")


@contextmanager
def started(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a module as the first process; gives the process that waits for it."""
    command = [*FIRST, sys.executable, "-W", "error", "-m", module, *arguments]
    with subprocess.Popen(command, env={"PATH": os.environ["PATH"]}) as unshare:
        watchdog = threading.Timer(30, unshare.kill)  # and with it what it started
        watchdog.start()
        yield unshare
        watchdog.cancel()


def terminate(unshare: subprocess.Popen[bytes]) -> None:
    with open(f"/proc/{unshare.pid}/task/{unshare.pid}/children", "rb") as children:  # noqa: PTH123
        os.kill(int(children.read()), signal.SIGTERM)


@pytest.mark.parametrize("command", [[TAP], [SOURCE, "check"]], ids=["tap", "source"])
def test_sigterm_ends_it_before_it_has_its_settings(command: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with started(*command, "--config", str(pipe)) as unshare:
        with pipe.open("w"):  # once it reads; closed, for the signal may come just before that
            terminate(unshare)
        exit_code = unshare.wait()

    assert exit_code == 143


@pytest.mark.parametrize("command", [[TAP], [SOURCE, "check"]], ids=["tap", "source"])
def test_sigterm_ends_it_while_it_waits_for_custobar(
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
