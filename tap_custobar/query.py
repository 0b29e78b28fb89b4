"""The first page's query: the only one of our own, for every later one is named by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_custobar.api.urls import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def build_query(
    *,
    page_size: int | None,
    fields: str | None,
    filters: Mapping[str, str],
    order: Sequence[str],
    format_: str | None = None,
) -> dict[str, str]:
    """Return the parameters of the specification that are needed, by name.

    Args:
        page_size: Records to ask for at once; None for as many as the API gives by itself.
        fields: The selected properties, as `selection` writes them; None for all.
        filters: Field name to its value.
        order: Field names, descending with a dash before them.
        format_: `csv`, or None for JSON.
    """
    query = dict(filters)
    if order:
        query["order"] = ",".join(order)
    # Too long to be sent, it is left out: the rest is dropped when it has come.
    if fields and len(fields) < MAX_LENGTH // 2:
        query = {"fields": fields, **query}
    if page_size is not None:
        query = {"limit": str(page_size), **query}
    if format_:
        query["format"] = format_
    return query
