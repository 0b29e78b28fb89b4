from __future__ import annotations

import hmac

import pytest
from msgspec import UNSET

from tap_custobar.records.hashing import ValueHasher


def hashed(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize("key", ["k" * 16, "k" * 64, "k" * 65, "ä" * 40])
def test_hashes_are_those_of_hmac_at_every_length_of_a_block(key: str) -> None:
    values = ["x" * size for size in (1, 55, 56, 63, 64, 65, 500)] + ["Äiti 🙂"]

    assert ValueHasher(key).hash_all(values) == [hashed(value, key) for value in values]


def test_what_is_missing_or_empty_stays_in_its_place() -> None:
    key = "k" * 16

    assert ValueHasher(key).hash_all([None, "a", UNSET, "", 0, "b"]) == [
        None,
        hashed("a", key),
        UNSET,
        "",
        hashed("0", key),
        hashed("b", key),
    ]


def test_emails_in_lists_are_hashed_like_others() -> None:
    hasher = ValueHasher("k" * 16)

    assert hasher.hash_all([[" A@b.C", None, " "]], has_lists=True, are_emails=True) == [
        [*hasher.hash_all(["a@b.c"]), None, ""]
    ]
