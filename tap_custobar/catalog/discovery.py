"""Discovery: the properties of all streams, with the company's own fields.

The API lists a company's fields nowhere but in the header of a CSV response, by name and without a
type. Types therefore come from the config; a field that is not declared there is a string, which
can hold anything and does not change from run to run (docs/behaviour.md, "Discovery").
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk import SchemaDirectory
from singer_sdk.exceptions import SchemaNotFoundError, SchemaNotValidError

from tap_custobar.catalog.custom_fields import UNDECLARED, contradicts, custom_field, guess_type
from tap_custobar.catalog.declaration import fetch_sample
from tap_custobar.catalog.invalid_config import InvalidConfigError
from tap_custobar.catalog.normalization import strip_constraints
from tap_custobar.catalog.personal_data import Protection, personal_properties
from tap_custobar.catalog.shapes import SHAPE_SAMPLE_SIZE
from tap_custobar.errors import (
    NOT_PAGE_SPECIFIC,
    BadRequestError,
    BrokenInstallationError,
    CustobarError,
    DiscoveryFailedError,
    ForbiddenError,
    InvalidResponseError,
    NotFoundError,
    RedirectedError,
    RequestFailedError,
    UnauthorizedError,
)
from tap_custobar.pages.csv_pages import read_names
from tap_custobar.records.safe_names import safe_names
from tap_custobar.redaction import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_custobar.catalog.declaration import StreamDeclaration
    from tap_custobar.config.settings import Settings
    from tap_custobar.connection import Connection

#: Records that types are guessed from.
SAMPLE_SIZE = 1000

#: Describes a response that lacks even a CSV header.
_NOTHING = "an empty body"

#: Failures that concern one stream only.
_OF_ONE_STREAM = (BadRequestError, ForbiddenError, NotFoundError)

#: Failures that reading the records would meet as well.
_OF_RECORDS_TOO = (*NOT_PAGE_SPECIFIC, NotFoundError, RedirectedError)


@dataclass(frozen=True, slots=True)
class DiscoveredStream:
    """What discovery found out about one stream.

    Attributes:
        schema: Its JSON schema, documented properties first.
        custom_fields: Names of the company's own fields.
        safe_names: The names of fields that are renamed, here or in the user's catalog: Custobar's
            name to the written one. They do not depend on the selection.
        has_all_names: Whether the API has named all of its fields.
        is_line_items: Whether it comes in its other shape.
        protection: What the settings say about its personal data.
    """

    schema: dict[str, Any]
    custom_fields: Sequence[str]
    safe_names: Mapping[str, str]
    has_all_names: bool
    is_line_items: bool
    protection: Protection


class Discovery:
    """Finds the properties of streams in the shipped schemas, the settings and the API."""

    def __init__(  # noqa: PLR0913 - one argument a part, all by name
        self,
        streams: Sequence[StreamDeclaration],
        connection: Connection,
        settings: Settings,
        *,
        input_catalog: Catalog | None,
        needed: Collection[str] | None,
        is_for_catalog: bool,
        renames: bool,
        logger: logging.Logger,
    ) -> None:
        """Take what all streams share; nothing is requested yet.

        Args:
            streams: The declared streams.
            connection: Where to request the names of fields.
            settings: Those of the tap.
            input_catalog: The user's catalog, with which only what is `needed` is requested.
            needed: Names of the streams that are read; None for those of the catalog, or for those
                selected by default.
            is_for_catalog: Whether a catalog is made, so that all streams are requested.
            renames: Whether fields get names that databases accept.
            logger: The tap's.
        """
        self._streams = streams
        self._connection = connection
        self._settings = settings
        self._input_catalog = input_catalog
        self._needed = needed
        self._is_for_catalog = is_for_catalog
        self._renames = renames
        self._logger = logger

    @property
    def is_online(self) -> bool:
        """Whether the API is asked; without a config there is nothing to ask with."""
        settings = self._settings
        return (
            (self._input_catalog is None or self._needed is not None)
            and bool(settings.api_token)
            and settings.discover_custom_fields
        )

    def discover(self) -> dict[str, DiscoveredStream]:
        """Return what is known about each stream, by name.

        Raises:
            InvalidConfigError: the settings contradict what is known.
            DiscoveryFailedError: no stream may be read, or one that is needed cannot be.
        """
        self._check_declared_types()
        requested = [stream for stream in self._streams if self._is_requested(stream)]
        failures: list[CustobarError] = []
        samples: dict[str, Collection[str]] = {}
        names: dict[str, Collection[str]] = {}
        for stream in requested:
            try:
                if stream.line_items and self._settings.response_format == "json":
                    samples[stream.name] = fetch_shape(self._connection, stream, is_csv=False)
                names[stream.name] = fetch_names(self._connection, stream)
            except CustobarError as error:
                self._note_failure(stream, error)
                failures.append(error)
        if requested and len(failures) == len(requested):
            raise self._failure(failures[0])
        found = {
            stream.name: self._describe(
                stream, names.get(stream.name), samples.get(stream.name, ())
            )
            for stream in self._streams
        }
        if self._input_catalog is None:
            for stream in self._streams:
                self._check_protection(stream, found[stream.name])
        return found

    def suggest_types(self, found: dict[str, DiscoveredStream]) -> None:
        """Log a config that declares undeclared custom fields by what a sample of them holds.

        Fields that are not read need no type, and no records with them are requested.
        """
        suggested = {}
        for stream in self._streams:
            declared = self._declared(stream)
            known = found[stream.name]
            names = [n for n in known.custom_fields if not known.protection.withholds(n)]
            if not stream.endpoint.is_data_api or declared.keys() >= {*names}:
                continue
            try:
                sample = fetch_sample(self._connection, stream, SAMPLE_SIZE)
            except CustobarError as error:
                self._logger.warning("%s: no types can be suggested. %s", stream.name, error)
                continue
            rows = [row for row in sample.rows if isinstance(row, dict)]
            guessed = {name: guess_type(row.get(name) for row in rows) for name in names}
            suggested[stream.name] = {"custom_fields": {**guessed, **declared}}
        if suggested:
            self._logger.info(
                "Suggested types of the company's own fields. Add this to the config to load them "
                "with these types instead of as strings:\n%s",
                json.dumps({"stream_options": suggested}, indent=2, ensure_ascii=False),
            )

    def check_connection(self) -> None:
        """Request one record of one stream after the other, until one may be read.

        Raises:
            CustobarError: no stream may be read, or the API cannot be reached.
        """
        failures: list[RequestFailedError] = []
        for stream in self._streams:
            try:
                fetch_sample(self._connection, stream, 1)
            except UnauthorizedError:
                raise
            except RequestFailedError as error:
                failures.append(error)
            else:
                return
        raise failures[0]

    def _is_requested(self, stream: StreamDeclaration) -> bool:
        """Whether the API is asked for a stream's fields: in a sync, only if it is read."""
        if not self.is_online or not stream.endpoint.is_data_api:
            return False
        return self._is_for_catalog or self._is_needed(stream)

    def _is_needed(self, stream: StreamDeclaration) -> bool:
        """Whether nothing can go on without knowing a stream's fields."""
        if self._needed is None:
            return stream.selected_by_default
        return stream.name in self._needed

    def _declared(self, stream: StreamDeclaration) -> dict[str, str]:
        return self._settings.options_for(stream.name).custom_fields

    def _check_declared_types(self) -> None:
        problems = [
            f"stream_options.{stream.name}.custom_fields.{name}: "
            "is a documented field of another type"
            for stream in self._streams
            for name, type_name in self._declared(stream).items()
            if (documented := shipped_schema(stream.name)["properties"].get(name))
            and contradicts(type_name, documented)
        ]
        if problems:
            raise InvalidConfigError(problems)

    def _note_failure(self, stream: StreamDeclaration, error: CustobarError) -> None:
        """Warn that a stream's own fields are not known.

        Raises:
            DiscoveryFailedError: nothing can go on without them.
        """
        if self._is_needed(stream) and not isinstance(error, _OF_ONE_STREAM):
            raise self._failure(error) from None
        is_usual = isinstance(error, ForbiddenError) and not stream.selected_by_default
        self._logger.log(
            logging.INFO if is_usual else logging.WARNING,
            "%s: only documented fields are known, the columns of the company's own are "
            "missing. %s",
            stream.name,
            error,
        )

    def _failure(self, cause: CustobarError) -> DiscoveryFailedError:
        """Return the error that ends the run; it says if a catalog can be made offline."""
        return DiscoveryFailedError(
            cause, can_do_without=self._is_for_catalog or not isinstance(cause, _OF_RECORDS_TOO)
        )

    def _describe(
        self, stream: StreamDeclaration, header: Collection[str] | None, sample: Collection[str]
    ) -> DiscoveredStream:
        """Join documented, declared and discovered properties of a stream.

        Args:
            stream: The stream.
            header: The names of all of its properties, as CSV; None if they are not known.
            sample: The names of those of a sample, as JSON; empty if that is not what is read.
        """
        shape, names = stream.line_items, header or ()
        is_line_items = shape is not None and shape.is_shape_of(
            self._catalog_key(stream) or sample or names
        )
        has_all_names = header is not None
        if shape and names and shape.is_shape_of(names) != is_line_items:
            names = sample if shape.is_shape_of(sample) == is_line_items else ()
            has_all_names = False
        shipped = shipped_schema(shape.schema if shape and is_line_items else stream.name)
        documented = shipped["properties"]
        types = dict.fromkeys(names, UNDECLARED) | self._declared(stream)
        custom = sorted(types.keys() - documented.keys())
        fields = [*custom, *self._catalog_properties(stream)]
        renamed = safe_names(fields, documented) if self._renames else {}
        for name in custom:
            if name in renamed:
                self._log_renamed(stream, name, renamed[name], documented)
        properties = documented | {
            name: custom_field(types[name], renamed.get(name)) for name in custom
        }
        rows = (
            {} if shape is None else {shape.nested_in: shipped_schema(shape.schema)["properties"]}
        )
        return DiscoveredStream(
            schema=strip_constraints({**shipped, "properties": properties}),
            custom_fields=custom,
            safe_names=renamed,
            has_all_names=has_all_names,
            is_line_items=is_line_items,
            protection=Protection(self._settings, stream.name, properties, rows),
        )

    def _log_renamed(
        self, stream: StreamDeclaration, name: str, safe_name: str, documented: Collection[str]
    ) -> None:
        """Log under which name a field is written; warn if its column had another one before."""
        is_safe_alone = not safe_names([name], documented)
        if self._input_catalog is None and is_safe_alone:
            self._logger.warning(
                "%s: the field %s is written as %s, because another custom field differs from it "
                "only by case, accents or punctuation. Its column in an existing table has that "
                "other name from now on: to keep the old one, use a catalog without the other "
                "field; to choose one, use stream_maps",
                stream.name,
                one_line(name),
                one_line(safe_name),
            )
        else:
            self._logger.info(
                "%s: the field %s is written as %s",
                stream.name,
                one_line(name),
                one_line(safe_name),
            )

    def _catalog_entry(self, stream: StreamDeclaration) -> CatalogEntry | None:
        return self._input_catalog.get_stream(stream.name) if self._input_catalog else None

    def _catalog_properties(self, stream: StreamDeclaration) -> Iterable[str]:
        """Return the names of the properties that the user's catalog has for a stream."""
        entry = self._catalog_entry(stream)
        return (entry.schema.properties or ()) if entry else ()

    def _catalog_key(self, stream: StreamDeclaration) -> Sequence[str]:
        """Return the primary key that the catalog gives a stream: it shows the stream's shape."""
        entry = self._catalog_entry(stream)
        if entry is None:
            return ()
        keys = entry.key_properties or entry.metadata.root.table_key_properties
        return keys if isinstance(keys, list) else ()

    def _check_protection(self, stream: StreamDeclaration, found: DiscoveredStream) -> None:
        also_known: Collection[str] | None = ()
        if self.is_online and stream.endpoint.is_data_api and not found.has_all_names:
            also_known = None
        elif stream.line_items and not self.is_online:  # its shape is not known
            also_known = shipped_schema(stream.line_items.schema)["properties"].keys()
        keys = stream.valid_replication_keys
        if stream.line_items and found.is_line_items:
            keys = stream.line_items.replication_keys
        found.protection.check(
            found.schema["properties"],
            replication_keys=keys,
            surrogate_key=stream.surrogate_key,
            also_known=also_known,
        )


