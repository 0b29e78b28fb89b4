"""The errors of failed requests, and the reading of response bodies."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from io import BytesIO
from typing import Any

import pytest
import requests
from requests import exceptions
from urllib3 import HTTPResponse
from urllib3.exceptions import (
    IncompleteRead,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from tap_custobar import errors
from tap_custobar.api.responses import error_for_status, read_response, translate_exceptions

URL = "https://acme.custobar.com/api/data/customers/?email=maija@example.fi"
POOL: Any = None  # urllib3 says in its errors which pool they are of; nobody reads that


def refused(reason: str | None) -> NewConnectionError:
    error = NewConnectionError(POOL, URL)
    error.__cause__ = OSError(111, reason) if reason else None
    return error


def connection_error(reason: Exception) -> exceptions.ConnectionError:
    return exceptions.ConnectionError(MaxRetryError(POOL, URL, reason))


@pytest.mark.parametrize(
    ("raised", "error", "part"),
    [
        (exceptions.SSLError(URL), errors.CertificateError, "acme.custobar.com"),
        (OSError(2, URL), errors.CertificateError, "acme.custobar.com"),
        (exceptions.ProxyError(URL), errors.ConnectionFailedError, "com failed at the proxy"),
        (exceptions.ConnectTimeout(URL), errors.ConnectionFailedError, ":443 was not made within"),
        (exceptions.ReadTimeout(URL), errors.RequestTimeoutError, "within 30 s"),
        (ReadTimeoutError(POOL, URL, "x"), errors.RequestTimeoutError, "within 30 s"),
        (
            connection_error(ReadTimeoutError(POOL, URL, "x")),
            errors.RequestTimeoutError,
            "within 30 s",
        ),
        (
            connection_error(NameResolutionError("acme", POOL, socket.gaierror())),
            errors.HostNotFoundError,
            "no host named acme.custobar.com",
        ),
        (connection_error(refused("No route")), errors.UnreachableError, ":443 .*No route"),
        (connection_error(refused(None)), errors.UnreachableError, "could not be made"),
        (connection_error(OSError(URL)), errors.ConnectionFailedError, "could not be made or was"),
        (exceptions.ConnectionError(), errors.ConnectionFailedError, "could not be made or was"),
        (exceptions.InvalidHeader(URL), errors.RequestFailedError, "InvalidHeader"),
        (ProtocolError(URL), errors.ConnectionFailedError, "broke off"),
        (IncompleteRead(1, 2), errors.ConnectionFailedError, "broke off"),
        (EOFError(URL), errors.ConnectionFailedError, "broke off"),
        (zlib.error(URL), errors.ConnectionFailedError, "broke off"),
        (ValueError(URL), errors.ConnectionFailedError, "broke off"),
    ],
    ids=repr,
)
def test_each_exception_becomes_an_error_that_shows_no_query(
    raised: Exception,
    error: type[errors.CustobarError],
    part: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)

    with (
        pytest.raises(error, match=part) as translated,
        translate_exceptions(URL, connect_timeout=10, timeout=30),
    ):
        raise raised

    assert type(translated.value) is error
    assert "maija" not in str(translated.value)
    assert translated.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (URL, "acme.custobar.com:443"),
        ("http://127.0.0.1/api/", "127.0.0.1:80"),
        ("https://acme.custobar.com:8443/api/", "acme.custobar.com:8443"),
    ],
)
def test_a_connection_error_names_host_and_port(url: str, address: str) -> None:
    with (
        pytest.raises(errors.ConnectionFailedError, match=f" {address} "),
        translate_exceptions(url, connect_timeout=10, timeout=30),
    ):
        raise exceptions.ConnectTimeout


def test_an_error_of_the_tap_is_unchanged() -> None:
    with (
        pytest.raises(errors.CertificateError),
        translate_exceptions(URL, connect_timeout=10, timeout=30),
    ):
        raise errors.CertificateError(URL)


def response(
    body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> requests.Response:
    """Return a response of requests whose body has not been read."""
    made = requests.Response()
    made.status_code = status
    made.headers.update(headers or {})
    made.raw = HTTPResponse(BytesIO(body), preload_content=False)
    return made


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (100, errors.InvalidResponseError),
        (201, errors.BadRequestError),
        (301, errors.RedirectedError),
        (304, errors.RedirectedError),
        (400, errors.BadRequestError),
        (401, errors.UnauthorizedError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (408, errors.ServerError),
        (418, errors.BadRequestError),
        (425, errors.ServerError),
        (429, errors.RateLimitedError),
        (500, errors.ServerError),
        (599, errors.ServerError),
    ],
)
def test_each_status_raises_its_error(status: int, error: type[errors.CustobarError]) -> None:
    reason = json.dumps({"error": {"reason": "no maija@example.fi for APISECRET"}}).encode()

    made = error_for_status(
        URL, response(reason, status), auth_scheme="Token", secrets=["APISECRET"]
    )

    assert type(made) is error
    assert "maija" not in str(made)
    assert "APISECRET" not in str(made)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": "x"}', b'{"error": {}}', b'{"error"', b"[" * 70000]
)
def test_an_error_without_a_reason_is_reported_without_one(body: bytes) -> None:
    made = error_for_status(URL, response(body, 400), auth_scheme="Token", secrets=[])

    assert isinstance(made, errors.BadRequestError)
    assert "/api/data/customers/" in str(made)


CONTENT = b'{"customers": []}' * 100


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (CONTENT, {"Content-Length": str(len(CONTENT))}),
        (CONTENT, {"Transfer-Encoding": "gzip, Chunked"}),
        (gzip.compress(CONTENT), {"Content-Encoding": "gzip"}),
        (gzip.compress(CONTENT[:9]) + gzip.compress(CONTENT[9:]), {"Content-Encoding": "x-gzip"}),
        (zlib.compress(CONTENT), {"Content-Encoding": "deflate"}),
        (zlib.compress(CONTENT, wbits=-15), {"Content-Encoding": "deflate"}),
        (zlib.compress(gzip.compress(CONTENT)), {"Content-Encoding": "gzip, deflate"}),
        (CONTENT, {"Content-Encoding": "identity"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else str(len(value)),
)
def test_a_body_is_decompressed_and_its_compressed_size_is_counted(
    body: bytes, headers: dict[str, str]
) -> None:
    read = read_response(response(body, headers=headers), URL)

    assert read.body == CONTENT
    assert read.bytes_on_wire == len(body)
    assert read.is_length_delimited is ("Content-Encoding" not in headers)


@pytest.mark.parametrize("length", ["", "-5", "5 ", "٣", "1" * 30])
def test_an_invalid_content_length_is_ignored(length: str) -> None:
    read = read_response(response(CONTENT, headers={"Content-Length": length}), URL)

    assert (read.body, read.is_length_delimited) == (CONTENT, False)


@pytest.mark.parametrize("end", [-1, -8, 20, 1])
def test_truncated_compressed_data_raises(end: int) -> None:
    compressed = gzip.compress(CONTENT)[:end]

    with pytest.raises(EOFError):
        read_response(response(compressed, headers={"Content-Encoding": "gzip"}), URL)


def test_no_content_is_an_empty_body() -> None:
    read = read_response(response(b"", 204), URL)

    assert (read.body, read.status, read.is_length_delimited) == (b"", 204, True)
