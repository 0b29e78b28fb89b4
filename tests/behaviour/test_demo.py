"""The script of `make demo`; the Makefile creates its environments before the tests."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.time_limit import time_limit

ROOT = Path(__file__).parent.parent.parent
DEMO = [sys.executable, str(ROOT / "scripts/demo.py")]


def is_served(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def port_of(output: str) -> str:
    match = re.search(r"http://127\.0\.0\.1:(\d+)/api", output)
    assert match, output
    return match[1]


def is_running(argument: str) -> bool:
    """Return whether a command line in /proc contains the string; False without /proc."""
    commands = Path("/proc").glob("[0-9]*/cmdline")
    return any(argument in command.read_text(errors="replace") for command in commands)


def test_the_demo_shows_both_files_and_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("from a previous run")

    demo = subprocess.run([*DEMO, tmp_path], capture_output=True, text=True, check=False)

    assert (demo.returncode, demo.stderr) == (0, "")
    steps, customers, products, table = demo.stdout.split("\n\n")
    assert all(re.match(r" *\d+\.\d s  \S", step) for step in steps.splitlines())
    assert "customers: 2,000 records, " in steps
    assert [line.split()[0] for line in customers.splitlines()[1:]] == [
        *("external_id", "C00000001", "C00000002", "C00000003")
    ]
    # The title of the first product has a line break, so its record has two physical lines.
    assert [line.split()[0] for line in products.splitlines()[1:]] == [
        *("external_id", "P00000001", "P00000002", "P00000003")
    ]
    assert [line.split() for line in table.splitlines()] == [
        ["stream", "records", "file"],
        ["customers", "2,000", f"{tmp_path}/customers.csv"],
        ["products", "500", f"{tmp_path}/products.csv"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["customers.csv", "products.csv"]
    assert not is_served(port_of(demo.stdout))


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("Starting", signal.SIGINT),
        ("It serves", signal.SIGINT),
        ("Beginning sync of 'customers'", signal.SIGINT),
        ("Beginning sync of 'customers'", signal.SIGTERM),
    ],
)
def test_an_interrupted_demo_leaves_no_file_and_no_process(
    tmp_path: Path, step: str, number: signal.Signals
) -> None:
    output, temporary = tmp_path / "output", tmp_path / "temporary"
    temporary.mkdir()
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(
            [*DEMO, output],
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=pipe,
            stderr=pipe,
            text=True,
            process_group=0,
        ) as demo,
        time_limit(partial(os.killpg, demo.pid, signal.SIGKILL)),
    ):
        assert demo.stdout
        output_so_far = ""
        while step not in output_so_far:
            line = demo.stdout.readline()
            assert line, demo.communicate()  # it ended
            output_so_far += line
        os.killpg(demo.pid, number)  # as a terminal does on Ctrl-C
        rest, errors = demo.communicate()

    assert (demo.returncode, errors) == (128 + number, "")
    assert "Done" not in rest
    assert not output.exists()
    assert not list(temporary.iterdir())
    assert not is_running(str(temporary))
    if step != "Starting":
        assert not is_served(port_of(output_so_far))


FAILING = """
import sys
sys.exit("1 | INFO | a | started\\n2 | ERROR | a | disk full\\n3 | INFO | a | ended")
"""
KILLED = "import os; os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    ("part", "command", "line"),
    [
        ("SANDBOX", [sys.executable, "-c", FAILING], "The sandbox failed: disk full"),
        ("TAP", [sys.executable, "-c", FAILING], "tap-custobar failed: disk full"),
        ("TARGET", [sys.executable, "-c", FAILING], "target-csv failed: disk full"),
        ("TARGET", [sys.executable, "-c", KILLED], "target-csv failed: SIGKILL"),
        ("TARGET", ["missing"], "The demo failed: missing: No such file or directory"),
    ],
)
def test_a_failing_part_ends_the_demo_with_one_line(
    tmp_path: Path, part: str, command: list[str], line: str
) -> None:
    output = tmp_path / "output"
    code = f"from scripts import demo; demo.{part} = {command}; demo.main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, output], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert (ended.returncode, ended.stderr) == (1, f"{line}\n")
    assert not output.exists()
