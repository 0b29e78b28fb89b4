"""Converts records one by one, and counts what is lost (docs/behaviour.md, "Records").

The rules come from the JSON schema alone: no field has special code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_custobar.records.converters import ConversionError, ConverterFactory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tap_custobar.records.schema import SelectedSchema

#: Number of unknown properties above which no further ones are remembered.
MAX_UNKNOWN = 1000


@dataclass(slots=True)
class Loss:
    """How often something was lost, and at which page and row first (both counted from 1)."""

    count: int
    page: int
    row: int


@dataclass(slots=True)
class Losses:
    """What a stream lost; it contains no values.

    Attributes:
        nulled: By property: values, or parts of one, of a type that the schema does not allow.
        replaced: By property: values with characters that became U+FFFD.
        skipped: By reason: rows that are not valid records.
        unknown: Properties that the schema does not have.
        missing_fields: Properties that were requested and are not in the response.
    """

    nulled: dict[str, Loss] = field(default_factory=dict)
    replaced: dict[str, Loss] = field(default_factory=dict)
    skipped: dict[str, Loss] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    missing_fields: set[str] = field(default_factory=set)

    @property
    def nulled_count(self) -> int:
        """The number of values that became null or left their list."""
        return sum(loss.count for loss in self.nulled.values())

    @property
    def skipped_count(self) -> int:
        """The number of rows that were skipped."""
        return sum(loss.count for loss in self.skipped.values())


class DictRecords:
    """Converts the rows of one stream one by one, and counts what is lost.

    Attributes:
        losses: What was lost so far.
    """

    def __init__(self, schema: SelectedSchema) -> None:
        """Create the conversions to a schema."""
        self.losses = Losses()
        self._known = frozenset(schema.properties)
        self._partly_lost = self._replaced = False
        self._keys = schema.keys
        cutting, keeping = (
            ConverterFactory(
                schema.zone, self._on_partial_loss, self._on_replacement, whole_fractions=is_whole
            )
            for is_whole in (False, True)
        )
        self._fields = [
            (name, (keeping if schema.has_whole_fractions(name) else cutting).compile(definition))
            for name, definition in schema.fields.items()
        ]

    def note_unknown(self, names: AbstractSet[str]) -> None:
        """Record which of the received properties the schema does not have."""
        if len(self.losses.unknown) < MAX_UNKNOWN:
            self.losses.unknown |= names - self._known

    def convert(self, rows: Sequence[object], page: int, before: int = 0) -> list[dict[str, Any]]:
        """Return the records of the rows that are valid records, and count the losses.

        Args:
            rows: Consecutive rows, as JSON values.
            page: The number of their page, counted from 1.
            before: The number of rows of the page that precede them.
        """
        records = []
        for number, row in enumerate(rows, before + 1):
            place = page, number
            if not isinstance(row, dict):
                self._count(self.losses.skipped, "not an object", place)
                continue
            record = self._convert(row, place)
            if any(record.get(key) in (None, "") for key in self._keys):
                self._count(self.losses.skipped, f"no {', '.join(self._keys)}", place)
                continue
            records.append(record)
        return records

    def _convert(self, row: Mapping[str, Any], place: tuple[int, int]) -> dict[str, Any]:
        record = {}
        for name, convert in self._fields:
            if name not in row:
                continue
            try:
                record[name] = convert(row[name])
            except (ConversionError, RecursionError):
                # A row without a valid key is counted as skipped instead.
                self._partly_lost, self._replaced = name not in self._keys, False
                if convert.nullable:
                    record[name] = None
            if self._partly_lost:
                self._partly_lost = False
                self._count(self.losses.nulled, name, place)
            if self._replaced:
                self._replaced = False
                if name in self._keys:
                    record.pop(name, None)  # replacements could make two keys equal
                else:
                    self._count(self.losses.replaced, name, place)
        return record

    def _on_partial_loss(self) -> None:
        self._partly_lost = True

    def _on_replacement(self) -> None:
        self._replaced = True

    def _count(self, losses: dict[str, Loss], name: str, place: tuple[int, int]) -> None:
        losses.setdefault(name, Loss(0, *place)).count += 1
