from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunTap, Sandbox
    from tests.targets.conftest import Pipe


def test_every_record_becomes_a_line(
    sandbox: Sandbox, pipe: Pipe, run_tap: RunTap, tmp_path: Path
) -> None:
    # By default the target writes to a new file each second.
    settings = {"destination_path": str(tmp_path / "out"), "do_timestamp_file": False}
    piped = pipe(sandbox.config, "jsonl", settings)

    assert piped.exit_codes == (0, 0), piped.target_log
    # It returns a state only after the last record.
    assert set(piped.states[-1]["bookmarks"]) == {"customers", "products"}
    sent = run_tap(sandbox.config)
    for stream, size in (("customers", sandbox.customers), ("products", sandbox.products)):
        lines = (tmp_path / "out" / f"{stream}.jsonl").read_text(encoding="utf-8").split("\n")
        assert [json.loads(line) for line in lines if line] == sent.records(stream)
        assert len(lines) == size + 1
