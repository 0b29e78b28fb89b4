"""The command source-custobar: the four commands of the Airbyte protocol."""

from __future__ import annotations

import logging
import re
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.exceptions import ConfigValidationError

from tap_custobar.airbyte import protocol
from tap_custobar.airbyte.writer import AirbyteWriter
from tap_custobar.catalog.invalid_config import InvalidConfigError
from tap_custobar.catalog.normalization import first_duplicate
from tap_custobar.config.normalization import split_token
from tap_custobar.errors import CustobarError, InputFileError
from tap_custobar.redaction import Redactor, one_line
from tap_custobar.signals import end_on_sigterm
from tap_custobar.singer.cli import (
    is_state,
    log_to_stderr,
    read_json,
    read_json_object,
    report_errors,
)
from tap_custobar.tap import TapCustobar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Stream

logger = logging.getLogger("source-custobar")

#: Where Custobar says how to make an API key, and what its data API has.
DOCUMENTATION = "https://developers.custobar.com"

#: Settings for Singer targets; Airbyte has its own features for all of them.
SINGER_ONLY = re.compile("batch_|emit_activate_version|faker_|flattening_|resume|stream_map")

#: A catalog for a tap that reads no stream.
NO_STREAMS: dict[str, Any] = {"streams": []}


class AirbyteTap(TapCustobar):
    """The tap, with Airbyte's status messages about each of its streams."""

    def __init__(self, known: TapCustobar, out: AirbyteWriter, **given: Any) -> None:
        """Create a tap with the config of another.

        Args:
            known: The other tap; its connection is shared, so that the rate limit holds for both.
            out: Writes the messages.
            given: The other arguments of the tap.
        """
        self.connection = known.connection
        self._out = out
        super().__init__(config=dict(known.config), message_writer=out, renames=False, **given)

    def _sync_stream(self, stream: Stream) -> None:
        with self._out.reading(stream.name):
            super()._sync_stream(stream)


