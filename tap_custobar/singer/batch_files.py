"""The files of BATCH messages, written from the lines of batches.

The SDK's own batcher serializes record by record, from dictionaries. Names, sizes, formats and
manifests are the same.
"""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers._batch import BatchConfig

    from tap_custobar.records.decoder import Batch


#: How hard gzip tries: its own default as a command. Python's, 9, takes three times as long for
#: files that are 6 % smaller.
COMPRESS_LEVEL = 6


class BatchFiles:
    """Writes the records of one stream into JSON lines, so many a file."""

    def __init__(self, config: BatchConfig, *, tap: str, stream: str) -> None:
        """Take where and how to write.

        Args:
            config: The SDK's batch config.
            tap: The tap's name, for the names of files.
            stream: The stream's.
        """
        self._config = config
        self._name = f"{config.storage.prefix or ''}{tap}--{stream}-{uuid4()}"
        self._count = 0

    def write(self, batches: Iterable[Batch]) -> Iterator[list[str]]:
        """Write records, and yield the manifest of each file once it is closed.

        Raises:
            OSError: a file cannot be written.
        """
        parts = self._parts(batches)
        for first in parts:
            self._count += 1
            name = f"{self._name}-{self._count}.json{'.gz' if self._is_compressed else ''}"
            with ExitStack() as stack:
                file = self._open(name, stack)
                file.write(first.lines())
                left = self._config.batch_size - len(first)
                while left and (part := next(parts, None)):
                    file.write(part.lines())
                    left -= len(part)
            yield [self._config.storage.get_url(name)]

    @property
    def _is_compressed(self) -> bool:
        return self._config.encoding.compression != "none"

    def _open(self, name: str, stack: ExitStack) -> IO[bytes] | gzip.GzipFile:
        file = stack.enter_context(self._config.storage.open(name, "wb"))
        if not self._is_compressed:
            return file
        return stack.enter_context(gzip.GzipFile(None, "wb", COMPRESS_LEVEL, file))

    def _parts(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the batches, cut where a file is full."""
        room = self._config.batch_size
        for batch in batches:
            start = 0
            while start < len(batch):
                part = batch.part(start, start + room)
                yield part
                start += len(part)
                room = (room - len(part)) or self._config.batch_size
