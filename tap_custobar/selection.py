"""The catalog's selection, as the API's parameter `fields`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


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
