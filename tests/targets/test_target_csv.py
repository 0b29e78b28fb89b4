from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import TAP

if TYPE_CHECKING:
    from tests.conftest import Sandbox

TARGET = Path(__file__).parent.parent.parent / ".venv-target-csv/bin/target-csv"


def test_customers_and_products_become_csv_files(sandbox: Sandbox, tmp_path: Path) -> None:
    tap_config = tmp_path / "tap.json"
    tap_config.write_text(json.dumps(sandbox.config))
    target_config = tmp_path / "target.json"
    target_config.write_text(json.dumps({"output_path": str(tmp_path)}))

    with subprocess.Popen([*TAP, "--config", str(tap_config)], stdout=subprocess.PIPE) as tap:
        target = subprocess.run(
            [TARGET, "--config", str(target_config)],
            stdin=tap.stdout,
            capture_output=True,
            check=False,
        )

    assert tap.returncode == 0
    assert target.returncode == 0, target.stderr
    last_state = json.loads(target.stdout.splitlines()[-1])
    assert set(last_state["bookmarks"]) == {"customers", "products"}
    for stream, size in (("customers", sandbox.customers), ("products", sandbox.products)):
        with (tmp_path / f"{stream}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["external_id"] for row in rows}) == len(rows) == size
