"""What can be told of `batch_config` before anything is read: the SDK tells it by a traceback."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tap_custobar.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def batch_problems(batch_config: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what keeps batch files from being written, in words that show no value.

    Args:
        batch_config: The setting, of the shape that its JSON schema demands; None without batches.
    """
    if not batch_config:
        return
    from singer_sdk.helpers._batch import BatchConfig  # noqa: PLC0415 - slow, and seldom needed

    batch = BatchConfig.from_dict(dict(batch_config))
    if batch.encoding.format == "parquet" and find_spec("pyarrow") is None:
        yield "batch_config.encoding.format: parquet needs the package pyarrow"
    if not batch.storage.root:
        yield "batch_config.storage.root: is empty"
        return
    try:
        _ = batch.storage._root_path.fs  # noqa: SLF001 - what the files are written by
    except ImportError as error:
        yield f"batch_config.storage.root: needs a package: {one_line(str(error))}"
    except Exception:  # noqa: BLE001 - each kind of storage has errors of its own
        yield "batch_config.storage.root: is not a folder or URL that files can be written to"
