"""The schema of the selected properties, and the API's parameter `fields`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
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
    """

    properties: Mapping[str, Mapping[str, Any]]
    selected: Collection[str]
    keys: Sequence[str]
    zone: tzinfo
    surrogate_key: str | None = None
    hashed: Collection[str] = ()

    def has_whole_fractions(self, name: str) -> bool:
        """Return whether a property keeps all fraction digits until the surrogate key is computed.

        Cutting them earlier would change the keys of records that are already loaded. Hashed
        properties are cut before they are hashed.
        """
        return self.surrogate_key is not None and name not in self.hashed

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The JSON schemas of the selected properties."""
        definitions = self.properties.items()
        return {name: definition for name, definition in definitions if name in self.selected}


def fields_parameter(
    properties: Collection[str], selected: Iterable[str], *, always: bool = False
) -> str | None:
    """Return the value of `fields` (section "Specifying the returned fields").

    Args:
        properties: All properties of the stream's schema, in its order.
        selected: The selected ones, keys included, in any order.
        always: Whether to list them even if all are selected.

    Returns:
        The selected properties in the order of the schema; None if all are selected, because the
        API returns every field by default.
    """
    requested = set(selected)
    names = [name for name in properties if name in requested]
    return ",".join(names) if always or len(names) < len(properties) else None
