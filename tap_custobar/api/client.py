"""The HTTP client: retries, and one page requested ahead of time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tap_custobar import errors
from tap_custobar.api.retries import Retries
from tap_custobar.api.transport import RateLimiter, RequestWorker, TokenAuth
from tap_custobar.api.urls import path_for_message
from tap_custobar.signals import interruptible_sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tap_custobar.api.responses import Response
    from tap_custobar.api.transport import PendingRequest

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Seconds that `CustobarClient.close` waits for worker threads to end.
CLOSE_TIMEOUT = 2.0


@dataclass(slots=True)
class RequestStats:
    """Counters of one client, over all streams.

    Attributes:
        requests: Requests whose response was waited for.
        bytes_received: Bytes on the wire of successful responses.
        retries: Requests that were sent again.
    """

    requests: int = 0
    bytes_received: int = 0
    retries: int = 0


class CustobarClient:
    """Requests one page at a time, within the rate limit, and retries transient failures.

    It sends whatever URL it is given: `api.urls` decides which URLs may be requested.
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
        secrets: Collection[str] = (),
        sleep: Callable[[float], None] = interruptible_sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a client; no thread is started and nothing is sent yet.

        Args:
            token: See the setting `api_token`.
            auth_scheme: See the setting.
            user_agent: See the setting.
            request_interval: See the setting; seconds.
            request_timeout: See the setting; seconds.
            max_retries: See the setting.
            secrets: Strings that no error message may show, even where the API quotes them.
            sleep: Waits for a number of seconds.
            clock: Returns seconds since any fixed moment.
        """
        rate_limiter = RateLimiter(request_interval, sleep=sleep, clock=clock)
        auth = TokenAuth(auth_scheme, token)
        self._new_worker: Callable[[], RequestWorker] = lambda: RequestWorker(
            auth=auth,
            user_agent=user_agent,
            timeout=request_timeout,
            rate_limiter=rate_limiter,
            secrets=frozenset({token, *secrets}),
        )
        self._worker = self._new_worker()
        self._cancelled: list[RequestWorker] = []
        self._prefetched: PendingRequest | None = None
        self._max_retries = max_retries
        self._sleep = sleep
        self.stats = RequestStats()

    def get(self, url: str, parse: Callable[[Response], T], *, first_page: bool) -> T:
        """Request a page and return what `parse` makes of the response.

        The request is retried when it fails with a TransientError, which includes the
        InvalidResponseError that `parse` raises for a body it does not recognize.

        Args:
            url: The page's absolute URL.
            parse: Reads a response.
            first_page: Whether this is a stream's first request, whose URL the settings made. Other
                pages are named by the API: a 404 there is no fault of the settings.

        Raises:
            CustobarError: the request failed for good.
        """
        retries = Retries(self._max_retries)
        while True:
            try:
                return parse(self._request(url))
            except errors.NotFoundError:
                if first_page:
                    raise
                raise errors.PageGoneError(path_for_message(url)) from None
            except errors.TransientError as error:
                wait = retries.next_wait(error, first_page=first_page)
                if wait is None:
                    raise
                logger.warning("%s Retry %d in %.0f s.", error, retries.count, wait)
            self.stats.retries += 1
            self._sleep(wait)

    def prefetch(self, url: str | None) -> None:
        """Start requesting `url`, so that a later `get` of it waits less or not at all.

        Only one page is prefetched at a time: another pending one is cancelled. None cancels it
        and requests nothing.
        """
        if self._prefetched is not None and self._prefetched.url != url:
            self._cancel()
        if self._prefetched is None and url is not None:
            self._prefetched = self._worker.submit(url)

    def close(self) -> None:
        """Cancel the pending request and end all threads; a later request starts a new one."""
        self._cancel()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for worker in self._cancelled:
            worker.join(max(0, deadline - time.monotonic()))

    def _request(self, url: str) -> Response:
        if self._prefetched is not None and self._prefetched.url == url:
            pending, self._prefetched = self._prefetched, None
        else:
            self.prefetch(None)
            pending = self._worker.submit(url)
        self.stats.requests += 1
        try:
            response = self._worker.result(pending)
        except errors.RequestTimeoutError:
            self._cancel()
            raise
        self.stats.bytes_received += response.bytes_on_wire
        return response

    def _cancel(self) -> None:
        """Drop the request in flight together with its worker and its connection."""
        self._worker.close()
        self._cancelled = [w for w in (*self._cancelled, self._worker) if w.is_running]
        self._worker, self._prefetched = self._new_worker(), None
