"""What the catalog selects: the schema that is left, and the API's parameter `fields`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import tzinfo


@dataclass(frozen=True)
class SelectedSchema:
    """What the records of a stream must look like, as it is read this time.

    Attributes:
        properties: The JSON schemas of all properties; their order is the order they leave in.
        selected: The properties that leave; others are dropped silently.
        keys: The properties without which a row is no record.
        zone: What date-times without a zone are told in.
        surrogate_key: The key that is made of the record, where the API gives none.
        hashed: The properties whose values are hashed before anything is made of them.
    """

    properties: Mapping[str, Mapping[str, Any]]
    selected: Collection[str]
    keys: Sequence[str]
    zone: tzinfo
    surrogate_key: str | None = None
    hashed: Collection[str] = ()

    def has_whole_fractions(self, name: str) -> bool:
        """Tell whether fractions of a second stay whole until the surrogate key has been made.

        Cut before, they would change the keys of records that are loaded already. What is hashed
        is hashed as it would leave.
        """
        return self.surrogate_key is not None and name not in self.hashed

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, Any]]:
        """The properties that leave."""
        chosen = self.properties.items()
        return {name: definition for name, definition in chosen if name in self.selected}


def fields_parameter(
    properties: Collection[str], selected: Iterable[str], *, always: bool = False
) -> str | None:
    """Return the value of `fields` (section "Specifying the returned fields").

    Args:
        properties: All properties of the stream's schema, in its order.
        selected: Those wanted, keys included; in any order.
        always: Whether to name them where they are all.

    Returns:
        The wanted ones in the order of the schema, or None where that is all of them: then the
        API returns every field without being told.
    """
    wanted = set(selected)
    names = [name for name in properties if name in wanted]
    return ",".join(names) if always or len(names) < len(properties) else None
