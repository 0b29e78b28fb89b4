"""The version is written in pyproject.toml only, and everything else reads it from there."""

from __future__ import annotations

import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import yaml

from tap_custobar.tap import TapCustobar

ROOT = Path(__file__).parents[2]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

#: Where it might be written a second time.
PLACES = ("Dockerfile", "Makefile", ".github", "examples", "hub", "scripts", "tap_custobar")


def test_every_interface_shows_the_version_of_the_project() -> None:
    metadata = yaml.safe_load((ROOT / "airbyte/metadata.yaml").read_text())

    # The User-Agent header has it from there too: `test_errors.py`.
    assert version("tap-custobar") == VERSION, "make .venv/ready installs it anew"
    assert TapCustobar.plugin_version == VERSION
    assert metadata["data"]["dockerImageTag"] == VERSION, "make docs"


def test_it_is_written_nowhere_else() -> None:
    command = ["git", "-C", str(ROOT), "grep", "-lwF", "-e", VERSION, "--"]
    found = subprocess.run([*command, *PLACES], check=False, capture_output=True, text=True)

    assert (found.stdout, found.stderr, found.returncode) == ("", "", 1)
