from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scripts import mutation_score

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("codes", "row", "failed"),
    [
        ([1, 3, 24, *[1] * 16, 0], ["20", "19", "1", "0", "95.0%"], 0),
        ([*[1] * 18, 0, 33], ["20", "18", "1", "1", "90.0%"], 1),
        ([1, 5, None], ["3", "1", "0", "2", "33.3%"], 1),
    ],
    ids=str,
)
def test_the_share_of_killed_mutants_decides(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    codes: list[int | None],
    row: list[str],
    failed: int,
) -> None:
    monkeypatch.setattr(mutation_score, "RESULTS", tmp_path)
    folder = tmp_path / "tap_custobar/state"
    folder.mkdir(parents=True)
    faults = {f"fault_{number}": code for number, code in enumerate(codes)}
    (folder / "bookmark.py.meta").write_text(json.dumps({"exit_code_by_key": faults}))
    (folder / "__init__.py.meta").write_text(json.dumps({"exit_code_by_key": {}}))

    assert mutation_score.main() == failed

    table, _, survivors = capsys.readouterr().out.partition("\n\n")
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["state/bookmark", *row],
        ["total", *row],
    ]
    assert survivors.splitlines()[1:] == [
        *(name for name, code in faults.items() if code == 0),
        *(name for name, code in faults.items() if code in {5, 33, None}),
    ]


def test_without_a_result_there_is_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutation_score, "RESULTS", tmp_path)

    assert mutation_score.main() == 1
