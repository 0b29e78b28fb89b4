"""The command line: files read with care, and every failure told in one line.

The SDK's own prints a traceback for a failed sync and for a broken file, and lets failures in the
callbacks of options (--test, --discover, --config) pass by all of its handlers.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
from singer_sdk._logging import _setup_console_logging
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.helpers._util import dump_json, load_json
from singer_sdk.plugin_base import _plugin_log_level
from singer_sdk.singerlib import Catalog

from tap_custobar.catalog.replication import normalize_catalog
from tap_custobar.errors import CustobarError, InputFileError, StreamsFailedError
from tap_custobar.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Names of log levels, as Python has them.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

#: The file beside the environment, in the folder that the tap is started in.
DOTENV = ".env"

_LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"
#: What has failed where an error came by way of a file, the inner ones first.
_OF_SETTINGS = {
    "/faker/": "What faker_config says cannot be used",
    "singer_sdk/helpers/_flattening.py": "The flattening of records failed",
    "singer_sdk/mapper.py": "An expression of stream_maps failed",
}

_UNEXPECTED = "TAP_CUSTOBAR_LOGLEVEL=DEBUG shows more; please report it"


class OneLineCommand(click.Command):
    """A command that ends every failure with one line and exit code 1."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run the command; see `click.Command.main`."""
        logging.captureWarnings(capture=True)
        with report_errors(str(self.name)):
            try:
                return super().main(*args, **kwargs)
            except ConfigValidationError as error:
                variables = _prefix(str(self.name))
                error.errors = [_look_in_environment(told, variables) for told in error.errors]
                raise


def _prefix(plugin: str) -> str:
    """Return how the names of a plugin's environment variables begin."""
    return f"{plugin.upper().replace('-', '_')}_"


def _look_in_environment(problem: str, prefix: str) -> str:
    """Say of a missing setting that the environment has it, where it is not read from there."""
    setting, _, told = problem.partition(":")
    if not told.startswith(" is missing"):
        return problem
    with suppress(UnicodeDecodeError):
        parse_environment_config({}, prefix, DOTENV)  # into the environment
    names = ("COMPANY", "API_URL") if setting == "company" else (setting.upper(),)
    variable = next((prefix + name for name in names if os.environ.get(prefix + name)), None)
    if variable is None:
        return problem
    return f"{setting}: is missing. {variable} is set, but not read: add --config ENV"


@contextmanager
def report_errors(
    command: str, tell: Callable[[Exception], object] | None = None
) -> Iterator[None]:
    """End a failure with one line in the log, what `tell` makes of it, and exit code 1."""
    try:
        yield
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        logger = logging.getLogger(command)
        for problem in error_messages(error):
            logger.error("%s", problem)  # noqa: TRY400 - no traceback
        logger.debug("Traceback", exc_info=True)
        if tell:
            tell(error)
        sys.exit(1)


def log_to_stderr(plugin: str) -> None:
    """Log as the SDK's own command does, and end with one line where it cannot be set up.

    The SDK shows a traceback for a level that there is not and for a broken configuration file.
    """
    level = _plugin_log_level(plugin_name=plugin)
    path = os.environ.get(_LOG_CONFIG)
    problem = None
    if level not in logging.getLevelNamesMapping():
        problem = f"{_level_variable(plugin)}: must be one of {', '.join(LOG_LEVELS)}"
    elif path is not None:
        problem = _log_config_problem(path, level)
    if problem is None:
        if path is None:
            _setup_console_logging(log_level=level)
        logging.captureWarnings(capture=True)
        return
    os.environ.pop(_LOG_CONFIG, None)
    logging.root.handlers.clear()  # as many as a broken configuration left
    _setup_console_logging()
    logging.getLogger(plugin).error("%s", problem)
    sys.exit(1)


def _level_variable(plugin: str) -> str:
    """Return the name of the environment variable that the log level comes from."""
    own = f"{_prefix(plugin)}LOGLEVEL"
    return own if os.environ.get(own) else "LOGLEVEL"


def _log_config_problem(path: str, level: str) -> str | None:
    """Set logging up by a configuration file; say what is wrong with it, if anything."""
    problem: object
    try:
        with open(path, "rb"):  # noqa: PTH123 - the SDK passes over one that is missing
            _setup_console_logging(log_level=level)
    except OSError as error:
        problem = error.strerror if error.filename == path else error
    except Exception as error:  # noqa: BLE001 - YAML, and whatever its classes raise
        problem = f"is not a usable logging configuration: {error}"
    else:
        return None
    return one_line(f"{_LOG_CONFIG} ({path}): {problem}")


