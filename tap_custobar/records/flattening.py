"""Projects records to other columns: flattens nested objects, or renames properties.

The SDK's setting `flattening_enabled` requests the first. The SDK flattens each record by its
content. Here the schema decides, one column at a time: a record that is valid for the schema gets
the same keys and values, and no record gets a key that the SCHEMA message does not declare.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET

from tap_custobar.records.decoder import Batch
from tap_custobar.records.json_codec import encode_lines
from tap_custobar.records.schema import SelectedSchema
from tap_custobar.records.struct_records import StructRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tap_custobar.records.converters import Schema

_MISSING = (None, UNSET)


class ProjectedColumn(NamedTuple):
    """A column of projected records.

    Attributes:
        name: Its name.
        path: The names of the property and of the nested members that lead to its value.
        is_text: Whether values that are not strings are encoded as JSON strings.
    """

    name: str
    path: tuple[str, ...]
    is_text: bool = False


class Projection:
    """The projection of one stream's records to other columns."""

    def __init__(self, columns: Iterable[ProjectedColumn], to_json: Callable[[Any], str]) -> None:
        """Create a projection.

        Args:
            columns: The columns of the projected records, in their order.
            to_json: Encodes a list or object as JSON, like the SDK does.
        """
        self._columns = list(columns)
        self._to_json = to_json
        names: dict[str, Any] = {column.name: {} for column in self._columns}
        self._structs = StructRecords(SelectedSchema(names, names, (), UTC))

    def apply(self, batch: Batch) -> Batch:
        """Return the projected records of a batch, which stays unchanged."""
        columns = [self._values(column, batch) for column in self._columns]
        return Batch(self._structs, self._structs.build(columns))

    def _values(self, column: ProjectedColumn, batch: Batch) -> list[Any]:
        name, *members = column.path
        values = batch.column(name)
        for member in members:
            values = [
                value.get(member, UNSET) if value.__class__ is dict else UNSET for value in values
            ]
        return self._as_strings(values) if column.is_text else values

    def _as_strings(self, values: list[Any]) -> list[Any]:
        present = [v for v in values if v.__class__ is not str and v not in _MISSING]
        lines = encode_lines(present)
        # The SDK escapes characters that are not ASCII.
        if lines.isascii() and b"\x7f" not in lines:
            encoded = iter(lines.decode().split("\n"))
        else:
            encoded = map(self._to_json, present)
        return [v if v.__class__ is str or v in _MISSING else next(encoded) for v in values]


def plain_columns(properties: Iterable[str]) -> Iterator[ProjectedColumn]:
    """Yield the columns of records that are not flattened."""
    for name in properties:
        yield ProjectedColumn(name, (name,))


def flat_columns(
    properties: Mapping[str, Schema],
    max_depth: int,
    name_of: Callable[[Sequence[str]], str],
    parents: tuple[str, ...] = (),
) -> Iterator[ProjectedColumn]:
    """Yield the columns of flattened records.

    Args:
        properties: The JSON schemas of the selected properties.
        max_depth: Number of levels of objects whose members become columns.
        name_of: Returns the flattened name of a path.
        parents: The names of the enclosing objects, the outermost first.
    """
    for name, definition in properties.items():
        path = (*parents, name)
        types = definition.get("type") or ()
        if "object" in types and "properties" in definition and max_depth > 0:
            yield from flat_columns(definition["properties"], max_depth - 1, name_of, path)
        else:
            is_text = not types or "array" in types or "object" in types
            yield ProjectedColumn(name_of(path), path, is_text)
