"""Runs the tap as a process, and saves the half second that its imports take.

A server process imports the modules once and forks for each run. A forked process is like any
other: it has its own arguments, environment, working directory, files and exit code. Each test
process starts one server.
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

#: Prefixes of variables that the interpreter reads at its start, so that a fork would ignore them.
_INTERPRETER_PREFIXES = ("PYTHON", "LC_", "LANG")


def run(
    module: str, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[bytes]:
    """Run a module to its end, as `python -W error -m` does.

    Args:
        module: Name of the module.
        arguments: Command-line arguments.
        env: The whole environment of the process.
        cwd: Working directory.

    Raises:
        subprocess.TimeoutExpired: It did not end within TIMEOUT.
    """
    command = [sys.executable, "-W", "error", "-m", module, *arguments]
    if any(name.startswith(_INTERPRETER_PREFIXES) for name in env):
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
    """The connection of the test process to its server process."""

    def __init__(self) -> None:
        self._socket, child = socket.socketpair()
        with child:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "tests.fork_server", str(child.fileno())],
                pass_fds=[child.fileno()],
                env={"PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
            )
        self._socket.settimeout(TIMEOUT)
        self._lines = self._socket.makefile("r")
        atexit.register(self._close)

    def _close(self) -> None:
        self._lines.close()
        self._socket.close()
        self._process.wait()

    @staticmethod
    @cache
    def get() -> _Server:
        return _Server()

    def run(self, request: Mapping[str, object], files: list[int], command: list[str]) -> int:
        socket.send_fds(self._socket, [json.dumps(request).encode() + b"\n"], files)
        pid = int(self._lines.readline())
        try:
            return os.waitstatus_to_exitcode(int(self._lines.readline()))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._lines.close()  # it is unusable after a timeout
            self._lines = self._socket.makefile("r")
            self._lines.readline()
            raise subprocess.TimeoutExpired(command, TIMEOUT) from None


def _serve(connection: socket.socket) -> None:
    """Fork for each request until the test process ends; run the module in each fork."""
    while True:
        line, files, *_ = socket.recv_fds(connection, 1 << 20, 2)
        if not line:
            sys.exit()
        if not (pid := os.fork()):
            break
        for file in files:
            os.close(file)
        connection.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        connection.sendall(b"%d\n" % status)
    connection.close()
    request = json.loads(line)
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # Everything that a run imports.
    import tap_custobar.airbyte.source
    import tap_custobar.tap  # noqa: F401

    _serve(socket.socket(fileno=int(sys.argv[1])))
