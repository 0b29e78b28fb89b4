"""The benchmark, with tables so small that they only show that it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, cast
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks.bounds import Bound
from tests.benchmarks.data import ROOT
from tests.benchmarks.programs import Programs, Workload
from tests.benchmarks.verification import verify

if TYPE_CHECKING:
    from pathlib import Path

AGAINST = ["raw", "specification"]


class Lines:
    """Programs that print what a test specifies."""

    def __init__(self, **programs: str) -> None:
        self.programs = programs

    def command(self, name: str, _work: Workload) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", self.programs[name]]


def printing(*emails: str) -> str:
    records = [{"type": "RECORD", "record": {"email": email}} for email in emails]
    return f"print({chr(10).join(map(json.dumps, records))!r})"


def test_it_measures_reports_and_draws(tmp_path: Path) -> None:
    table = ["--rounds", "1", "--records", "100", "--page-size", "50"]
    parts = ["--parts", "speed", "ways", "--ways", "batch", "csv"]
    choice = [*parts, "--against", *AGAINST, "--output", str(tmp_path)]
    bench = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.benchmarks", *table, *choice],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert bench.returncode == 0, bench.stderr
    assert "specification / ours" in bench.stdout
    results = json.loads((tmp_path / "benchmark.json").read_text("utf-8"))
    for name in ["ours", *AGAINST]:
        [run] = results["speed"][name]
        assert run["seconds"] > results["server"] > 0
        assert run["megabytes"] > 1
    assert [way["way"] for way in results["ways"]] == ["plain", "csv", "batch"]
    assert {bound["figure"]: bound["must"] for bound in results["bounds"]} == {
        "specification / ours": 2.5,
        "ours / raw": 3,
        "plain: peak MB": 150,
        "plain: stock / ours": 12,
        "csv: peak MB": 150,
        "csv: x plain": 2,
        "batch: peak MB": 150,
        "batch: stock / ours": 4,
        "batch: x plain": 3.5,
    }
    chart = ET.parse(tmp_path / "benchmark.svg").getroot()  # noqa: S314 - our own
    kinds = [element.get("class", "") for element in chart]
    assert (kinds.count("bar ours"), kinds.count("bar")) == (3, 2)  # the stock tap knows no CSV


@pytest.mark.parametrize(
    "other", [printing("a@x"), printing("a@x", "b@x", "c@x"), printing("c@x", "b@x")]
)
def test_programs_that_do_other_work_are_not_compared(other: str) -> None:
    work = Workload(records=2)
    same = printing("a@x", "b@x")

    verify(cast("Programs", Lines(one=same, two=same)), work, ["one", "two"])
    with pytest.raises(RuntimeError, match="not the same records"):
        verify(cast("Programs", Lines(one=same, two=other)), work, ["one", "two"])


@pytest.mark.parametrize(
    ("value", "must", "aim", "verdict"),
    [
        (12.0, 8, 12, "aim met"),
        (8.0, 8, 12, "met"),
        (7.9, 8, 12, "MISSED"),
        (1.8, 3, 1.8, "aim met"),
        (3.0, 3, 1.8, "met"),
        (3.1, 3, 1.8, "MISSED"),
    ],
)
def test_a_figure_is_compared_in_the_direction_of_its_aim(
    value: float, must: float, aim: float, verdict: str
) -> None:
    assert Bound("", value, must, aim, is_least=aim > must).verdict == verdict
