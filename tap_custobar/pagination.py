"""From page to page, until the last, without going round in a loop."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from tap_custobar.errors import PaginationLoopError

if TYPE_CHECKING:
    from collections.abc import Callable


class NextUrlPaginator:
    """Follows `next_url` as the specification describes it.

    An empty page that names a next one does not end the stream, for only the absence of
    `next_url` says that nothing is left.
    """

    def __init__(self, first_url: str, follow: Callable[..., str]) -> None:
        """Begin at `first_url`.

        Args:
            first_url: The first page's whole URL.
            follow: `ApiUrl.follow`, which checks and completes what the API names as next.
        """
        self._follow = follow
        self._seen: set[bytes] = set()
        self._page_count = 0
        self.current_url: str | None = first_url

    @property
    def page_count(self) -> int:
        """The number of pages left behind."""
        return self._page_count

    def advance(self, next_url: str | None) -> None:
        """Leave the current page for the one that it names, or for None after the last.

        Raises:
            UrlError: the named URL must not be asked for.
            PaginationLoopError: it is a page already read.
        """
        if self.current_url is None:
            return
        # Digests, for a URL may be 8 KB long and a sync many thousand pages.
        self._seen.add(_digest(self.current_url))
        self._page_count += 1
        current = self.current_url
        self.current_url = self._follow(next_url, current=current) if next_url else None
        if self.current_url and _digest(self.current_url) in self._seen:
            raise PaginationLoopError(self._page_count)


def _digest(url: str) -> bytes:
    return blake2b(url.encode(errors="surrogatepass"), digest_size=16).digest()
