from __future__ import annotations

import re
from pathlib import Path

import pytest

CASSETTES = sorted((Path(__file__).parent.parent / "cassettes").glob("*.yaml"))


@pytest.mark.parametrize("cassette", CASSETTES, ids=lambda path: path.name)
def test_a_cassette_holds_no_address_of_a_machine_and_no_token(cassette: Path) -> None:
    text = cassette.read_text(encoding="utf-8")

    assert "/api/data/" in text
    assert not re.findall(r"localhost|127\.0\.0\.1|authorization|APISANDBOX", text, re.IGNORECASE)
    assert set(re.findall(r"https?://[a-z0-9.]*custobar[a-z0-9.:]*", text)) == {
        "https://acme.custobar.com"
    }
