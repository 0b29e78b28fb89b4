"""`python -m tap_custobar.sandbox` as a user starts and stops it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.unit.sandbox.conftest import Sandbox

    Start = Callable[..., AbstractContextManager[Sandbox]]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_is_printed_and_a_signal_ends_it_cleanly(start: Start, number: int) -> None:
    with start() as sandbox:
        assert re.fullmatch(
            r"Custobar sandbox: http://127\.0\.0\.1:\d+/api \(token APISANDBOX\)\n",
            sandbox.announcement,
        )
        assert sandbox.get("customers/").status_code == 200
        assert sandbox.get("nothing/").status_code == 404
        assert sandbox.stop(number) == (0, "", "")


def test_a_port_in_use_is_one_clear_line(sandbox: Sandbox) -> None:
    port = sandbox.url.split(":")[2].split("/")[0]
    result = run("-m", "tap_custobar.sandbox", "--port", port)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"Cannot serve on port {port}: Address already in use.*\n", result.stderr)


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_package_is_one_line_that_says_what_to_install(package: str) -> None:
    result = run(
        "-c",
        f"import sys, runpy; sys.modules[{package!r}] = None\n"
        "runpy.run_module('tap_custobar.sandbox', run_name='__main__')",
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r".*pip install '\.\[sandbox\]' in a checkout\n", result.stderr)


@pytest.mark.parametrize("options", [["--port", "x"], ["--customers", "-1"], ["--products", "1e9"]])
def test_an_invalid_option_is_rejected(options: list[str]) -> None:
    result = run("-m", "tap_custobar.sandbox", *options)
    assert result.returncode == 2
    assert options[0] in result.stderr


def test_only_the_loopback_address_is_served(sandbox: Sandbox) -> None:
    port = int(sandbox.url.split(":")[2].split("/")[0])
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        # Still this machine, but reached only by what listens on every address.
        other.connect(("127.0.0.2", port))


def test_the_same_seed_makes_the_same_data_in_every_process(start: Start) -> None:
    options = ("--customers", "300", "--products", "300", "--seed")
    streams = ("customers", "products", "sales", "events")
    with start(*options, "7") as one, start(*options, "7") as two, start(*options, "8") as other:
        for stream in streams:
            records = one.records(stream, limit=300)
            assert records == two.records(stream, limit=300)
            assert records != other.records(stream, limit=300)


def test_a_larger_sandbox_begins_with_the_records_of_a_smaller_one(
    start: Start, sandbox: Sandbox
) -> None:
    with start("--customers", "1000000", "--events", "1000000") as large:
        for stream in ("customers", "events"):
            assert large.records(stream, limit=500) == sandbox.records(stream, limit=500)


def test_over_the_rate_limit_requests_get_429(start: Start) -> None:
    with start("--rate-limit", "3") as sandbox:
        assert [sandbox.get("customers/").status_code for _ in range(3)] == [200] * 3
        refused = sandbox.get("products/")
    assert refused.status_code == 429
    assert refused.json() == {"error": {"reason": "rate limit exceeded: 3 requests a minute"}}
    assert "Retry-After" not in refused.headers


def test_a_million_customers_are_found_by_key_and_date_only(start: Start) -> None:
    with start("--customers", "1000000") as sandbox:
        newest = sandbox.records("customers", order="-date_joined", limit=3)
        assert [each["external_id"] for each in newest] == ["C01000000", "C00999999", "C00999998"]
        assert sandbox.records("customers", order="-external_id,email", limit=3) == newest
        last = newest[0]
        assert sandbox.records("customers", external_id=last["external_id"]) == [last]
        assert sandbox.records("customers", date_joined=last["date_joined"]) == [last]
        assert sandbox.records("customers", external_id="C1000000") == []
        both = {"external_id": last["external_id"], "date_joined": newest[1]["date_joined"]}
        assert sandbox.records("customers", **both) == []
        for query in ({"city": "Turku"}, {"order": "city"}, {"order": "email_domain"}):
            reply = sandbox.get("customers/", query)
            assert reply.status_code == 400
            assert "by external_id and date_joined only" in reply.json()["error"]["reason"]


@pytest.mark.parametrize("shape", ["transactions", "rows"])
def test_a_million_sales_are_ordered_by_a_date_that_does_not_grow(start: Start, shape: str) -> None:
    name = {"transactions": "date", "rows": "sale_date"}[shape]
    with start("--sales", "1000000", "--sales-shape", shape) as sandbox:
        query = {"limit": 10_000, "fields": name}
        found = [sandbox.records("sales", order=f"{sign}{name}", **query) for sign in ("", "-")]
        for records, descending in zip(found, (False, True), strict=True):
            dates = [each[name].removesuffix("Z") for each in records]
            assert dates == sorted(dates, reverse=descending)
            assert len({each["external_id"] for each in records}) == len(records)
        oldest, newest = (records[0][name] for records in found)
        assert (oldest[:10], newest[:10]) == ("2014-12-30", "2018-03-03")
        reply = sandbox.get("sales/", {name: newest})
    assert reply.status_code == 400
    assert "it can filter by external_id only" in reply.json()["error"]["reason"]
