"""What the SDK writes messages by: whole lines, and the records of a page at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage

from tap_custobar.singer.stdout import StdoutWriter

if TYPE_CHECKING:
    from datetime import datetime

    from singer_sdk.singerlib import Message

#: Stdout is one for the process, and so is what writes to it.
output = StdoutWriter()


class LineWriter(MsgSpecWriter):
    """Writes messages as whole lines; the SDK's own writer is cut short by signals."""

    def write_message(self, message: Message) -> None:
        """Write a message to stdout."""
        output.write(self.format_message(message))

    def write_batch(
        self,
        stream: str,
        lines: bytes,
        *,
        count: int,  # noqa: ARG002 - what other protocols tell
        time_extracted: datetime,
        version: int | None,
    ) -> None:
        """Write a RECORD message for each record, all at once.

        Args:
            stream: The stream's name.
            lines: The records: JSON objects, each with a line break behind it and none within.
            count: How many there are.
            time_extracted: When their page came.
            version: The version of the table, where there is one.
        """
        frame = RecordMessage(stream, {}, version=version, time_extracted=time_extracted)
        head, _, tail = self.format_message(frame).partition(b"{}")
        # A line break, and the frame around it: all in C, whatever the number of records.
        output.write(b"".join((head, lines[:-1].replace(b"\n", tail + head), tail)))
