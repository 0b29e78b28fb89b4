from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tap_custobar.state.hash_key import hash_key_fingerprint, note_hash_key

KEY, OTHER = "a-key-of-24-characters", "another-key-of-many-characters"


def note(bookmark: dict[str, Any], key: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Run with a key, and return the lines that are logged of it."""
    caplog.clear()
    note_hash_key(bookmark, key, logging.getLogger("test"))
    return list(caplog.messages)


def test_a_key_changed_since_the_last_run_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bookmark: dict[str, Any] = {}

    assert note(bookmark, KEY, caplog) == []
    assert note(bookmark, KEY, caplog) == []
    [line] = note(bookmark, OTHER, caplog)
    assert fnmatchcase(line, "hash_key *last run: *(Meltano: --full-refresh), or * the old key")
    assert note(bookmark, OTHER, caplog) == []


@pytest.mark.parametrize("before", ["", 5, ["x"], {}], ids=str)
def test_an_invalid_fingerprint_in_the_state_is_a_changed_key(
    before: object, caplog: pytest.LogCaptureFixture
) -> None:
    bookmark = {"hash_key": before}

    assert len(note(bookmark, KEY, caplog)) == 1
    assert bookmark == {"hash_key": hash_key_fingerprint(KEY)}


def test_the_state_has_the_same_fingerprint_in_every_run() -> None:
    assert hash_key_fingerprint(KEY) == "2e63c08d4d6a8a47cf1414e7"
    assert hash_key_fingerprint(KEY) != hash_key_fingerprint(OTHER)
