"""Sends requests one after the other, in a daemon thread: no signal waits for one."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool

from tap_custobar import errors
from tap_custobar.api import urls
from tap_custobar.api.responses import ACCEPT_ENCODING, Response, named_failures, read_page, refusal
from tap_custobar.api.waiting import SLICE, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from urllib3.connectionpool import ConnectionPool

#: Seconds that a connection may take to be made; a server that listens takes it at once.
CONNECT_TIMEOUT = 10.0


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


class Cancellation:
    """Ends a request from another thread, be it awaited or read, and all that follow it."""

    def __init__(self) -> None:
        """Begin without a request."""
        self.is_set = False
        self._socket: socket.socket | None = None

    def watch(self, sock: socket.socket) -> None:
        """Take the socket that the next answer is read from."""
        self._socket = sock
        if self.is_set:
            self.set()

    def set(self) -> None:
        """Let whoever reads from the socket find its end."""
        self.is_set = True
        if self._socket is not None:
            # It is closed already, or of a library that cannot shut it down.
            with suppress(AttributeError, OSError, ValueError):
                self._socket.shutdown(socket.SHUT_RDWR)


class CancellableResponse(http.client.HTTPResponse):
    """A response that can be cancelled, and that passes over interim ones (status 1xx)."""

    def __init__(
        self, cancellation: Cancellation, sock: socket.socket, *args: Any, **kw: Any
    ) -> None:
        """Take what may cancel it, and what the standard library's response takes."""
        super().__init__(sock, *args, **kw)
        cancellation.watch(sock)

    def begin(self) -> None:
        """Read the status and the headers; the standard library passes over status 100 only."""
        super().begin()
        while self.status < HTTPStatus.OK and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment] # begin does nothing otherwise
            super().begin()


class CancellableAdapter(HTTPAdapter):
    """Makes connections whose responses can be cancelled."""

    def __init__(self, cancellation: Cancellation) -> None:
        """Take what cancels them."""
        super().__init__()
        self._response_class = partial(CancellableResponse, cancellation)

    def get_connection_with_tls_context(self, *args: Any, **kw: Any) -> ConnectionPool:
        """Return the pool of connections for a request."""
        pool = super().get_connection_with_tls_context(*args, **kw)
        if isinstance(pool, HTTPConnectionPool) and "ConnectionCls" not in vars(pool):
            members = {"response_class": staticmethod(self._response_class)}
            pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), members)
        return pool


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
        self._sleep = sleep
        self._interval = interval
        self._clock = clock
        self._next_start = clock()

    def keep(self, cancellation: Cancellation) -> bool:
        """Wait until the next request may start, and count it as started, unless cancelled.

        Returns:
            Whether it may start.
        """
        while not cancellation.is_set and (wait := self._next_start - self._clock()) > 0:
            self._sleep(min(wait, SLICE))
        if not cancellation.is_set:
            self._next_start = self._clock() + self._interval
        return not cancellation.is_set


class Flight:
    """One request: on its way, or back."""

    def __init__(self, url: str) -> None:
        """Take what is asked for."""
        self.url = url
        self.started: float | None = None
        self.outcome: SimpleQueue[Response | Exception] = SimpleQueue()


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
        self._session.headers["Accept-Encoding"] = ACCEPT_ENCODING
        self._cancellation = Cancellation()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, CancellableAdapter(self._cancellation))
        self._waiting: SimpleQueue[Flight | None] = SimpleQueue()
        self._thread: Thread | None = None

    def send(self, url: str) -> Flight:
        """Let a request begin as soon as the ones before are back and the pace allows."""
        flight = Flight(url)
        self._waiting.put(flight)
        if self._thread is None:
            thread = Thread(target=self._run, name="fetcher", daemon=True)
            thread.start()
            self._thread = thread
        return flight

    def land(self, flight: Flight) -> Response:
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
        """Cancel what is on its way, and let the thread and its connection end.

        A connection that is still being made ends later, after `CONNECT_TIMEOUT` at the most.
        """
        self._cancellation.set()
        self._waiting.put(None)

    def join(self, seconds: float) -> None:
        """Wait so long at the most for the thread to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    @property
    def is_running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        with self._session:
            while (flight := self._waiting.get()) and self._pace.keep(self._cancellation):
                flight.outcome.put(self._fetch(flight))

    def _fetch(self, flight: Flight) -> Response | Exception:
        url = flight.url
        host = urlsplit(url).hostname or ""
        # A proxy set in the environment is of no use on the way to this machine itself.
        proxies = {"no_proxy": host} if urls.is_loopback(host) else None
        connect_timeout = min(CONNECT_TIMEOUT, self._timeout)
        flight.started = time.monotonic()
        try:
            with (
                named_failures(url, connect_timeout=connect_timeout, timeout=self._timeout),
                self._session.get(
                    url,
                    timeout=(connect_timeout, self._timeout),
                    allow_redirects=False,
                    stream=True,
                    proxies=proxies,
                ) as response,
            ):
                if response.status_code in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
                    return read_page(response, url)
                return refusal(url, response, auth_scheme=self._auth.scheme, private=self._private)
        except Exception as error:  # noqa: BLE001 - raised again where the page is waited for
            return error
