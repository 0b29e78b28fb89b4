"""What the README says twice is checked against the tap."""

from __future__ import annotations

import re
from pathlib import Path

from tap_custobar.streams import STREAMS
from tap_custobar.tap import TapCustobar

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_setting_is_listed_with_its_default() -> None:
    ours = {
        name: definition
        for name, definition in TapCustobar.config_jsonschema["properties"].items()
        if not re.match("batch|faker|flattening|stream_map", name)
    }

    assert [row[0].strip("`") for row in rows("Settings")] == list(ours)
    for name, _, default, _ in rows("Settings"):
        expected = ours[name.strip("`")].get("default")
        if expected is not None:
            assert default.strip("`").lower() == str(expected).lower()


def test_every_stream_is_listed_with_its_path_and_scope() -> None:
    listed = {row[1]: row[0] for row in rows("What is read") if row[1]}
    scopes = {row[0]: row[1] for row in rows("The API key")}

    assert listed == scopes == {f"`{s.name}`": f"`GET /api{s.path}`" for s in STREAMS}


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE)) <= targets
