"""The setting that hashes and leaves out personal data, with target-postgres."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import started_sandbox

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox
    from tests.targets.conftest import Pipe, Postgres

KEY = "a long random text of the tests"
SETTINGS = {"personal_data": "pseudonymize", "hash_key": KEY}
IDENTIFIERS = ("external_id", "email", "phone_number", "canonical_id", "cb_token")
ATTRIBUTES = {
    *("first_name", "last_name", "street_address", "zip_code", "city", "state", "birth_date"),
    *("vat_number", "company", "gender"),
}


def hashed(value: str | None) -> str | None:
    return value and hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def test_raw_personal_data_does_not_reach_the_database(
    sandbox: Sandbox, pipe: Pipe, postgres: Postgres, run_tap: RunTap
) -> None:
    def expected(customer: dict[str, Any]) -> dict[str, Any]:
        email = customer.get("email")
        return {
            **{name: hashed(customer.get(name)) for name in IDENTIFIERS},
            "email": hashed(email and email.lower()),
            "country": customer.get("country"),
        }

    piped = pipe({**sandbox.config, **SETTINGS}, "postgres", postgres.config("pseudonyms"))
    assert piped.exit_codes == (0, 0), piped.tap_log + piped.target_log

    plain = run_tap({**sandbox.config, "discover_custom_fields": False})
    rows = postgres.query("SELECT * FROM pseudonyms.customers ORDER BY external_id")
    customers = sorted(
        map(expected, plain.records("customers")), key=lambda row: row["external_id"]
    )
    assert [{name: row[name] for name in expected(row)} for row in rows] == customers
    columns = {name for name in rows[0] if not name.startswith("_sdc_")}
    assert columns == set(plain.schema("customers")["properties"]) - ATTRIBUTES
    # Not even within a string of another column.
    stored = json.dumps(rows, ensure_ascii=False, default=str)
    raw = {c[name] for c in plain.records("customers") for name in IDENTIFIERS if c.get(name)}
    assert len(raw) > 500
    assert [value for value in raw if value in stored + piped.tap_log + piped.target_log] == []


@pytest.mark.parametrize("shape", ["transactions", "rows"])
def test_hashed_tables_join_like_raw_ones(
    pipe: Pipe, postgres: Postgres, run_tap: RunTap, shape: str
) -> None:
    key = "customer_id" if shape == "transactions" else "sale_customer_id"
    join = (
        "SELECT count(*) AS rows FROM {schema}.customers "
        "JOIN {schema}.{table} ON {table}.{key} = customers.external_id "
        "GROUP BY customers.external_id"
    )
    counts = []
    with started_sandbox("--sales-shape", shape, "--sales", "200", "--events", "200") as sandbox:
        catalog = json.loads(run_tap(sandbox.config, "--discover").stdout)
        for entry in catalog["streams"]:
            root = next(m["metadata"] for m in entry["metadata"] if not m["breadcrumb"])
            root["selected"] = entry["tap_stream_id"] in {"customers", "sales", "events"}
        for name, settings in (("raw", {}), ("hashed", SETTINGS)):
            schema = f"{name}_{shape}"
            config = {**sandbox.config, **settings}
            piped = pipe(config, "postgres", postgres.config(schema), catalog=catalog)
            assert piped.exit_codes == (0, 0), piped.tap_log + piped.target_log
            counts.append(
                [
                    Counter(
                        row["rows"]
                        for row in postgres.query(
                            join.format(schema=schema, table=table, key=field)
                        )
                    )
                    for table, field in (("sales", key), ("events", "customer_id"))
                ]
            )

    assert counts[0] == counts[1]
    assert all(map(bool, counts[0]))
