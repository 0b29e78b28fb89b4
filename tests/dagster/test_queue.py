"""The example with Dagster's daemon, which starts queued runs: which of them run in parallel."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING

import dagster as dg

from tests.dagster.conftest import EXAMPLE, ROOT, get
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.server import Request, Server


BIN = ROOT / ".venv-dagster/bin"
CODE = ["--python-file", str(EXAMPLE / "fleet.py")]
TIMEOUT = 240  # for an overloaded machine; normally it takes about 20


@contextmanager
def daemon() -> Iterator[None]:
    """Run the daemon, with the code server and the runs that it starts."""
    with subprocess.Popen(
        [BIN / "dagster-daemon", "run", *CODE], start_new_session=True
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(TIMEOUT)
            with suppress(ProcessLookupError):  # runs that a failed test left running
                os.killpg(process.pid, signal.SIGKILL)


def test_only_one_run_of_a_company_is_active_at_a_time(
    server: Server,
    companies: dict[str, tuple[str, str]],
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAP_CUSTOBAR_API_URL__BRAVO", server.url)
    url, token = companies["bravo"]
    release = Event()

    def answer(request: Request) -> Reply:
        release.wait(TIMEOUT)
        return Reply(get(url.removesuffix("/api") + request.target, token))

    server.answer = answer
    home = environment.parent / "home"
    with (home / "dagster.yaml").open("a", encoding="utf-8") as config:
        config.write("run_queue: {dequeue_interval_seconds: 1}\n")
    partitions = ["bravo|customers", "bravo|products", "carl-co|customers"]
    options = ["--job", "__ASSET_JOB", "--partitions", ",".join(partitions)]
    subprocess.run([BIN / "dagster", "job", "backfill", *CODE, *options, "--noprompt"], check=True)

    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled

        def runs() -> list[dg.DagsterRun]:
            return [record.dagster_run for record in instance.get_run_records(ascending=True)]

        def wait_for(numbers: list[int]) -> None:
            deadline = time.monotonic() + TIMEOUT
            while not all(runs()[number].is_finished for number in numbers):
                assert time.monotonic() < deadline
                time.sleep(0.5)

        assert [run.tags["dagster/partition"] for run in runs()] == partitions
        with daemon():
            wait_for([2])
            # The daemon has skipped the second run of the queue and started the third.
            assert not runs()[0].is_finished
            assert runs()[1].status is dg.DagsterRunStatus.QUEUED
            release.set()
            wait_for([0, 1])
        assert all(run.is_success for run in runs())
    contents = [file.read_bytes() for file in environment.parent.rglob("*") if file.is_file()]
    assert any(b"Beginning sync" in content for content in contents)  # logs are among them
    assert not any(token.encode() in content for content in contents)
