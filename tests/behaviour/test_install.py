"""The wheel, in an environment of its own outside the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import tap_custobar
from tap_custobar.discovery import schema_directory
from tap_custobar.streams import STREAMS
from tests.conftest import entry_of

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with the pinned versions of its own dependencies, and give its folder."""
    folder = tmp_path_factory.mktemp("environment")
    uv = [str(ROOT / ".venv-uv/bin/uv"), "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder / "venv")], check=True)
    install = [*uv, "pip", "install", "--python", str(folder / "venv/bin/python")]
    pins = folder / "pins.txt"
    # uv takes constraints without their hashes.
    text = (ROOT / "requirements/demo.txt").read_text()
    pins.write_text("\n".join(re.findall(r"^[a-z0-9-]+==[^ \\]+", text, re.MULTILINE)))
    subprocess.run([*install, "--constraint", str(pins), str(wheel)], check=True)
    return folder


@pytest.mark.parametrize(
    "command", [["venv/bin/tap-custobar"], ["venv/bin/python", "-m", "tap_custobar"]]
)
def test_it_describes_itself_without_config_and_network(
    installed: Path, command: list[str]
) -> None:
    def stdout(*arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "https_proxy": "http://127.0.0.1:9"}
        return subprocess.run(
            [installed / command[0], *command[1:], *arguments],
            check=True,
            capture_output=True,
            text=True,
            cwd=installed,
            env=environment,
        ).stdout

    catalog = json.loads(stdout("--discover"))
    assert len(catalog["streams"]) == len(STREAMS)
    assert "first_name" in entry_of(catalog)["schema"]["properties"]
    assert json.loads(stdout("--about", "--format", "json"))["version"] != "[could not be detected]"
    assert re.fullmatch(r"tap-custobar v[0-9.]+, Meltano SDK v[0-9.]+\n", stdout("--version"))


def test_the_airbyte_source_comes_with_it(installed: Path) -> None:
    command = [str(installed / "venv/bin/source-custobar"), "spec"]
    result = subprocess.run(command, check=True, capture_output=True, cwd=installed)

    assert json.loads(result.stdout)["type"] == "SPEC"


def test_without_its_extra_the_sandbox_says_what_to_install(installed: Path) -> None:
    python = installed / "venv/bin/python"
    result = subprocess.run(
        [python, "-m", "tap_custobar.sandbox"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert result.stderr.strip().endswith("pip install 'tap-custobar[sandbox]'")


def test_the_wheel_holds_the_schemas_and_its_types(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()

    assert "tap_custobar/schemas/customers.json" in names
    assert "tap_custobar/schemas/products.json" in names
    assert "tap_custobar/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "schemas"))]


def test_a_checkout_uses_its_own_schemas() -> None:
    assert Path(tap_custobar.__file__).parent == ROOT / "tap_custobar"
    assert Path(str(schema_directory())) == ROOT / "schemas"
