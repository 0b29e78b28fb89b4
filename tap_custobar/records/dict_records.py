"""Makes a record fit its schema, keeping whatever can be kept (docs/behaviour.md, "Records").

The rules come from the JSON schema alone; no field has code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_custobar.records.converters import ConversionError, ConverterFactory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tap_custobar.records.schema import SelectedSchema


#: Unknown properties that are remembered.
MAX_UNKNOWN = 1000


@dataclass(slots=True)
class Loss:
    """What could not be kept: how often, and where it happened first (both counted from 1)."""

    count: int
    page: int
    row: int


@dataclass(slots=True)
class Losses:
    """What a stream lost on its way, without any of the values.

    Attributes:
        nulled: By field: values, or parts of one, that fit no type the schema allows.
        replaced: By field: values with characters that became U+FFFD.
        skipped: By reason: rows that are no record.
        unknown: Properties that the schema does not have.
        lacking: Properties that were asked for and did not come.
    """

    nulled: dict[str, Loss] = field(default_factory=dict)
    replaced: dict[str, Loss] = field(default_factory=dict)
    skipped: dict[str, Loss] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    lacking: set[str] = field(default_factory=set)

    @property
    def nulled_count(self) -> int:
        """How many values became null or left their list."""
        return sum(loss.count for loss in self.nulled.values())

    @property
    def skipped_count(self) -> int:
        """How many rows gave no record."""
        return sum(loss.count for loss in self.skipped.values())


class DictRecords:
    """Converts the rows of one stream one by one, and counts what is lost.

    Attributes:
        losses: What could not be kept, so far.
    """

    def __init__(self, schema: SelectedSchema) -> None:
        """Prepare the conversions to this schema."""
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
        """Remember those of the properties that came which the schema does not have."""
        if len(self.losses.unknown) < MAX_UNKNOWN:
            self.losses.unknown |= names - self._known

    def convert(self, rows: Sequence[object], page: int, before: int = 0) -> list[dict[str, Any]]:
        """Return the records that rows give.

        Args:
            rows: Consecutive rows, as JSON values.
            page: Which page they are of, counted from 1.
            before: How many rows of the page come before them.
        """
        records = []
        for number, row in enumerate(rows, before + 1):
            place = page, number
            if not isinstance(row, dict):
                self._count(self.losses.skipped, "no object", place)
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
                # A row without its key is skipped as a whole, and counted as that.
                self._partly_lost, self._replaced = name not in self._keys, False
                if convert.nullable:
                    record[name] = None
            if self._partly_lost:
                self._partly_lost = False
                self._count(self.losses.nulled, name, place)
            if self._replaced:
                self._replaced = False
                if name in self._keys:
                    record.pop(name, None)  # two keys could become one
                else:
                    self._count(self.losses.replaced, name, place)
        return record

    def _on_partial_loss(self) -> None:
        self._partly_lost = True

    def _on_replacement(self) -> None:
        self._replaced = True

    def _count(self, losses: dict[str, Loss], name: str, place: tuple[int, int]) -> None:
        losses.setdefault(name, Loss(0, *place)).count += 1
