"""What came back for a request: a page, or the cause why there is none."""

from __future__ import annotations

import json
import os
import ssl
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from tap_custobar import errors
from tap_custobar.api import urls
from tap_custobar.api.retries import parse_retry_after
from tap_custobar.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

#: Bytes of a decompressed body; a page of 100,000 records is far below.
MAX_BODY = 512 << 20

#: The encodings of a body that are asked for and read.
ACCEPT_ENCODING = "gzip, deflate"

_MAX_ERROR_BODY = 64 << 10
_CHUNK = 1 << 20
_ENCODINGS = {"gzip", "x-gzip", "deflate"}
_LIKE_SERVER_ERRORS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}
_CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Response:
    """The body and headers of a good answer (status 200 or 204), headers case-insensitive.

    `received` are the bytes that came over the line, which compression makes fewer; `is_framed`
    tells whether their end was told, by a length or in chunks, and not by the connection's end.
    """

    body: bytes
    headers: Mapping[str, str]
    received: int = 0
    is_framed: bool = True
    status: int = 200


def read_page(response: requests.Response, url: str) -> Response:
    """Read the whole body, as far as one may go; not copied, for it may be large.

    Raises:
        TooLargeError: it does not end within `MAX_BODY`.
        EOFError: it is compressed, and ends before the compressed data does.
        zlib.error: it is not compressed in the way that its headers say.
        HTTPError: the connection failed.
    """
    if response.status_code == HTTPStatus.NO_CONTENT:
        return Response(b"", response.headers, status=response.status_code)
    length = _told_length(response.headers)
    # In one piece where its length is told: the cheapest way there is.
    chunks = _content(response, max(length or 0, _CHUNK))
    # It shares the bytes it is given and those it gives: no body is ever there twice.
    body = BytesIO(next(chunks, b""))
    size = body.seek(0, SEEK_END)
    for chunk in chunks:
        size += body.write(chunk)
        if size > MAX_BODY:
            break
    if size > MAX_BODY:
        raise errors.TooLargeError(urlsplit(url).path, MAX_BODY)
    transfer = response.headers.get("Transfer-Encoding", "").lower().split(",")
    is_framed = length is not None or "chunked" in map(str.strip, transfer)
    return Response(body.getvalue(), response.headers, response.raw.tell(), is_framed)


def _told_length(headers: Mapping[str, str]) -> int | None:
    """Return the length that the headers tell; None for one that is not sure to be kept."""
    length = headers.get("Content-Length", "")
    is_told = length.isascii() and length.isdigit() and len(length) <= len(str(MAX_BODY))
    return int(length) if is_told else None


def _content(response: requests.Response, size: int) -> Iterator[bytes]:
    """Yield a body in pieces of at most `size`, decompressed.

    urllib3 takes compressed data that ends before its end, or is broken behind its first part, so
    it is decompressed here. Encodings that were not asked for are left as they are.
    """
    encodings = response.headers.get("Content-Encoding", "").lower().split(",")
    known = [name for name in map(str.strip, encodings) if name in _ENCODINGS]
    size = min(_CHUNK if known else size, MAX_BODY + 1)
    pieces: Iterator[bytes] = response.raw.stream(size, decode_content=False)
    for name in reversed(known):
        pieces = _decompressed(pieces, name)
    return pieces


