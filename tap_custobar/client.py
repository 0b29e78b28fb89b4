"""Asks Custobar for pages: one session, its pace, its retries."""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from tap_custobar import errors, urls
from tap_custobar.redaction import Redactor
from tap_custobar.retrying import Retries, parse_retry_after
from tap_custobar.waiting import get_within, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

T = TypeVar("T")

#: Bytes of a decompressed body; a page of 100,000 records is far below.
MAX_BODY = 512 << 20

_MAX_ERROR_BODY = 64 << 10
_CHUNK = 1 << 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """The body and headers of a good answer (status 200), headers case-insensitive."""

    body: bytes | bytearray
    headers: Mapping[str, str]


class TokenAuth(AuthBase):
    """Sets the `Authorization` header, so that nothing else (a netrc file, say) sets it."""

    def __init__(self, scheme: str, token: str) -> None:
        """Take the word before the token, and the token."""
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


class _Flight:
    """One request under way, in a thread of its own."""

    def __init__(self, session: requests.Session) -> None:
        self.session = session
        self.response: requests.Response | None = None
        self.outcome: SimpleQueue[Page | Exception] = SimpleQueue()

    def cut(self) -> None:
        """End a body that trickles, each piece in time and the whole never."""
        if self.response is not None:
            # It has ended at this very moment, or urllib3 is older than 2.3.
            with suppress(AttributeError, OSError, ValueError):
                self.response.raw.shutdown()


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
        self._private = frozenset({token, *private})
        self._auth_scheme = auth_scheme
        self._interval = request_interval
        self._timeout = request_timeout
        self._max_retries = max_retries
        self._sleep = sleep
        self._clock = clock
        self._next_start = clock()
        self._auth = TokenAuth(auth_scheme, token)
        self._user_agent = user_agent
        self._session = self._new_session()
        if not logger.isEnabledFor(logging.DEBUG):
            # Its warnings show whole URLs, and with them the filters.
            logging.getLogger("urllib3").setLevel(logging.ERROR)
        #: Requests asked again so far.
        self.retries = 0

    def get(self, url: str, parse: Callable[[Page], T], *, first_page: bool) -> T:
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
            except errors.TransientError as error:
                wait = retries.next_wait(error, first_page=first_page)
                if wait is None:
                    raise
                logger.warning("%s Retry %d follows in %.0f s.", error, retries.count, wait)
            self.retries += 1
            self._sleep(wait)

    def _request(self, url: str) -> Page:
        """Ask once, in a thread: no signal waits for it, and no trickle outlasts it."""
        self._keep_pace()
        seconds = 3 * self._timeout
        flight = _Flight(self._session)
        Thread(target=self._send, args=(flight, url), daemon=True).start()
        try:
            result = get_within(flight.outcome, seconds)
        except Empty:
            flight.cut()
            # Nothing else may use the connection of what is still under way.
            self._session = self._new_session()
            raise errors.TimedOutError(urlsplit(url).hostname or "", seconds) from None
        if isinstance(result, Exception):
            raise result
        return result

    def _send(self, flight: _Flight, url: str) -> None:
        host = urlsplit(url).hostname or ""
        # A proxy set in the environment is of no use on the way to this machine itself.
        flight.session.trust_env = not urls.is_loopback(host)
        try:
            with (
                self._named_failures(host),
                flight.session.get(
                    url, timeout=self._timeout, allow_redirects=False, stream=True
                ) as response,
            ):
                flight.response = response
                if response.status_code != requests.codes.ok:
                    raise self._error(url, response)  # noqa: TRY301 - like every other failure
                flight.outcome.put(Page(_read(response, url), response.headers))
        except Exception as error:  # noqa: BLE001 - raised again where the page is waited for
            flight.outcome.put(error)

    def _new_session(self) -> requests.Session:
        session = NoRedirects()
        session.auth = self._auth
        session.headers["User-Agent"] = self._user_agent
        return session

    def _keep_pace(self) -> None:
        if (wait := self._next_start - self._clock()) > 0:
            self._sleep(wait)
        self._next_start = self._clock() + self._interval

    @contextmanager
    def _named_failures(self, host: str) -> Iterator[None]:
        """Turn what requests raises into causes; its own texts hold the query, so none is used."""
        try:
            yield
        except requests.exceptions.SSLError:
            raise errors.CertificateError(host) from None
        except requests.exceptions.ProxyError:
            raise errors.ConnectionFailedError(host, "failed at the proxy") from None
        except requests.exceptions.Timeout:
            raise errors.TimedOutError(host, self._timeout) from None
        except (
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ):
            raise errors.ConnectionFailedError(host, "broke off within an answer") from None
        except requests.exceptions.ConnectionError as error:
            raise self._connection_error(host, error) from None
        except requests.exceptions.RequestException as error:
            msg = f"No request to {host} could be made ({type(error).__name__})."
            raise errors.RequestFailedError(msg) from None
        except ValueError:  # of the standard library: a chunk of negative size
            raise errors.ConnectionFailedError(host, "broke off within an answer") from None

    def _connection_error(self, host: str, error: Exception) -> errors.TransientError:
        cause = error.args[0] if error.args else None
        # By name: urllib3, which these come from, is no dependency of our own.
        names = {type(cause).__name__, type(getattr(cause, "reason", None)).__name__}
        if "NameResolutionError" in names:
            return errors.UnknownHostError(host)
        if "ReadTimeoutError" in names:
            return errors.TimedOutError(host, self._timeout)
        return errors.ConnectionFailedError(host, "could not be made or was cut")

    def _error(self, url: str, response: requests.Response) -> errors.CustobarError:
        """Say why an answer is no page (section "Errors and signals" of the contract)."""
        status, path = response.status_code, urlsplit(url).path
        retry_after = parse_retry_after(response.headers.get("Retry-After"))
        if status == requests.codes.too_many_requests:
            return errors.RateLimitedError(retry_after)
        if status >= requests.codes.server_error:
            return errors.ServerError(status, path, retry_after)
        if status == requests.codes.unauthorized:
            return errors.UnauthorizedError(self._auth_scheme)
        if status == requests.codes.forbidden:
            return errors.ForbiddenError(path)
        if status == requests.codes.not_found:
            return errors.NotFoundError(urls.without_query(url))
        if requests.codes.multiple_choices <= status < requests.codes.bad_request:
            return errors.RedirectedError(status, urls.without_query(url))
        return errors.RefusedError(status, path, self._reason(url, response))

    def _reason(self, url: str, response: requests.Response) -> str:
        """Quote `{"error": {"reason": ...}}`, without the token and the filters' values."""
        head = next(response.iter_content(_MAX_ERROR_BODY), b"")
        try:
            reason = json.loads(head)["error"]["reason"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return ""
        return Redactor(self._private.union(urls.filter_values(url))).quote(str(reason))


def _read(response: requests.Response, url: str) -> bytearray:
    """Read the whole body, as far as one may go; not copied, for it may be large."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise errors.TooLargeError(urlsplit(url).path, MAX_BODY)
    return body
