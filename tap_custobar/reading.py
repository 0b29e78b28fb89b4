"""Reads a stream's pages one after the other, from where an interrupted sync ended."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tap_custobar.errors import (
    NOT_OF_ONE_PAGE,
    CustobarError,
    PaginationLoopError,
    UnexpectedAnswerError,
    UrlError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from tap_custobar.answers import Page
    from tap_custobar.connection import Connection
    from tap_custobar.pages import ParsedPage
    from tap_custobar.pagination import Paginator
    from tap_custobar.resuming import Resumption


class PageReader:
    """The way through one stream's pages: URL -> client -> page, and on to the next URL."""

    def __init__(  # noqa: PLR0913 - one argument a part
        self,
        connection: Connection,
        resumption: Resumption,
        first_url: str,
        *,
        paginator: type[Paginator],
        parse: Callable[[Page], ParsedPage],
        looks_ahead: bool,
        logger: Logger,
    ) -> None:
        """Take the parts.

        Args:
            connection: What to ask.
            resumption: Where to go on, if anywhere; it is told how far the reading came.
            first_url: Where the table begins.
            paginator: How a page names the next one.
            parse: Reads a page.
            looks_ahead: Whether the next page is asked for as soon as its URL is known, while
                this one is worked on.
            logger: The stream's.
        """
        self._client, self._api = connection.client, connection.api
        self._redact = connection.redact
        self._resumption = resumption
        self._first_url = first_url
        self._paginator_class = paginator
        self._parse = parse
        self._looks_ahead = looks_ahead
        self._logger = logger
        self._paginator = paginator(self._start_url(), self._api.follow)

    def read(self) -> ParsedPage | None:
        """Return the current page; None behind the last.

        Raises:
            CustobarError: it cannot be read.
        """
        while url := self._paginator.current_url:
            is_first = self._paginator.page_count == 0
            try:
                page = self._client.get(url, self._parse_ahead, first_page=is_first)
            except NOT_OF_ONE_PAGE:
                raise
            except CustobarError as error:
                if not is_first or self._resumption.next is None:
                    raise
                self._start_over(str(error))
                continue
            if self._looks_ahead:
                self.ask_ahead(page.following)
            return page
        return None

    def ask_ahead(self, named: str | None) -> None:
        """Let the next page be asked for; what is wrong with its URL shows when it is its turn."""
        with suppress(CustobarError):
            self._client.ask_ahead(self._paginator.url_after(named) if named else None)

    def advance(self, page: ParsedPage) -> None:
        """Leave a page whose records are written, and move the mark to the next.

        Raises:
            UrlError: its URL must not be asked for.
            PaginationLoopError: it is a page already read.
        """
        try:
            self._paginator.advance(page.following)
        except PaginationLoopError:
            self._resumption.forget()  # whoever goes on there meets it again
            raise
        following = self._paginator.current_url or ""
        # An address that shows the token must not get into a state.
        self._resumption.move(following if self._redact(following) == following else "")

    def close(self) -> None:
        """Ask for nothing more."""
        self._client.ask_ahead(None)

    def _parse_ahead(self, page: Page) -> ParsedPage:
        """Read a page, while the next one is on its way where a header names it."""
        header = self._paginator.next_header
        if self._looks_ahead and header:
            self.ask_ahead(page.headers.get(header))
        try:
            return self._parse(page)
        except UnexpectedAnswerError as error:
            raise UnexpectedAnswerError(error.what, self._paginator.page_count + 1) from None

    def _start_url(self) -> str:
        resumption, first_url = self._resumption, self._first_url
        if resumption.unfit:
            self._say_starting_over(resumption.unfit)
        if resumption.next is None:
            return first_url
        try:
            url = self._api.follow(resumption.next, current=first_url)
        except UrlError as error:
            self._say_starting_over(str(error))
            return first_url
        self._logger.info(
            "Going on where the last sync was interrupted, after %d records", resumption.records
        )
        return url

    def _start_over(self, reason: str) -> None:
        self._say_starting_over(reason)
        self._paginator = self._paginator_class(self._first_url, self._api.follow)

    def _say_starting_over(self, reason: str) -> None:
        self._logger.warning("Starting over, not where the last sync was interrupted: %s", reason)
        self._resumption.start_over()