def fetch_names(connection: Connection, stream: StreamDeclaration) -> list[str]:
    """Request the names of all properties of a stream, which the header of CSV has.

    Raises:
        CustobarError: they cannot be read.
    """
    schema = shipped_schema(stream.name)
    keys = {*schema["required"]} - {stream.surrogate_key}
    parse = partial(read_names, known=schema["properties"], keys=keys)
    url = connection.base_url.endpoint(stream.path, {"format": "csv", "limit": "1"})
    names = connection.client.get(url, parse, first_page=True)
    # CSV without even a header is accepted if JSON has no record either.
    if not names and fetch_sample(connection, stream, 1).rows:
        raise InvalidResponseError(_NOTHING)
    return names


def fetch_shape(
    connection: Connection, stream: StreamDeclaration, *, is_csv: bool
) -> AbstractSet[str]:
    """Request names of properties that show in which shape a list comes; empty without records.

    Args:
        connection: Where to request them.
        stream: The stream.
        is_csv: The format that is read. Its shape in the other one may differ, as CSV cannot nest.

    Raises:
        CustobarError: they cannot be read.
    """
    if is_csv:
        return {*fetch_names(connection, stream)}
    return fetch_sample(connection, stream, SHAPE_SAMPLE_SIZE).sample_names()


def documented_personal_data(
    streams: Iterable[StreamDeclaration],
) -> dict[str, dict[str, list[str]]]:
    """Return the documented properties that are personal data, by JSON schema and mark."""
    names = [name for stream in streams for name in _schema_names(stream)]
    marked = {name: personal_properties(shipped_schema(name)["properties"]) for name in names}
    return {name: marks for name, marks in marked.items() if any(marks.values())}


def _schema_names(stream: StreamDeclaration) -> list[str]:
    return [stream.name, *([stream.line_items.schema] if stream.line_items else [])]


def shipped_schema(stream: str) -> dict[str, Any]:
    """Return the JSON schema of a stream's documented fields.

    Raises:
        BrokenInstallationError: its file is missing or broken.
    """
    try:
        schema = _SHIPPED.get_schema(stream)
    except (SchemaNotFoundError, SchemaNotValidError):
        raise BrokenInstallationError(stream) from None
    if not isinstance(schema.get("properties"), dict):
        raise BrokenInstallationError(stream)
    return schema


def schema_directory() -> Any:  # noqa: ANN401 - the type is private to importlib.resources
    """Return the folder of the JSON schemas: in the package, or beside it in a checkout."""
    packaged = files("tap_custobar") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "schemas"


_SHIPPED = SchemaDirectory(schema_directory())
