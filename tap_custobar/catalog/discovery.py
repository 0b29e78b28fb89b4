"""The streams there are, with the company's own fields (docs/behaviour.md, "Discovery").

The API lists a company's fields nowhere but in the header of a CSV answer, which has names and no
types. So the types come from the config; what is not declared there is a string, which can hold
anything and does not change from run to run.
"""

from __future__ import annotations

import json
import logging
from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from singer_sdk import SchemaDirectory
from singer_sdk.exceptions import ConfigValidationError, SchemaNotFoundError, SchemaNotValidError

from tap_custobar.catalog.custom_fields import UNDECLARED, contradicts, custom_field, guess_type
from tap_custobar.config import settings
from tap_custobar.connection import Connection
from tap_custobar.errors import (
    BrokenInstallationError,
    CustobarError,
    DiscoveryFailedError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    RequestFailedError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from tap_custobar.pages.csv_pages import read_names
from tap_custobar.singer.tap import CustobarBaseTap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_custobar.api.responses import Page
    from tap_custobar.stream import CustobarStream

T = TypeVar("T")

#: Records that types are guessed from.
SAMPLE_SIZE = 1000


class DiscoveringTap(CustobarBaseTap):
    """A tap that asks the API for the company's own fields, unless a catalog tells them."""

    #: The streams there are.
    stream_types: ClassVar[Sequence[type[CustobarStream]]]

    #: Streams that could not be read when their fields were asked for, by cause.
    _refusals: list[CustobarError]

    #: The company's own fields, by stream.
    _own: dict[str, list[str]]

    @cached_property
    def connection(self) -> Connection:
        """The one that all streams share."""
        return Connection(self.config)

    def discover_streams(self) -> Sequence[CustobarStream]:
        """Return all streams, with the declared and the discovered custom fields."""
        self._refuse_contradictions()
        self._refusals, self._own = [], {}
        streams = [self._discover(stream) for stream in self.stream_types]
        if len(self._refusals) == sum(stream.is_data for stream in streams):
            raise DiscoveryFailedError(self._refusals[0])
        return streams

    def run_discovery(self) -> str:
        """Print the catalog, and log the types that undeclared custom fields look like."""
        if self.streams and self._asks:  # the streams first: the sample is of what they found
            self._suggest_types()
        return super().run_discovery()

    def ask_for_a_record(self) -> None:
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
        names: list[str] = []
        if self._asks and stream_type.is_data:
            schema = shipped_schema(name)
            keys = {*schema["required"]} - {stream_type.digest_key}
            parse = partial(read_names, known=schema["properties"], keys=keys)
            told = self._ask(stream_type, {"format": "csv", "limit": "1"}, parse)
            if told == []:
                self._believe_empty(stream_type)
            names = told or []
        rows = stream_type.as_rows
        is_rows = rows is not None and rows.keys[0] in (names or self._keys_in_catalog(name))
        shipped = shipped_schema(rows.schema if rows and is_rows else name)
        documented = shipped["properties"]
        types = dict.fromkeys(names, UNDECLARED) | self._declared(name)
        fields = sorted(types.keys() - documented.keys())
        own = {field: custom_field(types[field]) for field in fields}
        self._own[name] = fields
        stream = stream_type(self, self.connection, {**shipped, "properties": documented | own})
        if is_rows:
            stream.read_as_rows()
        return stream

    def _believe_empty(self, stream: type[CustobarStream]) -> None:
        """Believe CSV without so much as a header, when JSON has no record either."""
        try:
            if not stream.sample(self.connection, 1).rows:
                return
        except CustobarError as error:
            raise DiscoveryFailedError(error) from None
        raise DiscoveryFailedError(UnexpectedAnswerError("an empty body"))

    def _keys_in_catalog(self, stream: str) -> Sequence[str]:
        """Return the key that the catalog gives a stream: it tells the shape that it comes in."""
        entry = self.input_catalog.get_stream(stream) if self.input_catalog else None
        if entry is None:
            return ()
        return entry.key_properties or entry.metadata.root.table_key_properties or ()

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

    def _ask(
        self, stream: type[CustobarStream], query: Mapping[str, str], parse: Callable[[Page], T]
    ) -> T | None:
        """Return the answer, or None, with a warning, where this one stream cannot be read."""
        url = self.connection.api.endpoint(stream.path, query)
        try:
            return self.connection.client.get(url, parse, first_page=True)
        except (ForbiddenError, NotFoundError, RefusedError, UnexpectedAnswerError) as error:
            if isinstance(error, UnexpectedAnswerError) and stream.selected_by_default:
                raise DiscoveryFailedError(error) from None
            self._refusals.append(error)
            level = logging.WARNING if stream.selected_by_default else logging.INFO
            self.logger.log(level, "%s: only documented fields are known. %s", stream.name, error)
            return None
        except CustobarError as error:
            raise DiscoveryFailedError(error) from None


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
