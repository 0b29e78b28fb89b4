"""Makes a record fit its schema, keeping whatever can be kept (section "Records").

The rules come from the JSON schema alone; no field has code of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_custobar.values import Rules, Unfit

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import tzinfo


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
        skipped: By reason: rows that are no record.
        unknown: Properties that the schema does not have.
    """

    nulled: dict[str, Loss] = field(default_factory=dict)
    skipped: dict[str, Loss] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)


class Conformer:
    """Makes the rows of one stream fit its schema, and keeps count of what is lost."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        selected: Collection[str],
        keys: Sequence[str],
        zone: tzinfo,
    ) -> None:
        """Prepare the conversions.

        Args:
            schema: The stream's JSON schema; its order is the order that keys leave in.
            selected: The properties that leave; others are dropped silently.
            keys: The properties without which a row is no record.
            zone: What date-times without a zone are told in.
        """
        self.losses = Losses()
        self._pages = 0
        self._partly_lost = False
        self._keys = keys
        self._known = frozenset(schema["properties"])
        rules = Rules(zone, self._lose_part)
        self._fields = [
            (name, rules.compile(definition))
            for name, definition in schema["properties"].items()
            if name in selected
        ]

    def conform_page(self, rows: Sequence[object]) -> list[dict[str, Any]]:
        """Return the records that the next page's rows give, in their order."""
        self._pages += 1
        records = []
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                self._count(self.losses.skipped, "no object", number)
                continue
            record = self._conform(row, number)
            if any(record.get(key) in (None, "") for key in self._keys):
                self._count(self.losses.skipped, f"no {', '.join(self._keys)}", number)
                continue
            records.append(record)
        return records

    def _conform(self, row: Mapping[str, Any], number: int) -> dict[str, Any]:
        if not row.keys() <= self._known and len(self.losses.unknown) < MAX_UNKNOWN:
            self.losses.unknown |= row.keys() - self._known
        record = {}
        for name, fit in self._fields:
            if name not in row:
                continue
            try:
                record[name] = fit(row[name])
            except (Unfit, RecursionError):
                # A row without its key is skipped as a whole, and counted as that.
                self._partly_lost = name not in self._keys
                if fit.nullable:
                    record[name] = None
            if self._partly_lost:
                self._partly_lost = False
                self._count(self.losses.nulled, name, number)
        return record

    def _lose_part(self) -> None:
        self._partly_lost = True

    def _count(self, losses: dict[str, Loss], name: str, row: int) -> None:
        losses.setdefault(name, Loss(0, self._pages, row)).count += 1
