"""The command line: validated input files, and single-line errors.

The SDK's own command prints a traceback for a failed sync and for a broken file, and does not
handle errors in the callbacks of options (--test, --discover, --config).
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
import msgspec
from singer_sdk._logging import _setup_console_logging
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.helpers._util import dump_json, load_json
from singer_sdk.plugin_base import _plugin_log_level
from singer_sdk.singerlib import Catalog

from tap_custobar.catalog.normalization import normalize_catalog
from tap_custobar.errors import CustobarError, InputFileError, StreamsFailedError
from tap_custobar.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The names of Python's log levels.
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

#: The file of environment variables, in the working directory.
DOTENV = ".env"

#: The environment variable that names a logging configuration.
_LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"

#: Messages of errors that settings cause, by a part of the path of the module that raises them.
#: Modules come before those that call them.
_SETTING_ERRORS = {
    "/faker/": "faker_config cannot be used",
    "singer_sdk/helpers/_flattening.py": "flattening_enabled gave two properties the same name",
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
                error.errors = [_with_env_hint(problem, variables) for problem in error.errors]
                raise


def _prefix(plugin: str) -> str:
    """Return the prefix of the names of a plugin's environment variables."""
    return f"{plugin.upper().replace('-', '_')}_"


def _with_env_hint(problem: str, prefix: str) -> str:
    """Return a problem; for a missing setting, with a hint if an environment variable sets it.

    The variables of `.env` are added to the environment.
    """
    setting, _, description = problem.partition(":")
    if not description.startswith(" is missing"):
        return problem
    with suppress(UnicodeDecodeError):
        parse_environment_config({}, prefix, DOTENV)
    names = ("COMPANY", "API_URL") if setting == "company" else (setting.upper(),)
    variable = next((prefix + name for name in names if os.environ.get(prefix + name)), None)
    if variable is None:
        return problem
    return f"{setting}: is missing. {variable} is set, but not read: add --config ENV"


@contextmanager
def report_errors(
    command: str, on_error: Callable[[Exception], object] | None = None
) -> Iterator[None]:
    """Log an exception in single lines and exit with code 1.

    Args:
        command: The name of the logger.
        on_error: Called with the exception before the exit; not for a broken pipe.
    """
    try:
        yield
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        logger = logging.getLogger(command)
        for problem in error_messages(error):
            logger.error("%s", problem)  # noqa: TRY400 - no traceback
        logger.debug("Traceback", exc_info=True)
        if on_error:
            on_error(error)
        sys.exit(1)


def log_to_stderr(plugin: str) -> None:
    """Set up logging as the SDK's own command does; exit with a single-line error if it fails.

    The SDK shows a traceback for an unknown level and for a broken configuration file.
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
    logging.root.handlers.clear()  # a broken configuration may have added some
    _setup_console_logging()
    logging.getLogger(plugin).error("%s", problem)
    sys.exit(1)


def _level_variable(plugin: str) -> str:
    """Return the name of the environment variable that sets the log level."""
    own = f"{_prefix(plugin)}LOGLEVEL"
    return own if os.environ.get(own) else "LOGLEVEL"


def _log_config_problem(path: str, level: str) -> str | None:
    """Set up logging from a configuration file; return what is wrong with it, or None."""
    problem: object
    try:
        with open(path, "rb"):  # noqa: PTH123 - the SDK ignores a missing file
            _setup_console_logging(log_level=level)
    except OSError as error:
        problem = error.strerror if error.filename == path else error
    except Exception as error:  # noqa: BLE001 - the classes that it names may raise anything
        problem = f"is not a usable logging configuration: {error}"
    else:
        return None
    return one_line(f"{_LOG_CONFIG} ({path}): {problem}")


def read_json_object(path: str) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        InputFileError: the file cannot be read, or does not contain a JSON object.
    """
    return _as_object(path, read_json(path))