def _decompressed(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield what compressed pieces hold, whether in one stream or in several after each other."""
    stream, data, is_whole = None, b"", False
    for piece in pieces:
        data += piece
        while stream or len(data) >= 2:  # noqa: PLR2004 - the bytes that tell the format
            stream = stream or zlib.decompressobj(_window(data, encoding))
            content = stream.decompress(data, _CHUNK)
            if content:
                yield content
            is_whole, data = stream.eof, stream.unused_data or stream.unconsumed_tail
            if is_whole:
                stream = None
            elif len(content) < _CHUNK:
                break  # it needs the next piece
    if data or not is_whole:
        raise EOFError


def _window(head: bytes, encoding: str) -> int:
    """Return what zlib calls the format of compressed data, by its first two bytes."""
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    has_header = head[0] & 15 == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


@contextmanager
def named_failures(url: str, *, connect_timeout: float, timeout: float) -> Iterator[None]:
    """Turn what the libraries raise into causes; their own texts hold the query, so none is used.

    Args:
        url: What is asked for.
        connect_timeout: Seconds that a connection was given to be made.
        timeout: Seconds that the server was given to answer.

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
        raise errors.TimedOutError(host, timeout) from None
    except requests.exceptions.ConnectionError as error:
        raise _connection_error(host, address, timeout, error) from None
    except requests.exceptions.RequestException as error:
        msg = f"No request to {host} could be made ({type(error).__name__})."
        raise errors.RequestFailedError(msg) from None
    # ValueError of the standard library: a chunk of negative size
    except (HTTPError, EOFError, zlib.error, ValueError):
        raise errors.ConnectionFailedError(host, "broke off within an answer") from None
    except OSError:  # of requests: there is no such bundle of certificates
        raise _tls_error(host) from None


def _address(url: str) -> str:
    """Return host and port."""
    parts = urlsplit(url)
    default = "" if parts.port else ":443" if parts.scheme == "https" else ":80"
    return f"{parts.netloc}{default}"


def _connection_error(
    host: str, address: str, timeout: float, error: Exception
) -> errors.TransientError:
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", None) or cause
    if isinstance(cause, NameResolutionError):
        return errors.UnknownHostError(host)
    if isinstance(cause, NewConnectionError):
        reason = cause.__cause__
        problem = reason.strerror if isinstance(reason, OSError) else None
        return errors.UnreachableError(address, problem or "it could not be made")
    if isinstance(cause, ReadTimeoutError):
        return errors.TimedOutError(host, timeout)
    return errors.ConnectionFailedError(host, "could not be made or was cut")


def _tls_error(host: str) -> errors.CustobarError:
    """Say whether the certificates of the environment or those of the host are at fault."""
    for variable in _CA_BUNDLES:
        if path := os.environ.get(variable):
            try:
                kind = "capath" if Path(path).is_dir() else "cafile"
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**{kind: path})
            except ssl.SSLError:
                return errors.CaBundleError(variable, path, "it holds no certificates")
            except OSError as error:
                return errors.CaBundleError(variable, path, error.strerror or "it cannot be read")
            break
    return errors.CertificateError(host)


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
    headers = response.headers
    retry_after = parse_retry_after(headers.get("Retry-After"), headers.get("Date"))
    redact = Redactor({*private, *urls.filter_values(url)})
    if status < HTTPStatus.OK:
        what = f"an interim answer (status {status})"
        return errors.UnexpectedAnswerError(what)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.RateLimitedError(retry_after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LIKE_SERVER_ERRORS:
        return errors.ServerError(status, path, retry_after, redact.quote(_reason(response)))
    if status == HTTPStatus.UNAUTHORIZED:
        return errors.UnauthorizedError(auth_scheme)
    if status == HTTPStatus.FORBIDDEN:
        return errors.ForbiddenError(path)
    if status == HTTPStatus.NOT_FOUND:
        return errors.NotFoundError(urls.without_query(url))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return errors.RedirectedError(status, urls.without_query(url))
    return errors.RefusedError(status, path, redact.quote(_reason(response)))


def _reason(response: requests.Response) -> str:
    """Return the API's own `{"error": {"reason": ...}}`."""
    head = b""
    try:
        for piece in _content(response, _MAX_ERROR_BODY):
            head += piece
            if len(head) >= _MAX_ERROR_BODY:
                break
        return str(json.loads(head)["error"]["reason"])
    except (HTTPError, EOFError, zlib.error, ValueError, TypeError, KeyError, RecursionError):
        return ""
