"""Untidy data: every record fits its SCHEMA, and what is lost is counted in the log."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import catalog
from tests.conftest import entry_of, select
from tests.server import Reply

if TYPE_CHECKING:
    from tests.conftest import Run, RunTap
    from tests.server import Server

EXAMPLE = Path(__file__).parents[2] / "examples/stream_maps/rename_and_compute.json"


def read(run_tap: RunTap, server: Server, *rows: object, **config: object) -> Run:
    """Run the tap with the given products and no customers."""
    body = json.dumps({"products": rows, "customers": []}).encode()
    server.replies(Reply(body))
    return run_tap({**server.config, **config})


def test_numbers_keep_their_value(run_tap: RunTap, server: Server) -> None:
    body = (
        b'{"customers": [], "products": ['
        b'{"external_id": "1", "price": 9223372036854775807,'
        b' "rating": 0.1000000000000000055511151231257827},'
        b'{"external_id": "2", "price": 19.0, "rating": 19.90}]}'
    )
    server.replies(Reply(body))

    run = run_tap(server.config)

    assert run.exit_code == 0
    assert '"price":9223372036854775807' in run.stdout
    assert '"rating":0.1000000000000000055511151231257827' in run.stdout
    assert '"price":19,' in run.stdout
    assert '"rating":19.90' in run.stdout


def test_values_that_do_not_match_become_null_and_are_counted(
    run_tap: RunTap, server: Server
) -> None:
    run = read(
        run_tap,
        server,
        {"external_id": "1", "price": 5},
        {"external_id": "2", "price": "secret price", "in_stock": "perhaps"},
        {"external_id": "3", "price": "secret price"},
    )

    assert run.exit_code == 0
    assert [r["price"] for r in run.records("products")] == [5, None, None]
    assert "products: 2 values of price did not match" in run.log
    assert "products: 1 value of in_stock did not match" in run.log
    assert run.log.count("first at page 1, row 2") == 2
    assert "3 values nulled, 0 records skipped" in run.log
    assert "secret" not in run.log


def test_rows_that_are_not_valid_records_are_skipped_and_counted(
    run_tap: RunTap, server: Server
) -> None:
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
    assert "2 records skipped (not an object); first at page 1, row 2" in run.log
    assert "2 records skipped (no external_id); first at page 1, row 4" in run.log
    assert "4 records skipped" in run.log


def test_properties_are_written_in_the_order_of_the_schema(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"weight": "1 kg", "price": 1, "external_id": "1", "title": "x"})

    assert list(run.records("products")[0]) == ["external_id", "price", "title", "weight"]


def test_null_and_absent_properties_are_distinguished(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"external_id": "1", "price": None})

    assert run.records("products") == [{"external_id": "1", "price": None}]


def test_a_lone_surrogate_becomes_a_replacement_character(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"external_id": "1", "title": "smile \ud83d!"})

    assert run.records("products")[0]["title"] == "smile \N{REPLACEMENT CHARACTER}!"


CUSTOM_FIELDS = {"acme__any": "object", "acme__size": "integer"}


def page_of(*rows: bytes, **more: object) -> Reply:
    """Return a page of products whose rows are given as JSON, which may be invalid."""
    rest = json.dumps(more)[1:-1]
    body = b'{"customers": [], "products": [%b]%b}'
    return Reply(body % (b", ".join(rows), f", {rest}".encode() if rest else b""))


CHANGED_VALUES = [
    (b'"price": 9223372036854775808', {"price": None}, "price did not match"),
    (b'"price": -9223372036854775809', {"price": None}, "price did not match"),
    (b'"price": 1E400', {"price": None}, "price did not match"),
    (b'"price": ' + b"9" * 5000, {"price": None}, "price did not match"),
    (b'"rating": 1E400', {"rating": None}, "rating did not match"),
    (b'"rating": -1e200000', {"rating": None}, "rating did not match"),
    (b'"rating": NaN', {"rating": None}, "rating did not match"),
    (b'"rating": -Infinity', {"rating": None}, "rating did not match"),
    (b'"title": NaN', {"title": None}, "title did not match"),
    (b'"acme__size": 1E30', {"acme__size": None}, "acme__size did not match"),
    (
        b'"acme__any": {"a": [1E400, 1], "b": NaN, "c": 1.50}',
        {"acme__any": {"a": [None, 1], "b": None, "c": 1.5}},
        "acme__any did not match",
    ),
    (b'"title": "a\\u0000b"', {"title": "a\ufffdb"}, "title had invalid Unicode"),
    (b'"title": "a\x00b"', {"title": "a\ufffdb"}, "title had invalid Unicode"),
    (b'"title": "a\x1fb"', {"title": "a\ufffdb"}, "title had invalid Unicode"),
    (b'"title": "a\xffb"', {"title": "a\ufffdb"}, "title had invalid Unicode"),
    (b'"title": "a\\ud800b"', {"title": "a\ufffdb"}, "title had invalid Unicode"),
    (b'"tags": ["\\u0000"]', {"tags": ["\ufffd"]}, "tags had invalid Unicode"),
    (
        b'"acme__any": {"\\u0000": ["\\u0000"]}',
        {"acme__any": {"\ufffd": ["\ufffd"]}},
        "acme__any had invalid Unicode",
    ),
    (b'"date": "9999-12-31T24:00:00Z"', {"date": None}, "date did not match"),
]
VALID_VALUES = [
    (b'"price": 9223372036854775807, "rating": 1.7e308', {"price": 2**63 - 1, "rating": 1.7e308}),
    (b'"title": "a\tb\nc"', {"title": "a\tb\nc"}),
    (b'"date": "2024-01-01T00:00:00.123456789Z"', {"date": "2024-01-01T00:00:00.123456Z"}),
    (b'"date": "9999-12-31T23:59:59.9999999Z"', {"date": "9999-12-31T23:59:59.999999Z"}),
    (b'"date": "2024-02-28T24:00:00Z"', {"date": "2024-02-29T00:00:00Z"}),
    (b'"date": "2016-12-31T23:59:60Z"', {"date": "2016-12-31T23:59:59Z"}),
]


@pytest.mark.parametrize("on_page", [1, 2])
@pytest.mark.parametrize("uses_fast_path", [True, False])
def test_values_that_stop_a_target_are_replaced_and_counted(
    run_tap: RunTap, server: Server, on_page: int, *, uses_fast_path: bool
) -> None:
    cases = [(*values, "") for values in VALID_VALUES] + CHANGED_VALUES
    rows = [b'{"external_id": "%d", %b}' % (n, member) for n, (member, *_) in enumerate(cases)]
    first = page_of(b'{"external_id": "first"}', next_url="?cursor=2")
    # The first request is for customers.
    server.replies(*[page_of(), *([first] if on_page == 2 else [])], page_of(*rows))
    config: dict[str, Any] = {"stream_options": {"products": {"custom_fields": CUSTOM_FIELDS}}}
    if not uses_fast_path:
        config["stream_maps"] = {"products": {"constant": "'x'"}}

    run = run_tap({**server.config, **config})

    assert run.exit_code == 0, run.log
    records = {record.pop("external_id"): record for record in run.records("products")}
    for number, (_, expected, _) in enumerate(cases):
        record = records[str(number)]
        record.pop("constant", None)
        assert record == expected
    for message, count in Counter(message for *_, message in cases if message).items():
        assert f"{count} {'value' if count == 1 else 'values'} of {message}" in run.log
    nulled = sum("did not match" in message for *_, message in cases)
    summary = next(line for line in run.log.splitlines() if "products: " in line and "/s," in line)
    assert f"{nulled} values nulled, 0 records skipped" in summary
    assert "NaN" not in run.stdout
    assert "\\u0000" not in run.stdout


def test_the_schema_declares_the_limits_of_integers(run_tap: RunTap, server: Server) -> None:
    server.answer = lambda r: Reply({r.path.split("/")[3]: []})
    config = {
        **server.config,
        "stream_options": {
            "products": {"custom_fields": {"acme__a": "integer", "acme__b": "money"}}
        },
    }
    limits = {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1}
    discovered = select(json.loads(run_tap(config, "--discover").stdout), products=True)
    properties = entry_of(discovered, "products")["schema"]["properties"]
    properties["discount"] = {"type": ["integer", "null"], "minimum": 0, "maximum": 10}

    with_catalog = run_tap(config, catalog=discovered).schema("products")["properties"]
    without_catalog = run_tap(config).schema("products")["properties"]

    for name in ("price", "acme__a", "acme__b"):
        assert with_catalog[name].items() >= limits.items()
        assert without_catalog[name] == with_catalog[name]
    assert with_catalog["discount"].items() >= limits.items()


@pytest.mark.parametrize("key", [b'"a\\u0000"', b'"a\xff"', b'"a\\udfff"', b'"a\x01"'])
def test_a_record_whose_primary_key_would_change_is_skipped(
    run_tap: RunTap, server: Server, key: bytes
) -> None:
    rows = [b'{"external_id": %b}' % each for each in (b'"a"', key, b'"b"')]
    server.replies(page_of(*rows))

    run = run_tap(server.config)

    assert run.exit_code == 0
    assert run.ids("products") == ["a", "b"]
    assert "1 record skipped (no external_id); first at page 1, row 2" in run.log


def test_a_page_in_another_charset_is_rejected(run_tap: RunTap, server: Server) -> None:
    rows = [b'{"external_id": "%d", "title": "K\xe4rry"}' % n for n in range(101)]
    first = page_of(b'{"external_id": "first"}', next_url="?cursor=2")
    server.replies(page_of(), first, page_of(*rows))

    run = run_tap({**server.config, "max_retries": 0})
    server.replies(page_of(), first, page_of(*rows[:100]))
    accepted = run_tap(server.config)

    assert run.exit_code == 1
    assert run.ids("products") == ["first"]
    assert len(run.errors) == 1
    assert "JSON that is not UTF-8 in more than 100 values on page 2: " in run.errors[0]
    assert accepted.exit_code == 0
    assert accepted.records("products")[1]["title"] == "K\ufffdrry"
    assert "100 values of title had invalid Unicode" in accepted.log


@pytest.mark.parametrize("response_format", ["json", "csv"])
@pytest.mark.parametrize(
    ("declared", "used"),
    [
        ("iso-8859-1", "iso-8859-1"),
        ('"Windows-1252"', "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16le", "utf-16le"),
        # A server may declare a default that it does not use.
        ("iso-8859-1", "utf-8"),
        ("utf-16", "utf-8"),
        ("unknown", "utf-8"),
        ("hex", "utf-8"),
    ],
)
def test_a_page_is_read_in_the_charset_that_it_declares(
    run_tap: RunTap, server: Server, response_format: str, declared: str, used: str
) -> None:
    titles = ["Kärry", "Å" * 3, "plain", "»hyvä»"]
    if response_format == "csv":
        rows = [f"{number},{title}\n" for number, title in enumerate(titles)]
        page = "".join(["external_id,title\n", *rows])
    else:
        products = [{"external_id": str(n), "title": title} for n, title in enumerate(titles)]
        page = json.dumps({"products": products}, ensure_ascii=False)
    content_type = {"Content-Type": f"text/plain; charset={declared}; header=present"}
    server.answer = lambda _: Reply(page.encode(used), headers=content_type)
    config = {**server.config, "response_format": response_format, "max_retries": 0}

    run = run_tap(config, catalog=catalog(products=["title"]))

    assert [record["title"] for record in run.records("products")] == titles
    assert "invalid Unicode" not in run.log


def test_a_byte_that_is_not_valid_does_not_change_the_charset_of_a_page(
    run_tap: RunTap, server: Server
) -> None:
    """A server may declare a charset that it does not use."""
    rows = [b'{"external_id": "a", "title": "K\xe4rry"}', '{"external_id": "äöå"}'.encode()]
    page = page_of(*rows)
    page.headers["Content-Type"] = "application/json; charset=iso-8859-1"
    server.replies(page)

    run = run_tap(server.config, catalog=catalog(products=True))

    assert run.ids("products") == ["a", "äöå"]
    assert run.records("products")[0]["title"] == "K\ufffdrry"


def test_an_error_for_invalid_json_names_page_and_position(run_tap: RunTap, server: Server) -> None:
    first = page_of(b'{"external_id": "first"}', next_url="?cursor=2")
    server.replies(page_of(), first, Reply(b'{"products": [{"external_id": SECRET'))

    run = run_tap({**server.config, "max_retries": 0})

    (error,) = run.errors
    assert error == (
        "products failed: The response is not Custobar's data but invalid JSON (expecting value at "
        "character 31) on page 2: run again, and report it to Custobar if it persists."
    )


@pytest.mark.parametrize("error", [{"reason": "SECRET"}, "SECRET", {}, [], False])
def test_a_page_with_an_error_is_rejected(run_tap: RunTap, server: Server, error: object) -> None:
    first = page_of(b'{"external_id": "first"}', next_url="?cursor=2")
    server.replies(page_of(), first, page_of(error=error))
    config = {**server.config, "max_retries": 0, "emit_activate_version_messages": True}

    run = run_tap(config)

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "not Custobar's data but JSON with an error on page 2: " in run.errors[0]
    assert "SECRET" not in run.log
    assert [m for m in run.of_type("ACTIVATE_VERSION") if m["stream"] == "products"] == []


def test_a_page_with_a_null_error_is_accepted(run_tap: RunTap, server: Server) -> None:
    server.replies(page_of(b'{"external_id": "1"}', error=None))

    assert run_tap(server.config).ids("products") == ["1"]


def test_a_null_list_is_an_empty_one(run_tap: RunTap, server: Server) -> None:
    first = page_of(b'{"external_id": "1"}', next_url="?cursor=2")
    server.replies(Reply({"customers": None}), first, Reply({"products": None}))

    run = run_tap(server.config)

    assert run.exit_code == 0
    assert run.ids("products") == ["1"]


def test_a_byte_order_mark_is_skipped(run_tap: RunTap, server: Server) -> None:
    body = json.dumps({"customers": [{"external_id": "1"}], "products": []}).encode()
    server.replies(Reply(b"\xef\xbb\xbf" + body))

    assert run_tap(server.config).ids("customers") == ["1"]


@pytest.mark.parametrize(
    ("timezone", "date"),
    [("UTC", "2024-07-01T12:00:00Z"), ("Europe/Helsinki", "2024-07-01T09:00:00Z")],
)
def test_timestamps_without_a_timezone_are_in_the_configured_one(
    run_tap: RunTap, server: Server, timezone: str, date: str
) -> None:
    run = read(
        run_tap, server, {"external_id": "1", "date": "2024-07-01T12:00:00"}, timezone=timezone
    )

    assert run.records("products")[0]["date"] == date


def test_timestamps_are_written_in_utc(run_tap: RunTap, server: Server) -> None:
    run = read(run_tap, server, {"external_id": "1", "date": "2024-07-01T12:00:00.5+03:00"})

    assert run.records("products")[0]["date"] == "2024-07-01T09:00:00.5Z"


@pytest.mark.parametrize("timezone", ["Europe/Nowhere", "", "../etc/passwd", "Helsinki "])
def test_a_timezone_that_does_not_exist_is_rejected(
    run_tap: RunTap, server: Server, timezone: str
) -> None:
    run = run_tap({**server.config, "timezone": timezone})

    assert run.exit_code == 1
    assert len(run.errors) == 1
    assert "timezone: must be an IANA name" in run.errors[0]
    assert server.requests == []


def test_stream_maps_receive_converted_records(run_tap: RunTap, server: Server) -> None:
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


@pytest.mark.parametrize("flattens", [False, True])
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("external_id == 'C1'", "true"),
        ("[external_id, 5]", '["C1",5]'),
        ("10 ** 30", "1" + "0" * 30),
        ("float('nan')", None),
        ("datetime.date(2024, 1, 2)", "2024-01-02"),
        ("can_email", True),
        ("int('5')", 5),
        ("None", None),
    ],
)
def test_the_result_of_an_expression_fits_the_schema(
    run_tap: RunTap, server: Server, expression: str, value: object, *, flattens: bool
) -> None:
    row = {"external_id": "C1", "can_email": True, "tags": ["a"]}
    server.replies(Reply({"customers": [row]}))
    config = {
        **server.config,
        "stream_maps": {"customers": {"computed": expression}},
        "flattening_enabled": flattens,
        "flattening_max_depth": 1,
    }

    run = run_tap(config, catalog=catalog(customers=["can_email", "tags"]))

    (record,) = run.records("customers")
    assert record.pop("computed") == value
    assert record == {**row, "tags": '["a"]' if flattens else ["a"]}


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("price", "price / 100"),
        ("in_stock", "'x' + external_id"),
        ("external_id", "None"),
        ("computed", "int(price) / 100"),
        ("computed", "bool(price) and external_id"),
    ],
)
def test_an_expression_of_another_type_than_declared_fails_the_stream(
    run_tap: RunTap, server: Server, name: str, expression: str
) -> None:
    server.replies(Reply({"products": [{"external_id": "P1", "price": 1995}]}))
    maps = {"stream_maps": {"products": {name: expression}}}

    run = run_tap({**server.config, **maps}, catalog=catalog(products=True))

    assert run.exit_code == 1
    (error,) = run.errors
    assert error == (
        f"products failed: stream_maps.products.{name}: a result is not of the type in SCHEMA. "
        "Put the expression in str(), int(), float() or bool(), which declares the type."
    )
    assert run.of_type("RECORD") == []


def test_the_example_of_stream_maps_renames_and_computes(run_tap: RunTap, server: Server) -> None:
    example = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    rows = [{"external_id": "1", "email": "A@B.example", "zip_code": "00100"}, {"external_id": "2"}]
    server.answer = lambda request: Reply(
        {"customers": rows} if "customers" in request.path else {"products": []}
    )

    run = run_tap({**server.config, **example})

    first, second = run.records("customers")
    assert (first["postal_code"], first["email_domain"]) == ("00100", "b.example")
    assert (second["postal_code"], second["email_domain"]) == (None, None)
    assert "zip_code" not in run.schema("customers")["properties"]


def test_a_filter_that_fails_is_named_with_its_stream(run_tap: RunTap, server: Server) -> None:
    maps = {"products": {"__filter__": "record['nope'] == 'x'"}}

    run = read(run_tap, server, {"external_id": "1", "title": "secret"}, stream_maps=maps)

    assert run.exit_code == 1
    (error,) = run.errors
    assert "stream_maps.products.__filter__: this expression failed for a record" in error
    assert "secret" not in run.log


@pytest.mark.parametrize(
    "maps", [{}, {"products": {"name": "external_id"}}], ids=["plain", "mapped"]
)
def test_a_flattened_value_without_a_declared_type_is_a_string(
    run_tap: RunTap, server: Server, maps: dict[str, Any]
) -> None:
    selected = catalog(products=True)
    entry_of(selected, "products")["schema"]["properties"]["brand"] = {}
    values = [1, 1.5, True, "a", None]
    rows = [{"external_id": str(i), "brand": value} for i, value in enumerate(values)]
    server.answer = lambda _: Reply({"products": rows})
    flat = {"flattening_enabled": True, "flattening_max_depth": 1, "stream_maps": maps}

    run = run_tap({**server.config, **flat}, catalog=selected)

    brands = [record["brand"] for record in run.records("products")]
    assert brands == ["1", "1.5", "true", "a", None]


def test_flattening_receives_converted_records(run_tap: RunTap, server: Server) -> None:
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


def test_batch_files_contain_converted_records(
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


def test_names_of_unknown_properties_are_logged_on_one_line_of_limited_length(
    run_tap: RunTap, server: Server
) -> None:
    row = {"external_id": "1", "x\ny": 1, **{f"p{i:04}": i for i in range(500)}, "z" * 5000: 1}

    run = read(run_tap, server, row)

    (line,) = [line for line in run.log.splitlines() if "discarded" in line]
    assert "p0000, p0001" in line
    assert len(line) < 1000
