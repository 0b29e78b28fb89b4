"""How a page names the next one, and detection of loops."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tap_custobar.errors import PaginationLoopError, UrlError

if TYPE_CHECKING:
    from collections.abc import Callable


class Paginator:
    """Holds the current page's URL and remembers the pages that were read.

    An empty page that names a next one does not end the stream: only a page without a next link
    does (section "next_url" of the specification).

    Attributes:
        page_count: Number of pages before the current one.
        current_url: Absolute URL of the current page; None after the last one.
    """

    #: The key of the body, and the header if there is one, that hold the next link.
    next_key: ClassVar[str]
    next_header: ClassVar[str] = ""

    def __init__(self, first_url: str, resolve: Callable[..., str]) -> None:
        """Start at a page.

        Args:
            first_url: Absolute URL of the first page.
            resolve: `ApiUrl.resolve`, which validates a next link and makes it absolute.
        """
        self._resolve = resolve
        self._seen: set[bytes] = set()
        self.page_count = 0
        self.current_url: str | None = first_url

    def resolve(self, next_link: str) -> str:
        """Return the absolute URL of the next page.

        Raises:
            UrlError: it must not be requested.
        """
        raise NotImplementedError

    def next_url(self, next_link: str) -> str:
        """Return the absolute URL of the next page, which has not been read yet.

        Raises:
            UrlError: it must not be requested.
            PaginationLoopError: it was read already.
        """
        url = self.resolve(next_link)
        if url == self.current_url or _digest(url) in self._seen:
            raise PaginationLoopError(self.page_count + 1)
        return url

    def advance(self, next_link: str | None) -> None:
        """Move from the current page to the next one; without a next link, end.

        Raises:
            UrlError: the next page must not be requested.
            PaginationLoopError: it was read already.
        """
        if self.current_url is None:
            return
        next_url = self.next_url(next_link) if next_link else None
        # Digests, because a URL may be 8 KB long and a sync thousands of pages.
        self._seen.add(_digest(self.current_url))
        self.page_count += 1
        self.current_url = next_url


class NextUrlPaginator(Paginator):
    """Follows `next_url` (section "next_url" of the specification)."""

    next_key = "next_url"
    next_header = "X-Custobar-Next-Url"

    def resolve(self, next_link: str) -> str:
        """Return the next link as an absolute URL of the configured server."""
        return self._resolve(next_link, current=self.current_url)


class CursorParamPaginator(Paginator):
    """Repeats the request with the parameter `from` set to `next`: the campaign API."""

    next_key = "next"

    def resolve(self, next_link: str) -> str:
        """Return the current URL with its parameter `from` replaced by the cursor."""
        path, query = urlsplit(self.current_url or "")[2:4]
        kept = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "from"]
        try:
            query = urlencode([*kept, ("from", next_link)], safe=",", quote_via=quote)
        except UnicodeEncodeError:
            msg = "next is not valid Unicode"
            raise UrlError(msg) from None
        return self._resolve(f"{path}?{query}", current=self.current_url)


def _digest(url: str) -> bytes:
    return blake2b(url.encode(errors="surrogatepass"), digest_size=16).digest()
