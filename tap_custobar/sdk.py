"""Every place where the singer-sdk is bent, each with its reason.

`tests/unit/test_sdk.py` notices when the SDK changes under one of them.
"""

from __future__ import annotations

import io
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Stream, Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import dump_json, load_json
from singer_sdk.helpers.capabilities import TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput
from singer_sdk.singerlib import Catalog, Schema
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, Metadata

from tap_custobar import settings
from tap_custobar.errors import CatalogError, CustobarError, InputFileError
from tap_custobar.redaction import Redactor, redact_logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.singerlib import CatalogEntry

_UNEXPECTED = "TAP_CUSTOBAR_LOGLEVEL=DEBUG shows more; please report it"


def read_json_object(path: str) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        InputFileError: there is none.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:  # noqa: PTH123 - /dev/stdin must work too
            content = load_json(file.read())
    except OSError as error:
        raise InputFileError(path, error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise InputFileError(path, "is no UTF-8 text") from None
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise InputFileError(path, f"is no valid JSON{f' (line {line})' if line else ''}") from None
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
        content = read_json_object(value)
        kind = param.name if param else None
        if kind == "catalog" and not _is_catalog(content):
            raise InputFileError(value, "is no Singer catalog, as --discover writes it")
        if kind == "state" and not _is_state(content):
            raise InputFileError(value, "is no Singer state of this tap")
        return io.StringIO(dump_json(content))


def _is_catalog(content: dict[str, Any]) -> bool:
    try:
        return all(entry.tap_stream_id for entry in Catalog.from_dict(content).streams)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _is_state(content: dict[str, Any]) -> bool:
    bookmarks = content.get("bookmarks", {})
    return isinstance(bookmarks, dict) and all(isinstance(b, dict) for b in bookmarks.values())


class OneLineCommand(click.Command):
    """A command that ends every failure with one line and exit code 1.

    The SDK's own command prints a traceback for a failed sync, and lets failures in option
    callbacks (--test, --discover, --config) pass by all of its handlers.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run the command; see `click.Command.main`."""
        logging.captureWarnings(capture=True)
        try:
            return super().main(*args, **kwargs)
        except Exception as error:
            logger = logging.getLogger(self.name)
            for problem in _problems(error):
                logger.error("%s", " ".join(problem.split()))  # noqa: TRY400 - no traceback
            logger.debug("Traceback", exc_info=True)
            sys.exit(1)


class CustobarBaseTap(Tap):
    """A tap whose errors are single lines and whose config is validated whole, for every verb."""

    message_writer_class = MsgSpecWriter
    capabilities: ClassVar = [*Tap.capabilities, TapCapabilities.TEST]

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with single-line errors for all of its verbs."""
        command = super().get_singer_command()
        for option in command.params:
            if isinstance(option.type, click.File):
                option.type = SingerFile()
        return OneLineCommand(
            name=command.name,
            callback=command.callback,
            params=command.params,
            help=command.help,
            context_settings=command.context_settings,
        )

    @classmethod
    def cb_config(
        cls,
        ctx: click.Context,  # noqa: ARG003 - click's signature
        param: click.Option,  # noqa: ARG003
        value: tuple[str, ...],
    ) -> _ConfigInput:
        """Read the config files, each once, so that a pipe will do.

        The SDK shows a traceback for one that is missing or broken.
        """
        config: dict[str, Any] = {}
        for path in value:
            if path != "ENV":
                config |= read_json_object(path)
        return _ConfigInput(config, parse_env="ENV" in value)

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as in the SDK
        """Read settings from the environment, each by its declared type.

        The SDK's parser leaves numbers as text, and stops at an integer that is none with a
        traceback that shows it. Here what is not of its type stays text, for the validation to
        name; an empty variable counts as not set, as in a copied `.env.example`.
        """
        cls.append_builtin_config(cls.config_jsonschema)
        properties = cls.config_jsonschema["properties"]
        as_text = {"properties": {name: {"type": "string"} for name in properties}}
        texts = parse_environment_config(as_text, cls._env_var_prefix)
        return {
            name: _parse_setting(text, properties[name].get("type", "object"))
            for name, text in texts.items()
            if text
        }

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the whole config; without any, `--discover` works offline.

        The SDK does not validate for --discover, prints the offending value (which may be the
        token), and lets unknown settings pass.
        """
        config = self._config
        for name in [name for name, value in config.items() if value is None]:
            del config[name]
        validate = raise_errors or bool(config)
        redact_logs(Redactor([str(config.get("api_token") or "")]))
        self.append_builtin_config(self.config_jsonschema)
        known = self.config_jsonschema["properties"]
        for warning in settings.unknown(config, known):
            self.logger.warning(warning)
        errors = list(JSONSchemaValidator(self.config_jsonschema).iter_errors(config))
        if not validate:
            return []
        problems = list(dict.fromkeys(map(settings.describe, errors)))
        problems = problems or list(settings.cross_check(config))
        if problems:
            msg = "The config is not valid"
            raise ConfigValidationError(msg, errors=problems, schema=self.config_jsonschema)
        return []

    def setup_mapper(self) -> None:
        """Let the streams complete the catalog before the stream maps are made from it.

        The SDK makes the maps, and with them the SCHEMA messages, first; and it ignores selected
        streams that the tap does not have.
        """
        for name, entry in (self.input_catalog or {}).items():
            if name not in self.streams and entry.metadata.resolve_selection()[()]:
                msg = (
                    f"The catalog selects a stream {name}, which does not exist; "
                    f"there are {', '.join(self.streams)}."
                )
                raise CatalogError(msg)
        super().setup_mapper()


class CustobarBaseStream(Stream):
    """A stream that keeps its keys, and that tells a target to delete only when it is safe."""

    name: str

    #: Properties that may be a replication key; none where a stream is read as a whole only.
    valid_replication_keys: Sequence[str] = ()

    def __init__(self, tap: Tap, schema: dict[str, Any]) -> None:
        """Make a stream of the tap with this JSON schema."""
        super().__init__(tap, schema)
        self.logger.addFilter(_is_news)

    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Write nothing yet.

        The SDK sends the message before the records: a target that deletes for good would empty
        its table before anything of the new one has come.
        """

    def activate_version(self) -> None:
        """Tell the target, after the last record, to drop the rows that did not come again."""
        if self._stream_version is not None:
            super()._write_activate_version_message(self._stream_version)

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply the catalog, after completing what an edited one may lack.

        Without `key_properties`, or with a key deselected, the SDK would write a SCHEMA without
        the key.
        """
        if entry := catalog.get_stream(self.name):
            self._check_replication(entry)
            entry.key_properties = self.primary_keys
            properties = entry.schema.properties = entry.schema.properties or {}
            for key in self.primary_keys:
                properties.setdefault(key, Schema.from_dict(self.schema["properties"][key]))
                entry.metadata[("properties", key)].inclusion = Metadata.InclusionType.AUTOMATIC
        super().apply_catalog(catalog)

    def _check_replication(self, entry: CatalogEntry) -> None:
        key = entry.replication_key or entry.metadata.root.replication_key
        if key and key not in self.valid_replication_keys:
            valid = ", ".join(self.valid_replication_keys) or "none"
            msg = f"The catalog's replication-key {key} is not valid for {self.name}: {valid} is."
            raise CatalogError(msg)
        method = entry.replication_method or entry.metadata.root.forced_replication_method
        if method not in {None, REPLICATION_FULL_TABLE} and not self.valid_replication_keys:
            msg = f"The catalog asks for {method} replication of {self.name}: only FULL_TABLE is."
            raise CatalogError(msg)


def _problems(error: Exception) -> list[str]:
    """Say what a failure is, without the content that an unexpected one may carry."""
    if isinstance(error, ConfigValidationError):
        return error.errors
    if isinstance(error, CustobarError | SingerSDKError):
        return [str(error)]
    place = traceback.extract_tb(error.__traceback__)[-1]
    return [f"Unexpected {type(error).__name__} in {place.name}; {_UNEXPECTED}"]


def _is_news(record: logging.LogRecord) -> bool:
    """Hold back the SDK's line on a failed stream: the cause follows, in a line of its own."""
    return not str(record.msg).startswith("An unhandled error occurred while syncing")


def _parse_setting(text: str, types: str | list[str]) -> Any:  # noqa: ANN401 - any JSON value
    if "string" in types:
        return text
    if "boolean" in types and text.lower() in {"true", "1", "yes", "on"}:
        return True
    if "boolean" in types and text.lower() in {"false", "0", "no", "off"}:
        return False
    try:
        return load_json(text)
    except ValueError:
        return text
