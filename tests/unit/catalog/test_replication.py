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
def test_a_stream_is_read_by_the_key_that_its_catalog_names(
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
def test_what_a_stream_does_not_have_is_refused_with_what_it_has(
    method: str | None, key: str | None, valid: list[str], problem: str
) -> None:
    with pytest.raises(CatalogError, match=problem):
        replication_key("sales", method, key, valid)
