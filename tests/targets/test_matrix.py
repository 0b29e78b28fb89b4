"""Each target with each case: it stores what it was sent, except for the known gaps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scripts.target_matrix import render
from tests.catalogs import replicate
from tests.conftest import select
from tests.server import Reply
from tests.targets.cases import CASES, Case, Rows
from tests.targets.conftest import ROOT
from tests.targets.loaders import LOADERS, Comparison, Loader, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

NO_GAP: frozenset[str] = frozenset()


def cells() -> list[Any]:
    """Return each target with each case; `make test` runs only some."""
    return [
        pytest.param(
            loader,
            case,
            id=f"{loader.name}-{case.name}",
            marks=() if loader.in_ci and case.in_ci else pytest.mark.targets,
        )
        for loader in LOADERS
        for case in CASES
    ]


class Source:
    """Runs the tap on a case's data, from the test's own server or from a sandbox."""

    def __init__(
        self,
        run_tap: RunTap,
        server: Server,
        sandbox_of: Callable[[bool], Sandbox],
        runs: dict[str, Run],
    ) -> None:
        self._run_tap, self._server, self._sandbox_of = run_tap, server, sandbox_of
        self._runs = runs

    def run(self, case: Case, load: int, state: object = None) -> Run:
        """Return a run of the tap for one of a case's loads, from the cache if there was one."""
        key = f"{case.name} {load} {json.dumps(state)}"
        if key not in self._runs:
            self._runs[key] = self._run(case, load, state)
        return self._runs[key]

    def _run(self, case: Case, load: int, state: object) -> Run:
        if case.loads:
            self._server.answer = _serve(case.loads[load])
        base = self._server if case.loads else self._sandbox_of(case.is_untidy)
        options = {
            stream: {"custom_fields": dict(case.custom_fields)}
            for stream in case.streams
            if case.custom_fields
        }
        config = {**base.config, "stream_options": options, **case.config}
        catalog = json.loads(self._run_tap(config, "--discover").stdout)
        select(catalog, **dict.fromkeys(case.streams, True))
        if case.keeps_state:
            replicate(catalog, "products", replication_method="INCREMENTAL", replication_key="date")
        run = self._run_tap(config, catalog=catalog, state=state)
        assert run.exit_code == 0, run.log
        return run


@pytest.fixture(scope="session")
def runs() -> dict[str, Run]:
    """The runs of the tap so far, which do not depend on the target."""
    return {}


@pytest.fixture
def source(
    run_tap: RunTap, server: Server, runs: dict[str, Run], request: pytest.FixtureRequest
) -> Source:
    def sandbox_of(is_untidy: bool) -> Sandbox:  # noqa: FBT001
        sandbox: Sandbox = request.getfixturevalue("untidy_sandbox" if is_untidy else "sandbox")
        return sandbox

    return Source(run_tap, server, sandbox_of, runs)


def _serve(rows: Rows) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        stream = "campaigns" if "campaign/" in request.path else request.path.split("/")[-2]
        listed = ",".join(rows.get(stream, ()))
        return Reply(f'{{"{stream}": [{listed}]}}'.encode())

    return answer


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES if case.records]
)
def test_the_tap_converts_edge_values_to_values_that_databases_store(
    case: Case, source: Source
) -> None:
    run = source.run(case, 0)

    for stream, expected in case.records.items():
        records = run.records(stream)
        assert len(records) == len(expected)
        # The tap computes the key of an event, which the API does not send.
        computed = {"event_key"} if stream == "events" else set()
        for record, values in zip(records, expected, strict=True):
            assert record == values | {name: record[name] for name in computed}


def test_the_document_lists_the_known_gaps() -> None:
    document = (ROOT / "docs/targets.md").read_text(encoding="utf-8")

    assert document == render(), "run: make test-targets"


@pytest.mark.parametrize(("loader", "case"), cells())
def test_a_target_stores_what_the_tap_sent(
    loader: Loader,
    case: Case,
    source: Source,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("target", loader.name)
    record_property("case", case.name)
    folder = tmp_path / "target"
    folder.mkdir()
    name = f"m_{LOADERS.index(loader)}_{case.name}"
    place = Place(folder, name, request.getfixturevalue)
    found: set[str] = set()
    details: list[str] = []
    schemas: dict[str, Mapping[str, Any]] = {}
    sent: dict[str, list[dict[str, Any]]] = {}
    state = None
    for load in range(len(case.loads) or 1):
        run = source.run(case, load, state if case.keeps_state else None)
        if case.keeps_state and load:
            assert [record["external_id"] for record in run.records("products")] == ["c", "b"]
        schemas |= {message["stream"]: message for message in run.of_type("SCHEMA")}
        for stream in schemas:
            if case.config.get("emit_activate_version_messages"):
                sent[stream] = []
            sent.setdefault(stream, []).extend(run.records(stream))
        if not load:
            loader.prepare(place, list(schemas.values()))
        exit_code, stdout, log = loader.load(run.stdout, place)
        if exit_code:
            found.add("stops")
            details.append(log[-1500:])
            break
        state = json.loads(stdout.splitlines()[-1]) if stdout.strip() else None
        if state != run.state:
            found.add("state")
            details.append(f"state {state}")
    if "stops" not in found:
        comparison = Comparison(loader, place)
        for stream, schema in schemas.items():
            comparison.compare(schema, sent[stream])
        found |= comparison.differences
        details += comparison.details.values()

    gap = loader.gaps.get(case.name)
    record_property("found", ", ".join(sorted(found)))
    assert found == (gap.differences if gap else NO_GAP), "\n".join(details[:40])
