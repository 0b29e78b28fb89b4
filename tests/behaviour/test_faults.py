"""The tap as a process, against a server that violates HTTP or closes its connections."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.behaviour.conftest import STATE_AFTER
from tests.catalogs import catalog
from tests.faulty import Line, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.behaviour.conftest import Start
    from tests.conftest import Run, RunTap
    from tests.faulty import Act, FaultyServer


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    yield from serving()


@pytest.fixture
def foreign() -> Iterator[FaultyServer]:
    yield from serving()


PATH = "/api/data/customers/"
PAGE_2 = f"{PATH}?cursor=2"


def body(number: int, next_cursor: int | None = None) -> bytes:
    """Return a page of one customer, with a link to the next page."""
    next_url = next_cursor and f"?cursor={next_cursor}"
    rows = [{"external_id": str(number), "phone_number": "0" * 200}]
    return json.dumps({"customers": rows, "next_url": next_url}).encode()


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def answer(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return head(*headers, f"Content-Length: {len(content)}", status=status) + content


def sends(*pieces: bytes) -> Act:
    """Return an act that sends, and leaves the connection open for the next request."""
    return lambda line: line.send(*pieces)


def sends_and_closes(*pieces: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.close()

    return act


def resets_after(*pieces: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.reset()

    return act


def holds_after(*pieces: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.hold()

    return act


def sends_slowly_after(*pieces: bytes, piece: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.send_slowly(piece)

    return act


def sends_endlessly_after(*pieces: bytes, piece: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.send_endlessly(piece)

    return act


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def corrupted(content: bytes) -> bytes:
    """Overwrite the middle, so that the first half can still be decompressed."""
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


PAGE_1 = sends(answer(body(1, 2)))
GOOD_2 = body(2, 3)
HALF = GOOD_2[: len(GOOD_2) // 2]
LENGTH = f"Content-Length: {len(GOOD_2)}"
CHUNKED = "Transfer-Encoding: chunked"
CLOSE = "Connection: close"
GZIP = "Content-Encoding: gzip"
# Random ids, because repeated ones would compress to a few bytes.
COMPRESSED = gzip.compress(
    json.dumps({"customers": [{"external_id": os.urandom(16).hex()} for _ in range(99)]}).encode()
)

CUT = r"The connection to 127\.0\.0\.1 could not be made or was cut\."
BROKE_OFF = r"The connection to 127\.0\.0\.1 broke off within an answer\."
# A reset discards the bytes that were received but not read yet.
RESET = f"({CUT}|{BROKE_OFF})"
SILENT = r"127\.0\.0\.1 did not respond within 0\.5 s: .*"
TOO_SLOW = r"127\.0\.0\.1 did not respond within 1\.5 s: .*"
BROKEN_JSON = r"The response is not Custobar's data but .*JSON.*"

#: What the server does instead of sending page 2, and the error that the tap reports.
FAULTS: dict[str, tuple[Act, str]] = {
    "closed before any byte": (sends_and_closes(), CUT),
    "reset before any byte": (resets_after(), CUT),
    "silence": (holds_after(), SILENT),
    "garbage, no status line": (sends_and_closes(b"\x00\xff SSH-2.0 hello\r\n\r\n" + GOOD_2), CUT),
    "HTTP/0.9": (sends_and_closes(GOOD_2), CUT),
    "silence within the headers": (holds_after(b"HTTP/1.1 200 OK\r\nContent-Ty"), SILENT),
    "headers that trickle": (
        sends_slowly_after(b"HTTP/1.1 200 OK\r\nX-Slow: ", piece=b"x"),
        TOO_SLOW,
    ),
    "endless interim responses": (sends_slowly_after(piece=head(status="100 Continue")), TOO_SLOW),
    "an endless header": (sends_endlessly_after(b"HTTP/1.1 200 OK\r\nX: ", piece=b"x" * 9999), CUT),
    "silence after the headers": (holds_after(head(LENGTH)), SILENT),
    "silence within the body": (holds_after(head(LENGTH), HALF), SILENT),
    "a body that trickles": (sends_slowly_after(head(CLOSE), HALF, piece=b" "), TOO_SLOW),
    "chunks that trickle": (sends_slowly_after(head(CHUNKED), piece=chunk(b" ")), TOO_SLOW),
    "cut within the body": (sends_and_closes(head(LENGTH), HALF), BROKE_OFF),
    "cut within a body without length": (sends_and_closes(head(CLOSE), HALF), BROKEN_JSON),
    "reset within the body": (resets_after(head(LENGTH), HALF), RESET),
    "reset within a body without length": (resets_after(head(CLOSE), HALF), RESET),
    "cut within a chunk": (sends_and_closes(head(CHUNKED), chunk(GOOD_2)[:-20]), BROKE_OFF),
    "cut before the last chunk": (sends_and_closes(head(CHUNKED), chunk(GOOD_2)), BROKE_OFF),
    "a chunk of negative size": (sends_and_closes(head(CHUNKED), b"-5\r\n" + GOOD_2), BROKE_OFF),
    "corrupt gzip": (sends(answer(corrupted(COMPRESSED), GZIP)), BROKE_OFF),
    "half of a gzip body": (sends(answer(COMPRESSED[: len(COMPRESSED) // 2], GZIP)), BROKE_OFF),
    "an interim response as a final one": (
        sends(head(status="101 Switching Protocols")),
        r"The response is not Custobar's data but an interim response \(status 101\).*",
    ),
}


def next_page(run: Run) -> str | None:
    """Return the page at which the next sync resumes; None after the last page."""
    bookmark = run.state["bookmarks"]["customers"]
    resume: dict[str, str] | None = bookmark["resume"]
    return None if resume is None else resume["next"]


def assert_ended_at_page_2(run: Run, error: str) -> None:
    assert run.exit_code == 1, run.log
    assert run.ids("customers") == ["1"]
    assert len(run.errors) == 1, run.log
    assert re.fullmatch(f"customers failed: {error}", run.errors[0])
    assert next_page(run) == PAGE_2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_page_2_keeps_page_1_and_the_checkpoint_and_logs_the_cause(
    run_tap: RunTap, faulty: FaultyServer, fault: str
) -> None:
    act, error = FAULTS[fault]
    faulty.script = [PAGE_1, act]

    run = run_tap(faulty.config, catalog=catalog(customers=True))

    assert_ended_at_page_2(run, error)
    assert len(faulty.targets) == 2


@pytest.mark.parametrize(
    "fault",
    [
        "reset before any byte",
        "headers that trickle",
        "reset within the body",
        "corrupt gzip",
    ],
)
def test_after_a_temporary_fault_every_record_is_written_once(
    run_tap: RunTap, faulty: FaultyServer, fault: str
) -> None:
    faulty.script = [PAGE_1, FAULTS[fault][0], sends(answer(GOOD_2)), sends(answer(body(3)))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2", "3"]
    assert [t.partition("=")[2] for t in faulty.targets[1:]] == ["2", "2", "3"]
    assert "4 requests, 0.0 MB received, 1 retry, " in run.log
    assert next_page(run) is None


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_date_in_retry_after_is_relative_to_the_clock_of_the_server(
    run_tap: RunTap, faulty: FaultyServer, status: str
) -> None:
    date, later = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:02 GMT"
    busy = sends(answer(b"", f"Date: {date}", f"Retry-After: {later}", status=status))
    faulty.script = [PAGE_1, busy, sends(answer(body(2)))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert "Retry 1 in 2 s." in run.log
    assert len(faulty.targets) == 3


def test_an_outage_longer_than_the_retries_fails_the_stream(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    faulty.script = [PAGE_1, sends(answer(b"", "Retry-After: 0", status="503 Unavailable"))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=catalog(customers=True))

    assert_ended_at_page_2(run, rf"Custobar failed to process the request GET {PATH} \(503\)\.")
    assert faulty.targets[1:] == [PAGE_2, PAGE_2]


@pytest.mark.parametrize("delay", ["9" * 30, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_signal_does_not_wait_for_a_retry_however_long_its_delay(
    faulty: FaultyServer, start: Start, delay: str
) -> None:
    busy = answer(b"", f"Retry-After: {delay}", status="429 Too Many Requests")
    faulty.script = [PAGE_1, sends(busy)]
    tap = start({**faulty.config, "max_retries": 1}, catalog=catalog(customers=True))
    tap.take_log_up_to("Retry 1 in 600 s.")
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert run.exit_code == 143
    assert run.ids("customers") == ["1"]
    assert next_page(run) == PAGE_2
    assert len(faulty.targets) == 2


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
@pytest.mark.parametrize(
    "act", [holds_after(), holds_after(head(LENGTH), HALF)], ids=["no byte", "half of the body"]
)
def test_a_signal_does_not_wait_for_a_request_that_hangs(
    faulty: FaultyServer, start: Start, act: Act, number: signal.Signals, exit_code: int
) -> None:
    faulty.script = [PAGE_1, act]
    config = {**faulty.config, "request_timeout": 3600}
    tap = start(config, catalog=catalog(customers=True), before=STATE_AFTER.format(1))
    assert faulty.requested_twice.wait(60)
    tap.take(1, "STATE")  # after the first page is written; the next one is requested earlier
    tap.process.send_signal(number)

    run = tap.end()

    assert run.exit_code == exit_code
    assert run.errors == []
    assert run.ids("customers") == ["1"]
    assert next_page(run) == PAGE_2


def test_a_signal_during_discovery_writes_nothing(faulty: FaultyServer, start: Start) -> None:
    faulty.script = [Line.hold]
    tap = start({**faulty.config, "request_timeout": 3600, "discover_custom_fields": True})
    assert faulty.requested.wait(60)
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert (run.exit_code, run.stdout) == (143, "")


# A signal that does not wake the main thread, like one that arrives just before its wait begins:
# another thread receives it, once the file exists.
SIGNAL_IN_ANOTHER_THREAD = """
import pathlib, signal, threading, time
def receive_signal():
    while not pathlib.Path({file!r}).exists():
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=receive_signal, daemon=True).start()
"""


@pytest.mark.parametrize(
    "act",
    [holds_after(), sends(answer(b"", "Retry-After: 600", status="503 Unavailable"))],
    ids=["request", "retry"],
)
def test_a_signal_that_does_not_interrupt_a_wait_is_not_lost(
    faulty: FaultyServer, start: Start, tmp_path: Path, act: Act
) -> None:
    faulty.script = [PAGE_1, act]
    file = tmp_path / "send-signal"
    before = f"{STATE_AFTER.format(1)}\n{SIGNAL_IN_ANOTHER_THREAD.format(file=str(file))}"
    config = {**faulty.config, "request_timeout": 3600, "max_retries": 1}
    tap = start(config, catalog=catalog(customers=True), before=before)
    assert faulty.requested_twice.wait(60)
    tap.take(1, "STATE")  # after the first page is written; the next one is requested earlier
    file.touch()

    run = tap.end()

    assert run.exit_code == 143
    assert next_page(run) == PAGE_2


def compressed_without_end(content: bytes, window: int) -> bytes:
    """Compress the content without the end of the stream, so that all of it can be decompressed."""
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)


def compressed(content: bytes, window: int = 31) -> bytes:
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(content) + compressor.flush()


DEFLATE = "Content-Encoding: deflate"
#: Bodies of page 2 whose content is complete, although the compressed stream is not.
INCOMPLETE = {
    "gzip": (compressed_without_end(GOOD_2, 31), GZIP),
    "x-gzip": (compressed_without_end(GOOD_2, 31), "Content-Encoding: X-Gzip"),
    "gzip without its checksum": (compressed(GOOD_2)[:-8], GZIP),
    "gzip without its last byte": (compressed(GOOD_2)[:-1], GZIP),
    "gzip with a wrong checksum": (compressed(GOOD_2)[:-8] + bytes(8), GZIP),
    "gzip followed by an incomplete gzip": (
        compressed(GOOD_2) + compressed_without_end(b" " * 99, 31),
        GZIP,
    ),
    "gzip followed by half a header": (compressed(GOOD_2) + compressed(b" ")[:9], GZIP),
    "gzip followed by other bytes": (compressed(GOOD_2) + b"other bytes", GZIP),
    "gzip of no byte": (b"", GZIP),
    "deflate": (compressed_without_end(GOOD_2, 15), DEFLATE),
    "deflate without its checksum": (compressed(GOOD_2, 15)[:-4], DEFLATE),
    "deflate without a header": (compressed_without_end(GOOD_2, -15), DEFLATE),
    "gzip in gzip, the inner incomplete": (
        compressed(compressed_without_end(GOOD_2, 31)),
        "Content-Encoding: gzip, gzip",
    ),
    "gzip in gzip, the outer incomplete": (
        compressed_without_end(compressed(GOOD_2), 31),
        "Content-Encoding: gzip, gzip",
    ),
}


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("case", INCOMPLETE)
def test_an_incomplete_compressed_body_is_not_accepted(
    run_tap: RunTap, faulty: FaultyServer, case: str, framing: str
) -> None:
    content, encoding = INCOMPLETE[case]
    if framing == "chunked":
        chunks = b"".join(chunk(content[i : i + 7]) for i in range(0, len(content), 7))
        act = sends(head(CHUNKED, encoding) + chunks + b"0\r\n\r\n")
    elif framing == "length":
        act = sends(answer(content, encoding))
    else:
        act = sends_and_closes(head(CLOSE, encoding) + content)
    faulty.script = [PAGE_1, act]

    assert_ended_at_page_2(run_tap(faulty.config, catalog=catalog(customers=True)), BROKE_OFF)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (compressed(body(2)), GZIP),
        (compressed(body(2)), "Content-Encoding: GZIP"),
        (compressed(body(2)[:30]) + compressed(b"") + compressed(body(2)[30:]), GZIP),
        (compressed(body(2), 15), DEFLATE),
        (compressed(body(2), -15), DEFLATE),
        (compressed(compressed(body(2))), "Content-Encoding: gzip, gzip"),
        (compressed(compressed(body(2), 15)), "Content-Encoding: deflate, gzip"),
        (compressed(body(2) + b" " * (5 << 20)), GZIP),
        (body(2), "Content-Encoding: identity"),
        (body(2), "Content-Encoding: utf-8"),
    ],
    ids=[
        "gzip",
        "capitals",
        "members",
        "deflate",
        "raw",
        "twice",
        "both",
        "5 MB",
        "identity",
        "utf-8",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_complete_compressed_body_is_accepted(
    run_tap: RunTap, faulty: FaultyServer, content: bytes, encoding: str, size: int
) -> None:
    chunks = b"".join(chunk(content[i : i + size]) for i in range(0, len(content), size))
    faulty.script = [PAGE_1, sends(head(CHUNKED, encoding) + chunks + b"0\r\n\r\n")]

    run = run_tap({**faulty.config, "request_timeout": 60}, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]


@pytest.mark.parametrize(
    ("headers", "is_accepted"),
    [
        (["Content-Length: {}"], True),
        (["Transfer-Encoding: chunked"], True),
        (["Transfer-Encoding: Chunked"], True),
        (["Transfer-Encoding: identity", "Content-Length: {}"], True),
        (["Transfer-Encoding: identity"], False),
        (["Transfer-Encoding: gzip"], False),
        (["Content-Length: none"], False),
        (["Content-Length: +{}"], False),
        (["Content-Length: -1"], False),
        (["Content-Length: "], False),
        (["Content-Length: 0{}.0"], False),
        (["Content-Length: 99999{:05000}"], False),
        ([], False),
    ],
    ids=str,
)
def test_csv_is_accepted_only_if_its_length_is_declared(
    run_tap: RunTap, faulty: FaultyServer, headers: list[str], *, is_accepted: bool
) -> None:
    # Truncated JSON is invalid, but CSV that is truncated between two rows looks complete.
    content = b"external_id\n1\n2\n"
    lines = [header.format(len(content)) for header in headers]
    is_chunked = any("chunked" in header.lower() for header in headers)
    sent = chunk(content) + b"0\r\n\r\n" if is_chunked else content
    faulty.script = [sends_and_closes(head("Content-Type: text/csv", *lines) + sent)]

    run = run_tap({**faulty.config, "response_format": "csv"}, catalog=catalog(customers=True))

    assert run.ids("customers") == (["1", "2"] if is_accepted else [])
    assert run.exit_code == (0 if is_accepted else 1)


INTERIM = [
    head(status="100 Continue"),
    head("Link: </style.css>; rel=preload", "Content-Length: 500", status="103 Early Hints"),
    head("Connection: close", status="102 Processing"),
    head("Transfer-Encoding: chunked", status="199 Whatever"),
]


@pytest.mark.parametrize("interim", [*INTERIM, b"".join(INTERIM)])
def test_interim_responses_are_skipped(
    run_tap: RunTap, faulty: FaultyServer, interim: bytes
) -> None:
    faulty.script = [sends(interim + answer(body(1, 2))), sends(interim + answer(body(2)))]

    run = run_tap(faulty.config, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert faulty.connections == 1


def test_endless_interim_responses_time_out(run_tap: RunTap, faulty: FaultyServer) -> None:
    faulty.script = [PAGE_1, sends_slowly_after(piece=head(status="103 Early Hints"))]

    assert_ended_at_page_2(run_tap(faulty.config, catalog=catalog(customers=True)), TOO_SLOW)


def test_a_next_page_that_does_not_exist_is_not_blamed_on_the_settings(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    faulty.script = [PAGE_1, sends(answer(b"", status="404 Not Found"))]

    run = run_tap(faulty.config, catalog=catalog(customers=True))

    assert_ended_at_page_2(run, rf"Custobar no longer has the next page of GET {PATH} \(404\).*")
    assert "company" not in run.errors[0]


# 300 MB of spaces in 300 KB; in several members, because that is faster to compress.
BOMB = gzip.compress(b" " * (10 << 20)) * 30


@pytest.mark.parametrize(
    "act",
    [
        sends(answer(BOMB, GZIP)),
        sends_endlessly_after(head(CLOSE), piece=b" " * 65536),
        sends_endlessly_after(head(CHUNKED), piece=chunk(b" " * 65536)),
        sends_endlessly_after(head(GZIP, CLOSE), piece=gzip.compress(b"") * 1000),
    ],
    ids=["gzip bomb", "until closed", "chunked", "gzip without content"],
)
def test_a_body_larger_than_the_limit_is_not_read_to_its_end(
    faulty: FaultyServer, start: Start, act: Act
) -> None:
    faulty.script = [PAGE_1, act]

    config = {**faulty.config, "request_timeout": 60, "max_retries": 1}
    # A tap that reads further must not use up the memory of the machine.
    before = (
        "import resource, tap_custobar.api.responses as a; a.MAX_BODY = 1 << 20;"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))"
    )
    run = start(config, catalog=catalog(customers=True), before=before).end()

    error = rf"The response to GET {PATH} is larger than 1 MiB: lower page_size\."
    assert_ended_at_page_2(run, error)
    assert len(faulty.targets) == 2


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (301, "http://{foreign}{path}?cursor=2"),
        (302, "//{foreign}/"),
        (307, "{path}?cursor=2"),
        (308, "http://{own}{path}?cursor=3"),
    ],
)
def test_a_redirect_on_page_2_fails_the_stream_and_is_not_followed(
    run_tap: RunTap, faulty: FaultyServer, foreign: FaultyServer, location: str, status: int
) -> None:
    foreign.script = [sends(answer(body(2)))]
    target = location.format(foreign=foreign.host, own=faulty.host, path=PATH)
    faulty.script = [PAGE_1, sends(answer(b"", f"Location: {target}", status=f"{status} Moved"))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=catalog(customers=True))

    address = re.escape(f"http://{faulty.host}{PATH}")
    assert_ended_at_page_2(run, rf"{address} redirects \({status}\), .*")
    assert foreign.connections == 0
    assert len(faulty.targets) == 2


@pytest.mark.parametrize(
    ("first", "requests"),
    [
        ([sends_and_closes(answer(body(1, 2)))], 2),
        ([PAGE_1, sends_and_closes()], 3),
    ],
    ids=["between two pages", "during the next request"],
)
def test_no_record_is_lost_if_a_kept_alive_connection_is_closed(
    run_tap: RunTap, faulty: FaultyServer, first: list[Act], requests: int
) -> None:
    faulty.script = [*first, sends(answer(body(2)))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert len(faulty.targets) == requests
    assert faulty.connections == 2


def test_a_response_that_was_not_requested_is_not_read_as_the_next_page(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    # As page 2 it would end the stream early, as if the table were complete.
    faulty.script = [
        sends(answer(body(1, 2)), answer(b'{"customers": []}')),
        sends(answer(body(2))),
    ]

    run = run_tap(faulty.config, catalog=catalog(customers=True))

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert len(faulty.targets) == 2


def test_a_stream_that_times_out_does_not_stop_the_next(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    products = sends(answer(b'{"products": [{"external_id": "P1"}]}'))
    faulty.script = [PAGE_1, FAULTS["headers that trickle"][0], products]

    run = run_tap(faulty.config)

    assert_ended_at_page_2(run, TOO_SLOW)
    assert run.ids("products") == ["P1"]
    assert faulty.targets[2].startswith("/api/data/products/?")
