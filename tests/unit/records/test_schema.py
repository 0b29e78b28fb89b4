from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.records.schema import fields_parameter

PROPERTIES = ["external_id", "email", "city"]


@pytest.mark.parametrize(
    ("selected", "fields"),
    [
        (["external_id"], "external_id"),
        (["city", "external_id"], "external_id,city"),
        (("city", "city", "external_id"), "external_id,city"),
        ({"email": 1, "external_id": 2}, "external_id,email"),
        (["external_id", "not_in_the_schema"], "external_id"),
        (PROPERTIES, None),
        ([*reversed(PROPERTIES), "not_in_the_schema"], None),
    ],
)
def test_fields_are_the_selected_in_schema_order_unless_all_are(
    selected: list[str], fields: str | None
) -> None:
    assert fields_parameter(PROPERTIES, selected) == fields


def test_the_selected_may_come_one_by_one() -> None:
    assert fields_parameter(PROPERTIES, iter(["city", "email"])) == "email,city"


@given(
    st.data(),
    st.lists(st.text("abc_", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
)
def test_order_of_selection_does_not_matter(data: st.DataObject, names: list[str]) -> None:
    selected = data.draw(st.lists(st.sampled_from(names), min_size=1))

    fields = fields_parameter(names, selected)

    assert fields == fields_parameter(names, sorted(selected))
    if set(selected) == set(names):
        assert fields is None
    else:
        assert fields
        assert set(fields.split(",")) == set(selected)
        assert [name for name in names if name in selected] == fields.split(",")
