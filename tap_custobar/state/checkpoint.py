"""The checkpoint from which an interrupted full-table sync resumes.

See docs/behaviour.md, "Interruptions".
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from tap_custobar.state.completeness import MAX_KEYS, Completeness

#: The key of the checkpoint in a stream's bookmark.
RESUME_KEY = "resume"

#: Hours for which a checkpoint is valid, because the table changes meanwhile. Fewer than 24, so
#: that a nightly run never resumes the one of the night before.
MAX_HOURS = 20

Count = Annotated[int, msgspec.Meta(ge=0)]


class StoredCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint as it is in the state.

    Attributes:
        next: Path and query of the next page.
        asked: The fingerprint of the request.
        began: The start of the sync, epoch seconds.
        records: See `Completeness`.
        skipped: See `Completeness`.
        count: The highest `count` of any page, 0 without one.
        lowest: The lowest `count` of any page. Checkpoints of the first version have neither this
            nor `repeated`.
        repeated: See `Completeness`.
    """

    next: Annotated[str, msgspec.Meta(pattern="^/(?!/)")]
    asked: str
    began: Count
    records: Count
    skipped: Count
    count: Count
    lowest: Count = 0
    repeated: Count = 0


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

    def __init__(
        self,
        bookmark: dict[str, Any],
        *,
        fingerprint: str,
        now: int,
        disabled_by: str | None = None,
        counts_all_keys: bool = False,
    ) -> None:
        """Load the checkpoint of an interrupted sync, if it is valid for this one.

        Args:
            bookmark: The stream's bookmark, changed in place as the sync progresses. It comes from
                a file, so the checkpoint in it can be any value.
            fingerprint: Fingerprint of this sync's request.
            now: Epoch seconds.
            disabled_by: Why this sync must not be resumed, so that it stores no checkpoint; None if
                it may be.
            counts_all_keys: Whether deletes or a bookmark depend on the counts.
        """
        self._bookmark = bookmark
        self._fingerprint = fingerprint
        self._now = now
        self._disabled_by = disabled_by
        self._counts_all_keys = counts_all_keys
        self._reset()
        value = bookmark.get(RESUME_KEY)
        self.rejection = None if value is None else self._load(value)

    def restart(self) -> None:
        """Reset to the beginning; the stored checkpoint stays until the first page replaces it.

        So the next run can still use it if this one fails because of an outage.
        """
        self._reset()
        if self._disabled_by is not None:
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

    def _completeness(self, **before: Any) -> Completeness:
        return Completeness(key_limit=None if self._counts_all_keys else MAX_KEYS, **before)

    def advance(self, next_url: str) -> None:
        """Store the next page as the checkpoint; without one ("") remove the checkpoint.

        It is removed with an explicit null, because Meltano merges states: a missing key would
        preserve the old value.
        """
        if self._disabled_by is not None:
            return
        if not next_url:
            self._bookmark[RESUME_KEY] = None
            return
        table = self.table
        stored = StoredCheckpoint(
            next=_path_and_query(next_url),
            asked=self._fingerprint,
            began=self.started_at,
            records=table.records,
            skipped=table.skipped,
            count=table.count or 0,
            lowest=table.lowest if table.count else 0,
            repeated=table.repeated if self._counts_all_keys else 0,
        )
        self._bookmark[RESUME_KEY] = msgspec.structs.asdict(stored)

    def _load(self, value: object) -> str | None:
        """Use the stored checkpoint, or return why not."""
        try:
            stored = msgspec.convert(value, StoredCheckpoint)
        except msgspec.ValidationError:
            return "the checkpoint is not valid"
        if self._disabled_by:
            return self._disabled_by
        if stored.asked != self._fingerprint:
            return "the schema, the selection or the settings have changed"
        if not 0 <= self._now - stored.began < MAX_HOURS * 3600:
            return f"the checkpoint was not made in the last {MAX_HOURS} hours"
        self.next, self.started_at = stored.next, stored.began
        self.table = self._completeness(
            records=stored.records,
            skipped=stored.skipped,
            repeated=stored.repeated,
            highest=stored.count,
            lowest=stored.lowest,
            is_resumed=True,
        )
        return None


def fingerprint(*parts: object) -> str:
    """Return a fingerprint of the parts of a request, which does not reveal them."""
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
