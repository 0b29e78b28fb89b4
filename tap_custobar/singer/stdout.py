"""Output of whole lines to stdout: neither a signal nor a full pipe leaves a partial line."""

from __future__ import annotations

import errno
import os
import select
import sys
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from tap_custobar.errors import OutputError
from tap_custobar.signals import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable


class StdoutWriter:
    """Writes whole lines to stdout, and exits on a signal only between two lines."""

    def __init__(self) -> None:
        """Create a writer that has written nothing; there is only one for the process."""
        self._writing = False
        self._ending = False
        self._pending: Callable[[], NoReturn] | None = None

    def write(self, lines: bytes | bytearray) -> None:
        """Write complete lines, then exit if a signal arrived in the meantime.

        Args:
            lines: UTF-8, with a line break at the end of each line.

        Raises:
            BrokenPipeError: the target has exited.
            OutputError: nothing more can be written, because the disk is full, for example.
            SystemExit: `exit_at_line_boundary` was called in the meantime.
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
        """Call `end` once no line is partly written; exit at once when called a second time.

        Args:
            end: Writes the last state and raises SystemExit.
            exit_code: The exit code of the process when it exits at once.
        """
        if self._ending:
            os._exit(exit_code)
        self._ending = True
        if not self._writing:
            end()
        self._pending = end


def _write_all(lines: bytes | bytearray) -> None:
    # Looked up each time, because tests replace it. None if the process started with it closed.
    if sys.stdout is None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    stdout = sys.stdout.buffer
    with memoryview(lines) as view:
        written = 0
        while written < len(view):
            # If unbuffered, as with PYTHONUNBUFFERED=1, a signal makes a write partial.
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
    """Wait until a non-blocking stdout accepts more, or for `POLL_SECONDS`."""
    poll = select.poll()
    poll.register(stdout, select.POLLOUT)
    poll.poll(POLL_SECONDS * 1000)


def _discard_stdout() -> None:
    """Redirect stdout to the null device, so that the interpreter's last flush cannot fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    if sys.stdout is None:
        sys.stdout = os.fdopen(null, "w", encoding="utf-8")
        return
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
