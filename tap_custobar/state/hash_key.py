"""Which key the hashes of a stream were made with, kept in its bookmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_custobar.state.checkpoint import fingerprint

if TYPE_CHECKING:
    from logging import Logger

#: The key of the fingerprint in a stream's bookmark.
HASH_KEY = "hash_key"


def hash_key_fingerprint(key: str) -> str:
    """Return a fingerprint of a hash key, from which the key cannot be read."""
    return fingerprint("hash_key", key)


def note_hash_key(bookmark: dict[str, Any], key: str, logger: Logger) -> None:
    """Note the key of this run in the bookmark, and warn where that of the last run was another."""
    ours, before = hash_key_fingerprint(key), bookmark.get(HASH_KEY)
    if before not in (None, ours):
        logger.warning(
            "hash_key is another than in the last run: the same people now have other hashes, and "
            "what was loaded before no longer joins. Load everything again (Meltano: "
            "--full-refresh), or set the old key"
        )
    bookmark[HASH_KEY] = ours