def spec(out: AirbyteWriter, _: Namespace) -> None:
    """Write the specification of the settings."""
    form = protocol.connection_specification(TapCustobar.config_jsonschema)
    form |= {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Custobar"}
    offered = {n: s for n, s in form["properties"].items() if not SINGER_ONLY.match(n)}
    form["properties"] = {n: {**s, "order": i} for i, (n, s) in enumerate(offered.items())}
    out.write("SPEC", spec={"documentationUrl": DOCUMENTATION, "connectionSpecification": form})


def check(out: AirbyteWriter, files: Namespace) -> None:
    """Check the settings and the connection with a request of one record."""
    status = {"status": "SUCCEEDED"}
    try:
        _tap(_config(out, files), catalog=NO_STREAMS).discovery.check_connection()
    except (ConfigValidationError, CustobarError) as error:
        status = {"status": "FAILED", "message": out.message_for(error)}
    out.write("CONNECTION_STATUS", connectionStatus=status)


def discover(out: AirbyteWriter, files: Namespace) -> None:
    """Write the catalog of all streams."""
    tap = _tap(_config(out, files), catalog=None, makes_catalog=True)
    streams = []
    for entry in tap.catalog_dict["streams"]:
        protection = tap.discovered[entry["tap_stream_id"]].protection
        schema = protection.written_schema(entry["schema"])
        streams.append(protocol.airbyte_stream({**entry, "schema": schema}))
    out.write("CATALOG", catalog={"streams": streams})


def read(out: AirbyteWriter, files: Namespace) -> None:
    """Read the streams of the configured catalog, from the given state."""
    tap = _tap(_config(out, files), catalog=NO_STREAMS)
    streams = read_json_object(files.catalog).get("streams")
    try:
        configured = msgspec.convert(streams, list[protocol.ConfiguredStream])
    except msgspec.ValidationError as error:
        raise InputFileError(files.catalog, f"is not a configured catalog: {error}") from None
    wanted = {each.stream.name: each for each in configured}
    if twice := first_duplicate(each.stream.name for each in configured):
        raise InputFileError(files.catalog, f"has the stream {one_line(twice)} twice: remove one")
    state = _state(wanted, files.state)
    keys = protocol.keys_catalog(wanted)
    tap = _tap(tap.config, catalog=keys)
    if any(protocol.unknown(wanted, tap.catalog_dict["streams"])):
        # They are most likely custom fields.
        tap = _tap(tap.config, catalog=keys, needed_streams=wanted.keys())
    entries = tap.catalog_dict["streams"]
    for name in sorted(protocol.unknown(wanted, entries)):
        if name in wanted:
            logger.warning(
                "%s is in the catalog but does not exist at Custobar: skipped", one_line(name)
            )
            out.skip(name)
        else:
            _warn_of_field(tap, *name.split(".", 1))
    catalog = protocol.singer_catalog(
        wanted, entries, lambda stream, field: tap.discovered[stream].protection.hashes(field)
    )
    AirbyteTap(tap, out, catalog=catalog, state=state).sync_all()


def _state(wanted: Mapping[str, protocol.ConfiguredStream], path: str | None) -> dict[str, Any]:
    """Return the Singer state of an Airbyte state file; an empty one without a file.

    Raises:
        InputFileError: the file is missing or broken.
    """
    try:
        state = protocol.singer_state(wanted, read_json(path) if path else [])
    except TypeError:
        state = None
    if path and (state is None or not is_state(state)):
        raise InputFileError(path, "is not an Airbyte state")
    return state or {}


def _warn_of_field(tap: TapCustobar, stream: str, field: str) -> None:
    """Warn that a field of the user's catalog is skipped, and say how it becomes known."""
    problem = "does not exist at Custobar: skipped"
    if not tap.discovered[stream].has_all_names:
        switch = "" if tap.discovery.is_online else "set discover_custom_fields: true or "
        problem = (
            f"is not known: skipped. To read it, {switch}declare it in "
            f"stream_options.{stream}.custom_fields"
        )
    logger.warning("%s.%s is in the catalog but %s", stream, one_line(field), problem)


def _config(out: AirbyteWriter, files: Namespace) -> dict[str, Any]:
    """Read the config, and let the writer mask its secrets.

    Raises:
        InputFileError: the config file is missing or broken.
        InvalidConfigError: the config has settings for Singer targets.
    """
    config = read_json_object(files.config)
    token, _ = split_token(str(config.get("api_token") or ""))
    out.redact = Redactor([token, str(config.get("hash_key") or "")]).in_log
    if refused := [n for n in config if config[n] is not None and SINGER_ONLY.match(n)]:
        problem = f"{', '.join(refused)}: for Singer targets only, remove from the config"
        raise InvalidConfigError([problem])
    return config


def _tap(
    config: Mapping[str, Any], *, catalog: dict[str, Any] | None, **discovery: Any
) -> TapCustobar:
    """Create a tap that knows the streams and their properties.

    Args:
        config: The settings.
        catalog: A Singer catalog, with which nothing is requested for discovery; None for none.
        discovery: Arguments of the tap about the streams whose custom fields are requested all the
            same, once the streams are first used.

    Raises:
        InvalidConfigError: the config is not valid.
    """
    # Destinations rename fields themselves.
    tap = TapCustobar(
        config=dict(config), catalog=catalog, setup_mapper=False, renames=False, **discovery
    )
    # PyAirbyte sends SIGTERM after the response, and any exit code but 0 and -15 is an error to it.
    end_on_sigterm()
    return tap


def main() -> None:
    """Run the command."""
    parser = ArgumentParser(prog="source-custobar", description="Airbyte source for Custobar.")
    verbs = parser.add_subparsers(required=True, metavar="spec|check|discover|read")
    for verb in (spec, check, discover, read):
        command = verbs.add_parser(verb.__name__, help=verb.__doc__)
        command.set_defaults(verb=verb)
        for name in {spec: (), read: ("config", "catalog", "state")}.get(verb, ("config",)):
            command.add_argument(f"--{name}", metavar="FILE", required=name != "state")
    arguments = parser.parse_args()
    log_to_stderr(TapCustobar.name)
    out = AirbyteWriter()
    with report_errors("source-custobar", out.write_error):
        arguments.verb(out, arguments)
