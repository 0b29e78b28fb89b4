"""The fingerprint of the hash key in a stream's bookmark, which shows when the key changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_custobar.state.checkpoint import fingerprint

if TYPE_CHECKING:
    from logging import Logger

#: The key of the fingerprint in a stream's bookmark.
HASH_KEY = "hash_key"


def hash_key_fingerprint(key: str) -> str:
    """Return a fingerprint of a hash key, which does not reveal the key."""
    return fingerprint("hash_key", key)


def note_hash_key(bookmark: dict[str, Any], key: str, logger: Logger) -> None:
    """Store the fingerprint of this run's key, and log a warning if the last run's key differs.

    Args:
        bookmark: The stream's bookmark, changed in place.
        key: The setting `hash_key`.
        logger: The stream's logger.
    """
    current, previous = hash_key_fingerprint(key), bookmark.get(HASH_KEY)
    if previous not in (None, current):
        logger.warning(
            "hash_key differs from the last run: equal values now have different hashes, which do "
            "not join with rows loaded before. Load all records again (Meltano: --full-refresh), "
            "or restore the old key"
        )
    bookmark[HASH_KEY] = current
