"""A server whose responses have faults of the connection or of the HTTP protocol."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The request timeout of the tap; seconds.
TIMEOUT = 0.5
#: Seconds between two pieces of a slow response; short, so that even on a busy machine no pause is
#: as long as the timeout.
INTERVAL = TIMEOUT / 50

Act: TypeAlias = "Callable[[Line], object]"


@dataclass
class Line:
    """A connection of the server on which a request was received."""

    connection: socket.socket
    closing: threading.Event

    def send(self, *pieces: bytes) -> None:
        self.connection.sendall(b"".join(pieces))

    def close(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def hold(self) -> None:
        """Send nothing until the client closes the connection."""
        self.connection.recv(1)

    def send_slowly(self, piece: bytes) -> None:
        """Send a piece repeatedly, with pauses, until the server is closed."""
        while not self.closing.wait(INTERVAL):
            self.connection.sendall(piece)

    def send_endlessly(self, piece: bytes) -> None:
        """Send a piece repeatedly, without pauses, until the server is closed."""
        while not self.closing.is_set():
            self.connection.sendall(piece)


class FaultyServer:
    """A server that executes a script: one act for each request, then the last act repeatedly.

    Attributes:
        script: The acts.
        connections: Number of accepted connections.
        targets: The target of each request: path and query.
        requested: Set when the first request was received.
        requested_twice: Set when the second request was received.
        disconnected: Set when a client closed the connection during an act.
        host: Host and port.
    """

    def __init__(self) -> None:
        self.script: list[Act] = []
        self.connections = 0
        self.targets: list[str] = []
        self.requested, self.requested_twice = threading.Event(), threading.Event()
        self.disconnected = threading.Event()
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"

    @property
    def config(self) -> dict[str, Any]:
        return {
            "api_url": f"http://{self.host}/api",
            "api_token": TOKEN,
            "request_interval": 0,
            "request_timeout": TIMEOUT,
            "max_retries": 0,
            "discover_custom_fields": False,
        }

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(
                threading.Thread(target=self._serve, args=(connection,), daemon=True)
            )
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        line = Line(connection, self._closing)
        with connection:
            try:
                while target := _read_target(connection):
                    self.targets.append(target)
                    self.requested.set()
                    if len(self.targets) == 2:
                        self.requested_twice.set()
                    act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                    act(line)
            except OSError:
                self.disconnected.set()

    def close(self) -> None:
        self._closing.set()
        # Closing a socket does not end a blocking accept or read of another thread; shutdown does.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(60)
        self._listening.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def serving() -> Iterator[FaultyServer]:
    """Yield a server, and close it afterwards; for fixtures."""
    server = FaultyServer()
    yield server
    server.close()


def _read_target(connection: socket.socket) -> str | None:
    """Read a request without body, and return its target; None if the client disconnected."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        if not (piece := connection.recv(65536)):
            return None
        request += piece
    return request.split()[1].decode()
