"""Several companies, each with a sandbox; `make test-dagster` runs the tests."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from scripts.demo import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/dagster"
#: The first is so large that the target confirms a state before the end.
CUSTOMERS = {"acme": 35_000, "bravo": 120, "carl-co": 90}

collect_ignore_glob = [] if find_spec("dagster") else ["test_*.py"]


def get(url: str, token: str) -> bytes:
    request = Request(url, headers={"Authorization": f"Token {token}"})  # noqa: S310
    with urlopen(request) as response:  # noqa: S310
        return bytes(response.read())


@pytest.fixture(scope="session")
def companies() -> Iterator[dict[str, tuple[str, str]]]:
    """The URL and token of each company's sandbox; each has other records."""
    with ExitStack() as running:
        yield {
            company: running.enter_context(
                sandbox("--customers", str(size), "--products", "40", "--seed", str(size))
            )
            for company, size in CUSTOMERS.items()
        }


@pytest.fixture
def environment(
    companies: dict[str, tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Set the environment variables that the example reads, and return the value of FLEET_HOME."""
    for name in [name for name in os.environ if name.startswith("TAP_CUSTOBAR_")]:
        monkeypatch.delenv(name)
    for company, (url, token) in companies.items():
        suffix = company.upper().replace("-", "_")
        monkeypatch.setenv(f"TAP_CUSTOBAR_API_URL__{suffix}", url)
        monkeypatch.setenv(f"TAP_CUSTOBAR_API_TOKEN__{suffix}", token)
    monkeypatch.setenv("TAP_CUSTOBAR_REQUEST_INTERVAL", "0")
    monkeypatch.setenv("FLEET_COMPANIES", " ".join(companies))
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "fleet"))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    shutil.copy(EXAMPLE / "dagster.yaml", tmp_path / "home")
    programs = [ROOT / ".venv-dagster/bin", ROOT / ".venv-target-csv/bin"]
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, programs), os.environ["PATH"]]))
    return tmp_path / "fleet"
