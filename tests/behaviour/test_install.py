"""The release: the sdist, the wheel that is built from it, and its installation."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata

import tap_custobar
from tap_custobar.catalog.discovery import schema_directory
from tap_custobar.streams import STREAMS
from tests.conftest import entry_of
from tests.readme import blocks

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "tap_custobar"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = re.findall(r"^PYTHONS = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel, which is built from the sdist.

    If DIST is set, the folder of that name in the checkout, as built by `make package`.
    """
    if folder := os.environ.get("DIST"):
        return ROOT / folder
    return build(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def wheel(released: Path) -> Path:
    (file,) = released.glob("*.whl")
    return file


def build(folder: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *options]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    return folder


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with pinned versions of its dependencies, and return the folder."""
    folder = tmp_path_factory.mktemp("environment")
    uv = [str(ROOT / ".venv-uv/bin/uv"), "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder / "venv")], check=True)
    install = [*uv, "pip", "install", "--python", str(folder / "venv/bin/python")]
    pins = folder / "pins.txt"
    # Constraints of uv must not have hashes.
    requirements = (ROOT / "requirements/demo.txt").read_text()
    pins.write_text("\n".join(re.findall(r"^[a-z0-9-]+==[^ \\]+", requirements, re.MULTILINE)))
    subprocess.run([*install, "--constraint", str(pins), str(wheel)], check=True)
    return folder


@pytest.mark.parametrize(
    "command", [["venv/bin/tap-custobar"], ["venv/bin/python", "-m", "tap_custobar"]]
)
def test_discover_about_and_version_work_without_config_and_network(
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
    assert json.loads(stdout("--about", "--format", "json"))["version"] == PROJECT["version"]
    version = rf"tap-custobar v{re.escape(PROJECT['version'])}, Meltano SDK v[0-9.]+\n"
    assert re.fullmatch(version, stdout("--version"))


def test_the_airbyte_source_is_installed_with_the_tap(installed: Path) -> None:
    command = [str(installed / "venv/bin/source-custobar"), "spec"]
    result = subprocess.run(command, check=True, capture_output=True, cwd=installed)

    assert json.loads(result.stdout)["type"] == "SPEC"


def test_the_sandbox_without_its_extra_says_what_to_install(installed: Path) -> None:
    python = installed / "venv/bin/python"
    result = subprocess.run(
        [python, "-m", "tap_custobar.sandbox"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 1
    assert result.stderr.strip().endswith("pip install '.[sandbox]' in a checkout")


def test_the_wheel_contains_only_the_package_and_its_schemas(wheel: Path) -> None:
    about = f"tap_custobar-{PROJECT['version']}.dist-info"
    sources = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".typed"}]
    schemas = [f"tap_custobar/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")]
    files = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")

    assert len(schemas) >= len(STREAMS)
    assert sorted(contents(wheel)) == sorted(
        [str(path.relative_to(ROOT)) for path in sources]
        + schemas
        + [f"{about}/{file}" for file in files]
    )


def test_the_sdist_contains_only_the_sources_of_the_wheel(released: Path) -> None:
    (sdist,) = released.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/")[1] for name in archive.getnames()}

    documents = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md"}
    assert names == {".gitignore", "pyproject.toml", "schemas", "tap_custobar"} | documents


def test_the_same_wheel_is_built_from_the_checkout_and_from_the_sdist(
    wheel: Path, tmp_path: Path
) -> None:
    (other,) = build(tmp_path, "--wheel").glob("*.whl")

    assert contents(other) == contents(wheel)


def test_the_metadata_is_valid_and_complete(wheel: Path) -> None:
    about = f"tap_custobar-{PROJECT['version']}.dist-info"
    metadata = Metadata.from_email(contents(wheel)[f"{about}/METADATA"], validate=True)

    assert (metadata.name, str(metadata.version)) == ("tap-custobar", PROJECT["version"])
    assert metadata.summary == PROJECT["description"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert (metadata.license_expression, metadata.license_files) == ("Apache-2.0", ["LICENSE"])
    assert metadata.provides_extra == ["sandbox"]
    assert str(metadata.requires_python) == ">=3.11"
    pythons = {f"Programming Language :: Python :: {version}" for version in PYTHONS}
    assert pythons == {c for c in metadata.classifiers or [] if ":: Python ::" in c}
    assert "meltano_sdk" in (metadata.keywords or [])
    needed = {requirement.name for requirement in metadata.requires_dist or []}
    assert {"msgspec", "requests", "singer-sdk", "starlette"} < needed
    assert needed.isdisjoint({"pytest", "ruff", "hatchling"})


def test_a_checkout_uses_its_own_schemas() -> None:
    assert Path(tap_custobar.__file__).parent == PACKAGE
    assert Path(str(schema_directory())) == ROOT / "schemas"


def shell(script: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the checkout, as if pasted from the README, with another home folder."""
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        # With the settings of uv and pip in the environment.
        env={**os.environ, "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("uv tool install .", "tap-custobar"),
        ("uv tool run pipx install .", "tap-custobar"),
        ("uv tool install meltanolabs-target-csv", "target-csv"),
    ],
)
def test_the_install_commands_of_the_readme(tmp_path: Path, command: str, program: str) -> None:
    """With uv of the environment that the Makefile creates."""
    programs = f"{ROOT / '.venv-uv/bin'}:{os.environ['PATH']}"
    cache = {"UV_CACHE_DIR": str(Path.home() / ".cache/uv"), **os.environ}["UV_CACHE_DIR"]

    installed = shell(command, tmp_path, UV_CACHE_DIR=cache, PATH=programs)
    result = shell(f"{tmp_path}/.local/bin/{program} --version", tmp_path)

    assert installed.returncode == 0, installed.stderr
    assert result.stdout.startswith(f"{program} v")


def test_the_quick_start_of_the_readme(tmp_path: Path) -> None:
    [block] = [block for block in blocks("sh") if any("tap_custobar.sandbox" in x for x in block)]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    script = "\n".join(block).replace("8080", str(port))
    script = script.replace("tap_custobar.sandbox", f"tap_custobar.sandbox --port {port}")
    script = script.replace("records.jsonl", str(tmp_path / "records.jsonl"))

    result = shell(f"trap 'kill $(jobs -p)' EXIT\n{script}", tmp_path)

    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()
    assert sum('"type":"RECORD"' in line for line in lines) == 1300
