"""Interrupted runs: the next run resumes from the last state, and no record is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from tests.behaviour.conftest import STATE_AFTER, TIMEOUT
from tests.catalogs import catalog
from tests.conftest import TAP, Run
from tests.pages import page_number, serve_pages
from tests.server import Reply

if TYPE_CHECKING:
    from tests.behaviour.conftest import Start
    from tests.conftest import RunTap
    from tests.server import Request, Server

PAGES = 8
PAGE = 40
IDS = {f"C{number}" for number in range(PAGES * PAGE)}
STATES = STATE_AFTER.format(PAGE)


def serve_table(server: Server, *, release_products: Event | None = None) -> None:
    """Serve a table of customers in pages, and no products.

    Args:
        server: The server.
        release_products: Set once products may get a response: until then the tap cannot end.
    """
    rows = [{"external_id": f"C{number}", "city": "Ä" * 500} for number in range(len(IDS))]
    pages = [rows[start : start + PAGE] for start in range(0, len(rows), PAGE)]
    serve_pages(server, *pages, count=len(rows))
    answer_at_once = server.answer

    def answer(request: Request) -> Reply:
        if release_products and "products" in request.path:
            assert release_products.wait(TIMEOUT)
        return answer_at_once(request)

    server.answer = answer


def requested_pages(server: Server) -> list[int]:
    """Return the numbers of the requested customer pages, in order, and clear the requests."""
    numbers = [page_number(r) for r in server.requests if "customers" in r.path]
    server.requests.clear()
    return numbers


def state_matches_output(run: Run) -> bool:
    """Return whether the last state is that of the last complete page on stdout."""
    written = len(run.ids("customers"))
    bookmark = run.state.get("bookmarks", {}).get("customers", {})
    if "resume" in bookmark and bookmark["resume"] is None:
        return written == len(IDS)
    covered = bookmark["resume"]["records"] if bookmark else 0
    # At the end of a page the signal may arrive before the checkpoint moves.
    return covered == written // PAGE * PAGE or covered + PAGE == written


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("records", [1, PAGE, 3 * PAGE + 7, len(IDS) - 1])
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_the_tap_between_two_lines_and_no_record_is_lost(
    run_tap: RunTap,
    server: Server,
    start: Start,
    number: signal.Signals,
    exit_code: int,
    records: int,
    *,
    unbuffered: bool,
) -> None:
    release_products = Event()
    serve_table(server, release_products=release_products)
    tap = start(server.config, before=STATES, unbuffered=unbuffered)
    tap.take(records)
    tap.process.send_signal(number)

    first = tap.end()
    release_products.set()
    second = run_tap(server.config, state=first.state)

    assert first.exit_code == exit_code
    assert "Traceback" not in first.log
    assert first.stdout.endswith("\n")
    assert state_matches_output(first)
    assert second.exit_code == 0
    assert {*first.ids("customers"), *second.ids("customers")} == IDS


def hangup(action: str) -> str:
    """Return code that sets how the process starts with SIGHUP, like nohup if it is ignored."""
    return f"{STATES}\nimport signal; signal.signal(signal.SIGHUP, signal.{action})"


def test_a_terminal_that_closes_stops_the_tap_between_two_lines(
    server: Server, start: Start
) -> None:
    release_products = Event()
    serve_table(server, release_products=release_products)
    tap = start(server.config, before=hangup("SIG_DFL"))
    tap.take(PAGE + 1)
    tap.process.send_signal(signal.SIGHUP)
    tap.process.send_signal(signal.SIGHUP)  # of the kernel and of the shell

    run = tap.end()
    release_products.set()

    assert run.exit_code == 129
    assert run.stdout.endswith("\n")
    assert state_matches_output(run)


def test_with_nohup_the_tap_continues_when_the_terminal_closes(
    server: Server, start: Start
) -> None:
    serve_table(server)
    tap = start(server.config, before=hangup("SIG_IGN"))
    tap.take(PAGE + 1)
    tap.process.send_signal(signal.SIGHUP)

    run = tap.end()

    assert run.exit_code == 0
    assert {*run.ids("customers")} == IDS


@pytest.mark.parametrize("records", [1, 2 * PAGE + 1, 5 * PAGE])
def test_no_record_is_lost_after_sigkill(
    run_tap: RunTap, server: Server, start: Start, records: int
) -> None:
    serve_table(server)
    tap = start(server.config, before=STATES)
    tap.take(records)
    tap.process.kill()

    killed = tap.end()
    # The last line may be truncated.
    complete_lines = killed.stdout[: killed.stdout.rindex("\n") + 1]
    first = Run(killed.exit_code, complete_lines, killed.log)
    second = run_tap(server.config, state=first.state)

    assert {*first.ids("customers"), *second.ids("customers")} == IDS


def test_a_closed_pipe_ends_the_tap_without_an_error_line(server: Server, start: Start) -> None:
    serve_table(server)
    tap = start(server.config, before=STATES)
    tap.take(2 * PAGE)
    tap.stdout.close()

    run = tap.end()

    assert run.exit_code == 1
    assert "Traceback" not in run.log
    assert "Exception ignored" not in run.log
    assert "ERROR" not in run.log


def test_a_stdout_closed_from_the_start_ends_the_tap_without_an_error_line(
    server: Server, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(server.config))
    command = " ".join([*TAP, "--config", str(config), ">&-"])

    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)  # noqa: S607

    assert ended.returncode == 1
    assert "ERROR" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
def test_a_signal_while_the_pipe_is_full_stops_after_the_current_line(
    server: Server, start: Start, *, unbuffered: bool
) -> None:
    serve_table(server)
    tap = start(server.config, before=STATES, unbuffered=unbuffered)
    tap.take(1)
    # Nothing is read any more, so the tap fills the pipe and blocks in a write.
    while not _is_blocked_in_write(tap.process.pid):
        assert tap.process.poll() is None
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert run.exit_code == 143
    assert run.stdout.endswith("\n")
    assert state_matches_output(run)


def _is_blocked_in_write(pid: int) -> bool:
    """Return whether a process is in the system call write(2) to stdout."""
    call = Path(f"/proc/{pid}/syscall").read_text(encoding="utf-8")
    return call.startswith(("1 0x1 ", "1 0x0000000000000001 "))


def test_pages_before_the_checkpoint_are_not_requested_again(
    run_tap: RunTap, server: Server, start: Start
) -> None:
    serve_table(server)
    tap = start(server.config, before=STATES)
    tap.take(3 * PAGE + 1)
    tap.process.send_signal(signal.SIGTERM)
    first = tap.end()
    state = first.state
    requested_pages(server)

    second = run_tap(server.config, state=state)

    next_page = state["bookmarks"]["customers"]["resume"]["next"]
    assert next_page == f"/api/data/customers/?page={requested_pages(server)[0]}"
    assert "Resuming the interrupted sync" in second.log


def test_the_sync_after_a_complete_one_reads_the_whole_table(
    run_tap: RunTap, server: Server
) -> None:
    serve_table(server)
    first = run_tap(server.config)
    requested_pages(server)

    second = run_tap(server.config, state=first.state)

    assert first.state["bookmarks"]["customers"] == {"resume": None}
    assert requested_pages(server) == [*range(1, PAGES + 1)]
    assert set(second.ids("customers")) == IDS


@pytest.fixture
def checkpoint(server: Server, start: Start) -> dict[str, Any]:
    """The checkpoint of a run that was interrupted on its fifth page."""
    serve_table(server)
    tap = start({**server.config, "emit_activate_version_messages": True}, before=STATES)
    tap.take(4 * PAGE + 1)
    tap.process.send_signal(signal.SIGTERM)
    state = tap.end().state
    requested_pages(server)
    resume: dict[str, Any] = state["bookmarks"]["customers"]["resume"]
    return resume


def resumed(run_tap: RunTap, server: Server, checkpoint: object, **settings: object) -> Run:
    config = {**server.config, "emit_activate_version_messages": True, **settings}
    return run_tap(config, state={"bookmarks": {"customers": {"resume": checkpoint}}})


def test_the_checkpoint_contains_no_host_and_no_token(
    server: Server, checkpoint: dict[str, Any]
) -> None:
    numbers = {"records", "skipped", "count", "lowest", "repeated"}
    assert set(checkpoint) == {"next", "asked", "began", *numbers}
    assert server.host not in json.dumps(checkpoint)
    assert "127.0.0.1" not in json.dumps(checkpoint)
    assert "APISANDBOX" not in json.dumps(checkpoint)


def test_a_resumed_sync_keeps_its_version(
    run_tap: RunTap, server: Server, checkpoint: dict[str, Any]
) -> None:
    run = resumed(run_tap, server, checkpoint)

    assert requested_pages(server)[0] > 1
    assert {m["version"] for m in run.of_type("RECORD")} == {checkpoint["began"]}


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
def test_an_unusable_checkpoint_restarts_the_sync_and_the_log_says_why(
    run_tap: RunTap, server: Server, checkpoint: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    run = resumed(run_tap, server, {**checkpoint, **change})

    assert run.exit_code == 0
    assert requested_pages(server) == [*range(1, PAGES + 1)]
    assert set(run.ids("customers")) == IDS
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
        {"faker_config": {"seed": 1}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"stream_options": {"customers": {"custom_fields": {"acme__x": "integer"}}}},
    ],
    ids=[
        "page size",
        "order",
        "versions",
        "timezone",
        "stream maps",
        "faker",
        "flattening",
        "custom fields",
    ],
)
def test_changed_settings_restart_the_sync(
    run_tap: RunTap, server: Server, checkpoint: dict[str, Any], settings: dict[str, Any]
) -> None:
    run = resumed(run_tap, server, checkpoint, **settings)

    assert requested_pages(server)[0] == 1
    assert set(run.ids("customers")) == IDS


def test_another_type_of_a_field_restarts_the_sync(run_tap: RunTap, server: Server) -> None:
    def run_with(type_name: str, state: object = None) -> Run:
        options = {"customers": {"custom_fields": {"acme__x": type_name}}}
        return run_tap({**server.config, "stream_options": options}, state=state)

    pages = [{"external_id": "1"}], [{"external_id": "2"}]
    serve_pages(server, *pages, at={2: lambda: Reply(status=403)})
    state = run_with("integer").state
    assert state["bookmarks"]["customers"]["resume"]
    serve_pages(server, *pages)

    run = run_with("number", state)

    assert run.ids("customers") == ["1", "2"]


def test_a_checkpoint_the_api_rejects_restarts_the_sync(
    run_tap: RunTap, server: Server, checkpoint: dict[str, Any]
) -> None:
    answer_others = server.answer
    rejected = int(checkpoint["next"].rpartition("=")[2])
    first = iter([True])

    def answer(request: Request) -> Reply:
        if page_number(request) == rejected and next(first, False):
            return Reply({"error": {"reason": "cursor expired"}}, status=400)
        return answer_others(request)

    server.answer = answer

    run = resumed(run_tap, server, checkpoint)

    assert run.exit_code == 0
    assert "Restarting the interrupted sync" in run.log
    assert "cursor expired" in run.log
    assert requested_pages(server)[:2] == [rejected, 1]
    assert set(run.ids("customers")) == IDS


@pytest.mark.parametrize(
    "reply",
    [Reply(status=404), Reply(status=500), Reply({"customers": 5}), Reply(b"<html>")],
    ids=["404", "500", "no list", "HTML"],
)
def test_a_checkpoint_whose_page_cannot_be_read_restarts_the_sync(
    run_tap: RunTap, server: Server, checkpoint: dict[str, Any], reply: Reply
) -> None:
    answer_others = server.answer
    unreadable = int(checkpoint["next"].rpartition("=")[2])
    first = iter([True])

    def answer(request: Request) -> Reply:
        if page_number(request) == unreadable and next(first, False):
            return reply
        return answer_others(request)

    server.answer = answer

    run = resumed(run_tap, server, checkpoint, max_retries=0)

    assert run.exit_code == 0
    assert set(run.ids("customers")) == IDS


@pytest.mark.parametrize("status", [403, 503])
def test_a_failure_unrelated_to_the_checkpoint_keeps_it(
    run_tap: RunTap, server: Server, checkpoint: dict[str, Any], status: int
) -> None:
    server.answer = lambda _: Reply(status=status)

    run = resumed(run_tap, server, checkpoint, max_retries=0)

    assert run.exit_code == 1
    assert run.state["bookmarks"]["customers"]["resume"] == checkpoint


@pytest.mark.parametrize("value", ["text", 5, [], {"next": 1}])
def test_a_checkpoint_of_another_type_restarts_the_sync(
    run_tap: RunTap, server: Server, value: object
) -> None:
    serve_table(server)

    run = resumed(run_tap, server, value)

    assert run.exit_code == 0
    assert set(run.ids("customers")) == IDS


def test_with_filters_no_checkpoint_is_written(server: Server, start: Start) -> None:
    serve_table(server)
    options = {"customers": {"filters": {"email": "maija@example.fi"}}}
    tap = start({**server.config, "stream_options": options}, before=STATES)
    tap.take(2 * PAGE + 1)
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert not run.state["bookmarks"]["customers"].get("resume")
    assert "maija" not in run.stdout


@pytest.mark.parametrize(
    ("rows", "count", "is_sent"),
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
        "complete",
        "no count",
        "empty",
        "empty with count",
        "fewer than count",
        "string count",
        "float count",
        "skipped row",
    ],
)
def test_deletes_are_sent_only_if_the_table_was_read_completely(
    run_tap: RunTap, server: Server, rows: list[object], count: object, *, is_sent: bool
) -> None:
    body = {"customers": rows, **({} if count is None else {"count": count})}
    server.answer = lambda request: Reply(body if "customers" in request.path else {"products": []})

    run = run_tap({**server.config, "emit_activate_version_messages": True})

    assert [m["stream"] for m in run.of_type("ACTIVATE_VERSION")] == ["customers"] * is_sent
    missing = len(rows) < int(str(count or 0)[0])
    assert ("Received 1 record fewer than Custobar's count" in run.log) == missing
    assert ("customers: No deletes are sent to the target: " in run.log) == (not is_sent)


@pytest.mark.parametrize("fails_once", [False, True], ids=["in one run", "over two runs"])
def test_a_table_that_shrinks_while_it_is_read_sends_no_deletes(
    run_tap: RunTap, server: Server, *, fails_once: bool
) -> None:
    # With pages by offset, erasing a customer of page 1 moves one of page 2 there, unseen.
    first = {"customers": [{"external_id": i} for i in "012"], "count": 6, "next_url": "?p=2"}
    second = Reply({"customers": [{"external_id": i} for i in "45"], "count": 5})
    server.replies(Reply(first), *[Reply(status=403)] * fails_once, second)
    config = {**server.config, "emit_activate_version_messages": True}
    customers = catalog(customers=True)

    runs = [run_tap(config, catalog=customers)]
    if fails_once:
        runs.append(run_tap(config, catalog=customers, state=runs[0].state))

    assert [run.exit_code for run in runs] == [1, 0] if fails_once else [0]
    assert [id_ for run in runs for id_ in run.ids("customers")] == list("01245")
    assert runs[-1].of_type("ACTIVATE_VERSION") == []
    assert "Received 1 record fewer than Custobar's count" in runs[-1].log
    assert "No deletes are sent to the target: Custobar's count changed" in runs[-1].log


@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
def test_a_full_disk_ends_the_run_with_one_error_line(
    server: Server, tmp_path: Path, *, unbuffered: bool
) -> None:
    serve_table(server)
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
    assert requested_pages(server) in ([1], [])
