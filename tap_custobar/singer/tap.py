"""Overrides of the SDK's tap: the command, the config, discovery and the sync of all streams."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from functools import cached_property
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import click
from singer_sdk import Stream, Tap
from singer_sdk.about import AboutFormatter
from singer_sdk.cli import plugin_cli
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import load_json
from singer_sdk.helpers.capabilities import TapCapabilities
from singer_sdk.mapper import PluginMapper
from singer_sdk.plugin_base import JSONSchemaValidator, _ConfigInput
from singer_sdk.singerlib import Catalog, Schema
from singer_sdk.tap_base import CliTestOptionValue

from tap_custobar.catalog.discovery import Discovery, documented_personal_data
from tap_custobar.catalog.invalid_config import InvalidConfigError
from tap_custobar.catalog.normalization import first_duplicate, normalize_catalog
from tap_custobar.catalog.personal_data import lost_joins
from tap_custobar.config import normalization, validation
from tap_custobar.config.settings import SECRETS, Settings
from tap_custobar.connection import Connection
from tap_custobar.errors import (
    CatalogError,
    InputFileError,
    OutputError,
    StreamsFailedError,
)
from tap_custobar.redaction import Redactor, install_log_redaction, one_line
from tap_custobar.singer.batch_files import batch_problems
from tap_custobar.singer.cli import (
    DOTENV,
    OneLineCommand,
    SingerFile,
    error_message,
    log_to_stderr,
    read_json_object,
)
from tap_custobar.singer.stream import BaseStream
from tap_custobar.singer.writer import LineWriter, output

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import FrameType

    from tap_custobar.catalog.declaration import StreamDeclaration
    from tap_custobar.catalog.discovery import DiscoveredStream

#: Values of the option --test: without one, it is the first.
TEST_VALUES = (CliTestOptionValue.All.value, "records", CliTestOptionValue.Schema.value)


class BaseTap(Tap):
    """A tap with single-line errors, whose whole config is validated for every command."""

    message_writer_class = LineWriter
    _is_syncing = False
    capabilities: ClassVar = [*Tap.capabilities, TapCapabilities.TEST]

    #: The declarations of all streams.
    declarations: ClassVar[Sequence[StreamDeclaration]]

    def __init__(
        self,
        *,
        catalog: Any = None,  # noqa: ANN401 - the SDK's
        makes_catalog: bool = False,
        needed_streams: Collection[str] | None = None,
        renames: bool = True,
        **options: Any,
    ) -> None:
        """Create a tap.

        Args:
            catalog: The SDK's argument; a dictionary is normalized first.
            makes_catalog: Whether a catalog is made: then the custom fields of all streams are
                requested.
            needed_streams: Names of the streams that are read, if another protocol than Singer's
                selects them; None for those that are selected by default. In a sync, discovery
                requests the fields of no others.
            renames: Whether custom fields are renamed to names that databases accept.
            options: The other arguments of the SDK's tap.

        Raises:
            CatalogError: the catalog has a stream twice.
        """
        self._makes_catalog = makes_catalog
        self._needed_streams = needed_streams
        self._renames = renames
        if isinstance(catalog, dict):
            for entry in catalog["streams"]:
                if entry.get("stream") not in (None, entry["tap_stream_id"]):
                    self.logger.warning(
                        "The catalog has another name for the stream %s, which has no effect: "
                        "to rename it, set __alias__ in stream_maps",
                        one_line(str(entry["tap_stream_id"])),
                    )
            if twice := first_duplicate(str(e["tap_stream_id"]) for e in catalog["streams"]):
                msg = f"The catalog has the stream {one_line(twice)} twice: remove one of them."
                raise CatalogError(msg)
            catalog = normalize_catalog(catalog)
        super().__init__(catalog=catalog, **options)

    @plugin_cli
    def cli(cls) -> click.Command:  # noqa: N805 - as in the SDK
        """Return the command, after logging is set up."""
        log_to_stderr(cls.name)
        return cls.get_singer_command()

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with single-line errors for all of its options."""
        command = super().get_singer_command()
        for option in command.params:
            if isinstance(option.type, click.File):
                option.type = SingerFile()
                option.is_eager = True  # --test needs it, in whatever order the options are given
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
        """Return the merged config files, each read only once because it may be a pipe.

        The SDK shows a traceback for a missing or broken file.

        Raises:
            InputFileError: a file is missing or broken.
        """
        config: dict[str, Any] = {}
        for path in value:
            if path != "ENV":
                config |= read_json_object(path)
        return _ConfigInput(config, parse_env="ENV" in value)

    @classmethod
    def cb_test(
        cls,
        ctx: click.Context,
        param: click.Option,  # noqa: ARG003 - click's signature
        value: str,
    ) -> None:
        """Read one record of each selected stream, or write its SCHEMA; report all that fail.

        The SDK reads deselected streams too, stops at the first failure, and takes any value but
        `schema` for `all`.

        Raises:
            StreamsFailedError: at least one stream failed.
        """
        if value == CliTestOptionValue.Disabled.value:
            return
        if value not in TEST_VALUES:
            cls.logger.error("--test: must be one of %s", ", ".join(TEST_VALUES))
            ctx.exit(2)
        config: _ConfigInput = ctx.params.get("config") or _ConfigInput()
        catalog = ctx.params.get("catalog")
        tap = cls(
            config=config.config,
            catalog=catalog and load_json(catalog.read()),
            parse_env_config=config.parse_env,
        )

        def test(stream: Stream) -> None:
            if value == CliTestOptionValue.Schema.value:
                stream._write_schema_message()  # noqa: SLF001 - as the SDK's own --test
            else:
                tap.run_sync_dry_run(1, [stream])

        try:
            tap.try_streams(test)
        finally:
            tap.connection.close()
        ctx.exit()

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as in the SDK
        """The settings of the environment and of `.env`, parsed by their declared types.

        The SDK's parser leaves numbers as strings, and shows a traceback with the value for an
        invalid integer. Here an invalid value stays a string, to be reported by the validation. An
        empty variable counts as not set, as in a copied `.env.example`.
        """
        cls.append_builtin_config(cls.config_jsonschema)
        properties = cls.config_jsonschema["properties"]
        all_strings = {"properties": {name: {"type": "string"} for name in properties}}
        prefix, exported = cls._env_var_prefix, dict(os.environ)
        # The SDK would search for `.env` from its own folder upwards, and give it precedence.
        try:
            strings = parse_environment_config(all_strings, prefix, DOTENV)
        except UnicodeDecodeError:
            raise InputFileError(DOTENV, "is not valid UTF-8") from None
        variables = {name: prefix + name.upper() for name in properties}
        os.environ |= exported
        strings |= {name: exported[v] for name, v in variables.items() if exported.get(v)}
        for warning in validation.unknown_variables(os.environ, prefix, properties):
            cls.logger.warning(warning)
        return {
            name: normalization.parse_variable(value, properties[name].get("type", "object"))
            for name, value in strings.items()
            if value
        }

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Normalize the config in place and validate it; without any, `--discover` works offline.

        The SDK does not validate for --discover, prints the invalid value (which may be the token),
        and ignores unknown settings. Settings without effect are removed after a warning, so that
        taps which are created with this config do not repeat it.

        Raises:
            InvalidConfigError: the config is not valid.
        """
        config = self._config
        self.append_builtin_config(self.config_jsonschema)
        known = self.config_jsonschema["properties"]
        for name, value in list(config.items()):
            if value is None:
                del config[name]
            elif isinstance(value, str | float) and name in known:
                # Meltano passes a fraction from the environment as a string.
                config[name] = normalization.parse_variable(
                    str(value), known[name].get("type", "object")
                )
        validate = raise_errors or bool(config)
        normalization.normalize(config, known)
        install_log_redaction(Redactor(str(config.get(name) or "") for name in SECRETS))
        for warning in validation.unknown_settings(config, known):
            self.logger.warning(warning)
        for name in config.keys() - known.keys():
            del config[name]
        problems = list(validation.check_else(config.get("stream_maps")))
        if not problems:
            errors = list(JSONSchemaValidator(self.config_jsonschema).iter_errors(config))
            problems = list(dict.fromkeys(map(validation.describe, errors)))
        if not validate:
            return []
        problems = problems or [
            *validation.cross_check(config, self._orders_of_streams()),
            *batch_problems(config.get("batch_config")),
        ]
        if problems:
            raise InvalidConfigError(problems)
        for warning in validation.ignored_company(config):
            self.logger.warning(warning)
            del config["company"]
        return []

    def _orders_of_streams(self) -> dict[str, Sequence[str]]:
        return {stream.name: stream.endpoint.orders for stream in self.declarations}

    @cached_property
    def settings(self) -> Settings:
        """The tap's own settings."""
        return Settings.from_config(self.config)

    @cached_property
    def connection(self) -> Connection:
        """The connection that all streams share."""
        return Connection(self.settings)

    @cached_property
    def discovery(self) -> Discovery:
        """Finds the properties of the streams."""
        return Discovery(
            self.declarations,
            self.connection,
            self.settings,
            input_catalog=self.input_catalog,
            needed=self._needed_streams,
            is_for_catalog=self._makes_catalog,
            renames=self._renames,
            logger=self.logger,
        )

    @cached_property
    def discovered(self) -> dict[str, DiscoveredStream]:
        """What discovery found for each stream, by its name."""
        return self.discovery.discover()

    def run_discovery(self) -> str:
        """Print the catalog and return it as JSON; log the suggested types of custom fields.

        The SDK's own method fails at a full pipe.

        Raises:
            CustobarError: discovery failed, or the catalog cannot be written.
        """
        self._makes_catalog = True  # the SDK's command creates the tap without arguments of ours
        try:
            if self.streams and self.discovery.is_online:
                self.discovery.suggest_types(self.discovered)
            catalog_text = self.catalog_json_text
            output.write(f"{catalog_text}\n".encode())
            return catalog_text
        finally:
            self.connection.close()

    @classmethod
    def print_about(cls, output_format: str | None = None) -> None:
        """Print the SDK's description of the tap, and which properties are personal data."""
        formatter = AboutFormatter.get_formatter(output_format or "text")
        text = formatter.format_about(cls._get_about_info())
        personal = documented_personal_data(cls.declarations)
        match output_format:
            case "json":
                text = json.dumps({**json.loads(text), "personal_data": personal}, indent=2)
            case "markdown":
                text += f"\n## Personal data\n\n{_personal_lines(personal, '- `{}`: {}')}\n"
            case _:
                text += f"\nPersonal data:\n{_personal_lines(personal, '  - {}: {}')}"
        click.echo(text)

    def sync_all(self) -> None:  # type: ignore[misc] # final in the SDK
        """Read all selected streams; a stream that fails does not stop the others.

        The SDK's own method stops at the first failure. This one omits child streams, because there
        are none.

        Raises:
            StreamsFailedError: at least one stream failed. Its bookmark has not moved.
            BrokenPipeError: the target has exited.
            OutputError: nothing more can be written.
        """
        try:
            if not any(stream.selected for stream in self.streams.values()):
                self.logger.warning("The catalog selects no stream: nothing is read")
            self._warn_of_lost_joins()
            self._is_syncing = True
            self._reset_state_progress_markers()
            self._set_compatible_replication_methods()
            for stream in self.streams.values():
                if isinstance(stream, BaseStream):
                    stream.discard_unprotected_checkpoint()
            if self.state:
                self.state_writer.write_state(self.state)
            self.try_streams(self._sync_stream)
        finally:
            self.connection.close()

    def _warn_of_lost_joins(self) -> None:
        """Warn about identifiers that are hashed in one property and not in another."""
        streams = (stream for stream in self.streams.values() if isinstance(stream, BaseStream))
        for warning in lost_joins(
            (stream.name, stream.protection, stream.selected_names)
            for stream in streams
            if stream.selected
        ):
            self.logger.warning(warning)

    def _sync_stream(self, stream: Stream) -> None:
        try:
            stream.sync()
        except Exception:
            self.state_writer.write_state(self.state)
            raise
        stream.finalize_state_progress_markers()

    def try_streams(self, work: Callable[[Stream], object]) -> None:
        """Call `work` for every selected stream, even after some have failed.

        Args:
            work: Reads a stream.

        Raises:
            StreamsFailedError: at least one stream failed.
            BrokenPipeError: the target has exited.
            OutputError: nothing more can be written.
        """
        causes = {}
        for stream in self.streams.values():
            if not stream.selected:
                self.logger.info("Skipping deselected stream '%s'.", stream.name)
                continue
            try:
                work(stream)
            except (BrokenPipeError, OutputError):
                raise
            except Exception as error:
                causes[stream.name] = error_message(error)
                self.logger.debug("%s failed", stream.name, exc_info=True)
        if causes:
            raise StreamsFailedError(causes)

    def _setup_signal_handlers(self) -> None:
        """Handle SIGHUP too, which a terminal sends when it closes, unless nohup ignores it."""
        super()._setup_signal_handlers()
        is_main_thread = current_thread() is main_thread()
        if is_main_thread and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, self._handle_termination)

    def _handle_termination(self, signum: int, _: FrameType | None) -> None:
        """Write the state and exit between two lines, with the usual exit code of the signal.

        The SDK's handler may exit within a line, and with 0, as after a complete sync.
        """
        exit_code = 128 + signum
        if signum == signal.SIGHUP:
            # The kernel and the shell may both send it, and a second signal exits at once.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        def end() -> NoReturn:
            if self._is_syncing:
                self.state_writer.write_state(self.state)
            raise SystemExit(exit_code)

        output.exit_at_line_boundary(end, exit_code)

    def setup_mapper(self) -> None:
        """Create the stream maps from the catalog, after the streams have completed it.

        The SDK creates them, and the SCHEMA messages with them, from the incomplete catalog. It
        ignores selected streams that the tap does not have, and fails at stream maps of deselected
        streams, whose selected schemas lack the key.

        Raises:
            CatalogError: the catalog selects a stream that does not exist.
        """
        for name, entry in (self.input_catalog or {}).items():
            if name not in self.streams and entry.metadata.resolve_selection()[()]:
                msg = (
                    f"The catalog selects a stream {name}, which does not exist; "
                    f"there are {', '.join(self.streams)}."
                )
                raise CatalogError(msg)
        config = dict(self.config)
        self.mapper = PluginMapper(plugin_config=config, logger=self.logger)
        unmapped = PluginMapper(plugin_config={**config, "stream_maps": {}}, logger=self.logger)
        for name, entry in self.catalog.items():
            stream = self.streams.get(name)
            mapper = self.mapper if stream and stream.selected else unmapped
            schema = entry.schema.to_dict()
            if isinstance(stream, BaseStream):
                schema = stream.protection.written_schema(schema)
            written = replace(entry, schema=Schema.from_dict(schema))
            mapper.register_raw_streams_from_catalog(Catalog({name: written}))
        self.mapper.stream_maps |= unmapped.stream_maps


def _personal_lines(personal: Mapping[str, Mapping[str, list[str]]], line: str) -> str:
    return "\n".join(
        line.format(f"{schema}, {kind}s", ", ".join(names))
        for schema, kinds in personal.items()
        for kind, names in kinds.items()
    )
