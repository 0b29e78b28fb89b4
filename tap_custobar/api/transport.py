"""Sends requests one after the other, in a daemon thread: no signal waits for one."""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from tap_custobar import errors
from tap_custobar.api import urls
from tap_custobar.api.responses import Page, named_failures, read_page, refusal
from tap_custobar.api.waiting import SLICE, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class TokenAuth(AuthBase):
    """Sets the `Authorization` header, so that nothing else (a netrc file, say) sets it."""

    def __init__(self, scheme: str, token: str) -> None:
        """Take the word before the token, and the token."""
        self.scheme = scheme
        self._value = f"{scheme} {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request with the header set."""
        request.headers["Authorization"] = self._value
        return request


class NoRedirects(requests.Session):
    """A session for which no answer is a redirect.

    Without this, one that is not followed would still be read to its end for its target.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target."""


class Pace:
    """Least seconds between the starts of two requests; time spent working counts."""

    def __init__(
        self,
        interval: float,
        *,
        sleep: Callable[[float], None] = sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the seconds; the first request may start at once."""
        self.sleep = sleep
        self._interval = interval
        self._clock = clock
        self._next_start = clock()

    def keep(self) -> None:
        """Wait until the next request may start, and count it as started."""
        if (wait := self._next_start - self._clock()) > 0:
            self.sleep(wait)
        self._next_start = self._clock() + self._interval


class Flight:
    """One request: on its way, or back."""

    def __init__(self, url: str) -> None:
        """Take what is asked for."""
        self.url = url
        self.started: float | None = None
        self.given_up = False
        self.response: requests.Response | None = None
        self.outcome: SimpleQueue[Page | Exception] = SimpleQueue()

    def give_up(self) -> None:
        """End what is of no use any more: a body that trickles would come for ever."""
        self.given_up = True
        if self.response is not None:
            # It has ended at this very moment, or urllib3 is older than 2.3.
            with suppress(AttributeError, OSError, RuntimeError, ValueError):
                self.response.raw.shutdown()


class Fetcher:
    """A session and the one thread that uses it."""

    def __init__(
        self,
        *,
        auth: TokenAuth,
        user_agent: str,
        timeout: float,
        pace: Pace,
        private: Collection[str],
    ) -> None:
        """Take what every request needs.

        Args:
            auth: Sets the token.
            user_agent: The header of that name.
            timeout: Seconds of silence after which a request has failed; the whole may take
                three times that.
            pace: When the next request may start.
            private: Texts that no error may show.
        """
        self._auth = auth
        self._timeout = timeout
        self._pace = pace
        self._private = private
        self._session = NoRedirects()
        self._session.auth = auth
        self._session.headers["User-Agent"] = user_agent
        self._waiting: SimpleQueue[Flight | None] = SimpleQueue()
        self._is_running = False

    def send(self, url: str) -> Flight:
        """Let a request begin as soon as the ones before are back and the pace allows."""
        flight = Flight(url)
        self._waiting.put(flight)
        if not self._is_running:
            Thread(target=self._run, name="fetcher", daemon=True).start()
            self._is_running = True
        return flight

    def land(self, flight: Flight) -> Page:
        """Wait for a request to come back.

        Raises:
            CustobarError: it failed.
        """
        allowed = 3 * self._timeout
        while True:
            with suppress(Empty):
                result = flight.outcome.get(timeout=SLICE)
                break
            started = flight.started
            if started is not None and time.monotonic() - started > allowed:
                raise errors.TimedOutError(urlsplit(flight.url).hostname or "", allowed)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """Send nothing more; the thread ends when what is on its way is back."""
        self._waiting.put(None)

    def _run(self) -> None:
        with self._session:
            while flight := self._waiting.get():
                if not flight.given_up:
                    self._pace.keep()
                if not flight.given_up:
                    flight.outcome.put(self._fetch(flight))

    def _fetch(self, flight: Flight) -> Page | Exception:
        url, session = flight.url, self._session
        host = urlsplit(url).hostname or ""
        # A proxy set in the environment is of no use on the way to this machine itself.
        session.trust_env = not urls.is_loopback(host)
        flight.started = time.monotonic()
        try:
            with (
                named_failures(host, self._timeout),
                session.get(
                    url, timeout=self._timeout, allow_redirects=False, stream=True
                ) as response,
            ):
                flight.response = response
                if flight.given_up:  # while the headers were awaited
                    return errors.ConnectionFailedError(host, "was given up")
                if response.status_code == requests.codes.ok:
                    return read_page(response, url)
                return refusal(url, response, auth_scheme=self._auth.scheme, private=self._private)
        except Exception as error:  # noqa: BLE001 - raised again where the page is waited for
            return error
