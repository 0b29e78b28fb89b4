"""The streams there are, with the company's own fields (docs/behaviour.md, "Discovery").

The API lists a company's fields nowhere but in the header of a CSV answer, which has names and no
types. So the types come from the config; what is not declared there is a string, which can hold
anything and does not change from run to run.
"""

from __future__ import annotations

import json
import logging
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk import SchemaDirectory
from singer_sdk.about import AboutFormatter
from singer_sdk.exceptions import ConfigValidationError, SchemaNotFoundError, SchemaNotValidError

from tap_custobar.catalog.custom_fields import UNDECLARED, contradicts, custom_field, guess_type
from tap_custobar.catalog.personal_data import lost_joins, personal_properties
from tap_custobar.catalog.replication import strip_constraints
from tap_custobar.config import settings
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
from tap_custobar.redaction import one_line
from tap_custobar.safe_names import safe_names
from tap_custobar.singer.tap import CustobarBaseTap

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_custobar.catalog.personal_data import Protection
    from tap_custobar.stream import CustobarStream

#: Records that types are guessed from.
SAMPLE_SIZE = 1000


#: What came where at least a header should have.
_NOTHING = "an empty body"

#: Failures that say something of one stream, not of all.
_OF_ONE_STREAM = (ForbiddenError, NotFoundError, BadRequestError)

#: Failures that reading the records would meet as well.
_OF_RECORDS_TOO = (*NOT_PAGE_SPECIFIC, NotFoundError, RedirectedError)


