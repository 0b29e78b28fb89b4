"""Makes a record fit its schema, keeping whatever can be kept (docs/behaviour.md, "Records").

The rules come from the JSON schema alone; no field has code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_custobar.pages.json_pages import names_in
from tap_custobar.records.converters import Rules, Unfit, holds_instants, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tap_custobar.pages.json_pages import ParsedPage
    from tap_custobar.records.schema import SelectedSchema
    from tap_custobar.records.struct_records import CompiledRows


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


class Conformer:
    """Makes the rows of one stream fit its schema, and keeps count of what is lost."""

    def __init__(self, schema: SelectedSchema) -> None:
        """Prepare the conversions to this schema."""
        self.losses = Losses()
        self._known = frozenset(schema.properties)
        self._partly_lost = self._replaced = False
        self._keys = schema.keys
        rules = Rules(
            schema.zone,
            self._lose_part,
            self._on_replacement,
            whole_fractions=schema.whole_fractions,
        )
        self._fields = [(name, rules.compile(field)) for name, field in schema.fields.items()]
        rules = Rules(schema.zone, refuse)
        self._cut_fields = [
            (name, rules.compile(field))
            for name, field in schema.fields.items()
            if schema.whole_fractions and holds_instants(field)
        ]

    def notice(self, names: AbstractSet[str]) -> None:
        """Remember those of the properties that came which the schema does not have."""
        if len(self.losses.unknown) < MAX_UNKNOWN:
            self.losses.unknown |= names - self._known

    def conform(
        self, page: ParsedPage, number: int, compiled: CompiledRows | None
    ) -> Iterator[Sequence[Any]]:
        """Yield the records of a page by the block, in their order.

        Args:
            page: The page.
            number: Which one it is, counted from 1.
            compiled: The fast path, where it is taken: all records are structs then.
        """
        self.notice(page.names)
        self.losses.lacking |= page.lacking
        read = 0
        for rows, fits in page.blocks:
            if fits:
                yield rows
            else:
                if not page.names:
                    self.notice(names_in(rows))
                records = self.conform_rows(rows, number, read)
                yield compiled.adopt(records) if compiled else records
            read += len(rows)

    def conform_rows(
        self, rows: Iterable[object], page: int, before: int = 0
    ) -> list[dict[str, Any]]:
        """Return the records that rows give; so many of the page's were `before` them."""
        records = []
        for number, row in enumerate(rows, before + 1):
            place = page, number
            if not isinstance(row, dict):
                self._count(self.losses.skipped, "no object", place)
                continue
            record = self._conform(row, place)
            if any(record.get(key) in (None, "") for key in self._keys):
                self._count(self.losses.skipped, f"no {', '.join(self._keys)}", place)
                continue
            records.append(record)
        return records

    def cut_fractions(self, records: Iterable[Any]) -> None:
        """Cut, in the records themselves, what the schema's `whole_fractions` kept."""
        for record in records:
            for name, fit in self._cut_fields:
                if name in record:
                    record[name] = fit(record[name])

    def _conform(self, row: Mapping[str, Any], place: tuple[int, int]) -> dict[str, Any]:
        record = {}
        for name, fit in self._fields:
            if name not in row:
                continue
            try:
                record[name] = fit(row[name])
            except (Unfit, RecursionError):
                # A row without its key is skipped as a whole, and counted as that.
                self._partly_lost, self._replaced = name not in self._keys, False
                if fit.nullable:
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

    def _lose_part(self) -> None:
        self._partly_lost = True

    def _on_replacement(self) -> None:
        self._replaced = True

    def _count(self, losses: dict[str, Loss], name: str, place: tuple[int, int]) -> None:
        losses.setdefault(name, Loss(0, *place)).count += 1
