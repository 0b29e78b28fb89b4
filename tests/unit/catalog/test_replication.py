from __future__ import annotations

import pytest

from tap_custobar.catalog.replication import replication_key
from tap_custobar.errors import CatalogError


@pytest.mark.parametrize(
    ("method", "key", "valid", "chosen"),
    [
        (None, None, ["date"], None),
        ("FULL_TABLE", None, ["date"], None),
        ("FULL_TABLE", "date", ["date"], None),
        ("INCREMENTAL", None, ["date", "updated"], "date"),
        ("INCREMENTAL", "updated", ["date", "updated"], "updated"),
        (None, None, [], None),
    ],
)
def test_the_replication_key_is_that_of_the_catalog(
    method: str | None, key: str | None, valid: list[str], chosen: str | None
) -> None:
    assert replication_key("sales", method, key, valid) == chosen


@pytest.mark.parametrize(
    ("method", "key", "valid", "problem"),
    [
        ("INCREMENTAL", "price", ["date"], "replication-key price is not valid for sales.* date"),
        (None, "price", [], "price is not valid for sales.* none"),
        ("INCREMENTAL", None, [], "INCREMENTAL is not valid for sales.* FULL_TABLE.$"),
        (
            "LOG_BASED",
            None,
            ["date"],
            "LOG_BASED is not valid for sales.* FULL_TABLE, INCREMENTAL.$",
        ),
    ],
)
def test_an_invalid_replication_is_rejected_with_the_valid_values(
    method: str | None, key: str | None, valid: list[str], problem: str
) -> None:
    with pytest.raises(CatalogError, match=problem):
        replication_key("sales", method, key, valid)
