"""The example that hashes and drops personal data, in PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import select, started_sandbox
from tests.targets.conftest import ROOT

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox
    from tests.targets.conftest import Pipe, Postgres

DROPPED = {
    *("first_name", "last_name", "street_address", "zip_code", "birth_date"),
    *("vat_number", "company", "cb_token"),
}


#: In an event, or in a sale that comes whole or, with `sale_` before it, as rows.
PERSONAL = {
    *("email", "phone_number", "first_name", "last_name", "street_address", "zip_code"),
    *("customer_company", "customer_token"),
}


@pytest.mark.parametrize("shape", ["transactions", "rows"])
def test_who_bought_or_did_something_does_not_leave_the_tap(run_tap: RunTap, shape: str) -> None:
    example = json.loads((ROOT / "examples/stream_maps/pseudonyms.json").read_text())
    with started_sandbox("--sales-shape", shape, "--sales", "100", "--events", "200") as sandbox:
        # Without the company's own fields, which the example cannot know.
        catalog = json.loads(run_tap(sandbox.config, "--discover").stdout)
        fields = {
            entry["tap_stream_id"]: [n for n in entry["schema"]["properties"] if "__" not in n]
            for entry in catalog["streams"]
        }
        catalog = select(catalog, sales=fields["sales"], events=fields["events"])
        plain = run_tap(sandbox.config, catalog=catalog)
        masked = run_tap({**sandbox.config, **example}, catalog=catalog)

    assert masked.exit_code == 0
    records = [*plain.records("sales"), *plain.records("events")]
    assert len(masked.records("sales") + masked.records("events")) == len(records)
    personal = {
        value
        for record in records
        for name, value in record.items()
        if name.removeprefix("sale_") in PERSONAL and value
    }
    assert len(personal) > 100
    written = [*masked.records("sales"), *masked.records("events")]
    assert not [text for text in personal if any(text in r.values() for r in written)]


def test_who_the_customers_are_does_not_reach_the_database(
    sandbox: Sandbox, pipe: Pipe, postgres: Postgres, run_tap: RunTap
) -> None:
    example = json.loads((ROOT / "examples/stream_maps/pseudonyms.json").read_text())
    salt = example["stream_map_config"]["salt"]

    def hashed(text: str | None) -> str | None:
        return text and hashlib.sha256((salt + text).encode()).hexdigest()

    def expected(customer: dict[str, Any]) -> dict[str, Any]:
        email = customer.get("email")
        return {
            "external_id": customer["external_id"],
            "email": hashed(email and email.lower()),
            "phone_number": hashed(customer.get("phone_number")),
            "city": customer.get("city"),
        }

    piped = pipe({**sandbox.config, **example}, "postgres", postgres.config("pseudonyms"))
    assert piped.exit_codes == (0, 0), piped.tap_log + piped.target_log

    plain = run_tap({**sandbox.config, "discover_custom_fields": False})
    rows = postgres.query("SELECT * FROM pseudonyms.customers ORDER BY external_id")
    assert [{name: row[name] for name in expected(row)} for row in rows] == [
        expected(customer) for customer in plain.records("customers")
    ]
    columns = {name for name in rows[0] if not name.startswith("_sdc_")}
    assert columns == set(plain.schema("customers")["properties"]) - DROPPED
    # Nor in a text of another field.
    stored = json.dumps(rows, ensure_ascii=False)
    emails = {c["email"] for c in plain.records("customers") if c.get("email")}
    assert len(emails) > 100
    assert [email for email in emails if email in stored] == []
