"""The example that hashes and drops personal data, in PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.targets.conftest import ROOT

if TYPE_CHECKING:
    from tests.conftest import RunTap, Sandbox
    from tests.targets.conftest import Pipe, Postgres

DROPPED = {
    *("first_name", "last_name", "street_address", "zip_code", "birth_date"),
    *("vat_number", "company", "cb_token"),
}


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
