"""CSV is another way for the same records to travel."""

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

OWN = {
    "customers": custom_fields.CUSTOMERS,
    "products": custom_fields.PRODUCTS,
    "sales": custom_fields.SALES,
    "events": custom_fields.EVENTS,
}

#: A field of mixed types that is declared as a text: as CSV, a list in it is the text of its
#: elements. With it goes the digest.
NOT_TOLD_APART = "acme__legacy_code"


@pytest.fixture(scope="module", params=["semicolon", "tab"])
def delimited(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """The sandbox with other delimiters than a comma."""
    sizes = ["--sales", "60", "--events", "150", "--campaigns", "5"]
    # With the tab, sales come as rows.
    shape = ["--sales-shape", "rows"] if request.param == "tab" else []
    with started_sandbox("--csv-delimiter", request.param, *sizes, *shape) as running:
        yield running


def lines(run: Run) -> list[str]:
    """Return the records as they were written, but for when."""
    messages = [m for m in run.messages if m["type"] != "STATE"]
    return [json.dumps({**m, "time_extracted": None}, ensure_ascii=False) for m in messages]


def test_the_records_are_those_of_json_to_the_byte(run_tap: RunTap, delimited: Sandbox) -> None:
    options = {name: {"custom_fields": {**fields}} for name, fields in OWN.items()}
    config = {**delimited.config, "stream_options": options}
    found = json.loads(run_tap(config, "--discover").stdout)
    chosen = select(found, **dict.fromkeys([*OWN, "campaigns"], True))
    for entry in chosen["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"][1:] == [NOT_TOLD_APART]:
                item["metadata"]["selected"] = False

    as_json = run_tap(config, catalog=chosen)
    as_csv = run_tap({**config, "response_format": "csv"}, catalog=chosen)

    assert as_csv.exit_code == 0
    assert len(as_csv.of_type("RECORD")) > 600
    assert lines(as_csv) == lines(as_json)
    assert " 0 values nulled, 0 records skipped" in as_csv.log
    assert "| WARNING" not in as_csv.log


def table(rows: list[dict[str, str]], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """Return rows as CSV, with the columns of the first."""
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_csv(body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body, headers={"Content-Type": "text/csv", **named})


def config(server: Server, **more: object) -> dict[str, Any]:
    return {**server.config, "response_format": "csv", "max_retries": 1, **more}


ODD = {
    "external_id": "C1",
    "first_name": 'Aino "A", Åsa; \t',
    "last_name": "two\r\nlines\nand\rmore",
    "street_address": " spaces ",
    "city": "",
    "can_email": "true",
    "tags": "vip,ale",
}
READ = {
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
        pytest.param(table([ODD]), id="as Excel writes it"),
        pytest.param(table([ODD], ";", "\n"), id="semicolons"),
        pytest.param(table([ODD], "\t", "\n"), id="tabs"),
        pytest.param(b"\xef\xbb\xbf" + table([dict(reversed(ODD.items()))]), id="BOM, any order"),
        pytest.param(table([ODD]).removesuffix(b"\r\n"), id="no last line break"),
    ],
)
def test_a_cell_is_what_was_written_into_it(run_tap: RunTap, server: Server, body: bytes) -> None:
    server.answer = lambda _: as_csv(body)

    run = run_tap(config(server), catalog=catalog(customers=list(ODD)))

    assert run.records("customers") == [READ]
    assert "| WARNING" not in run.log


def test_a_cell_may_be_longer_than_pythons_own_limit(run_tap: RunTap, server: Server) -> None:
    long = 'ä"\n' * 60_000
    server.answer = lambda _: as_csv(table([{"external_id": "C1", "last_name": long}]))

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.records("customers") == [{"external_id": "C1", "last_name": long}]


def test_all_fields_are_named_and_as_many_rows_asked_for_as_there_can_be(
    run_tap: RunTap, server: Server
) -> None:
    pages = [
        as_csv(b"external_id,email\n", X_Custobar_Next_Url="?cursor=1"),
        as_csv(b"email,external_id\n,C1\n"),
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
    ("response_format", "page_size", "is_right"),
    [("csv", 100_000, True), ("csv", 100_001, False), ("json", 10_001, False)],
)
def test_the_page_size_is_what_the_format_allows(
    run_tap: RunTap,
    server: Server,
    response_format: str,
    page_size: int,
    *,
    is_right: bool,
) -> None:
    server.answer = lambda _: as_csv(b"external_id\nC1\n")
    settings = {"response_format": response_format, "page_size": page_size}

    run = run_tap({**server.config, **settings}, catalog=catalog(customers=True))

    assert (run.exit_code == 0) is is_right
    assert [dict(r.query)["limit"] for r in server.requests] == [str(page_size)] * is_right
    assert is_right or "page_size: must be at most" in run.log


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"external_id,email\nC1,a@example.com\nC2\n", id="a short row"),
        pytest.param(b"external_id,email\nC1,a@example.com,x\n", id="a long row"),
        pytest.param(b'external_id,email\nC1,a@example.com\nC2,"b@exam', id="an open quote"),
        pytest.param(b"external_id,email\n" + b"C1,\xff\xfe\n" * 101, id="no UTF-8"),
        pytest.param(b"external_id,acme__not_asked_for\nC1,x\n", id="a name not asked for"),
        pytest.param(b"email,external_id,email\na@example.com,C1,x\n", id="a name twice"),
        pytest.param(b"email,city\na@example.com,Oulu\n", id="no key"),
        pytest.param(b"C1,a@example.com\nC2,email\n", id="no header"),
        pytest.param(b"C1,email,+358401234567\nC2,b@example.com,\n", id="a cell like a name"),
        pytest.param(b"<!doctype html>\n<title>Down, for now</title>\n", id="HTML"),
        pytest.param(b'{"customers": []}', id="JSON"),
    ],
)
def test_what_is_no_csv_is_asked_for_again_and_then_named_in_one_line(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    server.answer = lambda _: as_csv(body)

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.exit_code == 1
    assert len(server.requests) == 2
    assert run.of_type("RECORD") == []
    assert len(run.errors) == 1
    assert run.errors[0].startswith("customers failed: ")
    assert "CSV" in run.errors[0]
    assert "example.com" not in run.log
    assert "+358" not in run.log
    assert "not_asked_for" not in run.log


@pytest.mark.parametrize("body", [b"", b"external_id,email\nC1,a@exam"], ids=["nothing", "a part"])
def test_what_may_be_no_whole_page_is_not_taken_for_one(
    run_tap: RunTap, server: Server, body: bytes
) -> None:
    # Without a length and not in chunks, a body ends with its connection.
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
        pytest.param(b"C3,email\nC4,d@example.com\n", id="a cell like a name"),
        pytest.param(b"external_id,city\nC3,Oulu\n", id="another column"),
        pytest.param(b"external_id\nC3\n", id="a column less"),
    ],
)
def test_a_later_page_with_another_header_is_no_page(
    run_tap: RunTap, server: Server, second: bytes
) -> None:
    def page(rows: bytes, following: str = "") -> Reply:
        return as_csv(rows, **({"X_Custobar_Next_Url": following} if following else {}))

    first = page(b"external_id,email\nC1,a@example.com\n", "?cursor=2")
    server.replies(first, page(second), page(b"email,external_id\nc@example.com,C3\n"))
    chosen = catalog(customers=["email", "city"])

    once = run_tap(config(server, request_interval=0), catalog=chosen)
    server.replies(first, page(second))
    always = run_tap(config(server), catalog=chosen)

    assert once.exit_code == 0
    assert once.ids("customers") == ["C1", "C3"]
    assert always.exit_code == 1
    assert always.ids("customers") == ["C1"]
    assert len(always.errors) == 1
    assert "not Custobar's data but " in always.errors[0]
    assert " on page 2: " in always.errors[0]
    for run in (once, always):
        assert run.log.count("not in the CSV, so missing from all records: city") == 1
        assert "example.com" not in run.log
        assert "C3" not in run.log


