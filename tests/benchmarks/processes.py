"""Runs processes, and measures their time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS = 1 << (20 if sys.platform == "darwin" else 10)  # of ru_maxrss in a megabyte


@dataclass(frozen=True)
class Run:
    """One run of a process.

    Attributes:
        seconds: Elapsed time from start to end.
        megabytes: Its peak resident memory.
        cpu_seconds: Processor time of all its threads.
    """

    seconds: float
    megabytes: float
    cpu_seconds: float = 0


def environment() -> dict[str, str]:
    """Return the environment of every process, without the settings of the shell."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }


def run(command: Sequence[str]) -> Run:
    """Run a process to its end, and discard its output.

    The kernel counts the memory of the starting process until the new program is loaded, so this
    process must stay smaller than those it measures.

    Raises:
        RuntimeError: it failed; the message has the end of its log.
    """
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environment(),
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            msg = f"{command} ended with {process.returncode}:\n{log.read().decode()[-2000:]}"
            raise RuntimeError(msg)
    return Run(seconds, usage.ru_maxrss / _UNITS, usage.ru_utime + usage.ru_stime)


def typical(runs: Sequence[Run]) -> float:
    """Return the median of the elapsed times, in seconds."""
    return median(run.seconds for run in runs)


def least_cpu(runs: Sequence[Run]) -> float:
    """Return the minimum of the processor times, because other load can only increase them."""
    return min(run.cpu_seconds for run in runs)


def peak(runs: Sequence[Run]) -> float:
    """Return the highest peak memory of the runs, in megabytes."""
    return max(run.megabytes for run in runs)
