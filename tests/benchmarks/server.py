"""A fast loopback server: everything it sends is rendered beforehand.

The base URL names the table: `http://127.0.0.1:PORT/RECORDS/LATENCY/DATA/api` has so many records
of that data, and each page is sent after so many seconds. All measurements use one server.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from tests.benchmarks import data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: After so many records a table repeats itself.
PERIOD = 10_000

DEFAULT_LIMIT = 100  # specification, parameter `limit`


@dataclass(frozen=True)
class Request:
    """A request of a client."""

    target: str
    host: str

    def pieces(self) -> tuple[float, list[bytes]]:
        """Return the latency in seconds, and the pieces of the response."""
        path, query = urlsplit(self.target).path, urlsplit(self.target).query
        options = {name: values[0] for name, values in parse_qs(query).items()}
        size, latency, table = path.split("/")[1:4]
        start, limit = int(options.get("cursor", "0")), int(options.get("limit", DEFAULT_LIMIT))
        end = min(start + limit, int(size))
        named = options.get("fields", "").split(",")
        fields = tuple(named if "fields" in options else data.properties(table))
        url = header = ""
        if end < int(size):
            url = f"http://{self.host}{path}?{urlencode({**options, 'cursor': end})}"
            header = f"X-Custobar-Next-Url: {url}\r\n"
        if options.get("format") == "csv":
            content_type, tail = "text/csv", b""
            body = data.csv_page(table, start % PERIOD, end - start, fields)
        else:
            content_type = "application/json"
            tail = b',"next_url":' + msgspec.json.encode(url) + b"}" if url else b"}"
            body = data.json_page(table, start % PERIOD, end - start, fields)
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{header}"
            f"Content-Length: {len(body) + len(tail)}\r\n\r\n"
        )
        return float(latency), [head.encode(), body, tail]


class Handler(StreamRequestHandler):
    """Responds to the requests of one connection, which stays open."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Respond until the client closes the connection."""
        while line := self.rfile.readline():
            headers = self._headers()
            latency, pieces = Request(line.split()[1].decode(), headers["host"]).pieces()
            time.sleep(latency)
            for piece in pieces:
                self.connection.sendall(piece)

    def _headers(self) -> Mapping[str, str]:
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return headers


class Server(ThreadingTCPServer):
    """The server, which starts a thread for each connection."""

    daemon_threads = True


@contextmanager
def running() -> Iterator[str]:
    """Run the server as a separate process; yields its host and port."""
    command = [sys.executable, "-m", "tests.benchmarks.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=data.ROOT) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def drain(url: str) -> float:
    """Return the seconds in which the server alone sends all pages, which are discarded."""
    began = time.perf_counter()
    buffer = bytearray(1 << 20)
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        while url:
            parts = urlsplit(url)
            request = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
            connection.sendall(request.encode())
            head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:])
            left = int(headers["Content-Length"]) - len(body)
            while left:
                left -= connection.recv_into(buffer, min(left, len(buffer)))
            url = headers.get("X-Custobar-Next-Url", "")
    return time.perf_counter() - began


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()
