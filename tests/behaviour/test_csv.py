"""CSV pages: the records are the same as with JSON."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

from tap_custobar.sandbox import custom_fields
from tests.catalogs import catalog
from tests.conftest import select, started_sandbox
from tests.server import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Run, RunTap, Sandbox
    from tests.server import Request, Server

CUSTOM_FIELDS = {
    "customers": custom_fields.CUSTOMERS,
    "products": custom_fields.PRODUCTS,
    "sales": custom_fields.SALES,
    "events": custom_fields.EVENTS,
}

#: A string field with values of several types: a list in it is comma-separated in CSV, and JSON
#: otherwise. Surrogate keys would differ too.
MIXED_FIELD = "acme__legacy_code"


@pytest.fixture(scope="module", params=["semicolon", "tab"])
def delimited(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox whose delimiter is not a comma."""
    sizes = ["--sales", "60", "--events", "150", "--campaigns", "5"]
    # With tabs, sales are line items.
    shape = ["--sales-shape", "rows"] if request.param == "tab" else []
    with started_sandbox("--csv-delimiter", request.param, *sizes, *shape) as running:
        yield running


def comparable_lines(run: Run) -> list[str]:
    """Return all messages but STATE, without the time of extraction."""
    messages = [m for m in run.messages if m["type"] != "STATE"]
    return [json.dumps({**m, "time_extracted": None}, ensure_ascii=False) for m in messages]


def test_the_records_are_the_same_as_with_json_to_the_byte(
    run_tap: RunTap, delimited: Sandbox
) -> None:
    options = {name: {"custom_fields": {**fields}} for name, fields in CUSTOM_FIELDS.items()}
    config = {**delimited.config, "stream_options": options}
    discovered = json.loads(run_tap(config, "--discover").stdout)
    selected = select(discovered, **dict.fromkeys([*CUSTOM_FIELDS, "campaigns"], True))
    for entry in selected["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"][1:] == [MIXED_FIELD]:
                item["metadata"]["selected"] = False

    by_json = run_tap(config, catalog=selected)
    by_csv = run_tap({**config, "response_format": "csv"}, catalog=selected)

    assert by_csv.exit_code == 0
    assert len(by_csv.of_type("RECORD")) > 600
    assert comparable_lines(by_csv) == comparable_lines(by_json)
    assert " 0 values nulled, 0 records skipped" in by_csv.log
    assert by_csv.warnings == []


