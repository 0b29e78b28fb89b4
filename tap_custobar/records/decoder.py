"""Raw rows -> batches of records that are valid for their schema.

There are two implementations with identical results: structs decode rows that match the schema,
and other rows are converted one by one. `RecordDecoder` chooses one for each chunk of rows.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any

from tap_custobar.records.dict_records import DictRecords
from tap_custobar.records.raw_rows import names_in
from tap_custobar.records.struct_records import FallbackRequired, StructRecords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from tap_custobar.records.columns import Row
    from tap_custobar.records.dict_records import Losses
    from tap_custobar.records.raw_rows import RawRows
    from tap_custobar.records.schema import SelectedSchema

#: Number of rows that are decoded and written at once.
BATCH_SIZE = 256


class Batch:
    """Consecutive records of one stream, all valid for its schema."""

    __slots__ = ("_rows", "_structs")

    def __init__(self, structs: StructRecords, rows: Sequence[Row]) -> None:
        """Create a batch.

        Args:
            structs: The columns of the records.
            rows: The records, as structs.
        """
        self._structs = structs
        self._rows = rows

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._rows)

    def column(self, name: str) -> list[Any]:
        """Return the values of a property: one per record, UNSET where it is missing."""
        return list(map(self._structs.columns[name].get, self._rows))

    def set_column(self, name: str, values: Iterable[Any]) -> None:
        """Set the values of a property, in place; UNSET removes it."""
        self._structs.set_column(self._rows, name, values)

    def drop_unselected(self) -> None:
        """Remove, in place, the properties that were only decoded to be compared with filters."""
        self._structs.drop_unselected(self._rows)

    def cut_fractions(self) -> None:
        """Cut, in place, the fractions of a second that only the surrogate key needs in full."""
        self._structs.cut_fractions(self._rows)

    def part(self, start: int, stop: int) -> Batch:
        """Return the records from index `start` up to, but not including, `stop`."""
        return Batch(self._structs, self._rows[start:stop])

    def keep(self, mask: Sequence[bool]) -> Batch:
        """Return the records for which the mask is true."""
        return self if all(mask) else Batch(self._structs, list(compress(self._rows, mask)))

    def dicts(self) -> list[dict[str, Any]]:
        """Return the records as dictionaries, newly created by each call."""
        return self._structs.to_dicts(self._rows)

    def lines(self) -> bytes:
        """Return the records as JSON lines, each with its line break."""
        return self._structs.encode_lines(self._rows)


class RecordDecoder:
    """Decodes the rows of one stream."""

    def __init__(self, schema: SelectedSchema) -> None:
        """Create the decoder of a stream, from the schema of its records."""
        self._structs = StructRecords(schema)
        self._dicts = DictRecords(schema)

    @property
    def losses(self) -> Losses:
        """What was lost so far."""
        return self._dicts.losses

    def note_header(self, names: AbstractSet[str], missing_fields: AbstractSet[str]) -> None:
        """Record which properties the header of a page has and does not have.

        Args:
            names: The properties in the header.
            missing_fields: The requested properties that are not in it.
        """
        self._dicts.note_unknown(names)
        self.losses.missing_fields |= missing_fields

    def decode(self, chunks: Iterable[RawRows], page: int) -> Iterator[Batch]:
        """Yield the records of a page, in their order.

        Args:
            chunks: The rows of the page.
            page: Its number, counted from 1.
        """
        before = 0
        for chunk in chunks:
            yield Batch(self._structs, self._decode(chunk, page, before))
            before += len(chunk)

    def _decode(self, chunk: RawRows, page: int, before: int) -> Sequence[Row]:
        try:
            rows = chunk.to_structs(self._structs)
        except FallbackRequired as fallback:
            values = chunk.to_values()
            self._dicts.note_unknown(names_in(values))
            if fallback.may_adapt and self._structs.adapt(values):
                try:
                    return chunk.to_structs(self._structs)
                except FallbackRequired:
                    pass
        else:
            if not self._structs.notices_unknown:
                self._dicts.note_unknown(chunk.names())
            return rows
        records = self._dicts.convert(values, page, before)
        return self._structs.from_dicts(records)
