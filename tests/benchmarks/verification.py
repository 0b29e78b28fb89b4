"""Checks that programs do the same work: as many records, with the same values."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.benchmarks.processes import environment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tests.benchmarks.programs import Programs, Workload

_RECORD = (b'{"type":"RECORD"', b'{"type": "RECORD"')
_BATCH = (b'{"type":"BATCH"', b'{"type": "BATCH"')

#: The values of every so many records are compared.
SAMPLE = 97


@dataclass(frozen=True)
class Emitted:
    """The number of records that were written, and a digest of some of their values."""

    records: int
    values: str


def emitted(command: list[str]) -> Emitted:
    """Run a program and count its records, without keeping them in memory."""
    records, digest = 0, sha256()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        for line in _records(process.stdout or ()):
            if records % SAMPLE == 0:
                message = json.loads(line)
                record = message.get("record", message)
                values = record.get("data", record)  # of an Airbyte or a Singer message
                digest.update(json.dumps(values, sort_keys=True).encode())
            records += 1
    if process.returncode:
        msg = f"{command} ended with {process.returncode}"
        raise RuntimeError(msg)
    return Emitted(records, digest.hexdigest())


def _records(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the RECORD lines, and the lines of the files that BATCH lines name."""
    for line in lines:
        if line.startswith(_RECORD):
            yield line
        elif line.startswith(_BATCH):
            for url in json.loads(line)["manifest"]:
                with gzip.open(urlsplit(url).path) as file:
                    yield from file


def verify(programs: Programs, work: Workload, names: Collection[str]) -> None:
    """Compare the records that programs write; dlt, which writes none, counts them itself.

    Raises:
        RuntimeError: they differ, so that their figures could not be compared.
    """
    outcomes = {name: emitted(programs.command(name, work)) for name in names if name != "dlt"}
    if len(set(outcomes.values())) > 1 or any(o.records != work.records for o in outcomes.values()):
        msg = f"not the same records: {outcomes}"
        raise RuntimeError(msg)
