"""The commands of the README, pasted into a shell."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.readme import blocks
from tests.server import TOKEN
from tests.targets.conftest import ROOT, environment

if TYPE_CHECKING:
    from tests.conftest import Sandbox


def test_the_commands_of_the_readme_work(sandbox: Sandbox, tmp_path: Path) -> None:
    """Only the token and the URL are replaced by those of the sandbox."""
    programs = [Path(sys.executable).parent, environment("target-csv") / "bin"]
    env = {
        "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        "TAP_CUSTOBAR_API_URL": sandbox.url,
        "TAP_CUSTOBAR_API_TOKEN": TOKEN,
        "TAP_CUSTOBAR_REQUEST_INTERVAL": "0",
    }
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "config.json").write_text(json.dumps(sandbox.config))
    pasted = [
        block
        for block in blocks("sh")
        if any(re.match("(tap|source)-cust", line) for line in block)
        and not any("sandbox" in line for line in block)  # see test_install
    ]

    for block in pasted:
        script = "\n".join(["set -euo pipefail", *block]).replace("API...", TOKEN)
        ended = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "FAILED" not in ended.stdout
        if not any("target-csv" in line for line in block):
            continue
        (file,) = tmp_path.rglob("customers*.csv")  # one, because each run overwrites it
        with file.open(encoding="utf-8", newline="") as rows:
            assert sum(1 for _ in csv.DictReader(rows)) == sandbox.customers

    assert len(pasted) == 9
