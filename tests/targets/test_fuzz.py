"""Random records of all kinds, loaded into databases: no target stops, every key is stored.

`make fuzz-targets` runs it; RECORDS sets the number of records of a stream, SEED repeats a run.
"""

from __future__ import annotations

import json
import os
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import pytest

from tests.targets.cases import (
    CUSTOM_TYPES,
    EDGES,
    STREAMS,
    Case,
    Rows,
    key_of,
    properties_of,
)
from tests.targets.loaders import LOADERS, Comparison, Loader, Place
from tests.targets.test_matrix import runs, source

if TYPE_CHECKING:
    from pathlib import Path

    from tests.targets.test_matrix import Source

__all__ = ("runs", "source")  # fixtures

RECORDS = int(os.environ.get("FUZZ_RECORDS") or 2000)
SEED = int(os.environ.get("FUZZ_SEED") or SystemRandom().randrange(2**32))

DATABASES = {"target-sqlite", "target-duckdb", "target-postgres"}
FUZZED = [loader for loader in LOADERS if loader.name in DATABASES]
LOST = {"missing table", "missing rows", "missing columns", "extra rows", "duplicate rows"}

#: Characters that have a meaning in some format; strings contain them more often than others.
SPECIAL = ("\\u0000", "\\ud83d", "\\udc00", '\\"', "\\\\", "\\n", "\\r", "\\t", "\\u001f", "'", ",")
#: How deep arrays and objects are nested at most.
DEPTH = 3


class Generator:
    """Generates random JSON, most of which does not match the type of its property."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._edges = [sent for edges in EDGES.values() for sent, _ in edges]

    def row(self, key: str, names: list[str]) -> str:
        members = [f'"{key}": {self._key()}']
        members += [
            f"{json.dumps(name)}: {self.value()}" for name in names if self._random.random() < 0.6
        ]
        return "{" + ", ".join(members) + "}"

    def value(self, depth: int = DEPTH) -> str:
        random = self._random
        match random.randrange(10 if depth else 8):
            case 0 | 1 | 2:
                return random.choice(self._edges)
            case 3:
                return str(random.choice((-1, 1)) * random.getrandbits(random.randrange(1, 90)))
            case 4:
                return f"{random.uniform(-10, 10)}E{random.randrange(-420, 420)}"
            case 5:
                return f'"{random.choice((random.uniform(-1e9, 1e9), random.getrandbits(80)))}"'
            case 6:
                return self._timestamp()
            case 7:
                return self._string()
            case 8:
                return f"[{', '.join(self.value(depth - 1) for _ in range(random.randrange(4)))}]"
            case _:
                members = (
                    f"{self._string()}: {self.value(depth - 1)}" for _ in range(random.randrange(4))
                )
                return "{" + ", ".join(members) + "}"

    def _key(self) -> str:
        number = self._random.getrandbits(40)
        return self._random.choice((str(number), f'"{number}{self._string()[1:]}'))

    def _string(self) -> str:
        random = self._random
        characters = (
            random.choice(SPECIAL)
            if random.random() < 0.3
            else json.dumps(chr(random.randrange(0x20, random.choice((0x7F, 0x3000, 0x1FFFF)))))[
                1:-1
            ]
            for _ in range(random.randrange(20))
        )
        return f'"{"".join(characters)}"'

    def _timestamp(self) -> str:
        random = self._random
        parts = [random.randrange(limit) for limit in (14, 33, 26, 62, 62)]
        month, day, hour, minute, second = (f"{part:02}" for part in parts)
        fraction = random.choice(("", f".{random.getrandbits(random.randrange(1, 40))}"))
        zone = random.choice(("", "Z", "+03:00", "-1100"))
        year = f"{random.randrange(10001):04}"
        return f'"{year}-{month}-{day}T{hour}:{minute}:{second}{fraction}{zone}"'


def _rows(random: Random) -> Rows:
    generator = Generator(random)
    return {
        stream: [
            generator.row(key_of(stream), [*properties_of(stream), *CUSTOM_TYPES])
            for _ in range(RECORDS)
        ]
        for stream in STREAMS
    }


@pytest.fixture(scope="module")
def case() -> Case:
    rows = _rows(Random(SEED))  # noqa: S311 - nothing secret
    return Case(f"seed {SEED}", "", (rows,), streams=STREAMS, custom_fields=CUSTOM_TYPES)


@pytest.mark.fuzz
@pytest.mark.parametrize("loader", [pytest.param(loader, id=loader.name) for loader in FUZZED])
def test_random_records_stop_no_target_and_every_key_is_stored(
    loader: Loader, case: Case, source: Source, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = Place(tmp_path, "fuzzed", request.getfixturevalue)
    run = source.run(case, 0)
    sent: dict[str, list[dict[str, Any]]] = {stream: run.records(stream) for stream in STREAMS}
    assert all(sent.values()), f"SEED={SEED}"

    exit_code, _, log = loader.load(run.stdout, place)

    assert exit_code == 0, f"SEED={SEED}\n{log[-3000:]}"
    comparison = Comparison(loader, place)
    for message in run.of_type("SCHEMA"):
        comparison.compare(message, sent[message["stream"]])
    known = loader.gaps["edges"].differences if "edges" in loader.gaps else frozenset()
    assert not comparison.differences & LOST - known, f"SEED={SEED}\n{comparison.details}"
