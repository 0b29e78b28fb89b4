from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import UNSET

from tap_custobar.records.decoder import Batch, RecordDecoder
from tap_custobar.records.hashing import ColumnHasher, ValueHasher, hashed_schema, is_hashable
from tap_custobar.records.json_codec import encode
from tap_custobar.records.raw_rows import JsonValues
from tap_custobar.records.schema import SelectedSchema

TEXT: dict[str, Any] = {"type": ["string", "null"]}
TEXTS: dict[str, Any] = {"type": ["array", "null"], "items": {"type": "string"}}
PROPERTIES = {"id": {"type": "string"}, "email": TEXT, "tags": TEXTS, "city": TEXT}
KEY = "a-key-of-many-characters"


def hash_of(text: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), text.encode(), sha256).hexdigest()


def batch_of(*rows: dict[str, Any]) -> Batch:
    schema = SelectedSchema(PROPERTIES, PROPERTIES, ["id"], UTC)
    [batch] = RecordDecoder(schema).decode([JsonValues([{"id": "1", **row} for row in rows])], 1)
    return batch


@pytest.mark.parametrize("key", ["k" * 16, "k" * 64, "k" * 65, "ä" * 40])
def test_hashes_are_those_of_hmac_at_every_length_of_a_block(key: str) -> None:
    values = ["x" * size for size in (1, 55, 56, 63, 64, 65, 500)] + ["Äiti 🙂"]

    assert ValueHasher(key).hash_all(values) == [hash_of(value, key) for value in values]


def test_other_values_are_hashed_as_json_and_empty_values_are_kept() -> None:
    values = [5, True, {"a": 1}, ["x", 5], None, UNSET, ""]
    texts = [encode(value) for value in values[:4]]

    assert ValueHasher(KEY).hash_all(values) == [*map(hash_of, texts), None, UNSET, ""]


def test_a_list_is_hashed_by_element_if_the_type_allows_lists() -> None:
    hashed = ValueHasher(KEY).hash_all([["a", "", None, 5], "b", []], has_lists=True)

    assert hashed == [[hash_of("a"), "", None, hash_of("5")], hash_of("b"), []]


@pytest.mark.parametrize(
    ("schema", "hashable", "hashed"),
    [
        ({"type": "string"}, True, {"type": "string"}),
        ({"type": ["integer", "null"]}, True, {"type": ["string", "null"]}),
        ({"type": ["string", "null"], "format": "date"}, True, {"type": ["string", "null"]}),
        ({}, True, {"type": ["string", "null"]}),
        (TEXTS, True, {"type": ["array", "null"], "items": {"type": "string"}}),
        (
            {"type": "array", "items": {"type": ["integer", "null"]}},
            True,
            {"type": "array", "items": {"type": ["string", "null"]}},
        ),
        ({"type": "array"}, True, {"type": "array", "items": {"type": ["string", "null"]}}),
        (
            {"type": ["string", "array"], "items": {"type": "string"}},
            True,
            {"type": ["array", "string"], "items": {"type": "string"}},
        ),
        ({"type": "object"}, False, None),
        ({"type": "array", "items": {"type": "object"}}, False, None),
        ({"type": "array", "items": {"type": "array"}}, False, None),
    ],
    ids=str,
)
def test_the_schema_of_a_hashed_column_has_strings(
    schema: dict[str, Any], hashed: dict[str, Any] | None, *, hashable: bool
) -> None:
    assert is_hashable(schema) is hashable
    if hashed is not None:
        assert hashed_schema(schema) == {"description": "hashed", **hashed}


def test_only_the_named_columns_are_hashed_and_emails_are_normalized() -> None:
    batch = batch_of({"email": " Maija@Example.fi", "tags": ["a", "b"], "city": "Oulu"}, {})
    hasher = ColumnHasher(KEY, {"email": TEXT, "tags": TEXTS}, emails=["email"])

    hasher.apply(batch)

    assert hasher
    assert batch.dicts() == [
        {
            "id": "1",
            "email": hash_of("maija@example.fi"),
            "tags": [hash_of("a"), hash_of("b")],
            "city": "Oulu",
        },
        {"id": "1"},
    ]


def test_emails_in_lists_are_hashed_like_other_emails() -> None:
    hasher = ValueHasher(KEY)

    assert hasher.hash_all([[" A@b.C", None, " "]], has_lists=True, are_emails=True) == [
        [hash_of("a@b.c"), None, ""]
    ]


