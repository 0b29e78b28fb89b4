"""Prints the matrix of targets that a test run made, and writes docs/targets.md.

The document says what the tables of tests/targets say; it is written where the run agrees with
them in every cell.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.targets.cases import CASES
from tests.targets.loaders import LOADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.targets.loaders import Gap, Loader

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs/targets.md"

ARRIVES = "✔"
GAP = "gap"
SKIPPED = "not run"

HEAD = """\
# Real targets

Written by `make test-targets`, which loads each case into each target and compares what is stored
with what the tap sent, value by value. ✔: all of it arrives. A number is a gap that the test knows;
the test fails, too, when a gap closes. No gap is the tap's fault.
"""

CASES_HEAD = """
| case | what is loaded |
| --- | --- |
"""

GAPS_HEAD = """
## Gaps

| gap | target | whose fault | what it does |
| --- | --- | --- | --- |
"""

TARGETS_HEAD = """
## Targets and their needs

| target | package | needs, beside where the data goes |
| --- | --- | --- |
"""

NOTES = """
target-sqlite and target-parquet were made for older Pythons. On Python 3.10 and newer they start
only with [a few lines](../tests/targets/old_python/sitecustomize.py) on their `PYTHONPATH`; what
they pin too low is overridden in `requirements/target-overrides.in`. target-mysql logs all records
of a batch with each of them, gigabytes of personal data, unless `SINGER_SDK_LOG_CONFIG` names
[a configuration](../tests/targets/quiet.yml) that leaves them out.

## Other targets

- singer-io's `target-csv`, the package without the prefix `meltanolabs-`, takes the columns from a
  stream's first record: values of later records stand under wrong columns, in silence.
- target-duckdb with `duckdb` 2.0, which pip picks, loses a row of a stream, in silence.
- `target-avro`, `plinxore-target-s3` (Parquet) and datamill's `singer-target-postgres` load all
  five streams where the tap flattens objects: `flattening_enabled: true`,
  `flattening_max_depth: 2`.
- `macrometa-target-mysql` makes the same columns as target-mysql, and never ends after an error.
- `target-universal-file` writes no Parquet of a property that may be null.
- `target-mysql` and `singer-target-mysql`, of 2020, are packages without content.
"""


def main() -> None:
    """Print the matrix of the run whose JUnit report is named, and write the document."""
    outcomes = _outcomes(Path(sys.argv[1]))
    rows = [
        [loader.name, *(outcomes.get((loader.name, case.name), SKIPPED) for case in CASES)]
        for loader in LOADERS
    ]
    sys.stdout.write("\n".join(_table(["", *(case.name for case in CASES)], rows)) + "\n")
    if all(cell in {ARRIVES, GAP} for row in rows for cell in row[1:]):
        DOCUMENT.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write("docs/targets.md stays as it was: not every cell is as it says\n")


def render() -> str:
    """Return the document, as the tables of cases and targets have it."""
    numbers = _numbers()
    rows = []
    for loader in LOADERS:
        gaps = [loader.gaps.get(case.name) for case in CASES]
        rows.append([loader.name, *(str(numbers[g.reason]) if g else ARRIVES for g in gaps)])
    return "".join(
        (
            HEAD,
            "\n",
            _markdown([["target", *(case.name for case in CASES)], *rows]),
            CASES_HEAD,
            "".join(f"| {case.name} | {case.what} |\n" for case in CASES),
            GAPS_HEAD,
            *(_gap_line(number, reason) for reason, number in numbers.items()),
            TARGETS_HEAD,
            *(
                f"| {loader.name} | {loader.package} {_version(loader)} | {loader.needs} |\n"
                for loader in LOADERS
            ),
            NOTES,
        )
    )


def _numbers() -> Mapping[str, int]:
    """Number the gaps' reasons in the order in which the table has them."""
    found = dict.fromkeys(gap.reason for loader in LOADERS for gap in _gaps(loader))
    return {reason: number for number, reason in enumerate(found, 1)}


def _gaps(loader: Loader) -> Iterable[Gap]:
    return (loader.gaps[case.name] for case in CASES if case.name in loader.gaps)


def _gap_line(number: int, reason: str) -> str:
    having = [loader for loader in LOADERS if any(g.reason == reason for g in _gaps(loader))]
    whose = next(gap.whose for gap in _gaps(having[0]) if gap.reason == reason)
    return f"| {number} | {'; '.join(one.name for one in having)} | {whose} | {reason} |\n"


def _version(loader: Loader) -> str:
    pinned = (ROOT / f"requirements/target-{loader.environment}.txt").read_text(encoding="utf-8")
    match = re.search(rf"^{loader.package}==(\S+)", pinned, re.MULTILINE)
    return match[1] if match else ""


def _outcomes(report: Path) -> Mapping[tuple[str, str], str]:
    """Return how each cell ended: as a check mark, a gap that is known, or what else was found."""
    found = {}
    for test in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        told = {str(each.get("name")): str(each.get("value")) for each in test.iter("property")}
        if "target" not in told:
            continue
        if test.find("skipped") is not None:
            outcome = SKIPPED
        elif test.find("failure") is not None or test.find("error") is not None:
            outcome = f"FAILED: {told.get('found') or 'nothing, or the tap'}"
        else:
            outcome = GAP if told["found"] else ARRIVES
        found[told["target"], told["case"]] = outcome
    return found


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return aligned lines."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]


def _markdown(rows: list[list[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |\n" for row in rows]
    return head + "| " + " | ".join("---" for _ in rows[0]) + " |\n" + "".join(body)


if __name__ == "__main__":
    main()
