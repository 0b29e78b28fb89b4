from __future__ import annotations

import pytest

from tap_custobar.catalog.shapes import LineItemShape, check_shape
from tap_custobar.errors import CatalogError

ROWS = LineItemShape("sale_rows", ["sale_id", "row_id"], ["date"], "rows")


@pytest.mark.parametrize(
    ("keys", "names", "problem"),
    [
        (["external_id"], ["external_id", "products"], None),
        (["sale_id", "row_id"], ["sale_id", "row_id", "price"], None),
        (["external_id"], [], None),  # no record says nothing
        (["external_id"], ["sale_id", "row_id"], "sales come with sale_id"),
        (["sale_id", "row_id"], ["external_id"], "sales come without sale_id"),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_discovered", [True, False])
def test_records_that_contradict_the_primary_key_are_rejected(
    keys: list[str], names: list[str], problem: str | None, *, is_discovered: bool
) -> None:
    arguments = {"primary_keys": keys, "names": {*names}, "is_discovered": is_discovered}
    if problem is None:
        check_shape("sales", ROWS, **arguments)  # type: ignore[arg-type] # one dictionary of all
        return

    with pytest.raises(CatalogError, match=problem) as raised:
        check_shape("sales", ROWS, **arguments)  # type: ignore[arg-type] # as above

    assert ", ".join(keys) in str(raised.value)
    # What helps where discovery has not asked the API.
    assert ("discover_custom_fields: true" in str(raised.value)) is not is_discovered
