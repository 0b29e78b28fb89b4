"""The command line: files read with care, and every failure told in one line.

The SDK's own prints a traceback for a failed sync and for a broken file, and lets failures in the
callbacks of options (--test, --discover, --config) pass by all of its handlers.
"""

from __future__ import annotations

import io
import logging
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from singer_sdk._logging import _setup_console_logging
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.helpers._util import dump_json, load_json
from singer_sdk.plugin_base import _plugin_log_level
from singer_sdk.singerlib import Catalog

from tap_custobar.errors import CustobarError, InputFileError, StreamsFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNEXPECTED = "TAP_CUSTOBAR_LOGLEVEL=DEBUG shows more; please report it"


class OneLineCommand(click.Command):
    """A command that ends every failure with one line and exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run the command; see `click.Command.main`."""
        logging.captureWarnings(capture=True)
        with one_line_failures(str(self.name)):
            return super().main(*args, **kwargs)


@contextmanager
def one_line_failures(
    command: str, tell: Callable[[Exception], object] | None = None
) -> Iterator[None]:
    """End a failure with one line in the log, what `tell` makes of it, and exit code 1."""
    try:
        yield
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        logger = logging.getLogger(command)
        for problem in problems(error):
            logger.error("%s", problem)  # noqa: TRY400 - no traceback
        logger.debug("Traceback", exc_info=True)
        if tell:
            tell(error)
        sys.exit(1)


def log_to_stderr(plugin: str) -> None:
    """Log as the SDK's own command does, for a command beside it."""
    _setup_console_logging(log_level=_plugin_log_level(plugin_name=plugin))
    logging.captureWarnings(capture=True)


def read_json_object(path: str) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        InputFileError: there is none.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputFileError(path, "holds no JSON object")
    return content


def read_json(path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON file holds.

    Raises:
        InputFileError: it cannot be read, or is no JSON.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - /dev/stdin must work too
            return load_json(file.read())
    except OSError as error:
        raise InputFileError(path, error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise InputFileError(path, "is no UTF-8 text") from None
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise InputFileError(path, f"is no valid JSON{f' (line {line})' if line else ''}") from None


class SingerFile(click.ParamType[io.StringIO]):
    """A file option whose content is checked before the SDK reads it.

    The SDK lets a broken catalog or state end in a traceback.
    """

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, _: object) -> io.StringIO:
        """Return the file's text, as the open file that the SDK expects."""
        content = read_json_object(value)
        kind = param.name if param else None
        if kind == "catalog" and not _is_catalog(content):
            raise InputFileError(value, "is no Singer catalog, as --discover writes it")
        if kind == "state" and not _is_state(content):
            raise InputFileError(value, "is no state of this tap: a STATE message's value is")
        return io.StringIO(dump_json(content))


def _is_catalog(content: dict[str, Any]) -> bool:
    try:
        streams = Catalog.from_dict(content).streams
        return isinstance(content["streams"], list) and all(s.tap_stream_id for s in streams)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _is_state(content: dict[str, Any]) -> bool:
    bookmarks = content.get("bookmarks") if content else {}
    return isinstance(bookmarks, dict) and all(
        isinstance(bookmark, dict) and isinstance(bookmark.get("partitions", []), list)
        for bookmark in bookmarks.values()
    )


def problems(error: Exception) -> list[str]:
    """Say what a failure is, in one line for each thing to be mended."""
    if isinstance(error, ConfigValidationError):
        return error.errors
    if isinstance(error, StreamsFailedError):
        return [f"{stream} failed: {cause}" for stream, cause in error.causes.items()]
    return [one_line_error(error)]


def one_line_error(error: Exception) -> str:
    """Say what a failure is, without the content that an unexpected one may carry."""
    if isinstance(error, CustobarError | SingerSDKError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"{error.filename or 'The system'}: {error.strerror}"
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.filename.endswith("singer_sdk/mapper.py") for frame in frames):
        return f"An expression of stream_maps failed ({type(error).__name__})"
    place = frames[-1]
    return f"Unexpected {type(error).__name__} in {place.name}; {_UNEXPECTED}"