@pytest.mark.parametrize("header", [b"External_ID, EMAIL", b'external_id, "email"'])
def test_blanks_behind_delimiters_and_capitals_make_no_difference(
    run_tap: RunTap, server: Server, header: bytes
) -> None:
    server.answer = lambda _: as_csv(header + b'\nC1, "a,b@example.com"\n')

    run = run_tap(config(server), catalog=catalog(customers=["email"]))

    assert run.records("customers") == [{"external_id": "C1", "email": "a,b@example.com"}]


def test_a_blank_line_of_the_only_column_is_a_row(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda _: as_csv(b"external_id\nC1\n\nC2\n\n")
    keyless = run_tap(config(server), catalog=catalog(customers=["external_id"]))
    server.answer = lambda _: as_csv(b"label\nx\n\ny\n")
    events = run_tap(config(server), catalog=catalog(events=["label"]))

    assert keyless.ids("customers") == ["C1", "C2"]
    assert "2 records skipped (no external_id); first at page 1, row 2" in keyless.log
    assert [event.get("label") for event in events.records("events")] == ["x", None, "y"]


def test_one_odd_value_costs_no_other(run_tap: RunTap, server: Server) -> None:
    header = b"external_id,city,lifetime_value_month\n"
    rows = [b"C1,\xc4\xe4,1E400\n", b"C2,\0,NaN\n", b"C\xff,x,1.50\n", b"C4,\xc3\xa4,1.5\n"]
    server.answer = lambda _: as_csv(header + b"".join(rows))

    run = run_tap(config(server), catalog=catalog(customers=["city", "lifetime_value_month"]))

    assert run.exit_code == 0
    assert run.records("customers") == [
        {"external_id": "C1", "city": "\ufffd\ufffd", "lifetime_value_month": None},
        {"external_id": "C2", "city": "\ufffd", "lifetime_value_month": None},
        {"external_id": "C4", "city": "ä", "lifetime_value_month": 1.5},
    ]
    assert "2 values of city had invalid Unicode" in run.log
    assert "2 values nulled, 1 record skipped" in run.log


def test_discovery_needs_no_more_than_a_whole_header(run_tap: RunTap, server: Server) -> None:
    def answer(request: Request) -> Reply:
        name = request.path.split("/")[3]
        if "csv" not in dict(request.query).values():
            return Reply({name: []})
        # Without a length, it ends with its connection.
        body = b"external_id,acme__x\nC1,cut he"
        return Reply(body, headers={"Connection": "close"}, is_length_delimited=False)

    server.answer = answer

    run = run_tap({**server.config, "discover_custom_fields": True}, "--discover")

    assert run.exit_code == 0
    found = {
        entry["stream"]: entry["schema"]["properties"]
        for entry in json.loads(run.stdout)["streams"]
    }
    assert "acme__x" in found["customers"]


def test_a_row_without_its_key_is_skipped_and_counted(run_tap: RunTap, server: Server) -> None:
    rows = [{"external_id": "", "can_email": "true"}, {"external_id": "C2", "can_email": "perhaps"}]
    server.answer = lambda _: as_csv(table(rows))

    run = run_tap(config(server), catalog=catalog(customers=True))

    assert run.records("customers") == [{"external_id": "C2", "can_email": None}]
    assert "1 value nulled, 1 record skipped" in run.log
    assert "page 1, row 2" in run.log


def test_an_interrupted_sync_goes_on_at_its_page(run_tap: RunTap, server: Server) -> None:
    chosen = catalog(customers=True)
    broken = [True]

    def answer(request: Request) -> Reply:
        number = int(dict(request.query).get("cursor", "0"))
        if number == 2 and broken:
            return Reply(status=400)
        following = {"X_Custobar_Next_Url": f"?cursor={number + 1}"} if number < 2 else {}
        return as_csv(f"external_id\nC{number}\n".encode(), **following)

    server.answer = answer
    first = run_tap(config(server), catalog=chosen)
    broken.clear()
    last = first.of_type("STATE")[-1]["value"]
    second = run_tap(config(server), catalog=chosen, state=last)
    as_json = run_tap(server.config, catalog=chosen, state=last)

    assert first.ids("customers") == ["C0", "C1"]
    assert second.ids("customers") == ["C2"]
    # The mark is of a page of CSV.
    assert "Restarting the interrupted sync" in as_json.log
