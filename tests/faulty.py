"""A server whose faults lie below HTTP, or just at its edge."""

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

#: Seconds. Drops come fifty times as often, so that a busy machine makes no silence of them.
TIMEOUT = 0.5
DROP = TIMEOUT / 50

Act: TypeAlias = "Callable[[Line], object]"


@dataclass
class Line:
    """One connection of the server, once a request has come in."""

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
        """Say nothing more until the client has gone."""
        self.connection.recv(1)

    def drip(self, drop: bytes) -> None:
        while not self.closing.wait(DROP):
            self.connection.sendall(drop)

    def pour(self, piece: bytes) -> None:
        while not self.closing.is_set():
            self.connection.sendall(piece)


class FaultyServer:
    """A server that does the acts of its script, one a request, the last one again and again."""

    def __init__(self) -> None:
        self.script: list[Act] = []
        self.connections = 0
        self.targets: list[str] = []
        #: Set when a request has come in, and the second one.
        self.asked, self.asked_twice = threading.Event(), threading.Event()
        #: Set when a client went away in the middle of an act.
        self.left = threading.Event()
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
                    self.asked.set()
                    if len(self.targets) == 2:
                        self.asked_twice.set()
                    act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                    act(line)
            except OSError:
                self.left.set()

    def close(self) -> None:
        self._closing.set()
        # Closing alone does not wake a thread that accepts or reads.
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
    server = FaultyServer()
    yield server
    server.close()


def _read_target(connection: socket.socket) -> str | None:
    """Read a request to the end of its headers; it has no body."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        if not (piece := connection.recv(65536)):
            return None
        request += piece
    return request.split()[1].decode()
