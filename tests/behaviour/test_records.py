"""Untidy data: every record fits its SCHEMA, and what is lost is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Reply

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap, Server


def read(run_tap: RunTap, server: Server, *rows: object, **config: object) -> Run:
    """Read these rows as products, and nothing as customers."""
    body = json.dumps({"products": rows, "customers": []}).encode()
    server.replies(Reply(body))
    return run_tap({**server.config, **config})


def test_numbers_keep_their_value(run_tap: RunTap, server: Server) -> None:
    body = (
        b'{"customers": [], "products": ['
        b'{"external_id": "1", "price": 123456789012345678901234567890,'
        b' "rating": 0.1000000000000000055511151231257827},'
        b'{"external_id": "2", "price": 19.0, "rating": 19.90}]}'
    )
    server.replies(Reply(body))

    run = run_tap(server.config)

    assert run.exit_code == 0
    assert '"price":123456789012345678901234567890' in run.stdout
    assert '"rating":0.1000000000000000055511151231257827' in run.stdout
    assert '"price":19,' in run.stdout
    assert '"rating":19.90' in run.stdout


def test_what_does_not_fit_is_nulled_counted_and_placed(run_tap: RunTap, server: Server) -> None:
    run = read(
        run_tap,
        server,
        {"external_id": "1", "price": 5},
        {"external_id": "2", "price": "secret price", "in_stock": "perhaps"},
        {"external_id": "3", "price": "secret price"},
    )

    assert run.exit_code == 0
    assert [r["price"] for r in run.records("products")] == [5, None, None]
    assert "products: 2 values of price not of its type" in run.log
    assert "products: 1 value of in_stock not of its type" in run.log
    assert run.log.count("the first on page 1, row 2") == 2
    assert "3 values nulled, 0 records skipped" in run.log
    assert "secret" not in run.log


def test_rows_that_are_no_records_are_skipped_and_counted(run_tap: RunTap, server: Server) -> None:
    rows: list[Any] = [
        {"external_id": "1"},
        "text",
        None,
        {"title": "no key"},
        {"external_id": ""},
        {"external_id": 17},
    ]

    run = read(run_tap, server, *rows)

    assert run.exit_code == 0
    assert run.ids("products") == ["1", "17"]
    assert "2 records skipped (no object); the first on page 1, row 2" in run.log
    assert "2 records skipped (no external_id); the first on page 1, row 4" in run.log
    assert "4 records skipped" in run.log


def test_keys_leave_in_the_order_of_the_schema(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"weight": "1 kg", "price": 1, "external_id": "1", "title": "x"})

    assert list(run.records("products")[0]) == ["external_id", "price", "title", "weight"]


def test_null_stays_and_absent_stays_absent(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"external_id": "1", "price": None})

    assert run.records("products") == [{"external_id": "1", "price": None}]


def test_half_a_surrogate_pair_becomes_a_replacement_character(
    run_tap: RunTap, server: Server
) -> None:
    run = read(run_tap, server, {"external_id": "1", "title": "smile \ud83d!"})

    assert run.records("products")[0]["title"] == "smile \N{REPLACEMENT CHARACTER}!"


def test_a_byte_order_mark_is_skipped(run_tap: RunTap, server: Server) -> None:
    body = json.dumps({"customers": [{"external_id": "1"}], "products": []}).encode()
    server.replies(Reply(b"\xef\xbb\xbf" + body))

    assert run_tap(server.config).ids("customers") == ["1"]


@pytest.mark.parametrize(
    ("zone", "date"),
    [("UTC", "2024-07-01T12:00:00Z"), ("Europe/Helsinki", "2024-07-01T09:00:00Z")],
)
def test_date_times_without_a_zone_are_told_in_the_set_one(
    run_tap: RunTap, server: Server, zone: str, date: str
) -> None:
    run = read(run_tap, server, {"external_id": "1", "date": "2024-07-01T12:00:00"}, timezone=zone)

    assert run.records("products")[0]["date"] == date


def test_other_offsets_leave_as_utc(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"external_id": "1", "date": "2024-07-01T12:00:00.5+03:00"})

    assert run.records("products")[0]["date"] == "2024-07-01T09:00:00.5Z"


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "../etc/passwd", "Helsinki "])
def test_a_zone_that_does_not_exist_is_refused(run_tap: RunTap, server: Server, zone: str) -> None:
    run = run_tap({**server.config, "timezone": zone})

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "timezone: must be an IANA name" in run.errors[0]
    assert server.requests == []


def test_stream_maps_work_on_the_conformed_records(run_tap: RunTap, server: Server) -> None:
    maps = {
        "products": {
            "title": "fake.first_name()",
            "cents": "int(price) * 1",
            "digest": "sha256(external_id)",
            "description": None,
            "__filter__": "price > 10",
        }
    }
    rows = [{"external_id": i, "price": str(10 * i), "title": "t"} for i in (1, 2)]

    run = read(run_tap, server, *rows, stream_maps=maps, faker_config={"seed": 1})

    assert run.exit_code == 0
    (record,) = [m["record"] for m in run.of_type("RECORD")]
    assert record["external_id"] == "2"
    assert record["cents"] == 20
    assert record["title"] not in {"t", None}
    assert len(record["digest"]) == 64
    assert "description" not in run.schema("products")["properties"]


def test_flattening_works_on_the_conformed_records(run_tap: RunTap, server: Server) -> None:
    fields = {"acme__size": "object"}
    run = read(
        run_tap,
        server,
        {"external_id": "1", "tags": "sale", "stock": {"shop_id": 1}, "acme__size": {"w": 1}},
        stream_options={"products": {"custom_fields": fields}},
        flattening_enabled=True,
        flattening_max_depth=2,
    )

    assert run.exit_code == 0
    (record,) = run.records("products")
    assert json.loads(record["tags"]) == ["sale"]
    assert json.loads(record["stock"]) == [{"shop_id": "1"}]


def test_batches_hold_the_conformed_records(
    run_tap: RunTap, server: Server, tmp_path: Path
) -> None:
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }

    run = read(run_tap, server, {"external_id": 1, "price": "5"}, batch_config=batch)

    assert run.exit_code == 0, run.log
    (message,) = run.of_type("BATCH")
    file = Path(message["manifest"][0].removeprefix("file://"))
    assert json.loads(gzip.decompress(file.read_bytes())) == {"external_id": "1", "price": 5}


def test_names_of_unknown_properties_are_told_on_one_line_and_not_without_end(
    run_tap: RunTap, server: Server
) -> None:
    row = {"external_id": "1", "x\ny": 1, **{f"p{i:04}": i for i in range(500)}, "z" * 5000: 1}

    run = read(run_tap, server, row)

    (line,) = [line for line in run.log.splitlines() if "dropped" in line]
    assert "p0000, p0001" in line
    assert len(line) < 1000
