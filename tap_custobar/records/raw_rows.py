"""Consecutive raw rows of a page, in the form that is cheapest to decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import UNSET

from tap_custobar.records.json_codec import decode, decode_lenient, encode
from tap_custobar.records.struct_records import FallbackRequired

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_custobar.records.columns import Row
    from tap_custobar.records.struct_records import StructRecords


_names_decoder = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class RawRows(Protocol):
    """Consecutive rows of a page."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def to_structs(self, structs: StructRecords) -> list[Row]:
        """Return the records, one per row.

        Raises:
            FallbackRequired: at least one row is not a valid record without a conversion.
        """
        ...

    def to_values(self) -> list[Any]:
        """Return the rows as JSON values of any type."""
        ...

    def names(self) -> frozenset[str]:
        """Return the properties that any of the rows has."""
        ...


class JsonRows:
    """Rows as undecoded JSON."""

    def __init__(self, rows: Sequence[msgspec.Raw]) -> None:
        """Create the rows, from the undecoded JSON of each."""
        self._rows = rows

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    @property
    def _array(self) -> bytes:
        return b"[%b]" % b",".join(self._rows)

    def to_structs(self, structs: StructRecords) -> list[Row]:
        """Decode the rows directly into structs."""
        return structs.decode(self._array)

    def to_values(self) -> list[Any]:
        """Decode the rows, leniently if strict decoding fails."""
        array = self._array
        try:
            values: list[Any] = decode(array)
        except (ArithmeticError, ValueError, RecursionError):
            values = decode_lenient(array)
        return values

    def names(self) -> frozenset[str]:
        """Return the properties that any of the rows has, without decoding their values."""
        try:
            return names_in(_names_decoder.decode(self._array))
        except (msgspec.DecodeError, ValueError, RecursionError):
            return names_in(self.to_values())


class JsonValues:
    """Rows of a page that only the lenient decoder accepts."""

    def __init__(self, values: list[Any]) -> None:
        """Create the rows, from their decoded values."""
        self._values = values

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._values)

    def to_structs(self, structs: StructRecords) -> list[Row]:
        """Encode the rows again, because the invalid values may all be in other chunks."""
        try:
            array = encode(self._values).encode()
        except (ArithmeticError, ValueError, RecursionError):
            raise FallbackRequired from None
        return structs.decode(array)

    def to_values(self) -> list[Any]:
        """Return the rows."""
        return self._values

    def names(self) -> frozenset[str]:
        """Return the properties that any of the rows has."""
        return names_in(self._values)


class ColumnRows:
    """Rows of CSV, read column by column."""

    def __init__(
        self, columns: Mapping[str, Sequence[Any]], count: int, *, is_tidy: bool = True
    ) -> None:
        """Create the rows.

        Args:
            columns: By property, the values of all rows, UNSET for an empty cell.
            count: The number of rows.
            is_tidy: Whether all strings are valid Unicode without U+0000, and all integers are in
                the range of a double.
        """
        self._columns = columns
        self._count = count
        self._is_tidy = is_tidy

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def to_structs(self, structs: StructRecords) -> list[Row]:
        """Convert the columns to structs."""
        if not self._is_tidy:
            raise FallbackRequired
        return structs.from_columns(self._columns, self._count)

    def to_values(self) -> list[Any]:
        """Return the rows as dictionaries, without their empty cells."""
        columns = self._columns
        rows = zip(*columns.values(), strict=True) if columns else [()] * self._count
        return [
            {name: v for name, v in zip(columns, row, strict=True) if v is not UNSET}
            for row in rows
        ]

    def names(self) -> frozenset[str]:
        """Return the properties of the columns that are read."""
        return frozenset(self._columns)


def names_in(rows: Iterable[object]) -> frozenset[str]:
    """Return the properties that any of the rows has."""
    return frozenset[str]().union(*(row for row in rows if isinstance(row, dict)))
