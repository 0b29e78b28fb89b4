"""Where an interrupted sync of a whole table goes on (docs/behaviour.md, "Interruptions")."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

#: The key of the mark in a stream's bookmark.
RESUME_KEY = "resume"

#: Seconds that a mark holds, for the table behind its cursor changes.
MAX_AGE = 24 * 60 * 60


class Resumption:
    """How far one sync came, kept in the stream's bookmark as it goes.

    The mark says where the next page is (path and query: no host, no token), what was asked for
    (a fingerprint), when the sync began (epoch seconds, the version of its records too) and what
    it gave so far.

    Attributes:
        next: Path and query to go on at; None at the beginning of a table.
        began: When the sync began; the first run's time where this one goes on.
        unfit: Why the mark that the bookmark held is not used; None where all is well.
    """

    def __init__(self, bookmark: dict[str, Any], *, asked: str, now: int, kept: bool) -> None:
        """Take up the mark of an interrupted sync, if there is one that fits.

        Args:
            bookmark: The stream's bookmark; the mark in it may be anything, for it comes from a
                file.
            asked: Fingerprint of what this sync asks for.
            now: Epoch seconds.
            kept: Whether this sync may be resumed, and so keeps a mark at all.
        """
        self._bookmark = bookmark
        self._asked = asked
        self._now = now
        self._kept = kept
        self._begin()
        value = bookmark.get(RESUME_KEY)
        self.unfit = None if value is None else self._take_up(value)

    def start_over(self) -> None:
        """Begin at the beginning; the mark there was stays until the first page moves it.

        So an outage that looks like a refusal costs nothing but this run.
        """
        self._begin()
        if not self._kept:
            self.forget()

    def forget(self) -> None:
        """Begin at the beginning, and let nobody go on from the mark there was."""
        self._begin()
        if RESUME_KEY in self._bookmark:
            self._bookmark[RESUME_KEY] = None

    def _begin(self) -> None:
        self.next: str | None = None
        self.began = self._now
        self._records = self._skipped = self._skipped_before = 0
        self._count = 0

    def add_page(self, *, records: int, skipped: int, count: int | None) -> None:
        """Count a page that was written.

        Args:
            records: How many it gave.
            skipped: How many rows gave none, on this run's pages so far.
            count: How many records the API says there are; the most it ever said holds, for what
                is removed while it is read may shift others out of the pages that come.
        """
        self._records += records
        self._skipped = self._skipped_before + skipped
        self._count = max(self._count, count or 0)

    def move(self, next_url: str) -> None:
        """Move the mark to the page that comes next, or take it away where there is none ("").

        An explicit null, for Meltano merges states: a key that is left out would stay.
        """
        if self._kept:
            mark = {
                "next": _path_and_query(next_url),
                "asked": self._asked,
                "began": self.began,
                "records": self._records,
                "skipped": self._skipped,
                "count": self._count,
            }
            self._bookmark[RESUME_KEY] = mark if next_url else None

    @property
    def records(self) -> int:
        """Records written so far, by the runs before too."""
        return self._records

    @property
    def missing(self) -> int:
        """How many records less there were than the API said, once the table is drained."""
        return max(self._count - self._records - self._skipped, 0)

    @property
    def is_whole(self) -> bool:
        """Whether the drained table is all there: the guard against deleting what was not read.

        Nothing skipped, something read, and as much as the API said there is, where it said so.
        """
        return not self._skipped and self._records >= max(self._count, 1)

    def _take_up(self, value: object) -> str | None:
        """Use the mark, or return why not."""
        match value:
            case {
                "next": str(next_),
                "asked": str(asked),
                "began": int(began),
                "records": int(records),
                "skipped": int(skipped),
                "count": int(count),
            } if next_.startswith("/") and not next_.startswith("//"):
                pass
            case _:
                return "it is not one of this tap's"
        if asked != self._asked or not self._kept:
            return "something else is asked for now"
        if not 0 <= self._now - began < MAX_AGE:
            return "it is not of the last 24 hours"
        self.next, self.began = next_, began
        self._records, self._count = records, count
        self._skipped = self._skipped_before = skipped
        return None


def fingerprint(*asked: object) -> str:
    """Return a fingerprint of what a sync asks for, which tells nothing of it."""
    return blake2b(repr(asked).encode(), digest_size=12).hexdigest()


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
