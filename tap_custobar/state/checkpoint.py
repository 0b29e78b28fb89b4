"""The checkpoint from which an interrupted full-table sync resumes.

See docs/behaviour.md, "Interruptions".
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from tap_custobar.state.completeness import MAX_KEYS, Completeness

#: The key of the checkpoint in a stream's bookmark.
RESUME_KEY = "resume"

_CHANGED = "the schema, the selection or the settings have changed"
_INVALID = "the checkpoint is not valid"

#: Hours for which a checkpoint is valid, because the table changes meanwhile. Fewer than 24, so
#: that a nightly run never resumes the one of the night before.
MAX_HOURS = 20


class Checkpoint:
    """The progress of one sync, stored in the stream's bookmark page by page.

    It contains the next page (path and query: no host, no token), a fingerprint of the request,
    the start of the sync (epoch seconds, which is also the version of its records) and the counts
    of received records.

    Attributes:
        next: Path and query to resume at; None at the beginning of a table.
        started_at: Start of the sync; of its first run if it is resumed. Epoch seconds.
        rejection: Why the stored checkpoint is not used; None if it is used or there is none.
        table: The completeness of the table so far, previous runs of this sync included.
    """

    def __init__(  # noqa: PLR0913 - one argument a fact, all by name
        self,
        bookmark: dict[str, Any],
        *,
        fingerprint: str,
        now: int,
        enabled: bool,
        counts_all_keys: bool = False,
        rejection: str = _CHANGED,
    ) -> None:
        """Load the checkpoint of an interrupted sync, if it is valid for this one.

        Args:
            bookmark: The stream's bookmark, changed in place as the sync progresses. It comes from
                a file, so the checkpoint in it can be any value.
            fingerprint: Fingerprint of this sync's request.
            now: Epoch seconds.
            enabled: Whether this sync may be resumed, and so stores a checkpoint.
            counts_all_keys: Whether deletes or a bookmark depend on the counts.
            rejection: Why a stored checkpoint is not used if this sync may not be resumed.
        """
        self._bookmark = bookmark
        self._fingerprint = fingerprint
        self._now = now
        self._enabled = enabled
        self._counts_all_keys = counts_all_keys
        self._rejection = rejection
        self._reset()
        value = bookmark.get(RESUME_KEY)
        self.rejection = None if value is None else self._load(value)

    def restart(self) -> None:
        """Reset to the beginning; the stored checkpoint stays until the first page replaces it.

        So the next run can still use it if this one fails because of an outage.
        """
        self._reset()
        if not self._enabled:
            self.discard()

    def discard(self) -> None:
        """Reset, and discard the stored checkpoint."""
        self._reset()
        if RESUME_KEY in self._bookmark:
            self._bookmark[RESUME_KEY] = None

    def _reset(self) -> None:
        self.next: str | None = None
        self.started_at = self._now
        self.table = self._completeness()

    def _completeness(self, **numbers: int) -> Completeness:
        return Completeness(key_limit=None if self._counts_all_keys else MAX_KEYS, **numbers)

    def advance(self, next_url: str) -> None:
        """Store the next page as the checkpoint; without one ("") remove the checkpoint.

        It is removed with an explicit null, because Meltano merges states: a missing key would
        preserve the old value.
        """
        if not self._enabled:
            return
        if not next_url:
            self._bookmark[RESUME_KEY] = None
            return
        table = self.table
        self._bookmark[RESUME_KEY] = {
            "next": _path_and_query(next_url),
            "asked": self._fingerprint,
            "began": self.started_at,
            "records": table.records,
            "skipped": table.skipped,
            "count": table.count or 0,
            "lowest": table.lowest if table.count else 0,
            "repeated": table.repeated if self._counts_all_keys else 0,
        }

    def _load(self, value: object) -> str | None:
        """Use the stored checkpoint, or return why not."""
        match value:
            case {
                "next": str(next_),
                "asked": str(fingerprint),
                "began": int(started_at),
                "records": int(records),
                "skipped": int(skipped),
                "count": int(count),
                **rest,
            } if next_.startswith("/") and not next_.startswith("//"):
                pass
            case _:
                return _INVALID
        if not self._enabled:
            return self._rejection
        if fingerprint != self._fingerprint:
            return _CHANGED
        if not 0 <= self._now - started_at < MAX_HOURS * 3600:
            return f"the checkpoint was not made in the last {MAX_HOURS} hours"
        # Checkpoints of the first version have neither.
        match rest.get("lowest", count), rest.get("repeated", 0):
            case int(lowest), int(repeated):
                pass
            case _:
                return _INVALID
        self.next, self.started_at = next_, started_at
        self.table = self._completeness(
            records=records, skipped=skipped, repeated=repeated, highest=count, lowest=lowest
        )
        return None


def fingerprint(*parts: object) -> str:
    """Return a fingerprint of the parts of a request, which does not reveal them."""
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