def read_json_object(path: str) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        InputFileError: there is none.
    """
    return _as_object(path, read_json(path))


def read_json(path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON file holds.

    Raises:
        InputFileError: it cannot be read, or is no JSON.
    """
    return _as_json(path, _read_text(path))


def read_state(path: str) -> dict[str, Any]:
    """Return the state in a file: as a target or Meltano writes it, or a whole STATE message.

    Raises:
        InputFileError: there is none. An empty file is an empty state.
    """
    text = _read_text(path)
    if not text.strip():
        logging.getLogger(__name__).info("%s is empty: there is no state to go on from", path)
        return {}
    state = _without_wrappers(_as_object(path, _as_json(path, text)))
    if not _is_state(state):
        raise InputFileError(path, "is no state of this tap: a STATE message's value is")
    return state


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - /dev/stdin must work too
            return file.read()
    except OSError as error:
        raise InputFileError(path, error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise InputFileError(path, "is no UTF-8 text") from None


def _as_json(path: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return load_json(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise InputFileError(path, f"is no valid JSON{f' (line {line})' if line else ''}") from None


def _as_object(path: str, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputFileError(path, "holds no JSON object")
    return content


class SingerFile(click.ParamType[io.StringIO]):
    """A file option whose content is checked before the SDK reads it.

    The SDK lets a broken catalog or state end in a traceback.
    """

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, _: object) -> io.StringIO:
        """Return the file's text, as the open file that the SDK expects."""
        if param and param.name == "state":
            return io.StringIO(dump_json(read_state(value)))
        content = read_json_object(value)
        if not _is_catalog(content):
            raise InputFileError(value, "is no Singer catalog, as --discover writes it")
        return io.StringIO(dump_json(content))


def _is_catalog(content: dict[str, Any]) -> bool:
    try:
        streams = Catalog.from_dict(normalize_catalog(content)).streams
        return isinstance(content["streams"], list) and all(
            stream.tap_stream_id for stream in streams
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _without_wrappers(state: dict[str, Any]) -> dict[str, Any]:
    """Return what a STATE message holds, or what Meltano stores a state in."""
    match state:
        case {"bookmarks": _}:
            return state
        case {"type": "STATE", "value": dict(inner)} | {"singer_state": dict(inner)}:
            return _without_wrappers(inner)
        case {"completed": {"singer_state": dict(inner)}}:
            # What Meltano holds as partial is of a run after that: it is read again.
            return _without_wrappers(inner)
        case _:
            return state


def _is_state(content: dict[str, Any]) -> bool:
    bookmarks = content.get("bookmarks") if content else {}
    return isinstance(bookmarks, dict) and all(map(_is_bookmark, bookmarks.values()))


def _is_bookmark(bookmark: object) -> bool:
    """Tell whether the SDK can take this as a stream's bookmark."""
    if not isinstance(bookmark, dict):
        return False
    partitions = bookmark.get("partitions", [])
    return (
        isinstance(partitions, list)
        and all(isinstance(partition, dict) for partition in partitions)
        and all(isinstance(b.get("progress_markers", {}), dict) for b in [bookmark, *partitions])
    )


def error_messages(error: Exception) -> list[str]:
    """Say what a failure is, in one line for each thing to be mended."""
    if isinstance(error, ConfigValidationError):
        return error.errors
    if isinstance(error, StreamsFailedError):
        return [f"{stream} failed: {cause}" for stream, cause in error.causes.items()]
    return [error_message(error)]


def error_message(error: Exception) -> str:
    """Say what a failure is, without the content that an unexpected one may carry."""
    if isinstance(error, CustobarError | SingerSDKError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        # Packages for storage raise some with neither, and with a path where the text should be.
        return f"{error.filename or 'The system'}: {error.strerror or type(error).__name__}"
    frames = traceback.extract_tb(error.__traceback__)
    for file, what in _OF_SETTINGS.items():
        if any(file in frame.filename for frame in frames):
            return f"{what} ({type(error).__name__})"
    place = frames[-1]
    return f"Unexpected {type(error).__name__} in {place.name}; {_UNEXPECTED}"
