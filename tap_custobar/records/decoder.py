"""Raw rows -> batches of records that fit their schema.

There is one interface and there are two ways: structs where rows fit, conversions one by one where
they do not. Which one a block of rows takes is decided here, and nobody behind it can tell.
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

#: Rows that are decoded and written at once.
BATCH_SIZE = 256


class Batch:
    """Consecutive records of one stream, all of which fit its schema."""

    __slots__ = ("_rows", "_structs")

    def __init__(self, structs: StructRecords, rows: Sequence[Row]) -> None:
        """Take the records, and what knows their columns."""
        self._structs = structs
        self._rows = rows

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._rows)

    def column(self, name: str) -> list[Any]:
        """Return the values of a property: one a record, UNSET where it lacks it."""
        return list(map(self._structs.columns[name].get, self._rows))

    def set_column(self, name: str, values: Iterable[Any]) -> None:
        """Set the values of a property, in place; UNSET takes it away."""
        self._structs.set_column(self._rows, name, values)

    def cut_fractions(self) -> None:
        """Cut, in place, the fractions of a second that were kept for the surrogate key."""
        self._structs.cut_fractions(self._rows)

    def part(self, start: int, stop: int) -> Batch:
        """Return some of the records, by their places."""
        return Batch(self._structs, self._rows[start:stop])

    def keep(self, mask: Sequence[bool]) -> Batch:
        """Return the records for which the mask is true."""
        return self if all(mask) else Batch(self._structs, list(compress(self._rows, mask)))

    def dicts(self) -> list[dict[str, Any]]:
        """Return the records as dictionaries, new ones with each call."""
        return self._structs.to_dicts(self._rows)

    def lines(self) -> bytes:
        """Return the records as lines of JSON, each with its line break."""
        return self._structs.encode_lines(self._rows)


class RecordDecoder:
    """Decodes the rows of one stream."""

    def __init__(self, schema: SelectedSchema) -> None:
        """Prepare what the records must look like."""
        self._structs = StructRecords(schema)
        self._dicts = DictRecords(schema)

    @property
    def losses(self) -> Losses:
        """What could not be kept, so far."""
        return self._dicts.losses

    def note_header(self, names: AbstractSet[str], lacking: AbstractSet[str]) -> None:
        """Note what the header of a page tells of all of its rows.

        Args:
            names: The properties that came.
            lacking: Those that were asked for and did not come.
        """
        self._dicts.note_unknown(names)
        self.losses.lacking |= lacking

    def decode(self, blocks: Iterable[RawRows], page: int) -> Iterator[Batch]:
        """Yield the records of a page, in their order.

        Args:
            blocks: The rows of the page.
            page: Which one it is, counted from 1.
        """
        before = 0
        for block in blocks:
            yield Batch(self._structs, self._decode(block, page, before))
            before += len(block)

    def _decode(self, block: RawRows, page: int, before: int) -> Sequence[Row]:
        try:
            rows = block.to_structs(self._structs)
        except FallbackRequired as fallback:
            values = block.to_values()
            self._dicts.note_unknown(names_in(values))
            if fallback.may_adapt and self._structs.adapt(values):
                try:
                    return block.to_structs(self._structs)
                except FallbackRequired:
                    pass
        else:
            if not self._structs.notices_unknown:
                self._dicts.note_unknown(block.names())
            return rows
        records = self._dicts.convert(values, page, before)
        return self._structs.from_dicts(records)
