"""The fast path: strictly decodes many records at once into structs.

Its output is identical to that of `dict_records`, which converts all chunks of rows that this path
rejects.
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from tap_custobar.records.columns import Column, absent
from tap_custobar.records.converters import (
    ConversionError,
    ConverterFactory,
    holds_timestamps,
    reject,
)
from tap_custobar.records.json_codec import encode_lines, has_rejected_values, parse_decimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_custobar.records.columns import Row
    from tap_custobar.records.schema import SelectedSchema

#: Maximum number of properties that structs have only to discard them, because no schema has them.
#: With more of these, structs ignore all unknown properties.
MAX_IGNORED = 200


class FallbackRequired(Exception):  # noqa: N818 - not an error: the rows are converted one by one
    """Rows that the fast path cannot decode.

    Attributes:
        may_adapt: Whether adapted structs might decode them (see `StructRecords.adapt`).
    """

    def __init__(self, *, may_adapt: bool = False) -> None:
        """Create the exception; see the class for the argument."""
        super().__init__()
        self.may_adapt = may_adapt


class StructRecords:
    """The struct type of one stream's selected schema, and the decoder of rows into such structs.

    Attributes:
        columns: The properties that are decoded, in the order in which they are written.
        notices_unknown: Whether rows with an unknown property that no earlier row had require the
            fallback.
    """

    def __init__(self, schema: SelectedSchema) -> None:
        """Create the struct type of a schema."""
        # Conversions must not lose anything here, because only `dict_records` counts losses.
        cutting = ConverterFactory(schema.zone, reject, reject)
        keeping = ConverterFactory(schema.zone, reject, reject, whole_fractions=True)
        whole = {name for name in schema.fields if schema.has_whole_fractions(name)}
        self.columns = {
            name: Column(
                f"p{number}",
                definition,
                (keeping if name in whole else cutting).compile(definition),
            )
            for number, (name, definition) in enumerate(schema.fields.items())
        }
        self._keys = [self.columns[key] for key in schema.keys]
        self._cut_columns = [
            Column(self.columns[name].attribute, definition, cutting.compile(definition))
            for name, definition in schema.fields.items()
            if name in whole and holds_timestamps(definition)
        ]
        self._unselected = [c for name, c in self.columns.items() if name not in schema.selected]
        self._ignored: dict[str, str] = {}
        self.notices_unknown = True
        # msgspec cannot rename to a name that JSON escapes: such records are encoded as dicts.
        self._is_encodable = all(map(_is_plain, self.columns))
        self._compile()

    def decode(self, rows: bytes) -> list[Row]:
        """Return the records of a JSON array.

        Raises:
            FallbackRequired: the fast path cannot decode them.
        """
        if has_rejected_values(rows) or not self._is_encodable:
            raise FallbackRequired
        try:
            records: list[Row] = self._decoder.decode(rows)
        except msgspec.ValidationError:
            raise FallbackRequired(may_adapt=True) from None
        except (ArithmeticError, ValueError, RecursionError):
            raise FallbackRequired from None
        for attribute in self._ignored.values():
            _set_all(records, attribute, repeat(UNSET))
        self._convert(records)
        return records

    def from_columns(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[Row]:
        """Return records with the values of some columns.

        Args:
            columns: By property, the JSON values of all records, UNSET where there is none.
            count: The number of records.

        Raises:
            FallbackRequired: the fast path cannot convert them.
        """
        for column in self.columns.values():
            if column.is_checked_by_decoder:
                column.relax()  # structs are not checked when created from values
        try:
            values = [
                column.conform(list(columns[name])) if name in columns else absent(count)
                for name, column in self.columns.items()
            ]
        except (ConversionError, RecursionError):
            raise FallbackRequired from None
        records = self.build(values)
        self._check_keys(records)
        return records

    def build(self, values: Sequence[Sequence[Any]]) -> list[Row]:
        """Return records of valid values, which are given column by column, in column order."""
        return list(map(self._row, *values))

    def from_dicts(self, records: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Return valid records as structs."""
        return [self._row(*(r.get(name, UNSET) for name in self.columns)) for r in records]

    def to_dicts(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Return records as dictionaries, without their missing properties."""
        names = tuple(self.columns)
        return [
            {n: v for n, v in zip(names, row, strict=False) if v is not UNSET}
            for row in map(msgspec.structs.astuple, rows)
        ]

    def encode_lines(self, rows: Sequence[Row]) -> bytes:
        """Return records as JSON lines, each with its line break."""
        return encode_lines(rows if self._is_encodable else self.to_dicts(rows))

    def set_column(self, rows: Sequence[Row], name: str, values: Iterable[Any]) -> None:
        """Set a property of records, in place; UNSET removes it."""
        _set_all(rows, self.columns[name].attribute, values)

    def cut_fractions(self, rows: Sequence[Row]) -> None:
        """Cut, in place, the fractions of a second that only the surrogate key needs in full."""
        for column in self._cut_columns:
            _convert_in_place(column, rows)

    def drop_unselected(self, rows: Sequence[Row]) -> None:
        """Remove, in place, the properties that were only decoded to be compared."""
        for column in self._unselected:
            _set_all(rows, column.attribute, repeat(UNSET))

    def adapt(self, rows: Sequence[object]) -> bool:
        """Change the struct type so that it accepts rows like these; return whether it changed.

        Deviations from the schema (a number for a string, an unknown property) usually recur, and
        later rows that have them should be decoded on the fast path.
        """
        dicts = [row for row in rows if isinstance(row, dict)]
        has_changed = self._ignore(dicts)
        for name, column in self.columns.items():
            if column.struct_type is not Any and not _accepts(column, name, dicts):
                column.relax()
                has_changed = True
        if has_changed:
            self._compile()
        return has_changed

    def _ignore(self, rows: Sequence[dict[str, Any]]) -> bool:
        unknown = frozenset[str]().union(*rows) - self.columns.keys() - self._ignored.keys()
        if not unknown or not self.notices_unknown:
            return False
        if len(unknown) + len(self._ignored) > MAX_IGNORED or not all(map(_is_plain, unknown)):
            self.notices_unknown = False
            self._ignored.clear()
        else:
            for name in sorted(unknown):
                self._ignored[name] = f"i{len(self._ignored)}"
        return True

    def _convert(self, rows: Sequence[Row]) -> None:
        try:
            for column in self.columns.values():
                if column.pass_through is not None:
                    _convert_in_place(column, rows)
        except (ConversionError, RecursionError):
            raise FallbackRequired from None
        self._check_keys(rows)

    def _check_keys(self, rows: Sequence[Row]) -> None:
        if not all(all(map(key.get, rows)) for key in self._keys):
            raise FallbackRequired

    def _compile(self) -> None:
        names = {
            **{
                column.attribute: name if self._is_encodable else column.attribute
                for name, column in self.columns.items()
            },
            **{attribute: name for name, attribute in self._ignored.items()},
        }
        self._row = msgspec.defstruct(
            "Row",
            [
                *(
                    (column.attribute, column.struct_type | UnsetType, UNSET)
                    for column in self.columns.values()
                ),
                *((attribute, Any, UNSET) for attribute in self._ignored.values()),
            ],
            rename=names,
            omit_defaults=True,
            forbid_unknown_fields=self.notices_unknown,
            gc=False,
        )
        rows = list[self._row]  # type: ignore[name-defined] # defined above
        self._decoder = msgspec.json.Decoder(rows, float_hook=parse_decimal)


def _accepts(column: Column, name: str, rows: Sequence[dict[str, Any]]) -> bool:
    """Return whether the decoder accepts the values of a column in all rows."""
    values = [row[name] for row in rows if name in row]
    try:
        msgspec.convert(values, list[column.struct_type], strict=True)  # type: ignore[name-defined]
    except (msgspec.ValidationError, RecursionError):
        return False
    return True


def _is_plain(name: str) -> bool:
    """Return whether JSON encodes a name without escapes."""
    try:
        return encode_lines([name]) == f'"{name}"\n'.encode()
    except UnicodeEncodeError:
        return False


def _convert_in_place(column: Column, rows: Sequence[Row]) -> None:
    values = list(map(column.get, rows))
    if (converted := column.conform(values)) is not values:
        _set_all(rows, column.attribute, converted)


def _set_all(rows: Iterable[Row], attribute: str, values: Iterable[Any]) -> None:
    # Faster than a loop: `map` and `deque` iterate in C.
    deque(map(setattr, rows, repeat(attribute), values), maxlen=0)
