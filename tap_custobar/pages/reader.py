"""Reads a stream's pages one after the other, from where an interrupted sync ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_custobar.errors import (
    NOT_PAGE_SPECIFIC,
    CustobarError,
    EmptyPagesError,
    InvalidResponseError,
    NextLinkLostError,
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

#: Pages without a record in a row, each naming a next one, after which the stream fails.
MAX_EMPTY_PAGES = 1_000


@dataclass(frozen=True, slots=True)
class LastPageProbe:
    """How to find out whether a last page is one, where its next link may be lost on the way.

    That can only be where the link is in a header alone, as with CSV: a gateway may remove it.

    Attributes:
        full_page: Rows that were asked for; a page of so many is doubted.
        url: The stream's first URL, for one row.
        header: Where the next link is.
    """

    full_page: int
    url: str
    header: str


class PageIterator:
    """Iterates over one stream's pages: URL -> client -> page, and on to the next URL."""

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
        """Take the parts.

        Args:
            connection: What to ask.
            checkpoint: Where to go on, if anywhere; it is advanced with each page.
            first_url: Where the table begins.
            paginator: How a page names the next one.
            parse: Reads a page.
            prefetch: Whether the next page is asked for as soon as its URL is known, while
                this one is worked on.
            probe: How to doubt a full page that names no next one; None where none is doubted.
            logger: The stream's.
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
        self._empty_pages = 0
        self._paginator = paginator(self._start_url(), self._base_url.resolve)

    def __iter__(self) -> Iterator[Page]:
        """Yield each page; one that is not committed is yielded again.

        Raises:
            CustobarError: it cannot be read.
        """
        while url := self._paginator.current_url:
            try:
                page = self._get(url)
                if self._is_doubtful(page):
                    # Only a next link says that there is more, so nothing is as good as wrong.
                    page = self._get(url)
            except NOT_PAGE_SPECIFIC:
                raise
            except CustobarError as error:
                if not self._is_at_checkpoint:
                    raise
                self._restart(str(error))
                continue
            if self._is_doubtful(page):
                if self._is_at_checkpoint:
                    self._restart("the page there came empty")
                    continue
                self._end_on_empty_page()
            if self._prefetches:
                self.prefetch(page.next_link)
            yield page

    def prefetch(self, named: str | None) -> None:
        """Let the next page be asked for; what is wrong with its URL shows when it is its turn."""
        with suppress(CustobarError):
            self._client.prefetch(self._paginator.next_url(named) if named else None)

    def commit(self, page: Page, *, records: int, keeps_checkpoint: bool = True) -> None:
        """Leave a page whose records are written, and advance the checkpoint to the next.

        Args:
            page: The page.
            records: How many records its rows gave, new or not.
            keeps_checkpoint: Whether its next link may be stored.

        Raises:
            UrlError: its URL must not be asked for.
            PaginationLoopError: it is a page already read.
            EmptyPagesError: page after page gave no record.
            NextLinkLostError: the next link was removed on the way.
        """
        self._confirm_end(page)
        try:
            self._paginator.advance(page.next_link)
            self._count_empty(records)
        except (EmptyPagesError, PaginationLoopError):
            self._checkpoint.discard()  # whoever goes on there meets it again
            raise
        next_url = self._paginator.current_url or ""
        # An address that shows the token must not get into a state.
        may_be_stored = keeps_checkpoint and self._redact(next_url) == next_url
        self._checkpoint.advance(next_url if may_be_stored else "")

    def close(self) -> None:
        """Ask for nothing more."""
        self._client.prefetch(None)

    def _get(self, url: str) -> Page:
        # A page that the API itself named tells nothing of the settings.
        is_first = self._paginator.page_count == 0 and not self._is_at_checkpoint
        return self._client.get(url, self._parse_ahead, first_page=is_first)

    @property
    def _is_at_checkpoint(self) -> bool:
        return self._paginator.page_count == 0 and self._checkpoint.next is not None

    def _is_doubtful(self, page: Page) -> bool:
        """Tell whether a page is empty and the last, though something named it as one with more."""
        was_named = self._paginator.page_count > 0 or self._is_at_checkpoint
        return was_named and page.next_link is None and not page.row_count

    def _end_on_empty_page(self) -> None:
        self._checkpoint.table.ended_on_empty_page = True
        self._logger.warning(
            "The last page was named by Custobar as one with more records, and came empty twice: "
            "records may be missing"
        )

    def _confirm_end(self, page: Page) -> None:
        probe = self._probe
        if probe is None or page.next_link is not None or page.row_count < probe.full_page:
            return
        if self._client.get(probe.url, self._parse, first_page=False).next_link is None:
            raise NextLinkLostError(probe.header)

    def _count_empty(self, records: int) -> None:
        self._empty_pages = 0 if records else self._empty_pages + 1
        if self._empty_pages >= MAX_EMPTY_PAGES and self._paginator.current_url:
            raise EmptyPagesError(self._empty_pages)

    def _parse_ahead(self, response: Response) -> Page:
        """Read a page, while the next one is on its way where a header names it."""
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
            "Going on where the last sync was interrupted, after %d records",
            checkpoint.table.records,
        )
        return url

    def _restart(self, reason: str) -> None:
        self._log_restart(reason)
        self._paginator = self._paginator_class(self._first_url, self._base_url.resolve)

    def _log_restart(self, reason: str) -> None:
        self._logger.warning("Starting over, not where the last sync was interrupted: %s", reason)
        self._checkpoint.restart()
