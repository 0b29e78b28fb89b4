"""A response's body and headers, or the error that a failed request stands for."""

from __future__ import annotations

import json
import os
import re
import ssl
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from tap_custobar import errors
from tap_custobar.api import urls
from tap_custobar.api.retries import RATE_LIMIT_WAIT, parse_retry_after
from tap_custobar.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

#: Largest decompressed body, in bytes; a page of 100,000 records is far below.
MAX_BODY = 512 << 20

#: The content encodings that are requested and decompressed here.
ACCEPT_ENCODING = "gzip, deflate"

_MAX_ERROR_BODY = 64 << 10
_CHUNK = 1 << 20
_ENCODINGS = {"gzip", "x-gzip", "deflate"}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:+-]+)", re.IGNORECASE)
_ASCII = bytes(range(128))
_UTF8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_LIKE_SERVER_ERRORS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}
_INVALID_URL = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
#: What reading the body of an error may raise, before and after it is complete.
_NO_REASON = (
    *(errors.ResponseTooLargeError, HTTPError, EOFError, zlib.error),
    *(ValueError, TypeError, KeyError, RecursionError),
)
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Response:
    """A successful response (status 200 or 204).

    Attributes:
        body: The decompressed body, in UTF-8 if its charset is known.
        headers: The headers; names are case-insensitive.
        bytes_on_wire: Length of the body as it was sent, compressed or not.
        is_length_delimited: Whether the body ended by its length or its last chunk, and not merely
            with the connection, in which case it may be truncated.
        status: The HTTP status.
    """

    body: bytes
    headers: Mapping[str, str]
    bytes_on_wire: int = 0
    is_length_delimited: bool = True
    status: int = 200


def read_response(response: requests.Response, url: str) -> Response:
    """Read the whole body, up to `MAX_BODY`, without ever holding two copies of it.

    Raises:
        ResponseTooLargeError: it is larger than `MAX_BODY`.
        EOFError: the compressed data is truncated.
        zlib.error: it is not compressed as its headers say.
        HTTPError: the connection failed.
    """
    if response.status_code == HTTPStatus.NO_CONTENT:
        return Response(b"", response.headers, status=response.status_code)
    length = _content_length(response.headers)
    # In one piece where the length is known: this is the fastest.
    received = Received(response, max(length or 0, _CHUNK), url)
    chunks = received.content()
    # BytesIO shares the bytes that it is created from and those of getvalue.
    body = BytesIO(next(chunks, b""))
    size = body.seek(0, SEEK_END)
    for chunk in chunks:
        size += body.write(chunk)
        received.check(size)
    received.check(size)
    transfer = response.headers.get("Transfer-Encoding", "").lower().split(",")
    is_length_delimited = length is not None or "chunked" in map(str.strip, transfer)
    content = _in_utf8(body.getvalue(), response.headers)
    return Response(content, response.headers, received.length, is_length_delimited)


