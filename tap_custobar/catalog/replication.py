"""How a stream is replicated: the method and the key that a catalog may choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_custobar.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Sequence

INCREMENTAL = "INCREMENTAL"
FULL_TABLE = "FULL_TABLE"


def replication_key(
    stream: str, method: str | None, key: str | None, valid: Sequence[str]
) -> str | None:
    """Return the replication key of a stream; None to read the full table.

    Args:
        stream: The stream's name.
        method: The catalog's replication method; by default FULL_TABLE.
        key: The catalog's replication key; by default the first valid one.
        valid: The valid replication keys of the stream.

    Raises:
        CatalogError: the method or the key is not valid for the stream.
    """
    if key and key not in valid:
        choices = ", ".join(valid) or "none"
        msg = f"The catalog's replication-key {key} is not valid for {stream}; valid: {choices}."
        raise CatalogError(msg)
    if method == INCREMENTAL and valid:
        return key or valid[0]
    if method not in (None, FULL_TABLE):
        choices = "FULL_TABLE, INCREMENTAL" if valid else "FULL_TABLE"
        msg = (
            f"The catalog's replication-method {method} is not valid for {stream}; "
            f"valid: {choices}."
        )
        raise CatalogError(msg)
    return None
