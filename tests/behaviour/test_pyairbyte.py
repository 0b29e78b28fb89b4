"""`make test-airbyte`: the example of PyAirbyte loads the sandbox into DuckDB."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import RunTap, Sandbox

pytestmark = pytest.mark.pyairbyte

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-pyairbyte/bin/python"
EXAMPLE = ROOT / "examples/pyairbyte/custobar_to_duckdb.py"
QUERY = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    rows = connection.execute(sys.argv[2])
    names = [column[0] for column in rows.description]
    print(json.dumps([dict(zip(names, row)) for row in rows.fetchall()], default=str))
"""


@contextmanager
def listening_proxy() -> Iterator[str]:
    """Yield the address of a proxy, and assert that no connection to it was opened."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.setblocking(False)  # noqa: FBT003 - its only argument
        with pytest.raises(BlockingIOError):
            listener.accept()


def run_example(sandbox: Sandbox, folder: Path, **settings: str) -> int:
    """Run the example as a user does, and return the number of records that it prints."""
    with listening_proxy() as proxy:
        result = subprocess.run(
            [PYTHON, EXAMPLE, folder / "custobar.duckdb"],
            capture_output=True,
            check=False,
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "AIRBYTE_LOGGING_ROOT": str(folder / "logs"),
                "SOURCE_CUSTOBAR": str(Path(sys.executable).parent / "source-custobar"),
                "TAP_CUSTOBAR_API_URL": sandbox.url,
                "TAP_CUSTOBAR_API_TOKEN": TOKEN,
                **{f"TAP_CUSTOBAR_{name.upper()}": value for name, value in settings.items()},
                "HTTP_PROXY": proxy,
                "HTTPS_PROXY": proxy,
                "NO_PROXY": "127.0.0.1",
            },
            text=True,
            timeout=120,
        )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert TOKEN not in output
    assert "Traceback" not in output
    match = re.search(r"^(\d+) records read$", result.stdout, re.MULTILINE)
    assert match, output
    return int(match[1])


def query(folder: Path, sql: str) -> list[dict[str, Any]]:
    command = [str(PYTHON), "-c", QUERY, str(folder / "custobar.duckdb"), sql]
    rows: list[dict[str, Any]] = json.loads(subprocess.check_output(command, text=True))
    return rows


def products(sandbox: Sandbox, *fields: str) -> list[dict[str, Any]]:
    """Return the products of the API."""
    response = requests.get(
        f"{sandbox.url}/data/products/",
        params={"fields": ",".join(fields), "limit": "1000"},
        headers={"Authorization": f"Token {TOKEN}"},
        timeout=60,
    )
    return [dict.fromkeys(fields) | product for product in response.json()["products"]]


def test_two_syncs_into_duckdb(sandbox: Sandbox, tmp_path: Path) -> None:
    all_records = sandbox.customers + sandbox.products

    first = run_example(sandbox, tmp_path)
    second = run_example(sandbox, tmp_path)

    assert first == all_records
    # All customers are read again, but only new products, and those within lookback_days.
    assert sandbox.customers < second < all_records
    (sizes,) = query(tmp_path, "SELECT count(*) AS size FROM main.customers")
    assert sizes == {"size": sandbox.customers}
    stored = query(
        tmp_path,
        "SELECT external_id, price, title, strftime(date, '%Y-%m-%dT%H:%M:%SZ') AS date "
        "FROM main.products ORDER BY external_id",
    )
    assert stored == products(sandbox, "external_id", "price", "title", "date")


def test_no_personal_data_is_written_to_duckdb(
    sandbox: Sandbox, run_tap: RunTap, tmp_path: Path
) -> None:
    settings = {"personal_data": "pseudonymize", "hash_key": "a key of the tests: 0123456789"}
    plain = run_tap(sandbox.config).records("customers")

    run_example(sandbox, tmp_path, **settings)

    rows = query(tmp_path, "SELECT * FROM main.customers")
    assert len(rows) == len(plain)
    assert not {"first_name", "street_address", "birth_date"} & rows[0].keys()
    stored = json.dumps(rows, ensure_ascii=False)
    names = ("external_id", "email", "phone_number", "canonical_id", "cb_token")
    raw = {customer[name] for customer in plain for name in names if customer.get(name)}
    assert len(raw) > 500
    assert [value for value in raw if value in stored] == []
    database = (tmp_path / "custobar.duckdb").read_bytes()
    assert [value for value in raw if len(value) > 8 and value.encode() in database] == []
