from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sandbox
    from tests.targets.conftest import Pipe


def test_customers_and_products_become_csv_files(
    sandbox: Sandbox, pipe: Pipe, tmp_path: Path
) -> None:
    piped = pipe(sandbox.config, "csv", {"output_path": str(tmp_path)})

    assert piped.exit_codes == (0, 0), piped.target_log
    assert set(piped.states[-1]["bookmarks"]) == {"customers", "products"}
    for stream, size in (("customers", sandbox.customers), ("products", sandbox.products)):
        with (tmp_path / f"{stream}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["external_id"] for row in rows}) == len(rows) == size
