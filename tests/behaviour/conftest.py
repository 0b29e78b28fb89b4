"""A tap that runs while a test sends it signals or reads its output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.conftest import TAP, Run
from tests.server import TOKEN
from tests.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

#: Seconds after which a tap that has not ended is aborted: its log shows where, and its test fails.
TIMEOUT = 60

#: Code that sets after how many records the tap writes a state, as after pages of 10,000.
STATE_AFTER = "import tap_custobar.stream as s; s.CustobarStream.STATE_MSG_FREQUENCY = {}"


@dataclass
class RunningTap:
    """A tap whose output is read by the test; it blocks while its pipe is full."""

    process: subprocess.Popen[bytes]
    lines: list[bytes] = field(default_factory=list)
    log: list[bytes] = field(default_factory=list)

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout
        return self.process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        assert self.process.stderr
        return self.process.stderr

    def take(self, number: int, kind: str = "RECORD") -> None:
        """Read lines until there are `number` messages of a kind."""
        while sum(f'"type":"{kind}"'.encode() in line for line in self.lines) < number:
            line = self.stdout.readline()
            assert line, self.stderr.read().decode()  # the tap has ended
            self.lines.append(line)

    def take_log_up_to(self, text: str) -> None:
        """Read the log up to a line that contains the text."""
        for line in self.stderr:
            self.log.append(line)
            if text in line.decode():
                return
        pytest.fail(f"not in the log: {text}\n{b''.join(self.log).decode()}")

    def end(self) -> Run:
        """Read the remaining output, and wait for the end of the process."""
        if not self.stdout.closed:
            self.lines.append(self.stdout.read())
        self.log.append(self.stderr.read())
        exit_code = self.process.wait()
        log = b"".join(self.log).decode()
        assert exit_code != -signal.SIGABRT, f"not over after {TIMEOUT} s: {log}"
        # The output of a killed process may end within a character.
        errors = "ignore" if exit_code < 0 else "strict"
        stdout = b"".join(self.lines).decode(errors=errors)
        assert "Traceback" not in log
        assert TOKEN not in stdout + log
        return Run(exit_code, stdout, log)


class Start(Protocol):
    def __call__(
        self, config: object, *, catalog: object = None, before: str = "", unbuffered: bool = False
    ) -> RunningTap: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a tap that first executes the code `before`; it is killed at the end of the test."""
    taps: list[RunningTap] = []
    limits = ExitStack()

    def start(
        config: object, *, catalog: object = None, before: str = "", unbuffered: bool = False
    ) -> RunningTap:
        code = f"{before}\nfrom tap_custobar.tap import TapCustobar\nTapCustobar.cli()"
        options = ["-W", "error", "-X", "faulthandler", *["-u"] * unbuffered]
        command = [TAP[0], *options, "-c", code]
        for option, content in (("config", config), ("catalog", catalog)):
            if content is not None:
                file = tmp_path / f"running-{option}.json"
                file.write_text(json.dumps(content))
                command += [f"--{option}", str(file)]
        environment = {"PATH": os.environ["PATH"]}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        taps.append(RunningTap(process))
        abort = partial(process.send_signal, signal.SIGABRT)
        limits.enter_context(time_limit(abort, TIMEOUT))
        return taps[-1]

    with limits:
        yield start
    for tap in taps:
        tap.process.kill()
        tap.stdout.close()
        tap.stderr.close()
        tap.process.wait()