def _in_utf8(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a body in UTF-8: the same, unless the headers declare another charset."""
    declared = _CHARSET.search(headers.get("Content-Type", ""))
    if declared and declared[1].lower() not in {"utf-8", "utf8"} and not _is_utf8(body):
        with suppress(LookupError, ValueError):
            return body.decode(declared[1]).encode()
    return body


def _is_utf8(body: bytes) -> bool:
    """Return whether most characters of a body are UTF-8, whatever charset a server declares."""
    if body.isascii():
        return b"\0" not in body
    sequences = sum(map(len, _UTF8_SEQUENCE.findall(body)))
    return sequences * 2 > len(body.translate(None, delete=_ASCII))


def _content_length(headers: Mapping[str, str]) -> int | None:
    """Return the length that the headers declare; None for one that is absent or unusable."""
    length = headers.get("Content-Length", "")
    is_usable = length.isascii() and length.isdigit() and len(length) <= len(str(MAX_BODY))
    return int(length) if is_usable else None


class Received:
    """The body of a response as it is received.

    Attributes:
        length: The number of bytes received so far, compressed or not.
    """

    def __init__(self, response: requests.Response, size: int, url: str) -> None:
        """Create one of which nothing is read yet.

        Args:
            response: The response.
            size: Bytes to read at a time, at most.
            url: The requested URL.
        """
        self.length = 0
        self._url = url
        encodings = response.headers.get("Content-Encoding", "").lower().split(",")
        self._encodings = [name for name in map(str.strip, encodings) if name in _ENCODINGS]
        size = min(_CHUNK if self._encodings else size, MAX_BODY + 1)
        self._pieces: Iterator[bytes] = response.raw.stream(size, decode_content=False)

    def content(self) -> Iterator[bytes]:
        """Yield the body, decompressed, in pieces.

        Decompressed here because urllib3 accepts compressed data that is truncated, or corrupt
        after its first member. Encodings that were not requested are left as they are.

        Raises:
            ResponseTooLargeError: more than `MAX_BODY` bytes were received.
        """
        pieces = self._counted()
        for name in reversed(self._encodings):
            pieces = _decompressed(pieces, name)
        return pieces

    def check(self, size: int) -> None:
        """Check a number of bytes.

        Raises:
            ResponseTooLargeError: it is more than `MAX_BODY`.
        """
        if size > MAX_BODY:
            raise errors.ResponseTooLargeError(urls.path_for_message(self._url), MAX_BODY)

    def _counted(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.length += len(piece)
            # Compressed data without any content would never end otherwise.
            self.check(self.length)
            yield piece


def _decompressed(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the decompressed content of pieces, which may be several concatenated streams."""
    stream, data, is_whole = None, b"", False
    for piece in pieces:
        data += piece
        while stream or len(data) >= 2:  # noqa: PLR2004 - the bytes of the format's signature
            stream = stream or zlib.decompressobj(_window(data, encoding))
            content = stream.decompress(data, _CHUNK)
            if content:
                yield content
            is_whole, data = stream.eof, stream.unused_data or stream.unconsumed_tail
            if is_whole:
                stream = None
            elif len(content) < _CHUNK:
                break  # the rest needs the next piece
    if data or not is_whole:
        raise EOFError


def _window(head: bytes, encoding: str) -> int:
    """Return the `wbits` of zlib for compressed data, by its first two bytes."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    has_header = head[0] & 15 == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


@contextmanager
def translate_exceptions(url: str, *, connect_timeout: float, timeout: float) -> Iterator[None]:
    """Translate exceptions of requests, urllib3 and zlib into errors of the tap.

    Their own texts may contain the query, so none of them is used.

    Args:
        url: The requested URL.
        connect_timeout: Seconds that were allowed for the connection.
        timeout: Seconds of silence that were allowed.

    Raises:
        CustobarError: the request failed.
    """
    host, address = urlsplit(url).hostname or "", _address(url)
    try:
        yield
    except requests.exceptions.SSLError:
        raise _tls_error(host) from None
    except requests.exceptions.ProxyError:
        problem = "failed at the proxy that the environment names"
        raise errors.ConnectionFailedError(host, problem) from None
    except requests.exceptions.ConnectTimeout:
        problem = f"was not made within {connect_timeout:g} s"
        raise errors.ConnectionFailedError(address, problem) from None
    except (requests.exceptions.Timeout, ReadTimeoutError):
        raise errors.RequestTimeoutError(host, timeout) from None
    except requests.exceptions.ConnectionError as error:
        raise _connection_error(host, address, timeout, error) from None
    except requests.exceptions.RequestException as error:
        msg = f"No request to {host} could be made ({type(error).__name__})."
        # The requested URL is valid.
        is_invalid_url = isinstance(error, _INVALID_URL)
        if is_invalid_url and select_proxy(url, get_environ_proxies(url)) is not None:
            msg = f"{msg[:-1]}: the proxy that the environment names cannot be used."
        raise errors.RequestFailedError(msg) from None
    # ValueError: of the standard library, for a chunk of negative size.
    except (HTTPError, EOFError, zlib.error, ValueError):
        raise errors.ConnectionFailedError(host, "broke off within an answer") from None
    except OSError:  # of requests: the CA bundle does not exist
        raise _tls_error(host) from None


def _address(url: str) -> str:
    """Return host and port of a URL."""
    parts = urlsplit(url)
    default = "" if parts.port else ":443" if parts.scheme == "https" else ":80"
    return f"{parts.netloc}{default}"


def _connection_error(
    host: str, address: str, timeout: float, error: Exception
) -> errors.TransientError:
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", None) or cause
    if isinstance(cause, NameResolutionError):
        return errors.HostNotFoundError(host)
    if isinstance(cause, NewConnectionError):
        reason = cause.__cause__
        problem = reason.strerror if isinstance(reason, OSError) else None
        return errors.UnreachableError(address, problem or "it could not be made")
    if isinstance(cause, ReadTimeoutError):
        return errors.RequestTimeoutError(host, timeout)
    return errors.ConnectionFailedError(host, "could not be made or was cut")


def _tls_error(host: str) -> errors.CustobarError:
    """Return the error for a failed TLS handshake: a bad CA bundle, or a bad certificate."""
    for variable in _CA_BUNDLES:
        if path := os.environ.get(variable):
            try:
                kind = "capath" if Path(path).is_dir() else "cafile"
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**{kind: path})
            except ssl.SSLError:
                return errors.CaBundleError(variable, path, "it contains no certificates")
            except OSError as error:
                return errors.CaBundleError(variable, path, error.strerror or "it cannot be read")
            break
    return errors.CertificateError(host)


def error_for_status(
    url: str, response: requests.Response, *, auth_scheme: str, secrets: Collection[str]
) -> errors.CustobarError:
    """Return the error that a response with a status other than 200 or 204 stands for.

    Args:
        url: The requested URL.
        response: The response, its body unread.
        auth_scheme: The scheme that was used; the message for 401 suggests the other one.
        secrets: Strings that the API may quote and no error message may show.
    """
    status, path = response.status_code, urls.path_for_message(url)
    headers = response.headers
    retry_after = parse_retry_after(headers.get("Retry-After"), headers.get("Date"))
    redact = Redactor({*secrets, *urls.query_filter_values(url)})
    if status < HTTPStatus.OK:
        return errors.InvalidResponseError(f"an interim response (status {status})")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.RateLimitedError(RATE_LIMIT_WAIT if retry_after is None else retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LIKE_SERVER_ERRORS:
        return errors.ServerError(
            status, path, retry_after, redact.sanitize(_reason(response, url))
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return errors.UnauthorizedError(auth_scheme)
    if status == HTTPStatus.FORBIDDEN:
        return errors.ForbiddenError(path)
    if status == HTTPStatus.NOT_FOUND:
        return errors.NotFoundError(urls.url_for_message(url))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return errors.RedirectedError(status, urls.url_for_message(url))
    return errors.BadRequestError(status, path, redact.sanitize(_reason(response, url)))


def _reason(response: requests.Response, url: str) -> str:
    """Return the API's own `{"error": {"reason": ...}}`, or an empty string."""
    head = b""
    try:
        for piece in Received(response, _MAX_ERROR_BODY, url).content():
            head += piece
            if len(head) >= _MAX_ERROR_BODY:
                break
        return str(json.loads(head)["error"]["reason"])
    except _NO_REASON:
        return ""
