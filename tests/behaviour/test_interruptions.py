"""However a run ends, the next one goes on from its last state, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.conftest import STATE_AFTER
from tests.catalogs import catalog
from tests.conftest import TAP, Run
from tests.server import Reply

if TYPE_CHECKING:
    from tests.behaviour.conftest import Start
    from tests.conftest import RunTap
    from tests.server import Request, Server

PAGES = 8
PAGE = 40
TABLE = {f"C{number}" for number in range(PAGES * PAGE)}
STATES = STATE_AFTER.format(PAGE)


def paged(
    server: Server, *, gone: frozenset[int] = frozenset(), interrupted: Event | None = None
) -> None:
    """Serve a table of customers in pages, and no products.

    Args:
        server: The server.
        gone: Numbers of the pages that are refused.
        interrupted: Products are not answered before it is set, so that the tap cannot end.
    """

    def answer(request: Request) -> Reply:
        if "products" in request.path:
            if interrupted:
                interrupted.wait()
            return Reply({"products": []})
        number = int(dict(request.query).get("cursor", "0"))
        if number in gone:
            return Reply({"error": {"reason": "cursor expired"}}, status=400)
        rows = [{"external_id": f"C{number * PAGE + i}", "city": "Ä" * 500} for i in range(PAGE)]
        body: dict[str, object] = {"customers": rows, "count": len(TABLE)}
        if number + 1 < PAGES:
            body["next_url"] = f"?cursor={number + 1}"
        return Reply(body)

    server.answer = answer


def asked(server: Server) -> list[str]:
    """The cursors of the customer pages that were asked for, in order."""
    cursors = [dict(r.query).get("cursor", "0") for r in server.requests if "customers" in r.path]
    server.requests.clear()
    return cursors


def last_state(run: Run) -> dict[str, Any]:
    states = [m for m in run.messages if m["type"] == "STATE"]
    return states[-1]["value"] if states else {}


def covers_what_was_written(run: Run) -> bool:
    """Tell whether the last state is that of the last whole page on stdout."""
    written = len(run.ids("customers"))
    bookmark = last_state(run).get("bookmarks", {}).get("customers", {})
    if "resume" in bookmark and bookmark["resume"] is None:
        return written == len(TABLE)
    covered = bookmark["resume"]["records"] if bookmark else 0
    # Just at a page's end the signal may come before the mark moves.
    return covered == written // PAGE * PAGE or covered + PAGE == written


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("records", [1, PAGE, 3 * PAGE + 7, len(TABLE) - 1])
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_between_two_lines_and_nothing_is_lost(
    run_tap: RunTap,
    server: Server,
    start: Start,
    number: signal.Signals,
    exit_code: int,
    records: int,
    *,
    unbuffered: bool,
) -> None:
    interrupted = Event()
    paged(server, interrupted=interrupted)
    tap = start(server.config, before=STATES, unbuffered=unbuffered)
    tap.take(records)
    tap.process.send_signal(number)

    first = tap.end()
    interrupted.set()
    second = run_tap(server.config, state=last_state(first))

    assert first.exit_code == exit_code
    assert "Traceback" not in first.log
    assert first.stdout.endswith("\n")
    assert covers_what_was_written(first)
    assert second.exit_code == 0
    assert {*first.ids("customers"), *second.ids("customers")} == TABLE


@pytest.mark.parametrize("records", [1, 2 * PAGE + 1, 5 * PAGE])
def test_killed_at_once_nothing_is_lost(
    run_tap: RunTap, server: Server, start: Start, records: int
) -> None:
    paged(server)
    tap = start(server.config, before=STATES)
    tap.take(records)
    tap.process.kill()

    killed = tap.end()
    # The kernel may have taken a part of the last line.
    whole_lines = killed.stdout[: killed.stdout.rindex("\n") + 1]
    first = Run(killed.exit_code, whole_lines, killed.log)
    second = run_tap(server.config, state=last_state(first))

    assert {*first.ids("customers"), *second.ids("customers")} == TABLE


def test_a_target_that_goes_away_ends_the_tap_quietly(server: Server, start: Start) -> None:
    paged(server)
    tap = start(server.config, before=STATES)
    tap.take(2 * PAGE)
    tap.stdout.close()

    run = tap.end()

    assert run.exit_code == 1
    assert "Traceback" not in run.log
    assert "Exception ignored" not in run.log
    assert "ERROR" not in run.log


def test_a_stdout_that_was_never_open_ends_the_tap_quietly(server: Server, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(server.config))
    command = " ".join([*TAP, "--config", str(config), ">&-"])

    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)  # noqa: S607

    assert ended.returncode == 1
    assert "ERROR" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
def test_a_signal_while_the_pipe_is_full_waits_for_the_line(
    server: Server, start: Start, *, unbuffered: bool
) -> None:
    paged(server)
    tap = start(server.config, before=STATES, unbuffered=unbuffered)
    tap.take(1)
    # Nobody reads: the tap fills the pipe and is stuck in a write.
    while not _waits_for_the_pipe(tap.process.pid):
        pass
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert run.exit_code == 143
    assert run.stdout.endswith("\n")
    assert covers_what_was_written(run)


def _waits_for_the_pipe(pid: int) -> bool:
    """Tell whether a process is in the system call write(2), and stays there."""
    try:
        call = Path(f"/proc/{pid}/syscall").read_text(encoding="utf-8")
    except OSError:
        return True
    return call.startswith(("1 0x1 ", "1 0x0000000000000001 "))


def test_pages_that_a_written_state_covers_are_not_asked_for_again(
    run_tap: RunTap, server: Server, start: Start
) -> None:
    paged(server)
    tap = start(server.config, before=STATES)
    tap.take(3 * PAGE + 1)
    tap.process.send_signal(signal.SIGTERM)
    first = tap.end()
    state = last_state(first)
    asked(server)

    second = run_tap(server.config, state=state)

    next_page = state["bookmarks"]["customers"]["resume"]["next"]
    assert next_page == f"/api/data/customers/?cursor={asked(server)[0]}"
    assert "Resuming the interrupted sync" in second.log


def test_the_sync_after_a_finished_one_reads_everything_again(
    run_tap: RunTap, server: Server
) -> None:
    paged(server)
    first = run_tap(server.config)
    asked(server)

    second = run_tap(server.config, state=last_state(first))

    assert last_state(first)["bookmarks"]["customers"] == {"resume": None}
    assert asked(server) == [str(page) for page in range(PAGES)]
    assert set(second.ids("customers")) == TABLE


@pytest.fixture
def mark(server: Server, start: Start) -> dict[str, Any]:
    """The mark of a run that was interrupted on its fifth page."""
    paged(server)
    tap = start({**server.config, "emit_activate_version_messages": True}, before=STATES)
    tap.take(4 * PAGE + 1)
    tap.process.send_signal(signal.SIGTERM)
    state = last_state(tap.end())
    asked(server)
    resume: dict[str, Any] = state["bookmarks"]["customers"]["resume"]
    return resume


def resumed(run_tap: RunTap, server: Server, mark: object, **settings: object) -> Run:
    config = {**server.config, "emit_activate_version_messages": True, **settings}
    return run_tap(config, state={"bookmarks": {"customers": {"resume": mark}}})


def test_the_mark_holds_no_host_and_no_token(server: Server, mark: dict[str, Any]) -> None:
    numbers = {"records", "skipped", "count", "lowest", "repeated"}
    assert set(mark) == {"next", "asked", "began", *numbers}
    assert server.host not in json.dumps(mark)
    assert "127.0.0.1" not in json.dumps(mark)
    assert "APISANDBOX" not in json.dumps(mark)


def test_a_resumed_sync_has_one_version_and_tells_deletes_at_its_end(
    run_tap: RunTap, server: Server, mark: dict[str, Any]
) -> None:
    run = resumed(run_tap, server, mark)

    assert asked(server)[0] != "0"
    versions = {m["version"] for m in run.of_type("RECORD")}
    assert versions == {m["version"] for m in run.of_type("ACTIVATE_VERSION")} == {mark["began"]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"asked": "0" * 24}, "the settings have changed"),
        ({"began": 1_600_000_000}, "not made in the last 20 hours"),
        ({"began": 4_000_000_000}, "not made in the last 20 hours"),
        ({"next": "https://evil.example/api/data/customers/"}, "the checkpoint is not valid"),
        ({"next": "//evil.example/api/data/customers/"}, "the checkpoint is not valid"),
        ({"next": "/api/../admin/"}, "not below /api"),
        ({"next": "/\\evil.example/api/"}, "spaces, backslashes"),
        ({"next": None}, "the checkpoint is not valid"),
        ({"records": "many"}, "the checkpoint is not valid"),
        ({"records": True}, "the checkpoint is not valid"),
        ({"skipped": -1}, "the checkpoint is not valid"),
    ],
)
def test_a_mark_that_does_not_fit_starts_over_and_says_so(
    run_tap: RunTap, server: Server, mark: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    run = resumed(run_tap, server, {**mark, **change})

    assert run.exit_code == 0
    assert asked(server) == [str(page) for page in range(PAGES)]
    assert set(run.ids("customers")) == TABLE
    assert "Restarting the interrupted sync" in run.log
    assert reason in run.log


@pytest.mark.parametrize(
    "settings",
    [
        {"page_size": 77},
        {"stream_options": {"customers": {"order": ["email"]}}},
        {"emit_activate_version_messages": False},
        {"timezone": "Europe/Helsinki"},
        {"stream_maps": {"customers": {"city": "city.lower()"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"stream_options": {"customers": {"custom_fields": {"acme__x": "integer"}}}},
    ],
    ids=["page size", "order", "versions", "zone", "stream maps", "flattening", "custom fields"],
)
def test_another_question_starts_over(
    run_tap: RunTap, server: Server, mark: dict[str, Any], settings: dict[str, Any]
) -> None:
    run = resumed(run_tap, server, mark, **settings)

    assert asked(server)[0] == "0"
    assert set(run.ids("customers")) == TABLE


def test_a_mark_that_the_api_refuses_starts_over(
    run_tap: RunTap, server: Server, mark: dict[str, Any]
) -> None:
    real = server.answer
    refused = mark["next"].rpartition("=")[2]
    first = iter([True])

    def answer(request: Request) -> Reply:
        if dict(request.query).get("cursor") == refused and next(first, False):
            return Reply({"error": {"reason": "cursor expired"}}, status=400)
        return real(request)

    server.answer = answer

    run = resumed(run_tap, server, mark)

    assert run.exit_code == 0
    assert "Restarting the interrupted sync" in run.log
    assert "cursor expired" in run.log
    assert asked(server)[:2] == [refused, "0"]
    assert set(run.ids("customers")) == TABLE


@pytest.mark.parametrize(
    "answer",
    [Reply(status=404), Reply(status=500), Reply({"customers": 5}), Reply(b"<html>")],
    ids=["gone", "broken", "another shape", "HTML"],
)
def test_a_mark_that_leads_nowhere_starts_over(
    run_tap: RunTap, server: Server, mark: dict[str, Any], answer: Reply
) -> None:
    real = server.answer
    lost = mark["next"].rpartition("=")[2]
    first = iter([True])

    def answers(request: Request) -> Reply:
        if dict(request.query).get("cursor") == lost and next(first, False):
            return answer
        return real(request)

    server.answer = answers

    run = resumed(run_tap, server, mark, max_retries=0)

    assert run.exit_code == 0
    assert set(run.ids("customers")) == TABLE


@pytest.mark.parametrize("status", [403, 503])
def test_a_fault_that_is_not_the_marks_keeps_it(
    run_tap: RunTap, server: Server, mark: dict[str, Any], status: int
) -> None:
    server.answer = lambda _: Reply(status=status)

    run = resumed(run_tap, server, mark, max_retries=0)

    assert run.exit_code == 1
    assert last_state(run)["bookmarks"]["customers"]["resume"] == mark


@pytest.mark.parametrize("stray", ["text", 5, [], {"next": 1}])
def test_a_mark_that_is_none_starts_over(run_tap: RunTap, server: Server, stray: object) -> None:
    paged(server)

    run = resumed(run_tap, server, stray)

    assert run.exit_code == 0
    assert set(run.ids("customers")) == TABLE


def test_with_filters_no_mark_is_kept(server: Server, start: Start) -> None:
    paged(server)
    options = {"customers": {"filters": {"email": "maija@example.fi"}}}
    tap = start({**server.config, "stream_options": options}, before=STATES)
    tap.take(2 * PAGE + 1)
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert not last_state(run)["bookmarks"]["customers"].get("resume")
    assert "maija" not in run.stdout


@pytest.mark.parametrize(
    ("rows", "count", "told"),
    [
        ([{"external_id": "1"}], 1, True),
        ([{"external_id": "1"}], None, True),
        ([], None, False),
        ([], 0, False),
        ([{"external_id": "1"}], 2, False),
        ([{"external_id": "1"}], "2", False),
        ([{"external_id": "1"}], 2.0, False),
        ([{"external_id": "1"}, {"email": "no key"}], 1, False),
    ],
    ids=[
        "whole",
        "no count",
        "empty",
        "empty and so told",
        "fewer than told",
        "by text",
        "by fraction",
        "skipped",
    ],
)
def test_deletes_are_told_only_when_the_table_was_read_whole(
    run_tap: RunTap, server: Server, rows: list[object], count: object, *, told: bool
) -> None:
    body = {"customers": rows, **({} if count is None else {"count": count})}
    server.answer = lambda request: Reply(body if "customers" in request.path else {"products": []})

    run = run_tap({**server.config, "emit_activate_version_messages": True})

    assert [m["stream"] for m in run.of_type("ACTIVATE_VERSION")] == ["customers"] * told
    missing = len(rows) < int(str(count or 0)[0])
    assert ("Received 1 record fewer than Custobar's count" in run.log) == missing
    assert ("customers: No deletes are sent to the target: " in run.log) == (not told)


@pytest.mark.parametrize("fails_once", [False, True], ids=["in one run", "over two runs"])
def test_a_table_that_shrinks_while_it_is_read_tells_no_deletes(
    run_tap: RunTap, server: Server, *, fails_once: bool
) -> None:
    # By offset, the erased customer of page 1 moved another one there, which no page shows.
    first = {"customers": [{"external_id": i} for i in "012"], "count": 6, "next_url": "?p=2"}
    second = Reply({"customers": [{"external_id": i} for i in "45"], "count": 5})
    server.replies(Reply(first), *[Reply(status=403)] * fails_once, second)
    config = {**server.config, "emit_activate_version_messages": True}
    only = catalog(customers=True)

    runs = [run_tap(config, catalog=only)]
    if fails_once:
        runs.append(run_tap(config, catalog=only, state=last_state(runs[0])))

    assert [run.exit_code for run in runs] == [1, 0] if fails_once else [0]
    assert [id_ for run in runs for id_ in run.ids("customers")] == list("01245")
    assert runs[-1].of_type("ACTIVATE_VERSION") == []
    assert "Received 1 record fewer than Custobar's count" in runs[-1].log
    assert "No deletes are sent to the target: Custobar's count changed" in runs[-1].log


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
def test_a_full_disk_ends_the_run_with_its_cause(
    server: Server, tmp_path: Path, *, unbuffered: bool
) -> None:
    paged(server)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(server.config))
    environment = {"PATH": os.environ["PATH"]} | ({"PYTHONUNBUFFERED": "1"} if unbuffered else {})

    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*TAP, "--config", str(config)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.count("| ERROR") == 1
    assert "Cannot write to stdout: No space left on device." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert asked(server) in (["0"], [])
