"""Prints the results of a run of the matrix of targets, and writes docs/targets.md.

The document is generated from the tables in tests/targets; it is only written if every result is
the expected one.
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
with what the tap sent, value by value. ✔: everything arrives. A number: a known gap, listed below;
the test also fails if a gap no longer exists. No gap is a fault of the tap.
"""

CASES_HEAD = """
| case | what is loaded |
| --- | --- |
"""

GAPS_HEAD = """
## Gaps

| gap | target | cause | what happens |
| --- | --- | --- | --- |
"""

TARGETS_HEAD = """
## Targets and their needs

| target | package | required settings and preparation, besides the destination |
| --- | --- | --- |
"""

NOTES = """
target-sqlite and target-parquet were written for older versions of Python. On Python 3.10 and newer
they only start with [a small module](../tests/targets/old_python/sitecustomize.py) on their
`PYTHONPATH`; dependencies that they pin too low are overridden in
`requirements/target-overrides.in`. target-mysql logs all records of a batch once per record
(gigabytes of personal data), unless `SINGER_SDK_LOG_CONFIG` names
[a configuration](../tests/targets/quiet.yml) that suppresses them.

## Other targets

- singer-io's `target-csv`, the package without the prefix `meltanolabs-`, takes the columns from a
  stream's first record, and silently writes values of later records under wrong columns.
- target-duckdb with `duckdb` 2.0, which pip picks, silently loses a row of a stream.
- `target-avro`, `plinxore-target-s3` (Parquet) and datamill's `singer-target-postgres` load all
  five streams if the tap flattens objects: `flattening_enabled: true`,
  `flattening_max_depth: 2`.
- `macrometa-target-mysql` creates the same columns as target-mysql, and hangs after an error.
- `target-universal-file` cannot write a property that may be null to Parquet.
- `target-mysql` and `singer-target-mysql` (2020) are empty packages.
"""


def main() -> None:
    """Print the matrix of a run, whose JUnit report is the argument, and write the document."""
    outcomes = _outcomes(Path(sys.argv[1]))
    rows = [
        [loader.name, *(outcomes.get((loader.name, case.name), SKIPPED) for case in CASES)]
        for loader in LOADERS
    ]
    sys.stdout.write("\n".join(_table(["", *(case.name for case in CASES)], rows)) + "\n")
    if all(cell in {ARRIVES, GAP} for row in rows for cell in row[1:]):
        DOCUMENT.write_text(render(), encoding="utf-8")
    else:
        sys.stdout.write("docs/targets.md was not written: a cell differs from the tables\n")


def render() -> str:
    """Return the document, made from the tables of cases and targets."""
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
    """Return the number of each gap's reason, in the order of the table."""
    found = dict.fromkeys(gap.reason for loader in LOADERS for gap in _gaps(loader))
    return {reason: number for number, reason in enumerate(found, 1)}


def _gaps(loader: Loader) -> Iterable[Gap]:
    return (loader.gaps[case.name] for case in CASES if case.name in loader.gaps)


def _gap_line(number: int, reason: str) -> str:
    loaders = [loader for loader in LOADERS if any(g.reason == reason for g in _gaps(loader))]
    cause = next(gap.cause for gap in _gaps(loaders[0]) if gap.reason == reason)
    return f"| {number} | {'; '.join(each.name for each in loaders)} | {cause} | {reason} |\n"


def _version(loader: Loader) -> str:
    pinned = (ROOT / f"requirements/target-{loader.environment}.txt").read_text(encoding="utf-8")
    match = re.search(rf"^{loader.package}==(\S+)", pinned, re.MULTILINE)
    return match[1] if match else ""


def _outcomes(report: Path) -> Mapping[tuple[str, str], str]:
    """Return the content of each cell: ARRIVES, GAP, SKIPPED, or how the test failed.

    Args:
        report: A JUnit report of tests/targets/test_matrix.py.
    """
    cells = {}
    for test in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        recorded = {str(each.get("name")): str(each.get("value")) for each in test.iter("property")}
        if "target" not in recorded:
            continue
        if test.find("skipped") is not None:
            outcome = SKIPPED
        elif test.find("failure") is not None or test.find("error") is not None:
            outcome = f"FAILED: {recorded.get('found') or 'no difference, or the tap failed'}"
        else:
            outcome = GAP if recorded["found"] else ARRIVES
        cells[recorded["target"], recorded["case"]] = outcome
    return cells


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a table with aligned columns."""
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
