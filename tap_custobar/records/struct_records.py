"""The fast path: many records at once, decoded strictly into structs.

What it gives is what `records` gives, to the byte. Rows that it cannot take all go there instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from tap_custobar.records.columns import Column
from tap_custobar.records.converters import Rules, Unfit, holds_instants, refuse
from tap_custobar.records.json_codec import needs_a_look, parse_decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_custobar.records.columns import Row
    from tap_custobar.records.schema import SelectedSchema

# Where a row did not fit, as the decoder tells it.
_PLACE = re.compile(r"at `\$\[\d+\]\.(?P<name>.+?)(\[\d+\])*`$", re.DOTALL)


class MisfitError(Exception):
    """Rows that the fast path cannot take."""


class CompiledRows:
    """The structs of one stream's selected schema, and what decodes a page into them."""

    def __init__(self, schema: SelectedSchema) -> None:
        """Compile what the records must look like."""
        # A conversion may lose no part here: what is lost is counted on the other path.
        rules = Rules(schema.zone, refuse, refuse, whole_fractions=schema.whole_fractions)
        self.columns = {
            name: Column(f"p{number}", definition, rules.compile(definition))
            for number, (name, definition) in enumerate(schema.fields.items())
        }
        self._keys = [self.columns[key] for key in schema.keys]
        rules = Rules(schema.zone, refuse, refuse)
        self._cut_columns = [
            Column(self.columns[name].attribute, definition, rules.compile(definition))
            for name, definition in schema.fields.items()
            if schema.whole_fractions and holds_instants(definition)
        ]
        self._compile()

    @classmethod
    def of(cls, schema: SelectedSchema) -> CompiledRows | None:
        """Compile a schema, unless a property has a name that structs cannot have (quotes, say)."""
        try:
            return cls(schema)
        except ValueError:
            return None

    def decode(self, rows: bytes) -> list[Row]:
        """Return the records of a JSON array.

        Raises:
            MisfitError: the fast path cannot take them.
        """
        if needs_a_look(rows):
            raise MisfitError
        return self._take(lambda: self._decoder.decode(rows))

    def convert(self, rows: Sequence[object]) -> list[Row]:
        """Return the same of rows that `json_text.decode` gave, of bytes that need no look."""
        return self._take(lambda: msgspec.convert(rows, self._rows, strict=True))

    def take_texts(self) -> None:
        """Expect texts for values of every type, as CSV has them."""
        for column in self.columns.values():
            column.loosen()
        self._compile()

    def build(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[Row]:
        """Return so many records, made of the values of their properties.

        Raises:
            MisfitError: the fast path cannot take them.
        """
        absent = [UNSET] * count
        rows = list(map(self._row, *(columns.get(name, absent) for name in self.columns)))
        self._conform(rows)
        return rows

    def adopt(self, records: Iterable[Mapping[str, Any]]) -> list[Row]:
        """Return records that fit already, as structs."""
        return [self._row(*(r.get(name, UNSET) for name in self.columns)) for r in records]

    def cut_fractions(self, rows: Sequence[Row]) -> None:
        """Cut, in the records themselves, what the schema's `whole_fractions` kept."""
        for column in self._cut_columns:
            column.conform(rows)

    def as_dicts(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Return records with what they hold, by the properties' names."""
        values = map(msgspec.structs.astuple, rows)
        return [
            {name: v for name, v in zip(self.columns, row, strict=True) if v is not UNSET}
            for row in values
        ]

    def _conform(self, rows: Sequence[Row]) -> None:
        try:
            for column in self.columns.values():
                column.conform(rows)
        except (Unfit, RecursionError):
            raise MisfitError from None
        if not all(all(map(key.get, rows)) for key in self._keys):
            raise MisfitError

    def _take(self, decode: Callable[[], list[Row]]) -> list[Row]:
        while True:
            try:
                rows = decode()
            except msgspec.ValidationError as error:
                if not self._loosen(str(error)):
                    raise MisfitError from None
            except (ArithmeticError, ValueError, RecursionError):
                raise MisfitError from None
            else:
                self._conform(rows)
                return rows

    def _loosen(self, problem: str) -> bool:
        """Let the property that the decoder stopped at hold anything, from this page on.

        What a company sends for it once (numbers for a text, say) it sends again.
        """
        place = _PLACE.search(problem)
        column = self.columns.get(place["name"]) if place else None
        if column is None or column.annotation is Any:
            return False
        column.loosen()
        self._compile()
        return True

    def _compile(self) -> None:
        self._row = msgspec.defstruct(
            "Row",
            [
                (column.attribute, column.annotation | UnsetType, UNSET)
                for column in self.columns.values()
            ],
            rename={column.attribute: name for name, column in self.columns.items()},
            omit_defaults=True,
            gc=False,
        )
        self._rows = list[self._row]  # type: ignore[name-defined] # made just now
        self._decoder = msgspec.json.Decoder(self._rows, float_hook=parse_decimal)
