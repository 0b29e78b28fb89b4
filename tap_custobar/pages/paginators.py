"""From page to page, until the last, without going round in a loop."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tap_custobar.errors import PaginationLoopError

if TYPE_CHECKING:
    from collections.abc import Callable


class Paginator:
    """Knows the current page, and the pages left behind.

    An empty page that names a next one does not end the stream, for only the absence of one says
    that nothing is left.
    """

    #: Where a page names the next one: a property of the body, and a header where there is one.
    next_key: ClassVar[str]
    next_header: ClassVar[str] = ""

    def __init__(self, first_url: str, follow: Callable[..., str]) -> None:
        """Begin at `first_url`.

        Args:
            first_url: The first page's whole URL.
            follow: `ApiUrl.follow`, which checks and completes what the API names as next.
        """
        self._follow = follow
        self._seen: set[bytes] = set()
        self.page_count = 0
        self.current_url: str | None = first_url

    def url_of(self, named: str) -> str:
        """Return the URL of the next page, as the current one names it."""
        raise NotImplementedError

    def url_after(self, named: str) -> str:
        """Return the URL of the next page, once it is known to be one that may be asked for.

        Raises:
            UrlError: it must not.
            PaginationLoopError: it is a page already read.
        """
        url = self.url_of(named)
        if url == self.current_url or _digest(url) in self._seen:
            raise PaginationLoopError(self.page_count + 1)
        return url

    def advance(self, named: str | None) -> None:
        """Leave the current page for the one that it names, or for None after the last.

        Raises:
            UrlError: the named page must not be asked for.
            PaginationLoopError: it is one already read.
        """
        if self.current_url is None:
            return
        following = self.url_after(named) if named else None
        # Digests, for a URL may be 8 KB long and a sync many thousand pages.
        self._seen.add(_digest(self.current_url))
        self.page_count += 1
        self.current_url = following


class NextUrlPaginator(Paginator):
    """Follows `next_url`, as the data API's specification describes it."""

    next_key = "next_url"
    next_header = "X-Custobar-Next-Url"

    def url_of(self, named: str) -> str:
        """Return the URL that is named, at the configured server."""
        return self._follow(named, current=self.current_url)


class FromPaginator(Paginator):
    """Asks for the same again, `from` where the page before ended: the campaign statistics."""

    next_key = "next"

    def url_of(self, named: str) -> str:
        """Return the current URL with `from` set to the text that is named."""
        path, query = urlsplit(self.current_url or "")[2:4]
        kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "from"]
        query = urlencode([*kept, ("from", named)], safe=",", quote_via=quote)
        return self._follow(f"{path}?{query}", current=self.current_url)


def _digest(url: str) -> bytes:
    return blake2b(url.encode(errors="surrogatepass"), digest_size=16).digest()
