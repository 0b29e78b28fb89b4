"""Sends requests sequentially from one daemon thread.

A signal handler is therefore never blocked by a request in flight.
"""

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
from tap_custobar.api.responses import (
    ACCEPT_ENCODING,
    Response,
    error_for_status,
    read_response,
    translate_exceptions,
)
from tap_custobar.signals import POLL_SECONDS, interruptible_sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from urllib3.connectionpool import ConnectionPool

#: Name of the threads that send requests.
THREAD_NAME = "custobar-requests"

#: Seconds to establish a connection; a server that is up accepts one at once.
CONNECT_TIMEOUT = 10.0

#: A whole response may take this many times `request_timeout`, which limits silence only.
MAX_TIMEOUTS = 3


class TokenAuth(AuthBase):
    """Sets the `Authorization` header, so that nothing else (a netrc file, say) sets it."""

    def __init__(self, scheme: str, token: str) -> None:
        """Create the header `<scheme> <token>`."""
        self.scheme = scheme
        self._value = f"{scheme} {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header of a request, and return the request."""
        request.headers["Authorization"] = self._value
        return request


class NoRedirects(requests.Session):
    """A session that treats no response as a redirect.

    requests reads the body of a redirect to its end even where redirects are not followed.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return no target."""


class Cancellation:
    """Cancels the request of another thread, and all its later ones.

    Attributes:
        is_set: Whether `set` was called.
    """

    def __init__(self) -> None:
        """Create one that is not set and watches no socket."""
        self.is_set = False
        self._socket: socket.socket | None = None

    def watch(self, sock: socket.socket) -> None:
        """Shut this socket down instead of the last one when `set` is called, or was."""
        self._socket = sock
        if self.is_set:
            self.set()

    def set(self) -> None:
        """Cancel: whoever reads from the socket finds its end."""
        self.is_set = True
        if self._socket is not None:
            # Already closed, or of a TLS library whose sockets cannot be shut down.
            with suppress(AttributeError, OSError, ValueError):
                self._socket.shutdown(socket.SHUT_RDWR)


class CancellableResponse(http.client.HTTPResponse):
    """A response that can be cancelled, and that skips interim responses (status 1xx)."""

    def __init__(
        self, cancellation: Cancellation, sock: socket.socket, *args: Any, **kw: Any
    ) -> None:
        """Let `cancellation` watch the socket; see `http.client.HTTPResponse` for the others."""
        super().__init__(sock, *args, **kw)
        cancellation.watch(sock)

    def begin(self) -> None:
        """Read the status and the headers; the standard library only skips status 100."""
        super().begin()
        while self.status < HTTPStatus.OK and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment] # begin does nothing otherwise
            super().begin()


class CancellableAdapter(HTTPAdapter):
    """A transport adapter whose responses can be cancelled."""

    def __init__(self, cancellation: Cancellation) -> None:
        """Create an adapter whose responses `cancellation` ends."""
        super().__init__()
        self._response_class = partial(CancellableResponse, cancellation)

    def get_connection_with_tls_context(self, *args: Any, **kw: Any) -> ConnectionPool:
        """Return the connection pool for a request, with our response class in it."""
        pool = super().get_connection_with_tls_context(*args, **kw)
        if isinstance(pool, HTTPConnectionPool) and "ConnectionCls" not in vars(pool):
            members = {"response_class": staticmethod(self._response_class)}
            pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), members)
        return pool


