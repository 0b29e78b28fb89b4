"""Where an interrupted sync of a whole table goes on (docs/behaviour.md, "Interruptions")."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from tap_custobar.state.completeness import MAX_KEYS, Completeness

#: The key of the checkpoint in a stream's bookmark.
RESUME_KEY = "resume"

#: Hours that a checkpoint holds, for the table behind its cursor changes; fewer than a nightly
#: run's cycle, so that no night depends on a second.
MAX_HOURS = 20


class Checkpoint:
    """How far one sync came, kept in the stream's bookmark as it goes.

    It holds where the next page is (path and query: no host, no token), a fingerprint of the
    request, when the sync began (epoch seconds, the version of its records too) and what came.

    Attributes:
        next: Path and query to go on at; None at the beginning of a table.
        started_at: When the sync began; the first run's time where this one goes on.
        rejection: Why the stored checkpoint is not used; None where there is no reason.
        table: What came so far, by the runs before too.
    """

    def __init__(  # noqa: PLR0913 - one argument a fact, all by name
        self,
        bookmark: dict[str, Any],
        *,
        fingerprint: str,
        now: int,
        enabled: bool,
        counts_all_keys: bool = False,
        rejection: str = "something else is asked for now",
    ) -> None:
        """Load the checkpoint of an interrupted sync, if there is one that fits.

        Args:
            bookmark: The stream's bookmark, changed in place as the sync goes; the checkpoint in
                it may be anything, for it comes from a file.
            fingerprint: Of what this sync asks for.
            now: Epoch seconds.
            enabled: Whether this sync may be resumed, and so keeps a checkpoint at all.
            counts_all_keys: Whether deletes or a bookmark depend on what came.
            rejection: Why a stored checkpoint is not used where this sync may not be resumed.
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
        """Begin at the beginning; the stored checkpoint stays until the first page moves it.

        So an outage that looks like a refusal costs nothing but this run.
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
        """Move to the page that comes next, or take the checkpoint away where there is none ("").

        An explicit null, for Meltano merges states: a key that is left out would stay.
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
                return "it is not one of this tap's"
        if not self._enabled:
            return self._rejection
        if fingerprint != self._fingerprint:
            return "something else is asked for now"
        if not 0 <= self._now - started_at < MAX_HOURS * 3600:
            return f"it is not of the last {MAX_HOURS} hours"
        # Checkpoints of the first version have neither.
        match rest.get("lowest", count), rest.get("repeated", 0):
            case int(lowest), int(repeated):
                pass
            case _:
                return "it is not one of this tap's"
        self.next, self.started_at = next_, started_at
        self.table = self._completeness(
            records=records, skipped=skipped, repeated=repeated, highest=count, lowest=lowest
        )
        return None


def fingerprint(*asked: object) -> str:
    """Return a fingerprint of what a sync asks for, from which nothing of it can be read."""
    return blake2b(repr(asked).encode(), digest_size=12).hexdigest()


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
