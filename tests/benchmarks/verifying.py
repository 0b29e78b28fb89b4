"""Whether the contestants do the same work: as many records, with the same values."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from tests.benchmarks.measuring import environment

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.benchmarks.contestants import Contest, Workload

#: Every so many records the values are looked at.
SAMPLE = 97


@dataclass(frozen=True)
class Emitted:
    """How many RECORD lines came out, and a digest of the values of some of them."""

    records: int
    values: str


def emitted(command: list[str]) -> Emitted:
    """Run a contestant and look at its lines; nothing is kept, for the memory's sake."""
    records, digest = 0, sha256()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        for line in process.stdout or ():
            if not line.startswith((b'{"type":"RECORD"', b'{"type": "RECORD"')):
                continue
            if records % SAMPLE == 0:
                record = json.loads(line)["record"]
                values = record.get("data", record)  # of a message of Airbyte's, or of Singer's
                digest.update(json.dumps(values, sort_keys=True).encode())
            records += 1
    if process.returncode:
        msg = f"{command} ended with {process.returncode}"
        raise RuntimeError(msg)
    return Emitted(records, digest.hexdigest())


def verify(contest: Contest, work: Workload, names: Collection[str]) -> None:
    """Compare what the contestants emit; dlt, which emits nothing, counts for itself.

    Raises:
        RuntimeError: they do not do the same work, so that no figure would tell anything.
    """
    outcomes = {name: emitted(contest.command(name, work)) for name in names if name != "dlt"}
    if len(set(outcomes.values())) > 1 or any(o.records != work.records for o in outcomes.values()):
        msg = f"not the same records: {outcomes}"
        raise RuntimeError(msg)
