"""What a process takes from start to end: time, and memory at the most."""

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
        seconds: From start to end, by the clock.
        megabytes: The peak of its resident memory.
        cpu_seconds: What all its threads took of the processors.
    """

    seconds: float
    megabytes: float
    cpu_seconds: float = 0


def environment() -> dict[str, str]:
    """Return what every contestant's process finds: nothing of the shell's settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }


def run(command: Sequence[str]) -> Run:
    """Run a process to its end, its output thrown away.

    The kernel counts the starting process's own memory until the new program is there, so this
    one must stay smaller than whatever it measures.

    Raises:
        RuntimeError: it failed; with the end of its log.
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
    """Return the median of the seconds."""
    return median(run.seconds for run in runs)


def least_cpu(runs: Sequence[Run]) -> float:
    """Return the fewest seconds of processor time: what disturbs a run only ever adds to them."""
    return min(run.cpu_seconds for run in runs)


def peak(runs: Sequence[Run]) -> float:
    """Return the most megabytes that any of the runs took."""
    return max(run.megabytes for run in runs)
