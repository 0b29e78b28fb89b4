from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from tap_custobar.catalog.custom_fields import (
    JSON_SCHEMAS,
    UnseenFields,
    contradicts,
    custom_field,
    guess_type,
)
from tap_custobar.records.decoder import Batch, RecordDecoder
from tap_custobar.records.raw_rows import JsonValues
from tap_custobar.records.schema import SelectedSchema


@pytest.mark.parametrize(
    ("values", "type_name"),
    [
        ([True, False, None], "boolean"),
        ([1, 2, ""], "integer"),
        ([1, Decimal("2.5")], "number"),
        ([Decimal("2.5")], "number"),
        (["2024-01-31", "2024-02-29"], "date"),
        (["2024-01-31T10:00:00Z", "2024-01-31 10:00"], "datetime"),
        (["2024-01-31", "2024-01-31T10:00:00Z"], "string"),
        (["2024-02-30"], "string"),
        ([[1], []], "list"),
        ([{"a": 1}], "object"),
        ([True, 1], "string"),
        ([1, "1"], "string"),
        (["5"], "string"),
        ([], "string"),
        ([None, ""], "string"),
    ],
    ids=str,
)
def test_a_type_is_suggested_if_all_values_match_it(values: list[Any], type_name: str) -> None:
    assert guess_type(values) == type_name
    assert type_name in JSON_SCHEMAS


@pytest.mark.parametrize(
    ("type_name", "documented", "contradiction"),
    [
        ("string", {"type": ["string", "null"]}, False),
        ("email", {"type": "string"}, False),
        ("integer", {"type": ["string", "null"]}, True),
        ("date", {"type": ["string", "null"]}, True),
        ("datetime", {"type": ["string", "null"], "format": "date-time"}, False),
        ("string", {"type": ["string", "null"], "format": "date-time"}, True),
        ("money", {"type": ["number", "integer", "null"]}, False),
    ],
    ids=str,
)
def test_a_type_that_differs_from_the_documented_one_is_a_contradiction(
    type_name: str, documented: dict[str, Any], *, contradiction: bool
) -> None:
    assert contradicts(type_name, documented) is contradiction


@pytest.mark.parametrize("type_name", JSON_SCHEMAS)
def test_every_custom_field_is_nullable_and_described_as_custom(type_name: str) -> None:
    field = custom_field(type_name)

    assert "null" in field["type"]
    assert type_name in field["description"]
    assert (field["x-custobar-type"], field["x-personal-data"]) == (type_name, "custom")
    assert " as " not in field["description"]


def test_the_description_of_a_renamed_field_says_so() -> None:
    assert " as acme__size_2," in custom_field("number", "acme__size_2")["description"]


def batch_of(*rows: dict[str, Any]) -> Batch:
    properties = {name: {"type": ["string", "null"]} for name in ("id", "a", "b", "c")}
    schema = SelectedSchema(properties, properties, ["id"], UTC)
    [batch] = RecordDecoder(schema).decode([JsonValues([{"id": "1", **row} for row in rows])], 1)
    return batch


def test_fields_that_no_record_has_are_reported() -> None:
    unseen = UnseenFields(["a", "b", "c"])

    unseen.look_in(batch_of({}, {"a": None}))
    assert (unseen.names, unseen.rows) == ({"b", "c"}, 2)

    unseen.look_in(batch_of({"c": "x"}))
    assert (unseen.names, unseen.rows) == ({"b"}, 3)
