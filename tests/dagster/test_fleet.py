"""The example in one process: what it loads, and what is left when a tap is killed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from importlib.util import module_from_spec, spec_from_file_location
from io import StringIO
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from tests.catalogs import catalog
from tests.dagster.conftest import CUSTOMERS, EXAMPLE, ask
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from tests.server import Request, Server

STREAMS = ("customers", "products")
BIG = "acme|customers"


def table(stream: str, url: str, token: str) -> list[str]:
    """Return the keys of all that a company has."""
    found: list[str] = []
    next_url = f"{url}/data/{stream}/?limit=10000&fields=external_id"
    while next_url:
        page = json.loads(ask(next_url, token))
        found += [record["external_id"] for record in page[stream]]
        next_url = page.get("next_url")
    return found


def loaded(folder: Path, company: str, stream: str) -> list[str]:
    """Return the keys of all rows in the files of all runs."""
    return [
        row["external_id"]
        for file in (folder / company).glob(f"{stream}-*.csv")
        for row in csv.DictReader(StringIO(file.read_text(encoding="utf-8"), newline=""))
    ]


class Killer:
    """Stands before a company's sandbox; kills the tap that asks for the last customers."""

    def __init__(self, server: Server, company: tuple[str, str], pid: Path) -> None:
        self.asked: list[int] = []
        self.times = 1
        self._url, self._token = company
        self._pages: list[str] = []
        self._pid = pid
        self._asked_ahead = False
        server.answer = self._answer

    def _answer(self, request: Request) -> Reply:
        if request.path.endswith("/customers/"):
            if request.target not in self._pages:
                self._pages.append(request.target)
            page = self._pages.index(request.target)
            if page == CUSTOMERS["acme"] // 10_000 and self.times:
                # Asked for ahead at first; again only once the pages before are written.
                self._asked_ahead = not self._asked_ahead
                if self._asked_ahead:
                    return Reply(status=503, headers={"Retry-After": "0"})
                self.times -= 1
                os.kill(int(self._pid.read_text()), signal.SIGKILL)
            self.asked.append(page)
        return Reply(ask(self._url.removesuffix("/api") + request.target, self._token))


@pytest.fixture
def killer(
    server: Server,
    companies: dict[str, tuple[str, str]],
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Killer:
    """Have the big company's taps killed; of its customers only the key is read, for speed."""
    tap, pid = shutil.which("tap-custobar"), environment.parent / "pid"
    (bin_folder := environment.parent / "bin").mkdir()
    (wrapper := bin_folder / "tap-custobar").write_text(
        f'#!/bin/sh\necho $$ > "{pid}"\nexec "{tap}" "$@"\n'
    )
    wrapper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TAP_CUSTOBAR_API_URL__ACME", server.url)
    (environment / "acme").mkdir(parents=True)
    chosen = json.dumps(catalog(customers=["external_id"]))
    (environment / "acme/customers.catalog.json").write_text(chosen)
    return Killer(server, companies["acme"], pid)


@pytest.fixture
def fleet(environment: Path) -> ModuleType:
    """The example, in a folder of its user's."""
    spec = spec_from_file_location("fleet", shutil.copy(EXAMPLE / "fleet.py", environment.parent))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def materialize(fleet: ModuleType) -> Iterator[Callable[[str], dg.ExecuteInProcessResult]]:
    """Run the example's partitions in this process, with Dagster's own history of it."""
    with dg.instance_for_test() as instance:
        yield lambda key: dg.materialize(
            [fleet.custobar], partition_key=key, instance=instance, raise_on_error=False
        )


def retries(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.is_step_restarted for event in result.all_events)


def test_a_killed_tap_is_started_again_and_no_record_of_any_company_is_lost(
    killer: Killer,
    companies: dict[str, tuple[str, str]],
    environment: Path,
    materialize: Callable[[str], dg.ExecuteInProcessResult],
) -> None:
    for company, (url, token) in companies.items():
        for stream in STREAMS:
            result = materialize(f"{company}|{stream}")

            assert result.success
            assert retries(result) == (f"{company}|{stream}" == BIG)
            found, whole = loaded(environment, company, stream), table(stream, url, token)
            assert set(found) == set(whole)
            assert len(found) == len(whole) or retries(result)
            state = json.loads((environment / company / f"{stream}.state.json").read_text())
            assert state == {"bookmarks": {stream: {"resume": None}}}
    assert not killer.times
    assert killer.asked[:4] == [0, 1, 2, 3]
    assert killer.asked[4] > 0  # it went on from what the target had confirmed


def test_the_next_run_goes_on_from_the_state_of_one_that_failed(
    killer: Killer,
    companies: dict[str, tuple[str, str]],
    environment: Path,
    materialize: Callable[[str], dg.ExecuteInProcessResult],
) -> None:
    killer.times = 3
    failed = materialize(BIG)

    assert not failed.success
    assert retries(failed) == 2
    killer.asked.clear()
    assert materialize(BIG).success
    assert killer.asked[0] > 0
    assert set(loaded(environment, "acme", "customers")) == set(
        table("customers", *companies["acme"])
    )


# Dagster finds fault with the tags that itself gives a run of two dimensions.
@pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
def test_every_night_each_partition_is_asked_for_under_its_companys_limit(
    fleet: ModuleType, environment: Path
) -> None:
    with dg.DagsterInstance.from_config(str(environment.parent / "home")) as instance:
        [limit] = instance.get_settings("concurrency")["runs"]["tag_concurrency_limits"]
    with dg.build_schedule_context(repository_def=fleet.definitions.get_repository_def()) as night:
        requests = fleet.nightly.evaluate_tick(night).run_requests

    assert sorted(request.partition_key for request in requests) == [
        f"{company}|{stream}" for company in sorted(CUSTOMERS) for stream in STREAMS
    ]
    assert (limit["limit"], limit["value"]) == (1, {"applyLimitPerUniqueValue": True})
    for request in requests:
        assert request.tags[limit["key"]] == request.partition_key.split("|")[0]


def test_a_company_gets_no_other_companys_token(
    fleet: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for own in ("ACME", "BRAVO", "CARL_CO"):
        monkeypatch.setenv(f"TAP_CUSTOBAR_API_TOKEN__{own}", f"token-{own}")

    text = json.dumps(fleet.environment("carl-co"))

    assert '"TAP_CUSTOBAR_API_TOKEN": "token-CARL_CO"' in text
    assert "token-ACME" not in text
    assert "token-BRAVO" not in text