def test_without_columns_nothing_is_hashed() -> None:
    hasher = ColumnHasher(KEY, {})

    assert not hasher
    assert not hasher.is_shown_by("?cursor=maija")


EMAIL = "Maija+1@example.fi"
SIGNED = f"{base64.urlsafe_b64encode(json.dumps({'after': EMAIL}).encode()).decode()}:1abc:signed"


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        (f"?cursor={EMAIL}", True),
        (f"?cursor={quote(EMAIL)}", True),
        (f"?cursor={quote(quote(EMAIL))}", True),
        ("?cursor=MAIJA%2B1@EXAMPLE.FI", True),
        (f"?cursor={base64.b64encode(f'p={EMAIL}'.encode()).decode()}", True),
        (f"?cursor={base64.urlsafe_b64encode(f'p={quote(EMAIL)}'.encode()).decode()}", True),
        (f"?cursor={EMAIL.encode().hex()}", True),
        ("?cursor=" + base64.b64encode(b"\xff\x00" + EMAIL.encode()).decode(), True),
        (f"/api/data/customers/{base64.urlsafe_b64encode(EMAIL.encode()).decode()}/", True),
        (f"?cursor=page-{base64.b64encode(EMAIL.encode()).decode()}", True),
        (f"?cursor={SIGNED}", True),
        (f"?cursor={base64.b64encode(SIGNED.encode()).decode()}", True),
        (f"?cursor={quote(json.dumps(EMAIL).replace('@', chr(92) + 'u0040'))}", True),
        (f"?cursor={base64.b64encode(EMAIL.encode().hex().encode()).decode()}", True),
        (f"?cursor={quote('Äijälä', encoding='latin-1')}", True),
        ("?cursor=cD0yMDI0LTAxLTAxKzAwJTNBMDA%3D&limit=10000", False),
        ("?cursor=opaque&limit=5", False),
        (f"/after/{base64.urlsafe_b64encode(EMAIL.encode()).decode()}/?limit=5", True),
        ("?cursor=Ou", True),
        ("?cursor=x-Ou-y", True),
        ("?cursor=xOuy", False),
        ("?cursor=xOuy-Ou", True),
        ("", False),
    ],
)
def test_a_link_that_contains_a_hashed_value_is_found(link: str, *, shown: bool) -> None:
    hasher = ColumnHasher(KEY, {"email": TEXT, "tags": TEXTS}, emails=["email"])
    hasher.apply(batch_of({"email": EMAIL, "tags": ["Ou", " ", "Äijälä"]}))

    assert hasher.is_shown_by(link) is shown


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        (f"?cursor={EMAIL}", True),
        (f"?cursor={base64.b64encode(f'p={EMAIL}'.encode()).decode()}", True),
        (f"/after/{quote(EMAIL)}", True),
        ("?cursor=" + base64.b64encode(b"\xff@\x00.e").decode(), False),
        ("?cursor=2024-01-01T00:00:00@12", False),
        ("?cursor=358401234567", False),
    ],
)
def test_an_email_address_that_was_not_received_is_found(link: str, *, shown: bool) -> None:
    hasher = ColumnHasher(KEY, {}, protects_emails=True)

    assert hasher.is_shown_by(link) is shown
    assert not ColumnHasher(KEY, {}).is_shown_by(link)


def test_an_empty_batch_keeps_the_values_of_the_last_one() -> None:
    hasher = ColumnHasher(KEY, {"email": TEXT})
    batch = batch_of({"email": EMAIL})
    hasher.apply(batch)

    hasher.apply(batch.part(0, 0))

    assert hasher.is_shown_by(f"?cursor={EMAIL}")


@pytest.mark.parametrize("number", [1, 3])
def test_values_of_the_first_and_the_last_batch_of_a_page_are_found(number: int) -> None:
    hasher = ColumnHasher(KEY, {"email": TEXT})
    hasher.apply(batch_of({"email": "person0@example.fi"}))
    hasher.start_page()
    for each in (1, 2, 3):
        hasher.apply(batch_of({"email": f"person{each}@example.fi"}))

    assert hasher.is_shown_by(f"?cursor=person{number}@example.fi")
    assert not hasher.is_shown_by("?cursor=person0@example.fi")