class RateLimiter:
    """Keeps a minimum number of seconds between the starts of two requests.

    Time spent working between them counts.
    """

    def __init__(
        self,
        interval: float,
        *,
        sleep: Callable[[float], None] = interruptible_sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create one; the first request may start at once.

        Args:
            interval: Seconds between two starts.
            sleep: Waits for a number of seconds.
            clock: Returns seconds since any fixed moment.
        """
        self._sleep = sleep
        self._interval = interval
        self._clock = clock
        self._next_start = clock()

    def acquire(self, cancellation: Cancellation) -> bool:
        """Wait until the next request may start, and count it as started.

        Returns:
            True, or False if it was cancelled meanwhile.
        """
        while not cancellation.is_set and (wait := self._next_start - self._clock()) > 0:
            self._sleep(min(wait, POLL_SECONDS))
        if not cancellation.is_set:
            self._next_start = self._clock() + self._interval
        return not cancellation.is_set


class PendingRequest:
    """A request that was submitted to a worker.

    Attributes:
        url: The requested URL.
        started: Monotonic seconds when it was sent; None while it is queued.
        result: Receives one item: the response, or the exception to be raised.
    """

    def __init__(self, url: str) -> None:
        """Create a request that is not queued yet."""
        self.url = url
        self.started: float | None = None
        self.result: SimpleQueue[Response | Exception] = SimpleQueue()


class RequestWorker:
    """A session and the one daemon thread that uses it."""

    def __init__(
        self,
        *,
        auth: TokenAuth,
        user_agent: str,
        timeout: float,
        rate_limiter: RateLimiter,
        secrets: Collection[str],
    ) -> None:
        """Create a worker; its thread starts with the first request.

        Args:
            auth: Sets the token.
            user_agent: The `User-Agent` header.
            timeout: Seconds of silence after which a request has failed.
            rate_limiter: Decides when the next request may start.
            secrets: Strings that no error message may show.
        """
        self._auth = auth
        self._timeout = timeout
        self._rate_limiter = rate_limiter
        self._secrets = secrets
        self._session = NoRedirects()
        self._session.auth = auth
        self._session.headers["User-Agent"] = user_agent
        self._session.headers["Accept-Encoding"] = ACCEPT_ENCODING
        self._cancellation = Cancellation()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, CancellableAdapter(self._cancellation))
        self._queue: SimpleQueue[PendingRequest | None] = SimpleQueue()
        self._thread: Thread | None = None

    def submit(self, url: str) -> PendingRequest:
        """Queue a request; it is sent after those before it, once the rate limiter allows."""
        pending = PendingRequest(url)
        self._queue.put(pending)
        if self._thread is None:
            thread = Thread(target=self._run, name=THREAD_NAME, daemon=True)
            thread.start()
            self._thread = thread
        return pending

    def result(self, pending: PendingRequest) -> Response:
        """Wait for the response to a submitted request.

        Raises:
            CustobarError: the request failed.
        """
        allowed = MAX_TIMEOUTS * self._timeout
        while True:
            with suppress(Empty):
                result = pending.result.get(timeout=POLL_SECONDS)
                break
            started = pending.started
            if started is not None and time.monotonic() - started > allowed:
                raise errors.RequestTimeoutError(urlsplit(pending.url).hostname or "", allowed)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """Cancel the request in flight, and let the thread and its connection end.

        A connection that is still being established ends later, within `CONNECT_TIMEOUT`.
        """
        self._cancellation.set()
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, for a number of seconds at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    @property
    def is_running(self) -> bool:
        """Whether the thread has started and not ended."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        acquire = partial(self._rate_limiter.acquire, self._cancellation)
        with self._session:
            while (pending := self._queue.get()) and acquire():
                pending.result.put(self._send(pending))

    def _send(self, pending: PendingRequest) -> Response | Exception:
        url = pending.url
        host = urlsplit(url).hostname or ""
        # A proxy of the environment cannot reach this machine's own loopback address.
        proxies = {"no_proxy": host} if urls.is_loopback(host) else None
        connect_timeout = min(CONNECT_TIMEOUT, self._timeout)
        pending.started = time.monotonic()
        try:
            with (
                translate_exceptions(url, connect_timeout=connect_timeout, timeout=self._timeout),
                self._session.get(
                    url,
                    timeout=(connect_timeout, self._timeout),
                    allow_redirects=False,
                    stream=True,
                    proxies=proxies,
                ) as response,
            ):
                if response.status_code in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
                    return read_response(response, url)
                return error_for_status(
                    url, response, auth_scheme=self._auth.scheme, secrets=self._secrets
                )
        except Exception as error:  # noqa: BLE001 - raised by `result`, in the waiting thread
            return error
