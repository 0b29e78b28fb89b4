"""Lists that come in one of two shapes: sales as whole sales or as their line items."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_custobar.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from collections.abc import Set as AbstractSet

#: Records that show in which shape a list comes.
SHAPE_SAMPLE_SIZE = 100


class LineItemShape(NamedTuple):
    """The other shape of a list: several of its rows make up one record of the usual shape.

    Attributes:
        schema: Name of the JSON schema of a row.
        keys: Primary key of a row. Its first property exists in this shape only.
        replication_keys: Properties that may be its replication key.
        nested_in: The property of a record of the usual shape that has its rows.
    """

    schema: str
    keys: Sequence[str]
    replication_keys: Sequence[str]
    nested_in: str

    def is_shape_of(self, names: Collection[str]) -> bool:
        """Return whether these property names, or those of a primary key, are of this shape."""
        return self.keys[0] in names


def check_shape(
    stream: str,
    shape: LineItemShape,
    *,
    primary_keys: Sequence[str],
    names: AbstractSet[str],
    is_discovered: bool,
) -> None:
    """Compare the shape of the received records with that of the primary key.

    Args:
        stream: Name of the stream.
        shape: Its other shape.
        primary_keys: Those of the catalog, or of discovery.
        names: Properties of the received records; if empty, nothing is checked.
        is_discovered: Whether discovery asks the API for the shape.

    Raises:
        CatalogError: they differ, so the primary key would not be unique.
    """
    expected = shape.is_shape_of(primary_keys)
    if not names or expected == shape.is_shape_of(names):
        return
    how = "" if is_discovered else ", with discover_custom_fields: true, which finds out the shape"
    msg = (
        f"{stream} come with{'out' if expected else ''} {shape.keys[0]}, so their key is not "
        f"{', '.join(primary_keys)}: discover again (Meltano: --refresh-catalog){how}."
    )
    raise CatalogError(msg)
