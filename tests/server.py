"""A local server whose responses a test determines, and which records the requests."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

#: Seconds between two checks of the server for its shutdown: each test waits for one at its end.
POLL_SECONDS = 0.01

TOKEN = "APISANDBOX"  # noqa: S105 - the token of the sandbox


@dataclass(frozen=True)
class Request:
    """A request that the server received."""

    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]

    @property
    def target(self) -> str:
        return self.path + ("?" if self.query else "") + "&".join("=".join(q) for q in self.query)


@dataclass
class Reply:
    """A response of the server; the body is sent as JSON, unless it is bytes."""

    body: object = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_length_delimited: bool = True


class QuietServer(ThreadingHTTPServer):
    """Prints no traceback if a client disconnects, as the tap does when it cancels a prefetch."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class Server:
    """A local server whose responses a test determines.

    Attributes:
        requests: The requests received so far.
        answer: Returns the response to a request.
        host: Host and port.
        url: Base URL of the API.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        """Start a server.

        Args:
            certificate: Files of a certificate and its key, for TLS; None for plain HTTP.
        """
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda _: Reply({"customers": []})
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Otherwise the body waits 40 ms for the acknowledgement of the headers.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = parse_qsl(parts.query, keep_blank_values=True)
                request = Request(parts.path, query, dict(self.headers))
                server.requests.append(request)
                reply = server.answer(request)
                body = (
                    reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                )
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json"}
                if reply.is_length_delimited:
                    headers["Content-Length"] = str(len(body))
                for name, value in {**headers, **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._httpd = QuietServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._httpd.socket = context.wrap_socket(self._httpd.socket, server_side=True)
        serve = partial(self._httpd.serve_forever, POLL_SECONDS)
        threading.Thread(target=serve, daemon=True).start()
        self.host = f"127.0.0.1:{self._httpd.server_port}"
        self.url = f"http{'s' if certificate else ''}://{self.host}/api"

    @property
    def config(self) -> dict[str, Any]:
        """A config without discovery requests, which most tests are not about."""
        return {
            "api_url": self.url,
            "api_token": TOKEN,
            "request_interval": 0,
            "discover_custom_fields": False,
        }

    def replies(self, *replies: Reply) -> None:
        """Send the given responses in turn, and the last one to all further requests."""
        remaining = list(replies)
        self.answer = lambda _: remaining.pop(0) if len(remaining) > 1 else remaining[0]

    @contextmanager
    def holding(self) -> Iterator[threading.Event]:
        """Send no response in this context; yield an event that the first request sets."""
        requested, released = threading.Event(), threading.Event()

        def answer(_: Request) -> Reply:
            requested.set()
            released.wait()
            return Reply()

        self.answer = answer
        try:
            yield requested
        finally:
            released.set()

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()