class DiscoveringTap(CustobarBaseTap):
    """A tap that asks the API for the company's own fields, unless a catalog tells them."""

    #: The streams there are.
    stream_types: ClassVar[Sequence[type[CustobarStream]]]

    #: Whether a catalog is to be made: then every stream is asked for its own fields.
    makes_catalog = False

    #: Whether fields leave under names that databases take, where their own is none.
    renames = True

    #: Streams that are read, where no catalog of Singer's says so; by default what is selected by
    #: default. Of others nothing is asked.
    wanted: Collection[str] | None = None

    #: Streams that could not be read when their fields were asked for, by cause.
    _refusals: list[CustobarError]

    #: The streams whose fields were told.
    _told: set[str]

    #: The company's own fields, by stream.
    _own: dict[str, list[str]]

    def discover_streams(self) -> Sequence[CustobarStream]:
        """Return all streams, with the declared and the discovered custom fields."""
        self._refuse_contradictions()
        self._refusals, self._own, self._told = [], {}, set()
        streams = [self._discover(stream) for stream in self.stream_types]
        asked = sum(map(self._is_asked, self.stream_types))
        if asked and len(self._refusals) == asked:
            raise self._failure(self._refusals[0])
        if self.input_catalog is None:
            for stream in streams:
                stream.check_protection(also_known=self._also_known(type(stream)))
        return streams

    def _also_known(self, stream: type[CustobarStream]) -> Collection[str] | None:
        """Return the properties that a stream may have besides; None where that is not known."""
        if self._asks and stream.is_data and stream.name not in self._told:
            return None
        if stream.line_items and not self._asks:  # in which shape it comes is not known
            return set(shipped_schema(stream.line_items.schema)["properties"])
        return ()

    @property
    def protections(self) -> dict[str, Protection]:
        """What the settings let leave of each stream."""
        return {stream.name: stream.protection for stream in self._own_streams}

    @property
    def _own_streams(self) -> list[CustobarStream]:
        return cast("list[CustobarStream]", [*self.streams.values()])

    def run_discovery(self) -> str:
        """Print the catalog, and log the types that undeclared custom fields look like."""
        self.makes_catalog = True
        try:
            if self.streams and self._asks:  # the streams first: the sample is of what they found
                self._suggest_types()
            return super().run_discovery()
        finally:
            self.connection.close()

    def warnings(self) -> Iterator[str]:
        """Yield what does not join any more, for it is hashed in one stream and not in another."""
        yield from lost_joins(
            (stream.name, stream.protection, stream.selected_names)
            for stream in self._own_streams
            if stream.selected
        )

    @classmethod
    def print_about(cls, output_format: str | None = None) -> None:
        """Print what the SDK tells of the tap, and which properties tell of a person."""
        formatter = AboutFormatter.get_formatter(output_format or "text")
        text = formatter.format_about(cls._get_about_info())
        personal = cls.personal_data()
        match output_format:
            case "json":
                text = json.dumps({**json.loads(text), "personal_data": personal}, indent=2)
            case "markdown":
                text += f"\n## Personal data\n\n{_personal_lines(personal, '- `{}`: {}')}\n"
            case _:
                text += f"\nPersonal data:\n{_personal_lines(personal, '  - {}: {}')}"
        click.echo(text)

    @classmethod
    def personal_data(cls) -> dict[str, dict[str, list[str]]]:
        """Return the documented properties that tell of a person, by JSON schema and mark."""
        names = [stream.name for stream in cls.stream_types]
        names += [stream.line_items.schema for stream in cls.stream_types if stream.line_items]
        marked = {name: personal_properties(shipped_schema(name)["properties"]) for name in names}
        return {name: marks for name, marks in marked.items() if any(marks.values())}

    def check_connection(self) -> None:
        """Ask one stream after the other for a record, until one may be read.

        Raises:
            CustobarError: no stream may be read, or the API cannot be asked.
        """
        refusals: list[RequestFailedError] = []
        for stream in self.stream_types:
            try:
                stream.sample(self.connection, 1)
            except UnauthorizedError:
                raise
            except RequestFailedError as error:
                refusals.append(error)
            else:
                return
        raise refusals[0]

    @property
    def _asks(self) -> bool:
        """Whether the API is asked: there is nothing to ask with before a config is given."""
        return (
            self.input_catalog is None
            and "api_token" in self.config
            and self.config["discover_custom_fields"]
        )

    def _is_asked(self, stream: type[CustobarStream]) -> bool:
        """Whether a stream is asked for its own fields: in a sync, only what is read."""
        if not self._asks or not stream.is_data:
            return False
        return self.makes_catalog or self._is_needed(stream)

    def _is_needed(self, stream: type[CustobarStream]) -> bool:
        """Whether nothing can go on without knowing what a stream holds."""
        if self.wanted is None:
            return stream.selected_by_default
        return stream.name in self.wanted

    def _declared(self, stream: str) -> dict[str, str]:
        return settings.options_of(self.config, stream).get("custom_fields") or {}

    def _refuse_contradictions(self) -> None:
        problems = [
            f"stream_options.{stream.name}.custom_fields.{name}: "
            "is a documented field of another type"
            for stream in self.stream_types
            for name, type_name in self._declared(stream.name).items()
            if (documented := shipped_schema(stream.name)["properties"].get(name))
            and contradicts(type_name, documented)
        ]
        if problems:
            msg = "The config is not valid"
            raise ConfigValidationError(msg, errors=problems)

    def _discover(self, stream_type: type[CustobarStream]) -> CustobarStream:
        """Return a stream with the documented fields, then the company's own by their names."""
        name = stream_type.name
        names = self._names(stream_type) if self._is_asked(stream_type) else []
        rows = stream_type.line_items
        is_rows = rows is not None and rows.keys[0] in (names or self._keys_in_catalog(name))
        shipped = shipped_schema(rows.schema if rows and is_rows else name)
        documented = shipped["properties"]
        types = dict.fromkeys(names, UNDECLARED) | self._declared(name)
        fields = sorted(types.keys() - documented.keys())
        renamed = safe_names(fields, documented) if self.renames else {}
        for field, safe in renamed.items():
            self.logger.info("%s: the field %s leaves as %s", name, one_line(field), safe)
        own = {field: custom_field(types[field], renamed.get(field)) for field in fields}
        self._own[name] = fields
        schema = strip_constraints({**shipped, "properties": documented | own})
        stream = stream_type(self, self.connection, schema)
        if self.renames:
            stream.documented = documented
        if is_rows:
            stream.use_line_items()
        return stream

    def _names(self, stream: type[CustobarStream]) -> list[str]:
        """Return the names of all properties of a stream.

        None, with a warning, where this one stream cannot be read, and need not be.

        Raises:
            DiscoveryFailedError: nothing can go on without them.
        """
        schema = shipped_schema(stream.name)
        keys = {*schema["required"]} - {stream.surrogate_key}
        parse = partial(read_names, known=schema["properties"], keys=keys)
        url = self.connection.api.endpoint(stream.path, {"format": "csv", "limit": "1"})
        try:
            names = self.connection.client.get(url, parse, first_page=True)
            # CSV without so much as a header is believed when JSON has no record either.
            if not names and stream.sample(self.connection, 1).rows:
                raise InvalidResponseError(_NOTHING)
        except CustobarError as error:
            if self._is_needed(stream) and not isinstance(error, _OF_ONE_STREAM):
                raise self._failure(error) from None
            self._refusals.append(error)
            is_usual = isinstance(error, ForbiddenError) and not stream.selected_by_default
            self.logger.log(
                logging.INFO if is_usual else logging.WARNING,
                "%s: only documented fields are known, the columns of the company's own are "
                "missing. %s",
                stream.name,
                error,
            )
            return []
        self._told.add(stream.name)
        return names

    def _failure(self, cause: CustobarError) -> DiscoveryFailedError:
        """Return what ends the run; without asking, a catalog can be made whatever the cause."""
        return DiscoveryFailedError(
            cause, can_do_without=self.makes_catalog or not isinstance(cause, _OF_RECORDS_TOO)
        )

    def _keys_in_catalog(self, stream: str) -> Sequence[str]:
        """Return the key that the catalog gives a stream: it tells the shape that it comes in."""
        entry = self.input_catalog.get_stream(stream) if self.input_catalog else None
        if entry is None:
            return ()
        told = entry.key_properties or entry.metadata.root.table_key_properties
        return told if isinstance(told, list) else ()

    def _suggest_types(self) -> None:
        """Log a config that declares the undeclared fields by what a sample of them holds."""
        suggested = {}
        for stream in self.stream_types:
            if not stream.is_data:
                continue
            declared = self._declared(stream.name)
            own = self._own[stream.name]
            if declared.keys() >= set(own):
                continue
            try:
                sample = stream.sample(self.connection, SAMPLE_SIZE)
            except CustobarError as error:
                self.logger.warning("%s: no types can be suggested. %s", stream.name, error)
                continue
            rows = [row for row in sample.rows if isinstance(row, dict)]
            guessed = {name: guess_type(row.get(name) for row in rows) for name in own}
            suggested[stream.name] = {"custom_fields": {**guessed, **declared}}
        if suggested:
            self.logger.info(
                "The company's own fields look like this; put it into the config to get them "
                "by these types instead of as strings:\n%s",
                json.dumps({"stream_options": suggested}, indent=2, ensure_ascii=False),
            )


def _personal_lines(personal: Mapping[str, Mapping[str, list[str]]], line: str) -> str:
    return "\n".join(
        line.format(f"{schema}, {mark}s", ", ".join(names))
        for schema, marks in personal.items()
        for mark, names in marks.items()
    )


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


def schema_directory() -> Any:  # noqa: ANN401 - importlib.resources' own type moves about
    """Return the folder of the JSON schemas: in the package, or beside it in a checkout."""
    packaged = files("tap_custobar") / "schemas"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "schemas"


_SHIPPED = SchemaDirectory(schema_directory())
