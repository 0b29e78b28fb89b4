"""Runs the tap as a process, without the half second that its imports take.

A server process has them done and forks for each run. What it forks is a process like any other:
its own arguments, environment, folder, files and exit code. One server does for a test process.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from functools import cache
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Seconds after which a run is killed.
TIMEOUT = 120

#: What the interpreter reads before the server could change it.
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG")


def run(
    module: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[bytes]:
    """Run a module as `python -W error -m` does, to its end.

    Raises:
        subprocess.TimeoutExpired: it did not end in time.
    """
    command = [sys.executable, "-W", "error", "-m", module, *arguments]
    if any(name.startswith(_OF_THE_INTERPRETER) for name in env):
        return subprocess.run(
            command, capture_output=True, env=env, cwd=cwd, check=False, timeout=TIMEOUT
        )
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        exit_code = _Server.get().run(
            {"module": module, "arguments": arguments, "env": dict(env), "cwd": str(cwd)},
            [stdout.fileno(), stderr.fileno()],
            command,
        )
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(command, exit_code, stdout.read(), stderr.read())


class _Server:
    """The end of the test process."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
            )
        self._socket.settimeout(TIMEOUT)
        atexit.register(self._close)

    def _close(self) -> None:
        self._socket.close()
        self._process.wait()

    @staticmethod
    @cache
    def get() -> _Server:
        return _Server()

    def run(self, wanted: Mapping[str, object], files: list[int], command: list[str]) -> int:
        socket.send_fds(self._socket, [json.dumps(wanted).encode() + b"\n"], files)
        lines = self._socket.makefile("r")
        pid = int(lines.readline())
        try:
            return os.waitstatus_to_exitcode(int(lines.readline()))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            lines.readline()
            raise subprocess.TimeoutExpired(command, TIMEOUT) from None


def _serve(connection: socket.socket) -> None:
    """Fork for each request, until the test process has gone; return in what is forked."""
    while True:
        text, files, *_ = socket.recv_fds(connection, 1 << 20, 2)
        if not text:
            sys.exit()
        if not (pid := os.fork()):
            break
        for file in files:
            os.close(file)
        connection.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d\n" % status)
    connection.close()
    wanted = json.loads(text)
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["env"])
    os.chdir(wanted["cwd"])
    sys.argv[1:] = wanted["arguments"]
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # All that a run imports.
    import tap_custobar.airbyte.source
    import tap_custobar.tap  # noqa: F401

    _serve(socket.socket(fileno=int(sys.argv[1])))
