"""Whole lines on stdout: no signal leaves half of one, and a target that is gone ends the tap."""

from __future__ import annotations

import errno
import os
import select
import sys
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from tap_custobar.api.transport import POLL_SECONDS
from tap_custobar.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable


class StdoutWriter:
    """Stdout, written by whole lines, and the one place that knows when it is between two."""

    def __init__(self) -> None:
        """Begin between two lines."""
        self._writing = False
        self._ending = False
        self._pending: Callable[[], NoReturn] | None = None

    def write(self, lines: bytes | bytearray) -> None:
        """Write complete lines, then do what a signal asked for meanwhile.

        Raises:
            BrokenPipeError: the target is gone.
            OutputError: nothing more can be written (a full disk, say).
        """
        self._writing = True
        try:
            _write_all(lines)
        except BrokenPipeError:
            _discard_stdout()
            raise
        except OSError as error:
            _discard_stdout()
            raise OutputError(error.strerror or type(error).__name__) from None
        finally:
            self._writing = False
        if end := self._pending:
            self._pending = None
            end()

    def exit_at_line_boundary(self, end: Callable[[], NoReturn], exit_code: int) -> None:
        """Call `end` as soon as no line is half written; asked again, end the process at once.

        Args:
            end: Writes the last state and raises SystemExit.
            exit_code: What the process ends with when it cannot wait.
        """
        if self._ending:
            os._exit(exit_code)
        self._ending = True
        if not self._writing:
            end()
        self._pending = end


def _write_all(lines: bytes | bytearray) -> None:
    # Looked up each time, for tests put another one in its place. None where it came closed.
    if sys.stdout is None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    stdout = sys.stdout.buffer
    with memoryview(lines) as view:
        written = 0
        while written < len(view):
            # Unbuffered, as with PYTHONUNBUFFERED=1, a signal makes a write end short.
            with view[written:] as rest:
                try:
                    count = stdout.write(rest)
                except BlockingIOError as error:
                    count = error.characters_written
            written += count or 0
            if not count:
                _wait_until_writable(stdout)
    while True:
        try:
            stdout.flush()
        except BlockingIOError:
            _wait_until_writable(stdout)
        else:
            return


def _wait_until_writable(stdout: BinaryIO) -> None:
    """Wait until a non-blocking stdout takes more, or for a slice of time."""
    poll = select.poll()
    poll.register(stdout, select.POLLOUT)
    poll.poll(POLL_SECONDS * 1000)


def _discard_stdout() -> None:
    """Let the interpreter's own flush at its end go nowhere, instead of failing again."""
    null = os.open(os.devnull, os.O_WRONLY)
    if sys.stdout is None:
        sys.stdout = os.fdopen(null, "w", encoding="utf-8")
        return
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
