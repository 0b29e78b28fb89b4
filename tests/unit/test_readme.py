"""Every command of the README is run by a test, and every line that it explains can be met."""

from __future__ import annotations

import re
from pathlib import Path

from tests.readme import README, blocks

ROOT = Path(__file__).parent.parent.parent

#: The test that runs each command; the other blocks are run as they stand, by the last one here.
RUN_BY = {
    "make demo": "behaviour/test_demo.py::test_it_shows_both_files_and_leaves_nothing_running",
    "make test": "unit/test_readme.py",
    "python3 -m venv ~/tap-custobar": "behaviour/test_install.py",
    "source ~/tap-custobar/bin/activate": "behaviour/test_install.py",
    "pip install .": "behaviour/test_install.py",
    "python3 -m venv ~/target-csv": "targets/test_target_csv.py",
    "~/target-csv/bin/pip install meltanolabs-target-csv": "targets/test_target_csv.py",
    "meltano install": "targets/test_meltano.py",
    "meltano run custobar-to-csv": "targets/test_meltano.py::test_the_sandbox_becomes_csv_files",
    "export MELTANO_ENVIRONMENT=prod": "targets/test_meltano.py",
    "meltano run custobar-to-postgres": "targets/test_meltano.py",
    "meltano schedule run custobar-daily": "targets/test_meltano.py",
}
AS_THEY_STAND = "targets/test_readme.py::test_the_commands_work_as_they_stand"


def test_every_command_is_run_by_a_test() -> None:
    commands = [line.split("  #")[0].rstrip() for block in blocks("sh") for line in block]

    assert RUN_BY.keys() <= set(commands)
    for named in [*RUN_BY.values(), AS_THEY_STAND]:
        file, _, test = named.partition("::")
        assert f"def {test}" in (ROOT / "tests" / file).read_text(encoding="utf-8"), named
    for block in blocks("sh"):
        told = [line.split("  #")[0].rstrip() in RUN_BY for line in block]
        assert all(told) or any(re.match("(tap|source)-custobar ", line) for line in block), block


def test_every_error_that_is_explained_is_one_of_the_tap() -> None:
    told = README.split("| the line says | do this |")[1].split("\n\n")[0]
    lines = re.findall(r"^\| (`.*?`) \|", told, re.MULTILINE)
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tap_custobar").rglob("*.py"))
    code = re.sub(r'"\s*f?"', "", code)  # texts go on in the next line

    assert len(lines) > 20
    for line in lines:
        for part in re.split(r"[`.]{2,}|`, `|`|\(\w+\)|\w+: ", line):
            assert part.strip() in code, line
