"""Iterates over a stream's pages, from the checkpoint of an interrupted sync if there is one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_custobar.errors import (
    NOT_PAGE_SPECIFIC,
    CustobarError,
    InvalidResponseError,
    NextLinkLostError,
    NoNewRecordsError,
    PaginationLoopError,
    UrlError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import Logger

    from tap_custobar.api.responses import Response
    from tap_custobar.connection import Connection
    from tap_custobar.pages.json_pages import Page
    from tap_custobar.pages.paginators import Paginator
    from tap_custobar.state.checkpoint import Checkpoint

#: Number of consecutive pages with a next link after which the stream fails if each of them is
#: empty, or has the records of an earlier page: only the URLs are new then. A table that changes
#: while it is read may repeat a page, but not this often.
MAX_PAGES_WITHOUT_NEWS = 1_000


@dataclass(frozen=True, slots=True)
class LastPageProbe:
    """The check of whether a full page without a next link is really the last one.

    A gateway may remove the header that has it, and Custobar may rename the key of the body.

    Attributes:
        full_page: The requested number of rows, from which on a page is checked.
        url: The stream's first URL, for a page of one row.
        name: The name of the header or the key that has the next link.
        is_header: Whether it is a header.
    """

    full_page: int
    url: str
    name: str
    is_header: bool


class PageIterator:
    """Iterates over one stream's pages: URL -> client -> page -> next URL."""

    def __init__(  # noqa: PLR0913 - one argument a part
        self,
        connection: Connection,
        checkpoint: Checkpoint,
        first_url: str,
        *,
        paginator: type[Paginator],
        parse: Callable[[Response], Page],
        prefetch: bool,
        probe: LastPageProbe | None,
        logger: Logger,
    ) -> None:
        """Create an iterator; no request is sent yet.

        Args:
            connection: The client and the base URL.
            checkpoint: Where to resume; it is advanced with each committed page.
            first_url: Absolute URL of the first page.
            paginator: How a page names the next one.
            parse: Parses a response.
            prefetch: Whether to request the next page as soon as its URL is known, while the
                current one is processed.
            probe: The check of a full page without a next link; None if no check is needed.
            logger: The stream's logger.
        """
        self._client, self._base_url = connection.client, connection.base_url
        self._redact = connection.redact
        self._checkpoint = checkpoint
        self._first_url = first_url
        self._paginator_class = paginator
        self._parse = parse
        self._prefetches = prefetch
        self._probe = probe
        self._logger = logger
        self._pages_without_news = 0
        self._keys_hashes: set[int] = set()
        self._paginator = paginator(self._start_url(), self._base_url.resolve)

    def __iter__(self) -> Iterator[Page]:
        """Yield each page; a page that is not committed is yielded again.

        Raises:
            CustobarError: a page cannot be read.
        """
        while url := self._paginator.current_url:
            try:
                page = self._get(url)
                if self._is_unexpectedly_empty(page):
                    # The API linked to it, so the empty page may be a transient error.
                    page = self._get(url)
            except NOT_PAGE_SPECIFIC:
                raise
            except CustobarError as error:
                if not self._is_at_checkpoint:
                    raise
                self._restart(str(error))
                continue
            if self._is_unexpectedly_empty(page):
                if self._is_at_checkpoint:
                    self._restart("the page at the checkpoint is empty")
                    continue
                self._end_on_empty_page()
            if self._prefetches:
                self.prefetch(page.next_link)
            yield page

    def prefetch(self, next_link: str | None) -> None:
        """Start requesting the next page; an invalid link is only reported by `commit`."""
        with suppress(CustobarError):
            self._client.prefetch(self._paginator.next_url(next_link) if next_link else None)

    def commit(
        self,
        page: Page,
        *,
        records: int,
        keys_hash: int | None = None,
        keeps_checkpoint: bool = True,
    ) -> None:
        """Advance paginator and checkpoint to the next page, after a page's records are written.

        Args:
            page: The page.
            records: The number of its records, new or not.
            keys_hash: A hash of their primary keys; None if different records may have the same
                key, so that pages with the same keys are no loop.
            keeps_checkpoint: Whether its next link may be stored in the state.

        Raises:
            UrlError: the URL of the next page must not be requested.
            PaginationLoopError: the next page was already read.
            NoNewRecordsError: too many consecutive pages were empty, or had the records of earlier
                ones.
            NextLinkLostError: the responses have no next link where there must be one.
        """
        self._confirm_end(page)
        try:
            self._paginator.advance(page.next_link)
            self._count_pages_without_news(records, keys_hash)
        except (NoNewRecordsError, PaginationLoopError):
            self._checkpoint.discard()  # resuming from it would fail again
            raise
        next_url = self._paginator.current_url or ""
        # A URL that contains the token must not be stored in the state.
        may_be_stored = keeps_checkpoint and self._redact(next_url) == next_url
        self._checkpoint.advance(next_url if may_be_stored else "")

    def close(self) -> None:
        """Cancel the pending prefetch."""
        self._client.prefetch(None)

    def _get(self, url: str) -> Page:
        # The URL of any other page comes from the API, so the settings cannot be wrong.
        is_first = self._paginator.page_count == 0 and not self._is_at_checkpoint
        return self._client.get(url, self._prefetch_and_parse, first_page=is_first)

    @property
    def _is_at_checkpoint(self) -> bool:
        return self._paginator.page_count == 0 and self._checkpoint.next is not None

    @property
    def _was_linked(self) -> bool:
        """Whether a next link led to the current page."""
        return self._paginator.page_count > 0 or self._is_at_checkpoint

    def _is_unexpectedly_empty(self, page: Page) -> bool:
        """Return whether a page is the last one and empty, although a next link led to it."""
        return self._was_linked and page.next_link is None and not page.row_count

    def _end_on_empty_page(self) -> None:
        self._checkpoint.table.ended_on_empty_page = True
        self._logger.warning(
            "The last page that Custobar linked to was empty twice: records may be missing"
        )

    def _confirm_end(self, page: Page) -> None:
        probe = self._probe
        if probe is None or page.next_link is not None or page.row_count < probe.full_page:
            return
        if self._was_linked and not probe.is_header:
            return  # an earlier body had its next link
        one_row = self._client.get(probe.url, self._parse, first_page=False)
        # An API that ignores the requested number may have no other page.
        if one_row.next_link is None and one_row.row_count < page.row_count:
            raise NextLinkLostError(probe.name, is_header=probe.is_header)

    def _count_pages_without_news(self, records: int, keys_hash: int | None) -> None:
        if records and keys_hash not in self._keys_hashes:
            self._pages_without_news = 0
        else:
            self._pages_without_news += 1
        if keys_hash is not None:
            self._keys_hashes.add(keys_hash)
        if self._pages_without_news >= MAX_PAGES_WITHOUT_NEWS and self._paginator.current_url:
            raise NoNewRecordsError(self._pages_without_news)

    def _prefetch_and_parse(self, response: Response) -> Page:
        """Parse a page, after prefetching the next one if a header has the link to it."""
        header = self._paginator.next_header
        if self._prefetches and header:
            self.prefetch(response.headers.get(header))
        try:
            return self._parse(response)
        except InvalidResponseError as error:
            raise InvalidResponseError(error.what, self._paginator.page_count + 1) from None

    def _start_url(self) -> str:
        checkpoint, first_url = self._checkpoint, self._first_url
        if checkpoint.rejection:
            self._log_restart(checkpoint.rejection)
        if checkpoint.next is None:
            return first_url
        try:
            url = self._base_url.resolve(checkpoint.next, current=first_url)
        except UrlError as error:
            self._log_restart(str(error))
            return first_url
        self._logger.info(
            "Resuming the interrupted sync, after %d records",
            checkpoint.table.records,
        )
        return url

    def _restart(self, reason: str) -> None:
        self._log_restart(reason)
        self._paginator = self._paginator_class(self._first_url, self._base_url.resolve)

    def _log_restart(self, reason: str) -> None:
        self._logger.warning("Restarting the interrupted sync from the beginning: %s", reason)
        self._checkpoint.restart()