def read_json(path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the content of a JSON file.

    Raises:
        InputFileError: the file cannot be read, or is not valid JSON.
    """
    return _as_json(path, _read_text(path))


def read_state(path: str) -> dict[str, Any]:
    """Return the state of a file, as a target or Meltano writes it, or of a whole STATE message.

    An empty file is an empty state.

    Raises:
        InputFileError: the file cannot be read, or is not a state.
    """
    text = _read_text(path)
    if not text.strip():
        logging.getLogger(__name__).info("%s is empty: starting without a state", path)
        return {}
    state = _without_wrappers(_as_object(path, _as_json(path, text)))
    if not is_state(state):
        raise InputFileError(
            path, "is not a state of this tap: it must be the value of a STATE message"
        )
    try:
        msgspec.json.decode(text)
    except ValueError:
        # A lone surrogate, or a number like 1e999.
        problem = "has a value that no STATE message can contain"
        raise InputFileError(path, problem) from None
    return state


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - /dev/stdin must work too
            return file.read()
    except OSError as error:
        raise InputFileError(path, error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise InputFileError(path, "is not valid UTF-8") from None


def _as_json(path: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return load_json(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        place = f" (line {line})" if line else ""
        raise InputFileError(path, f"is not valid JSON{place}") from None


def _as_object(path: str, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputFileError(path, "is not a JSON object")
    return content


class SingerFile(click.ParamType[io.StringIO]):
    """A file option whose content is validated before the SDK reads it.

    The SDK shows a traceback for a broken catalog or state.
    """

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, _: object) -> io.StringIO:
        """Return the content of the file as the open text file that the SDK expects.

        Raises:
            InputFileError: the content is not a valid catalog or state.
        """
        if param and param.name == "state":
            return io.StringIO(dump_json(read_state(value)))
        content = read_json_object(value)
        if not _is_catalog(content):
            raise InputFileError(value, "is not a Singer catalog: make one with --discover")
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
    """Return the state itself from a STATE message or from Meltano's stored state."""
    match state:
        case {"bookmarks": _}:
            return state
        case {"type": "STATE", "value": dict(inner)} | {"singer_state": dict(inner)}:
            return _without_wrappers(inner)
        case {"completed": {"singer_state": dict(inner)}}:
            # Meltano's partial state is of a later, incomplete run, whose records are read again.
            return _without_wrappers(inner)
        case _:
            return state


def is_state(content: dict[str, Any]) -> bool:
    """Return whether the SDK accepts this as a state."""
    bookmarks = content.get("bookmarks") if content else {}
    return isinstance(bookmarks, dict) and all(map(_is_bookmark, bookmarks.values()))


def _is_bookmark(bookmark: object) -> bool:
    """Return whether the SDK accepts this as the bookmark of a stream."""
    if not isinstance(bookmark, dict):
        return False
    partitions = bookmark.get("partitions", [])
    return (
        isinstance(partitions, list)
        and all(isinstance(partition, dict) for partition in partitions)
        and all(isinstance(b.get("progress_markers", {}), dict) for b in [bookmark, *partitions])
    )


def error_messages(error: Exception) -> list[str]:
    """Return the messages of an exception: a single line for each setting or stream."""
    if isinstance(error, ConfigValidationError):
        return error.errors
    if isinstance(error, StreamsFailedError):
        return [f"{stream} failed: {cause}" for stream, cause in error.causes.items()]
    return [error_message(error)]


def error_message(error: Exception) -> str:
    """Return the message of an exception as a single line.

    The own message of an unexpected exception is left out, because it may show record content.
    """
    if isinstance(error, CustobarError | SingerSDKError):
        return " ".join(str(error).split())
    if isinstance(error, OSError):
        # Packages for storage raise some without either, and with a path as their message.
        return f"{error.filename or 'The system'}: {error.strerror or type(error).__name__}"
    frames = traceback.extract_tb(error.__traceback__)
    for path, message in _SETTING_ERRORS.items():
        if any(path in frame.filename for frame in frames):
            return f"{message} ({type(error).__name__})"
    place = frames[-1]
    return f"Unexpected {type(error).__name__} in {place.name}; {_UNEXPECTED}"
