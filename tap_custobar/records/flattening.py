"""Records under other columns: nested objects as columns of their own, or other names.

The SDK's setting `flattening_enabled` asks for the first. The SDK flattens record by record, by
what is in each. Here it is done by the schema, a column at a time: the same keys and values for a
record that fits, and nothing that the SCHEMA does not have (of an object that is null, or a member
that no schema names).
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
        path: The names of the property and of the members on the way to its value.
        is_text: Whether what is no string leaves as JSON text.
    """

    name: str
    path: tuple[str, ...]
    is_text: bool = False


class Projection:
    """Gives the records of one stream other columns."""

    def __init__(self, columns: Iterable[ProjectedColumn], to_text: Callable[[Any], str]) -> None:
        """Take the columns.

        Args:
            columns: Those that the records are to have, in their order.
            to_text: Returns the JSON text of a list or object, as the SDK writes it.
        """
        self._columns = list(columns)
        self._to_text = to_text
        names: dict[str, Any] = {column.name: {} for column in self._columns}
        self._structs = StructRecords(SelectedSchema(names, names, (), UTC))

    def apply(self, batch: Batch) -> Batch:
        """Return the records of a batch with these columns."""
        columns = [self._values(column, batch) for column in self._columns]
        return Batch(self._structs, self._structs.build(columns))

    def _values(self, column: ProjectedColumn, batch: Batch) -> list[Any]:
        name, *members = column.path
        values = batch.column(name)
        for member in members:
            values = [
                value.get(member, UNSET) if value.__class__ is dict else UNSET for value in values
            ]
        return self._texts(values) if column.is_text else values

    def _texts(self, values: list[Any]) -> list[Any]:
        present = [v for v in values if v.__class__ is not str and v not in _MISSING]
        lines = encode_lines(present)
        # The SDK escapes what is not ASCII.
        if lines.isascii() and b"\x7f" not in lines:
            texts = iter(lines.decode().split("\n"))
        else:
            texts = map(self._to_text, present)
        return [v if v.__class__ is str or v in _MISSING else next(texts) for v in values]


def plain_columns(properties: Iterable[str]) -> Iterator[ProjectedColumn]:
    """Yield the columns that records have as they are."""
    for name in properties:
        yield ProjectedColumn(name, (name,))


def flat_columns(
    properties: Mapping[str, Schema],
    max_depth: int,
    name_of: Callable[[Sequence[str]], str],
    parents: tuple[str, ...] = (),
) -> Iterator[ProjectedColumn]:
    """Yield the columns that flattened records have.

    Args:
        properties: The JSON schemas of the properties that leave.
        max_depth: How many levels of objects become columns.
        name_of: Returns the flattened name of a path.
        parents: The names of the objects around the properties.
    """
    for name, definition in properties.items():
        path = (*parents, name)
        types = definition.get("type") or ()
        if "object" in types and "properties" in definition and max_depth > 0:
            yield from flat_columns(definition["properties"], max_depth - 1, name_of, path)
        else:
            is_text = not types or "array" in types or "object" in types
            yield ProjectedColumn(name_of(path), path, is_text)
