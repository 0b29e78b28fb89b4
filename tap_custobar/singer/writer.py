"""The SDK's message writer, with whole lines and with whole batches of records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage

from tap_custobar.singer.stdout import StdoutWriter

if TYPE_CHECKING:
    from datetime import datetime

    from singer_sdk.singerlib import Message

#: The only writer of stdout in the process.
output = StdoutWriter()


class LineWriter(MsgSpecWriter):
    """Writes messages as whole lines; a signal can interrupt the SDK's writer within a line."""

    def write_message(self, message: Message) -> None:
        """Write a message to stdout."""
        output.write(self.format_message(message))

    def write_batch(
        self,
        stream: str,
        lines: bytes,
        *,
        count: int,  # noqa: ARG002 - for other protocols
        time_extracted: datetime,
        version: int | None,
    ) -> None:
        """Write a RECORD message for each record, in one call.

        Args:
            stream: The stream's name.
            lines: The records as JSON objects, each with its only line break at its end.
            count: The number of records.
            time_extracted: When their page was received.
            version: The version of the table; None if there is none.
        """
        frame = RecordMessage(stream, {}, version=version, time_extracted=time_extracted)
        head, _, tail = self.format_message(frame).partition(b"{}")
        # One replacement for all records is faster than an f-string for each.
        output.write(b"".join((head, lines[:-1].replace(b"\n", tail + head), tail)))