def csv_body(rows: list[dict[str, str]], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """Return rows as CSV, with the columns of the first row."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def csv_reply(body: bytes, **headers: str) -> Reply:
    with_dashes = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body, headers={"Content-Type": "text/csv", **with_dashes})


def config(server: Server, **more: object) -> dict[str, Any]:
    return {**server.config, "response_format": "csv", "max_retries": 1, **more}


ROW = {
    "external_id": "C1",
    "first_name": 'Aino "A", Åsa; \t',
    "last_name": "two\r\nlines\nand\rmore",
    "street_address": " spaces ",
    "city": "",
    "can_email": "true",
    "tags": "vip,ale",
}
RECORD = {
    "external_id": "C1",
    "first_name": 'Aino "A", Åsa; \t',
    "last_name": "two\r\nlines\nand\rmore",
    "street_address": " spaces ",
    "can_email": True,
    "tags": ["vip", "ale"],
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(csv_body([ROW]), id="like Excel"),
        pytest.param(csv_body([ROW], ";", "\n"), id="semicolons"),
        pytest.param(csv_body([ROW], "\t", "\n"), id="tabs"),
        pytest.param(
            b"\xef\xbb\xbf" + csv_body([dict(reversed(ROW.items()))]), id="BOM, any order"
        ),
        pytest.param(csv_body([ROW]).removesuffix(b"\r\n"), id="no last line break"),
    ],
)
def test_cells_keep_quotes_delimiters_line_breaks_and_spaces(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    server.answer = lambda _: csv_reply(body)

    run = run_tap(config(server), catalog=catalog(customers=list(ROW)))

    assert run.records("customers") == [RECORD]
    assert run.warnings == []


def test_a_cell_may_be_longer_than_the_limit_of_the_csv_module(
    run_tap: RunTap, server: Server
) -> None:
    long = 'ä"\n' * 60_000
    server.answer = lambda _: csv_reply(csv_body([{"external_id": "C1", "last_name": long}]))

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.records("customers") == [{"external_id": "C1", "last_name": long}]


def test_all_fields_and_the_largest_page_are_requested(run_tap: RunTap, server: Server) -> None:
    pages = [
        csv_reply(b"external_id,email\n", X_Custobar_Next_Url="?cursor=1"),
        csv_reply(b"email,external_id\n,C1\n"),
    ]
    server.answer = lambda r: pages["cursor=1" in r.target]

    run = run_tap(config(server), catalog=catalog(customers=True))

    first, second = server.requests
    query = dict(first.query)
    assert query.pop("fields").split(",") == list(run.schema("customers")["properties"])
    assert query == {"format": "csv", "limit": "100000"}
    assert second.target == "/api/data/customers/?cursor=1"
    assert run.records("customers") == [{"external_id": "C1"}]
    assert "1 record, 2 pages" in run.log


@pytest.mark.parametrize(
    ("response_format", "page_size", "is_valid"),
    [("csv", 100_000, True), ("csv", 100_001, False), ("json", 10_001, False)],
)
def test_the_largest_page_size_depends_on_the_format(
    run_tap: RunTap,
    server: Server,
    response_format: str,
    page_size: int,
    *,
    is_valid: bool,
) -> None:
    server.answer = lambda _: csv_reply(b"external_id\nC1\n")
    settings = {"response_format": response_format, "page_size": page_size}

    run = run_tap({**server.config, **settings}, catalog=catalog(customers=True))

    assert (run.exit_code == 0) is is_valid
    assert [dict(r.query)["limit"] for r in server.requests] == [str(page_size)] * is_valid
    assert is_valid or "page_size: must be at most" in run.log


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"external_id,email\nC1,a@example.com\nC2\n", id="short row"),
        pytest.param(b"external_id,email\nC1,a@example.com,x\n", id="long row"),
        pytest.param(b'external_id,email\nC1,a@example.com\nC2,"b@exam', id="open quote"),
        pytest.param(b"external_id,email\n" + b"C1,\xff\xfe\n" * 101, id="not UTF-8"),
        pytest.param(b"external_id,acme__not_requested\nC1,x\n", id="name that was not requested"),
        pytest.param(b"email,external_id,email\na@example.com,C1,x\n", id="duplicate name"),
        pytest.param(b"email,city\na@example.com,Oulu\n", id="no primary key"),
        pytest.param(b"C1,a@example.com\nC2,email\n", id="no header"),
        pytest.param(b"C1,email,+358401234567\nC2,b@example.com,\n", id="cell like a name"),
        pytest.param(b"<!doctype html>\n<title>Down, for now</title>\n", id="HTML"),
        pytest.param(b'{"customers": []}', id="JSON"),
    ],
)
def test_invalid_csv_is_requested_again_and_then_one_error_line(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    server.answer = lambda _: csv_reply(body)

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert len(server.requests) == 2
    assert run.of_type("RECORD") == []
    assert len(run.errors) == 1
    assert run.errors[0].startswith("customers failed: ")
    assert "CSV" in run.errors[0]
    assert "example.com" not in run.log
    assert "+358" not in run.log
    assert "not_requested" not in run.log


@pytest.mark.parametrize("body", [b"", b"external_id,email\nC1,a@exam"], ids=["empty", "truncated"])
def test_a_page_that_may_be_truncated_is_rejected(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    # A body without a length that is not chunked ends when the connection is closed.
    server.answer = lambda _: Reply(
        body, headers={"Connection": "close"}, is_length_delimited=not body
    )

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert run.of_type("RECORD") == []
    assert ("possibly truncated" if body else "an empty body") in run.errors[0]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(b"C3,c@example.com\nC4,d@example.com\n", id="no header"),
        pytest.param(b"C3,email\nC4,d@example.com\n", id="cell like a name"),
        pytest.param(b"external_id,city\nC3,Oulu\n", id="another column"),
        pytest.param(b"external_id\nC3\n", id="column missing"),
    ],
)
def test_a_later_page_with_another_header_is_rejected(
    run_tap: RunTap, server: Server, second: bytes
) -> None:
    def page(rows: bytes, next_url: str = "") -> Reply:
        return csv_reply(rows, **({"X_Custobar_Next_Url": next_url} if next_url else {}))

    first = page(b"external_id,email\nC1,a@example.com\n", "?cursor=2")
    server.replies(first, page(second), page(b"email,external_id\nc@example.com,C3\n"))
    selected = catalog(customers=["email", "city"])

    failed_once = run_tap(config(server, request_interval=0), catalog=selected)
    server.replies(first, page(second))
    failed_always = run_tap(config(server), catalog=selected)

    assert failed_once.exit_code == 0
    assert failed_once.ids("customers") == ["C1", "C3"]
    assert failed_always.exit_code == 1
    assert failed_always.ids("customers") == ["C1"]
    assert len(failed_always.errors) == 1
    assert "not Custobar's data but " in failed_always.errors[0]
    assert " on page 2: " in failed_always.errors[0]
    for run in (failed_once, failed_always):
        assert run.log.count("not in the CSV, so missing from all records: city") == 1
        assert "example.com" not in run.log
        assert "C3" not in run.log


@pytest.mark.parametrize("header", [b"External_ID, EMAIL", b'external_id, "email"'])
def test_a_header_may_have_capitals_and_spaces_after_delimiters(
    run_tap: RunTap, server: Server, header: bytes
) -> None:
    server.answer = lambda _: csv_reply(header + b'\nC1, "a,b@example.com"\n')

    run = run_tap(config(server), catalog=catalog(customers=["email"]))

    assert run.records("customers") == [{"external_id": "C1", "email": "a,b@example.com"}]


def test_a_blank_line_is_a_row_if_there_is_one_column(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda _: csv_reply(b"external_id\nC1\n\nC2\n\n")
    customers = run_tap(config(server), catalog=catalog(customers=["external_id"]))
    server.answer = lambda _: csv_reply(b"label\nx\n\ny\n")
    events = run_tap(config(server), catalog=catalog(events=["label"]))

    assert customers.ids("customers") == ["C1", "C2"]
    assert "2 records skipped (no external_id); first at page 1, row 2" in customers.log
    assert [event.get("label") for event in events.records("events")] == ["x", None, "y"]


def test_an_invalid_value_does_not_affect_other_values(run_tap: RunTap, server: Server) -> None:
    header = b"external_id,city,lifetime_value_month\n"
    rows = [b"C1,\xc4\xe4,1E400\n", b"C2,\0,NaN\n", b"C\xff,x,1.50\n", b"C4,\xc3\xa4,1.5\n"]
    server.answer = lambda _: csv_reply(header + b"".join(rows))

    run = run_tap(config(server), catalog=catalog(customers=["city", "lifetime_value_month"]))

    assert run.exit_code == 0
    assert run.records("customers") == [
        {"external_id": "C1", "city": "\ufffd\ufffd", "lifetime_value_month": None},
        {"external_id": "C2", "city": "\ufffd", "lifetime_value_month": None},
        {"external_id": "C4", "city": "ä", "lifetime_value_month": 1.5},
    ]
    assert "2 values of city had invalid Unicode" in run.log
    assert "2 values nulled, 1 record skipped" in run.log


def test_discovery_needs_only_a_complete_header(run_tap: RunTap, server: Server) -> None:
    def answer(request: Request) -> Reply:
        name = request.path.split("/")[3]
        if "csv" not in dict(request.query).values():
            return Reply({name: []})
        # A body without a length ends when the connection is closed.
        body = b"external_id,acme__x\nC1,cut he"
        return Reply(body, headers={"Connection": "close"}, is_length_delimited=False)

    server.answer = answer

    run = run_tap({**server.config, "discover_custom_fields": True}, "--discover")

    assert run.exit_code == 0
    properties = {
        entry["stream"]: entry["schema"]["properties"]
        for entry in json.loads(run.stdout)["streams"]
    }
    assert "acme__x" in properties["customers"]


def test_a_row_without_its_primary_key_is_skipped_and_counted(
    run_tap: RunTap, server: Server
) -> None:
    rows = [{"external_id": "", "can_email": "true"}, {"external_id": "C2", "can_email": "perhaps"}]
    server.answer = lambda _: csv_reply(csv_body(rows))

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.records("customers") == [{"external_id": "C2", "can_email": None}]
    assert "1 value nulled, 1 record skipped" in run.log
    assert "page 1, row 2" in run.log


def test_an_interrupted_sync_resumes_at_the_failed_page(run_tap: RunTap, server: Server) -> None:
    selected = catalog(customers=True)
    fails = [True]

    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", "0"))
        if number == 2 and fails:
            return Reply(status=400)
        link = {"X_Custobar_Next_Url": f"?cursor={number + 1}"} if number < 2 else {}
        return csv_reply(f"external_id\nC{number}\n".encode(), **link)

    server.answer = answer
    first = run_tap(config(server), catalog=selected)
    fails.clear()
    last = first.state
    second = run_tap(config(server), catalog=selected, state=last)
    by_json = run_tap(server.config, catalog=selected, state=last)

    assert first.ids("customers") == ["C0", "C1"]
    assert second.ids("customers") == ["C2"]
    # The checkpoint is of a CSV page.
    assert "Restarting the interrupted sync" in by_json.log
