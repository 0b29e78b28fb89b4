"""Every place where the singer-sdk is bent, each with its reason.

`tests/unit/test_sdk.py` notices when the SDK changes under one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import click
from singer_sdk import Stream, Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import load_json
from singer_sdk.helpers.capabilities import TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput
from singer_sdk.singerlib import Catalog, Schema
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, Metadata

from tap_custobar import settings
from tap_custobar.cli import OneLineCommand, SingerFile, one_line, read_json_object
from tap_custobar.errors import (
    CatalogError,
    StreamsFailedError,
)
from tap_custobar.output import LineOutput
from tap_custobar.redaction import Redactor, redact_logs

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from types import FrameType

    from singer_sdk.singerlib import CatalogEntry, Message

#: Stdout is one for the process, and so is what writes to it.
output = LineOutput()


class LineWriter(MsgSpecWriter):
    """Writes messages as whole lines; the SDK's own writer is cut short by signals."""

    def write_message(self, message: Message) -> None:
        """Write a message to stdout."""
        output.write(self.format_message(message))


class CustobarBaseTap(Tap):
    """A tap whose errors are single lines and whose config is validated whole, for every verb."""

    message_writer_class = LineWriter
    _is_syncing = False
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

    def sync_all(self) -> None:  # type: ignore[misc] # final in the SDK
        """Read all selected streams; one that fails does not stop the others.

        The SDK's loop, but for child streams (there are none) and for going on: its own stops at
        the first failure. To be dropped when the SDK goes on by itself.

        Raises:
            StreamsFailedError: at least one stream failed. Its bookmark has not moved.
            BrokenPipeError: the target is gone.
        """
        self._is_syncing = True
        self._reset_state_progress_markers()
        self._set_compatible_replication_methods()
        if self.state:
            self.state_writer.write_state(self.state)
        failures: dict[str, Exception] = {}
        for stream in self.streams.values():
            if not stream.selected:
                self.logger.info("Skipping deselected stream '%s'.", stream.name)
                continue
            try:
                stream.sync()
            except BrokenPipeError:
                raise
            except Exception as error:
                failures[stream.name] = error
                self.logger.debug("%s failed", stream.name, exc_info=True)
                self.state_writer.write_state(self.state)
            else:
                stream.finalize_state_progress_markers()
        for stream in self.streams.values():
            stream.log_sync_costs()
        if failures:
            raise StreamsFailedError({name: one_line(e) for name, e in failures.items()})

    def _handle_termination(self, signum: int, _: FrameType | None) -> None:
        """End between two lines, with the state of what was written, and the usual exit code.

        The SDK's handler may act within a line, and ends with 0, as if all had been read.
        """
        exit_code = 128 + signum

        def end() -> NoReturn:
            if self._is_syncing:
                self.state_writer.write_state(self.state)
            raise SystemExit(exit_code)

        output.end_between_lines(end, exit_code)

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
        self._records_in_state = 0

    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Write nothing yet.

        The SDK sends the message before the records: a target that deletes for good would empty
        its table before anything of the new one has come.
        """

    def use_version(self, version: int) -> None:
        """Give the records another version than the run's own: that of the sync it goes on with."""
        if self._stream_version is not None:
            self._stream_version = version

    def write_state_when_due(self, records: int) -> None:
        """Write the state at the first page end at or past so many records since the last time.

        The SDK writes it within a page, where the mark has not moved: a line that says nothing.
        """
        if records - self._records_in_state >= self.STATE_MSG_FREQUENCY:
            self._records_in_state = records
            self._tap.state_writer.write_state(self.tap_state)

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
