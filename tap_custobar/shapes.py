"""What the records of a stream must look like."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import tzinfo


@dataclass(frozen=True)
class Shape:
    """A stream's schema as it is read this time.

    Attributes:
        properties: The JSON schemas of all properties; their order is the order they leave in.
        selected: The properties that leave; others are dropped silently.
        keys: The properties without which a row is no record.
        zone: What date-times without a zone are told in.
    """

    properties: Mapping[str, Mapping[str, Any]]
    selected: Collection[str]
    keys: Sequence[str]
    zone: tzinfo

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The properties that leave."""
        chosen = self.properties.items()
        return {name: definition for name, definition in chosen if name in self.selected}
