"""What came back for a request: a page, or the cause why there is none."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from tap_custobar import errors
from tap_custobar.api import urls
from tap_custobar.api.retries import parse_retry_after
from tap_custobar.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

#: Bytes of a decompressed body; a page of 100,000 records is far below.
MAX_BODY = 512 << 20

_MAX_ERROR_BODY = 64 << 10
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """The body and headers of a good answer (status 200 or 204), headers case-insensitive.

    `received` are the bytes that came over the line, which compression makes fewer; `is_framed`
    tells whether their end was told, by a length or in chunks, and not by the connection's end.
    """

    body: bytes
    headers: Mapping[str, str]
    received: int = 0
    is_framed: bool = True
    status: int = 200


def read_page(response: requests.Response, url: str) -> Page:
    """Read the whole body, as far as one may go; not copied, for it may be large.

    Raises:
        TooLargeError: it does not end within `MAX_BODY`.
    """
    chunks = response.iter_content(_chunk_size(response.headers))
    # It shares the bytes it is given and those it gives: no body is ever there twice.
    body = BytesIO(next(chunks, b""))
    size = body.seek(0, SEEK_END)
    for chunk in chunks:
        size += body.write(chunk)
        if size > MAX_BODY:
            break
    if size > MAX_BODY:
        raise errors.TooLargeError(urlsplit(url).path, MAX_BODY)
    is_framed = any(name in response.headers for name in ("Content-Length", "Transfer-Encoding"))
    return Page(body.getvalue(), response.headers, response.raw.tell(), is_framed)


def _chunk_size(headers: Mapping[str, str]) -> int:
    """Return in which pieces to read: in one, where its length is told, the cheapest way there is.

    What a compressed piece becomes waits in memory as a whole, so these are small.
    """
    length = headers.get("Content-Length", "")
    is_told = length.isascii() and length.isdigit() and len(length) <= len(str(MAX_BODY))
    if not is_told or "Content-Encoding" in headers:
        return _CHUNK
    return min(max(int(length), _CHUNK), MAX_BODY + 1)


@contextmanager
def named_failures(host: str, timeout: float) -> Iterator[None]:
    """Turn what requests raises into causes; its own texts hold the query, so none is used.

    Raises:
        CustobarError: the request to `host` failed; `timeout` in seconds is what it was given.
    """
    try:
        yield
    except requests.exceptions.SSLError:
        raise errors.CertificateError(host) from None
    except requests.exceptions.ProxyError:
        raise errors.ConnectionFailedError(host, "failed at the proxy") from None
    except requests.exceptions.Timeout:
        raise errors.TimedOutError(host, timeout) from None
    except (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ):
        raise errors.ConnectionFailedError(host, "broke off within an answer") from None
    except requests.exceptions.ConnectionError as error:
        raise _connection_error(host, timeout, error) from None
    except requests.exceptions.RequestException as error:
        msg = f"No request to {host} could be made ({type(error).__name__})."
        raise errors.RequestFailedError(msg) from None
    except ValueError:  # of the standard library: a chunk of negative size
        raise errors.ConnectionFailedError(host, "broke off within an answer") from None


def _connection_error(host: str, timeout: float, error: Exception) -> errors.TransientError:
    cause = error.args[0] if error.args else None
    # By name: urllib3, which these come from, is no dependency of our own.
    names = {type(cause).__name__, type(getattr(cause, "reason", None)).__name__}
    if "NameResolutionError" in names:
        return errors.UnknownHostError(host)
    if "ReadTimeoutError" in names:
        return errors.TimedOutError(host, timeout)
    return errors.ConnectionFailedError(host, "could not be made or was cut")


def refusal(
    url: str, response: requests.Response, *, auth_scheme: str, private: Collection[str]
) -> errors.CustobarError:
    """Say why an answer is no page.

    Args:
        url: What was asked for.
        response: The answer, its body unread.
        auth_scheme: The word before the token, to name the other.
        private: Texts that the API may quote and no error may show.
    """
    status, path = response.status_code, urlsplit(url).path
    retry_after = parse_retry_after(response.headers.get("Retry-After"))
    if status == requests.codes.too_many_requests:
        return errors.RateLimitedError(retry_after)
    if status >= requests.codes.server_error:
        return errors.ServerError(status, path, retry_after)
    if status == requests.codes.unauthorized:
        return errors.UnauthorizedError(auth_scheme)
    if status == requests.codes.forbidden:
        return errors.ForbiddenError(path)
    if status == requests.codes.not_found:
        return errors.NotFoundError(urls.without_query(url))
    if requests.codes.multiple_choices <= status < requests.codes.bad_request:
        return errors.RedirectedError(status, urls.without_query(url))
    redact = Redactor({*private, *urls.filter_values(url)})
    return errors.RefusedError(status, path, redact.quote(_reason(response)))


def _reason(response: requests.Response) -> str:
    """Return the API's own `{"error": {"reason": ...}}`."""
    head = next(response.iter_content(_MAX_ERROR_BODY), b"")
    try:
        return str(json.loads(head)["error"]["reason"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
