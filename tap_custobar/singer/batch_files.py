"""The files of BATCH messages, and the validation of `batch_config`.

The SDK's own batcher serializes one record at a time, from dictionaries, at a tenth of the speed,
and reports an invalid `batch_config` with a traceback. File names, sizes, formats and manifests are
the same here.
"""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from tap_custobar.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers._batch import BatchConfig

    from tap_custobar.records.decoder import Batch


#: The compression level of gzip. Level 6 takes 1.4 times as long for files that are 5 % smaller;
#: Python's default, 9, takes 3.7 times as long for files that are 11 % smaller.
COMPRESS_LEVEL = 5


class BatchFiles:
    """Writes the records of one stream to files of JSON lines."""

    def __init__(self, config: BatchConfig, *, tap: str, stream: str) -> None:
        """Create the writer; no file is opened yet.

        Args:
            config: The SDK's batch config, with the number of records per file.
            tap: The tap's name, for the file names.
            stream: The stream's name, for the file names.
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
        """Yield the batches, split where a file is full."""
        room = self._config.batch_size
        for batch in batches:
            start = 0
            while start < len(batch):
                part = batch.part(start, start + room)
                yield part
                start += len(part)
                room = (room - len(part)) or self._config.batch_size


def batch_problems(batch_config: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the problems because of which no batch files can be written, without any value.

    Args:
        batch_config: The setting, which is valid by its JSON schema; None if it is not set.
    """
    if not batch_config:
        return
    from singer_sdk.helpers._batch import BatchConfig  # noqa: PLC0415 - slow, and seldom needed

    batch = BatchConfig.from_dict(dict(batch_config))
    if batch.encoding.format == "parquet" and find_spec("pyarrow") is None:
        yield "batch_config.encoding.format: parquet requires the package pyarrow"
    if not batch.storage.root:
        yield "batch_config.storage.root: is empty"
        return
    try:
        _ = batch.storage._root_path.fs  # noqa: SLF001 - the SDK writes the files with it
    except ImportError as error:
        yield f"batch_config.storage.root: requires a package: {one_line(str(error))}"
    except Exception:  # noqa: BLE001 - each kind of storage has errors of its own
        yield "batch_config.storage.root: is not a folder or URL that files can be written to"
