"""Asks Custobar for pages: again where it may help, and for one page ahead."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tap_custobar import errors
from tap_custobar.api.retries import Retries
from tap_custobar.api.transport import Fetcher, Pace, TokenAuth
from tap_custobar.api.waiting import sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tap_custobar.api.responses import Response
    from tap_custobar.api.transport import Flight

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Seconds that the end of a tap may wait for a thread.
CLOSE_TIMEOUT = 2.0


@dataclass(slots=True)
class Traffic:
    """What was asked so far: requests waited for, bytes of good answers, requests asked again."""

    requests: int = 0
    received: int = 0
    retries: int = 0


class CustobarClient:
    """Asks for one page after the other, never faster than the pace, again where it may help.

    It sends every URL it is given: what may be asked for is checked in `urls`.
    """

    def __init__(  # noqa: PLR0913 - one argument a setting, all by name
        self,
        *,
        token: str,
        auth_scheme: str,
        user_agent: str,
        request_interval: float,
        request_timeout: float,
        max_retries: int,
        private: Collection[str] = (),
        sleep: Callable[[float], None] = sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the settings of the same names; times in seconds.

        `private` are texts that no error may show, even where the API itself quotes them.
        """
        pace = Pace(request_interval, sleep=sleep, clock=clock)
        auth = TokenAuth(auth_scheme, token)
        self._new_fetcher: Callable[[], Fetcher] = lambda: Fetcher(
            auth=auth,
            user_agent=user_agent,
            timeout=request_timeout,
            pace=pace,
            private=frozenset({token, *private}),
        )
        self._fetcher = self._new_fetcher()
        self._given_up: list[Fetcher] = []
        self._ahead: Flight | None = None
        self._max_retries = max_retries
        self._sleep = sleep
        self.traffic = Traffic()
        if not logger.isEnabledFor(logging.DEBUG):
            # Its warnings show whole URLs, and with them the filters.
            logging.getLogger("urllib3").setLevel(logging.ERROR)

    def get(self, url: str, parse: Callable[[Response], T], *, first_page: bool) -> T:
        """Return what `parse` makes of the page at `url`.

        A page that `parse` refuses (UnexpectedAnswerError) is asked for again, like one that
        did not arrive.

        Raises:
            CustobarError: the cause, when the last try failed or another would not help.
        """
        retries = Retries(self._max_retries)
        while True:
            try:
                return parse(self._request(url))
            except errors.NotFoundError:
                if first_page:
                    raise
                raise errors.PageGoneError(urlsplit(url).path) from None
            except errors.TransientError as error:
                wait = retries.next_wait(error, first_page=first_page)
                if wait is None:
                    raise
                logger.warning("%s Retry %d follows in %.0f s.", error, retries.count, wait)
            self.traffic.retries += 1
            self._sleep(wait)

    def ask_ahead(self, url: str | None) -> None:
        """Let the request for `url` begin, so that `get` finds it on its way or back already.

        One at a time: another one that was asked for ahead is given up, as for None.
        """
        if self._ahead is not None and self._ahead.url != url:
            self._give_up()
        if self._ahead is None and url is not None:
            self._ahead = self._fetcher.send(url)

    def close(self) -> None:
        """Leave no thread and no connection behind; a later request makes new ones."""
        self._give_up()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for fetcher in self._given_up:
            fetcher.join(max(0, deadline - time.monotonic()))

    def _request(self, url: str) -> Response:
        if self._ahead is not None and self._ahead.url == url:
            flight, self._ahead = self._ahead, None
        else:
            self.ask_ahead(None)
            flight = self._fetcher.send(url)
        self.traffic.requests += 1
        try:
            page = self._fetcher.land(flight)
        except errors.TimedOutError:
            self._give_up()
            raise
        self.traffic.received += page.received
        return page

    def _give_up(self) -> None:
        """Drop the request that is under way, and with it the connection that it holds."""
        self._fetcher.close()
        self._given_up = [f for f in (*self._given_up, self._fetcher) if f.is_running]
        self._fetcher, self._ahead = self._new_fetcher(), None
