"""The schema of the selected properties."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import tzinfo


@dataclass(frozen=True)
class SelectedSchema:
    """The schema of a stream's records in this sync.

    Attributes:
        properties: The JSON schemas of all properties, in the order in which they are written.
        selected: The properties that are written; others are discarded without a warning.
        keys: The primary key's properties that the API provides; a row without one is skipped.
        zone: Time zone of date-times without one.
        surrogate_key: The property that is computed from the record; None if the API provides a
            primary key.
        hashed: The properties whose values are hashed before any other use.
        compared: The properties that are compared with the filters of the settings. Those that are
            not selected are decoded for that only, and not written.
    """

    properties: Mapping[str, Mapping[str, Any]]
    selected: Collection[str]
    keys: Sequence[str]
    zone: tzinfo
    surrogate_key: str | None = None
    hashed: Collection[str] = ()
    compared: Collection[str] = ()

    def has_whole_fractions(self, name: str) -> bool:
        """Return whether a property keeps all fraction digits until the surrogate key is computed.

        Cutting them earlier would change the keys of records that are already loaded. Hashed
        properties are cut before they are hashed.
        """
        return self.surrogate_key is not None and name not in self.hashed

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON schemas of the properties that are decoded: selected or compared."""
        decoded = {*self.selected, *self.compared}
        return {name: each for name, each in self.properties.items() if name in decoded}
