"""A fleet of sandbox companies; these tests run by `make test-dagster`, where Dagster is."""

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
#: The first is large enough for a state that the target has confirmed midway.
CUSTOMERS = {"acme": 35_000, "bravo": 120, "carl-co": 90}

collect_ignore_glob = [] if find_spec("dagster") else ["test_*.py"]


def ask(url: str, token: str) -> bytes:
    question = Request(url, headers={"Authorization": f"Token {token}"})  # noqa: S310
    with urlopen(question) as reply:  # noqa: S310
        return bytes(reply.read())


@pytest.fixture(scope="session")
def companies() -> Iterator[dict[str, tuple[str, str]]]:
    """The URL and token of each company's sandbox; no two hold the same records."""
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
    """Set up all that the example takes from the environment, and return the fleet's folder."""
    for name in [name for name in os.environ if name.startswith("TAP_CUSTOBAR_")]:
        monkeypatch.delenv(name)
    for company, (url, token) in companies.items():
        own = company.upper().replace("-", "_")
        monkeypatch.setenv(f"TAP_CUSTOBAR_API_URL__{own}", url)
        monkeypatch.setenv(f"TAP_CUSTOBAR_API_TOKEN__{own}", token)
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
