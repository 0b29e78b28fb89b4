"""Output of the tap's messages as messages of the Airbyte protocol."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.singerlib import RecordMessage, StateMessage

from tap_custobar import errors
from tap_custobar.singer.cli import error_messages
from tap_custobar.singer.writer import LineWriter, output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.singerlib import Message

#: Errors that Airbyte reports as errors of the config, which the user can correct.
CONFIG_ERRORS = (
    ConfigValidationError,
    errors.CatalogError,
    errors.InputFileError,
    errors.RequestFailedError,
)


class AirbyteWriter(LineWriter):
    """Writes messages of the Airbyte protocol as whole lines.

    Attributes:
        redact: Masks secrets in the messages of errors.
    """

    def __init__(self) -> None:
        """Create a writer that masks nothing yet and is at no stream."""
        self.redact: Callable[[str], str] = str
        self._bookmarks: dict[str, Any] = {}  # the tap's own object, which it changes in place
        self._begin("")

    def _begin(self, stream: str) -> None:
        self._about = {"stream_descriptor": {"name": stream}}
        self._stream, self._state = stream, b""
        self._is_running, self._count = False, 0

    def write(self, kind: str, **content: object) -> None:
        """Write a message.

        Args:
            kind: Its type, like "STATE".
            content: Its other members, by their names in the protocol.
        """
        output.write(encoder.encode({"type": kind, **content}) + b"\n")

    def write_message(self, message: Message) -> None:
        """Write a RECORD or STATE message; Airbyte has no others of Singer's."""
        if isinstance(message, StateMessage):
            self._bookmarks = message.value.get("bookmarks", {})
            self._write_state()
        elif isinstance(message, RecordMessage):
            row = encoder.encode(message.record) + b"\n"
            now = message.time_extracted or datetime.now(UTC)
            self.write_batch(message.stream, row, count=1, time_extracted=now, version=None)

    def write_batch(
        self,
        stream: str,
        lines: bytes,
        *,
        count: int,
        time_extracted: datetime,
        version: int | None,  # noqa: ARG002 - for Singer targets
    ) -> None:
        """Write a RECORD message for each record, in one call; see `LineWriter.write_batch`."""
        if not self._is_running:
            self._is_running = True
            self._write_status("RUNNING")
        before = b'{"type":"RECORD","record":{"stream":%b,"data":' % encoder.encode(stream)
        after = b',"emitted_at":%d}}\n' % (time_extracted.timestamp() * 1000)
        lines = before + lines[:-1].replace(b"\n", after + before) + after
        self._count += count  # before the lines: on a signal, their state is written right after
        output.write(lines)

    @contextmanager
    def reading(self, stream: str) -> Iterator[None]:
        """Write the status of a stream when its sync starts and ends, and its last state."""
        self._begin(stream)
        self._write_status("STARTED")
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception):
                self.write_error(error, **self._about)
            self._write_status("INCOMPLETE")
            raise
        self._write_state()
        self._write_status("COMPLETE")

    def skip(self, stream: str) -> None:
        """Say of a stream that it is not read, so that a destination keeps what it has of it."""
        self._begin(stream)
        self._write_status("INCOMPLETE")
        self._begin("")

    def write_error(self, error: Exception, **about: object) -> None:
        """Write the TRACE message of an error, with its failure type.

        Nothing is written for a StreamsFailedError: the errors of its streams are written already.

        Args:
            error: The error.
            about: The stream descriptor of a stream's error.
        """
        if not isinstance(error, errors.StreamsFailedError):
            cause = getattr(error, "cause", error)
            passing = "transient" if isinstance(cause, errors.TransientError) else "system"
            failure_type = f"{'config' if isinstance(cause, CONFIG_ERRORS) else passing}_error"
            content = {"message": self.message_for(error), "failure_type": failure_type, **about}
            self._write_trace("ERROR", error=content)

    def message_for(self, error: Exception) -> str:
        """Return the message of an error on one line, with secrets masked."""
        return self.redact("; ".join(error_messages(error)))

    def _write_state(self) -> None:
        """Write the state of the current stream, if it changed or records were written since."""
        state = encoder.encode(self._bookmarks.get(self._stream, {}))
        if self._stream and (state != self._state or self._count):
            stream = {**self._about, "stream_state": msgspec.Raw(state)}
            counts = {"recordCount": float(self._count)}
            self.write("STATE", state={"type": "STREAM", "stream": stream, "sourceStats": counts})
            self._state, self._count = state, 0

    def _write_status(self, status: str) -> None:
        self._write_trace("STREAM_STATUS", stream_status={**self._about, "status": status})

    def _write_trace(self, kind: str, **content: object) -> None:
        self.write("TRACE", trace={"type": kind, "emitted_at": time.time() * 1000, **content})
