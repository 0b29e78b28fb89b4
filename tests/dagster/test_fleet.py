"""The example in one process: what it loads, also when a tap is killed."""

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
from tests.dagster.conftest import CUSTOMERS, EXAMPLE, get
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from tests.server import Request, Server

STREAMS = ("customers", "products")
BIG = "acme|customers"


def sandbox_keys(stream: str, url: str, token: str) -> list[str]:
    """Return the primary keys of all records of a company's sandbox."""
    keys: list[str] = []
    next_url = f"{url}/data/{stream}/?limit=10000&fields=external_id"
    while next_url:
        page = json.loads(get(next_url, token))
        keys += [record["external_id"] for record in page[stream]]
        next_url = page.get("next_url")
    return keys


def loaded_keys(folder: Path, company: str, stream: str) -> list[str]:
    """Return the primary keys of all rows in the files of all runs."""
    return [
        row["external_id"]
        for file in (folder / company).glob(f"{stream}-*.csv")
        for row in csv.DictReader(StringIO(file.read_text(encoding="utf-8"), newline=""))
    ]


class Killer:
    """A proxy of a company's sandbox that kills the tap when it requests the last customers.

    Attributes:
        requested: The numbers of the requested pages of customers, in order.
        times: How often the tap is still to be killed.
    """

    def __init__(self, server: Server, company: tuple[str, str], pid: Path) -> None:
        self.requested: list[int] = []
        self.times = 1
        self._url, self._token = company
        self._pages: list[str] = []
        self._pid = pid
        self._prefetched = False
        server.answer = self._answer

    def _answer(self, request: Request) -> Reply:
        if request.path.endswith("/customers/"):
            if request.target not in self._pages:
                self._pages.append(request.target)
            page = self._pages.index(request.target)
            if page == CUSTOMERS["acme"] // 10_000 and self.times:
                # The prefetch fails, and is repeated once the pages before are written.
                self._prefetched = not self._prefetched
                if self._prefetched:
                    return Reply(status=503, headers={"Retry-After": "0"})
                self.times -= 1
                os.kill(int(self._pid.read_text()), signal.SIGKILL)
            self.requested.append(page)
        return Reply(get(self._url.removesuffix("/api") + request.target, self._token))


@pytest.fixture
def killer(
    server: Server,
    companies: dict[str, tuple[str, str]],
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Killer:
    """Kill taps of the largest company; only its customers' primary key is read, for speed."""
    tap, pid = shutil.which("tap-custobar"), environment.parent / "pid"
    (bin_folder := environment.parent / "bin").mkdir()
    (wrapper := bin_folder / "tap-custobar").write_text(
        f'#!/bin/sh\necho $$ > "{pid}"\nexec "{tap}" "$@"\n'
    )
    wrapper.chmod(0o700)
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TAP_CUSTOBAR_API_URL__ACME", server.url)
    (environment / "acme").mkdir(parents=True)
    selected = json.dumps(catalog(customers=["external_id"]))
    (environment / "acme/customers.catalog.json").write_text(selected)
    return Killer(server, companies["acme"], pid)


@pytest.fixture
def fleet(environment: Path) -> ModuleType:
    """The example as a module, copied into the folder of a user."""
    spec = spec_from_file_location("fleet", shutil.copy(EXAMPLE / "fleet.py", environment.parent))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def materialize(fleet: ModuleType) -> Iterator[Callable[[str], dg.ExecuteInProcessResult]]:
    """Run the example's partitions in this process, with one Dagster instance."""
    with dg.instance_for_test() as instance:
        yield lambda key: dg.materialize(
            [fleet.custobar], partition_key=key, instance=instance, raise_on_error=False
        )


def retries(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.is_step_restarted for event in result.all_events)


def test_a_killed_tap_is_restarted_and_no_record_of_any_company_is_lost(
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
            loaded = loaded_keys(environment, company, stream)
            expected = sandbox_keys(stream, url, token)
            assert set(loaded) == set(expected)
            assert len(loaded) == len(expected) or retries(result)
            state = json.loads((environment / company / f"{stream}.state.json").read_text())
            assert state == {"bookmarks": {stream: {"resume": None}}}
    assert not killer.times
    assert killer.requested[:4] == [0, 1, 2, 3]
    assert killer.requested[4] > 0  # it resumed from the state that the target had confirmed


def test_the_next_run_resumes_from_the_state_of_a_failed_one(
    killer: Killer,
    companies: dict[str, tuple[str, str]],
    environment: Path,
    materialize: Callable[[str], dg.ExecuteInProcessResult],
) -> None:
    killer.times = 3
    failed = materialize(BIG)

    assert not failed.success
    assert retries(failed) == 2
    killer.requested.clear()
    assert materialize(BIG).success
    assert killer.requested[0] > 0
    assert set(loaded_keys(environment, "acme", "customers")) == set(
        sandbox_keys("customers", *companies["acme"])
    )


# Dagster warns about the tags that it adds itself to a run with two dimensions.
@pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
def test_the_schedule_requests_each_partition_with_the_limit_of_its_company(
    fleet: ModuleType, environment: Path
) -> None:
    with dg.DagsterInstance.from_config(str(environment.parent / "home")) as instance:
        [limit] = instance.get_settings("concurrency")["runs"]["tag_concurrency_limits"]
    with dg.build_schedule_context(
        repository_def=fleet.definitions.get_repository_def()
    ) as context:
        requests = fleet.nightly.evaluate_tick(context).run_requests

    assert sorted(request.partition_key for request in requests) == [
        f"{company}|{stream}" for company in sorted(CUSTOMERS) for stream in STREAMS
    ]
    assert (limit["limit"], limit["value"]) == (1, {"applyLimitPerUniqueValue": True})
    for request in requests:
        assert request.tags[limit["key"]] == request.partition_key.split("|")[0]


def test_the_environment_of_a_company_has_no_token_of_another(
    fleet: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for company in ("ACME", "BRAVO", "CARL_CO"):
        monkeypatch.setenv(f"TAP_CUSTOBAR_API_TOKEN__{company}", f"token-{company}")

    variables = json.dumps(fleet.environment("carl-co"))

    assert '"TAP_CUSTOBAR_API_TOKEN": "token-CARL_CO"' in variables
    assert "token-ACME" not in variables
    assert "token-BRAVO" not in variables
