"""The tap as a process, against a server whose faults lie below HTTP, or just at its edge."""

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
from tests.faulty import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.behaviour.conftest import Start
    from tests.conftest import Run, RunTap
    from tests.faulty import Act, FaultyServer, Line


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    yield from serving()


@pytest.fixture
def foreign() -> Iterator[FaultyServer]:
    yield from serving()


ONLY_CUSTOMERS = {
    "streams": [
        {
            "tap_stream_id": "customers",
            "schema": {"properties": {"external_id": {"type": "string"}}},
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
    ]
}
PATH = "/api/data/customers/"
PAGE_2 = f"{PATH}?cursor=2"


def body(number: int, following: int | None = None) -> bytes:
    """The page of one customer, which names the page that follows."""
    next_url = following and f"?cursor={following}"
    rows = [{"external_id": str(number), "phone_number": "0" * 200}]
    return json.dumps({"customers": rows, "next_url": next_url}).encode()


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def answer(content: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return head(*headers, f"Content-Length: {len(content)}", status=status) + content


def says(*pieces: bytes) -> Act:
    """Send, and leave the connection open for the next request."""
    return lambda line: line.send(*pieces)


def says_last(*pieces: bytes) -> Act:
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


def drips_after(*pieces: bytes, drop: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.drip(drop)

    return act


def pours_after(*pieces: bytes, piece: bytes) -> Act:
    def act(line: Line) -> None:
        line.send(*pieces)
        line.pour(piece)

    return act


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def corrupted(content: bytes) -> bytes:
    """Spoil what is in the middle, so that the first half can still be decompressed."""
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


PAGE_1 = says(answer(body(1, 2)))
GOOD_2 = body(2, 3)
HALF = GOOD_2[: len(GOOD_2) // 2]
LENGTH = f"Content-Length: {len(GOOD_2)}"
CHUNKED = "Transfer-Encoding: chunked"
CLOSE = "Connection: close"
GZIP = "Content-Encoding: gzip"
# Random ids, for what repeats would be a few bytes only.
ZIPPED = gzip.compress(
    json.dumps({"customers": [{"external_id": os.urandom(16).hex()} for _ in range(99)]}).encode()
)

CUT = r"The connection to 127\.0\.0\.1 could not be made or was cut\."
BROKEN_OFF = r"The connection to 127\.0\.0\.1 broke off within an answer\."
# What has arrived but was not yet read is lost with a reset.
RESET = f"({CUT}|{BROKEN_OFF})"
SILENT = r"127\.0\.0\.1 did not respond within 0\.5 s: .*"
TOO_SLOW = r"127\.0\.0\.1 did not respond within 1\.5 s: .*"
BROKEN_JSON = r"The response is not Custobar's data but .*JSON.*"

#: What happens instead of page 2, and what a user reads of it.
FAULTS: dict[str, tuple[Act, str]] = {
    "closed before any byte": (says_last(), CUT),
    "reset before any byte": (resets_after(), CUT),
    "silence": (holds_after(), SILENT),
    "garbage, no status line": (says_last(b"\x00\xff SSH-2.0 hello\r\n\r\n" + GOOD_2), CUT),
    "HTTP/0.9": (says_last(GOOD_2), CUT),
    "silence within the headers": (holds_after(b"HTTP/1.1 200 OK\r\nContent-Ty"), SILENT),
    "headers that trickle": (drips_after(b"HTTP/1.1 200 OK\r\nX-Slow: ", drop=b"x"), TOO_SLOW),
    "interim answers for ever": (drips_after(drop=head(status="100 Continue")), TOO_SLOW),
    "a header without end": (pours_after(b"HTTP/1.1 200 OK\r\nX: ", piece=b"x" * 9999), CUT),
    "silence after the headers": (holds_after(head(LENGTH)), SILENT),
    "silence within the body": (holds_after(head(LENGTH), HALF), SILENT),
    "a body that trickles": (drips_after(head(CLOSE), HALF, drop=b" "), TOO_SLOW),
    "chunks that trickle": (drips_after(head(CHUNKED), drop=chunk(b" ")), TOO_SLOW),
    "cut within the body": (says_last(head(LENGTH), HALF), BROKEN_OFF),
    "cut within a body without length": (says_last(head(CLOSE), HALF), BROKEN_JSON),
    "reset within the body": (resets_after(head(LENGTH), HALF), RESET),
    "reset within a body without length": (resets_after(head(CLOSE), HALF), RESET),
    "cut within a chunk": (says_last(head(CHUNKED), chunk(GOOD_2)[:-20]), BROKEN_OFF),
    "cut before the last chunk": (says_last(head(CHUNKED), chunk(GOOD_2)), BROKEN_OFF),
    "a chunk of negative size": (says_last(head(CHUNKED), b"-5\r\n" + GOOD_2), BROKEN_OFF),
    "corrupt gzip": (says(answer(corrupted(ZIPPED), GZIP)), BROKEN_OFF),
    "half of a gzip": (says(answer(ZIPPED[: len(ZIPPED) // 2], GZIP)), BROKEN_OFF),
    "an interim response as a final one": (
        says(head(status="101 Switching Protocols")),
        r"The response is not Custobar's data but an interim response \(status 101\).*",
    ),
}


def mark(run: Run) -> str | None:
    """Where the next sync goes on; None after the last page."""
    bookmark = run.of_type("STATE")[-1]["value"]["bookmarks"]["customers"]
    resume: dict[str, str] | None = bookmark["resume"]
    return None if resume is None else resume["next"]


def assert_ended_at_page_2(run: Run, error: str) -> None:
    assert run.exit_code == 1, run.log
    assert run.ids("customers") == ["1"]
    assert len(run.errors) == 1, run.log
    assert re.fullmatch(f"customers failed: {error}", run.errors[0])
    assert mark(run) == PAGE_2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_page_2_leaves_page_1_a_cause_and_the_mark(
    run_tap: RunTap, faulty: FaultyServer, fault: str
) -> None:
    act, error = FAULTS[fault]
    faulty.script = [PAGE_1, act]

    run = run_tap(faulty.config, catalog=ONLY_CUSTOMERS)

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
def test_after_a_passing_fault_the_rest_arrives_whole_and_once(
    run_tap: RunTap, faulty: FaultyServer, fault: str
) -> None:
    faulty.script = [PAGE_1, FAULTS[fault][0], says(answer(GOOD_2)), says(answer(body(3)))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=ONLY_CUSTOMERS)

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2", "3"]
    assert [t.partition("=")[2] for t in faulty.targets[1:]] == ["2", "2", "3"]
    assert "4 requests, 0.0 MB received, 1 retry, " in run.log
    assert mark(run) is None


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_moment_to_retry_after_is_by_the_servers_own_clock(
    run_tap: RunTap, faulty: FaultyServer, status: str
) -> None:
    date, later = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:02 GMT"
    busy = says(answer(b"", f"Date: {date}", f"Retry-After: {later}", status=status))
    faulty.script = [PAGE_1, busy, says(answer(body(2)))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=ONLY_CUSTOMERS)

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert "Retry 1 in 2 s." in run.log
    assert len(faulty.targets) == 3


def test_an_outage_longer_than_the_retries_ends_the_stream(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    faulty.script = [PAGE_1, says(answer(b"", "Retry-After: 0", status="503 Unavailable"))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=ONLY_CUSTOMERS)

    assert_ended_at_page_2(run, rf"Custobar failed to process the request GET {PATH} \(503\)\.")
    assert faulty.targets[1:] == [PAGE_2, PAGE_2]


@pytest.mark.parametrize("moment", ["9" * 30, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_signal_does_not_wait_for_a_retry_however_late_the_server_wants_it(
    faulty: FaultyServer, start: Start, moment: str
) -> None:
    busy = answer(b"", f"Retry-After: {moment}", status="429 Too Many Requests")
    faulty.script = [PAGE_1, says(busy)]
    tap = start({**faulty.config, "max_retries": 1}, catalog=ONLY_CUSTOMERS)
    tap.take_log_up_to("Retry 1 in 600 s.")
    tap.process.send_signal(signal.SIGTERM)

    run = tap.end()

    assert run.exit_code == 143
    assert run.ids("customers") == ["1"]
    assert mark(run) == PAGE_2
    assert len(faulty.targets) == 2


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
@pytest.mark.parametrize(
    "act", [holds_after(), holds_after(head(LENGTH), HALF)], ids=["no byte", "half a body"]
)
def test_a_signal_does_not_wait_for_a_request_that_hangs(
    faulty: FaultyServer, start: Start, act: Act, number: signal.Signals, exit_code: int
) -> None:
    faulty.script = [PAGE_1, act]
    config = {**faulty.config, "request_timeout": 3600}
    tap = start(config, catalog=ONLY_CUSTOMERS, before=STATE_AFTER.format(1))
    assert faulty.asked_twice.wait(60)
    tap.take(1, "STATE")  # the first page is behind: the next is asked for before that
    tap.process.send_signal(number)

    run = tap.end()

    assert run.exit_code == exit_code
    assert run.errors == []
    assert run.ids("customers") == ["1"]
    assert mark(run) == PAGE_2


# A signal that does not wake the main thread, as one that comes just before its wait begins: once
# the file is there, another thread takes it.
IN_ANOTHER_THREAD = """
import pathlib, signal, threading, time
def take_signal():
    while not pathlib.Path({file!r}).exists():
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=take_signal, daemon=True).start()
"""


@pytest.mark.parametrize(
    "act",
    [holds_after(), says(answer(b"", "Retry-After: 600", status="503 Unavailable"))],
    ids=["request", "retry"],
)
def test_a_signal_that_does_not_wake_the_wait_is_not_lost(
    faulty: FaultyServer, start: Start, tmp_path: Path, act: Act
) -> None:
    faulty.script = [PAGE_1, act]
    now = tmp_path / "now"
    before = f"{STATE_AFTER.format(1)}\n{IN_ANOTHER_THREAD.format(file=str(now))}"
    config = {**faulty.config, "request_timeout": 3600, "max_retries": 1}
    tap = start(config, catalog=ONLY_CUSTOMERS, before=before)
    assert faulty.asked_twice.wait(60)
    tap.take(1, "STATE")  # the first page is behind: the next is asked for before that
    now.touch()

    run = tap.end()

    assert run.exit_code == 143
    assert mark(run) == PAGE_2


def never_ended(content: bytes, window: int) -> bytes:
    """Compress all of it, so that it can be decompressed, but do not end the stream."""
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(content) + compressor.flush(zlib.Z_SYNC_FLUSH)


def zipped(content: bytes, window: int = 31) -> bytes:
    compressor = zlib.compressobj(wbits=window)
    return compressor.compress(content) + compressor.flush()


DEFLATE = "Content-Encoding: deflate"
#: Bodies of page 2 whose content is whole, though what they came in is not.
NOT_ENDED = {
    "gzip": (never_ended(GOOD_2, 31), GZIP),
    "x-gzip": (never_ended(GOOD_2, 31), "Content-Encoding: X-Gzip"),
    "gzip without its sum": (zipped(GOOD_2)[:-8], GZIP),
    "gzip without its last byte": (zipped(GOOD_2)[:-1], GZIP),
    "gzip with another sum": (zipped(GOOD_2)[:-8] + bytes(8), GZIP),
    "gzip with another behind it that is not ended": (
        zipped(GOOD_2) + never_ended(b" " * 99, 31),
        GZIP,
    ),
    "gzip with half a header behind it": (zipped(GOOD_2) + zipped(b" ")[:9], GZIP),
    "gzip with what is none behind it": (zipped(GOOD_2) + b"what else there was", GZIP),
    "gzip of nothing": (b"", GZIP),
    "deflate": (never_ended(GOOD_2, 15), DEFLATE),
    "deflate without its sum": (zipped(GOOD_2, 15)[:-4], DEFLATE),
    "deflate without a header": (never_ended(GOOD_2, -15), DEFLATE),
    "gzip in gzip, the inner not ended": (
        zipped(never_ended(GOOD_2, 31)),
        "Content-Encoding: gzip, gzip",
    ),
    "gzip in gzip, the outer not ended": (
        never_ended(zipped(GOOD_2), 31),
        "Content-Encoding: gzip, gzip",
    ),
}


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("case", NOT_ENDED)
def test_a_compressed_body_that_does_not_end_is_no_page(
    run_tap: RunTap, faulty: FaultyServer, case: str, framing: str
) -> None:
    content, encoding = NOT_ENDED[case]
    if framing == "chunked":
        chunks = b"".join(chunk(content[i : i + 7]) for i in range(0, len(content), 7))
        act = says(head(CHUNKED, encoding) + chunks + b"0\r\n\r\n")
    elif framing == "length":
        act = says(answer(content, encoding))
    else:
        act = says_last(head(CLOSE, encoding) + content)
    faulty.script = [PAGE_1, act]

    assert_ended_at_page_2(run_tap(faulty.config, catalog=ONLY_CUSTOMERS), BROKEN_OFF)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (zipped(body(2)), GZIP),
        (zipped(body(2)), "Content-Encoding: GZIP"),
        (zipped(body(2)[:30]) + zipped(b"") + zipped(body(2)[30:]), GZIP),
        (zipped(body(2), 15), DEFLATE),
        (zipped(body(2), -15), DEFLATE),
        (zipped(zipped(body(2))), "Content-Encoding: gzip, gzip"),
        (zipped(zipped(body(2), 15)), "Content-Encoding: deflate, gzip"),
        (zipped(body(2) + b" " * (5 << 20)), GZIP),
        (body(2), "Content-Encoding: identity"),
        (body(2), "Content-Encoding: utf-8"),
    ],
    ids=["gzip", "capitals", "members", "deflate", "raw", "twice", "both", "5 MB", "none", "no"],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_compressed_body_is_read_to_its_end(
    run_tap: RunTap, faulty: FaultyServer, content: bytes, encoding: str, size: int
) -> None:
    chunks = b"".join(chunk(content[i : i + size]) for i in range(0, len(content), size))
    faulty.script = [PAGE_1, says(head(CHUNKED, encoding) + chunks + b"0\r\n\r\n")]

    run = run_tap({**faulty.config, "request_timeout": 60}, catalog=ONLY_CUSTOMERS)

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]


@pytest.mark.parametrize(
    ("headers", "is_taken"),
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
def test_csv_is_taken_only_where_its_length_is_told(
    run_tap: RunTap, faulty: FaultyServer, headers: list[str], *, is_taken: bool
) -> None:
    # JSON shows where it was cut; CSV that is cut between two rows looks whole.
    content = b"external_id\n1\n2\n"
    lines = [header.format(len(content)) for header in headers]
    is_chunked = any("chunked" in header.lower() for header in headers)
    sent = chunk(content) + b"0\r\n\r\n" if is_chunked else content
    faulty.script = [says_last(head("Content-Type: text/csv", *lines) + sent)]

    run = run_tap({**faulty.config, "response_format": "csv"}, catalog=ONLY_CUSTOMERS)

    assert run.ids("customers") == (["1", "2"] if is_taken else [])
    assert run.exit_code == (0 if is_taken else 1)


INTERIM = [
    head(status="100 Continue"),
    head("Link: </style.css>; rel=preload", "Content-Length: 500", status="103 Early Hints"),
    head("Connection: close", status="102 Processing"),
    head("Transfer-Encoding: chunked", status="199 Whatever"),
]


@pytest.mark.parametrize("interim", [*INTERIM, b"".join(INTERIM)])
def test_interim_answers_are_passed_over(
    run_tap: RunTap, faulty: FaultyServer, interim: bytes
) -> None:
    faulty.script = [says(interim + answer(body(1, 2))), says(interim + answer(body(2)))]

    run = run_tap(faulty.config, catalog=ONLY_CUSTOMERS)

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert faulty.connections == 1


def test_interim_answers_of_any_kind_for_ever_are_given_up(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    faulty.script = [PAGE_1, drips_after(drop=head(status="103 Early Hints"))]

    assert_ended_at_page_2(run_tap(faulty.config, catalog=ONLY_CUSTOMERS), TOO_SLOW)


def test_a_page_that_is_gone_does_not_blame_the_settings(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    faulty.script = [PAGE_1, says(answer(b"", status="404 Not Found"))]

    run = run_tap(faulty.config, catalog=ONLY_CUSTOMERS)

    assert_ended_at_page_2(run, rf"Custobar no longer has the next page of GET {PATH} \(404\).*")
    assert "company" not in run.errors[0]


# 300 MB of spaces in 300 KB, in pieces, which is quicker to make.
BOMB = gzip.compress(b" " * (10 << 20)) * 30


@pytest.mark.parametrize(
    "act",
    [
        says(answer(BOMB, GZIP)),
        pours_after(head(CLOSE), piece=b" " * 65536),
        pours_after(head(CHUNKED), piece=chunk(b" " * 65536)),
    ],
    ids=["gzip bomb", "until closed", "chunked"],
)
def test_a_body_larger_than_allowed_is_not_read_to_its_end(
    faulty: FaultyServer, start: Start, act: Act
) -> None:
    faulty.script = [PAGE_1, act]

    config = {**faulty.config, "request_timeout": 60, "max_retries": 1}
    # A body that is read on all the same must not take the memory of the machine.
    before = (
        "import resource, tap_custobar.api.responses as a; a.MAX_BODY = 1 << 20;"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))"
    )
    run = start(config, catalog=ONLY_CUSTOMERS, before=before).end()

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
def test_a_redirect_on_page_2_ends_the_stream_and_is_not_followed(
    run_tap: RunTap, faulty: FaultyServer, foreign: FaultyServer, location: str, status: int
) -> None:
    foreign.script = [says(answer(body(2)))]
    target = location.format(foreign=foreign.host, own=faulty.host, path=PATH)
    faulty.script = [PAGE_1, says(answer(b"", f"Location: {target}", status=f"{status} Moved"))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=ONLY_CUSTOMERS)

    address = re.escape(f"http://{faulty.host}{PATH}")
    assert_ended_at_page_2(run, rf"{address} redirects \({status}\), .*")
    assert foreign.connections == 0
    assert len(faulty.targets) == 2


@pytest.mark.parametrize(
    ("first", "requests"),
    [
        ([says_last(answer(body(1, 2)))], 2),
        ([PAGE_1, says_last()], 3),
    ],
    ids=["between two pages", "as the next is asked for"],
)
def test_a_kept_connection_that_is_closed_costs_nothing(
    run_tap: RunTap, faulty: FaultyServer, first: list[Act], requests: int
) -> None:
    faulty.script = [*first, says(answer(body(2)))]

    run = run_tap({**faulty.config, "max_retries": 1}, catalog=ONLY_CUSTOMERS)

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert len(faulty.targets) == requests
    assert faulty.connections == 2


def test_an_answer_nobody_asked_for_is_not_taken_for_the_next_page(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    # Taken for page 2, it would end the stream early, as if all had been read.
    faulty.script = [says(answer(body(1, 2)), answer(b'{"customers": []}')), says(answer(body(2)))]

    run = run_tap(faulty.config, catalog=ONLY_CUSTOMERS)

    assert run.exit_code == 0, run.log
    assert run.ids("customers") == ["1", "2"]
    assert len(faulty.targets) == 2


def test_a_stream_that_hung_does_not_hold_up_the_next(
    run_tap: RunTap, faulty: FaultyServer
) -> None:
    products = says(answer(b'{"products": [{"external_id": "P1"}]}'))
    faulty.script = [PAGE_1, FAULTS["headers that trickle"][0], products]

    run = run_tap(faulty.config)

    assert_ended_at_page_2(run, TOO_SLOW)
    assert run.ids("products") == ["P1"]
    assert faulty.targets[2].startswith("/api/data/products/?")
