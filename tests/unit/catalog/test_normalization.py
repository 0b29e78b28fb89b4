from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from tap_custobar.catalog.normalization import normalize_catalog, strip_constraints
from tests.unit.strategies import schemas

INTEGER = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
TEXT = {"type": "string"}
DATE = {"type": "string", "format": "date"}
TEXT_INTEGER_OR_NULL = {**INTEGER, "type": ["string", "integer", "null"]}


@pytest.mark.parametrize(
    ("given_schema", "stripped"),
    [
        (TEXT, TEXT),
        ({"type": ["null", "string"]}, {"type": ["null", "string"]}),
        ({"type": ["string"]}, TEXT),
        ({"type": "string", "maxLength": 5, "pattern": "a", "enum": ["a"], "const": "a"}, TEXT),
        ({"type": "string", "format": "email"}, TEXT),
        (DATE, DATE),
        ({"type": "integer", "minimum": 5}, INTEGER),
        ({"type": ["integer", "number"]}, {"type": ["integer", "number"]}),
        ({"anyOf": [TEXT, {"type": "null"}]}, {"type": ["string", "null"]}),
        ({"oneOf": [TEXT, TEXT]}, TEXT),
        (
            {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["integer", "null"]}]},
            {**INTEGER, "type": ["string", "integer", "null"], "format": "date-time"},
        ),
        # It is not known which of two strings is the date.
        ({"anyOf": [{"type": "string", "format": "date"}, TEXT]}, TEXT),
        ({"type": "string", "format": "date", "anyOf": [{"minLength": 1}, {"const": ""}]}, DATE),
        ({"anyOf": [{"oneOf": [TEXT, INTEGER]}, {"type": "null"}]}, TEXT_INTEGER_OR_NULL),
        (
            {"anyOf": [{"type": "array", "items": TEXT}, {"type": "array", "items": INTEGER}]},
            {"type": "array", "items": {**INTEGER, "type": ["string", "integer"]}},
        ),
        (
            {"anyOf": [{"type": "array", "items": TEXT}, {"type": ["array", "null"]}]},
            {"type": ["array", "null"], "items": {}},
        ),
        (
            {
                "oneOf": [
                    {"type": "object", "properties": {"a": TEXT, "b": DATE}},
                    {"type": "object", "properties": {"a": {"type": "null"}}},
                ]
            },
            {
                "type": "object",
                "properties": {"a": {"type": ["string", "null"]}, "b": DATE},
            },
        ),
        # Any value is valid.
        ({"anyOf": [{"$ref": "#/a"}, {"type": "null"}]}, {}),
        ({"anyOf": [{"enum": ["a", 1]}, {"type": "null"}]}, {}),
        ({"anyOf": [True, {"type": "null"}]}, {}),
        ({"properties": {"a": TEXT}}, {}),
        ({"items": TEXT}, {}),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
            {"type": "array", "items": INTEGER},
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}},
            {"type": "object", "properties": {"a": TEXT}},
        ),
        ({"type": "object", "required": ["a"], "properties": None}, {"type": "object"}),
        (
            {"title": "t", "description": "d", "x-own": 1, "$ref": "#/a"},
            {"title": "t", "description": "d", "x-own": 1},
        ),
        ({"type": "text"}, {}),
        ({"anyOf": "string"}, {}),
        ({}, {}),
        (True, {}),
        (None, {}),
    ],
    ids=str,
)
def test_constraints_are_removed_and_types_are_kept(
    given_schema: Any,  # noqa: ANN401 - any JSON value
    stripped: dict[str, Any],
) -> None:
    assert strip_constraints(given_schema) == stripped


@given(schemas)
def test_stripping_a_schema_again_changes_nothing(schema: dict[str, Any]) -> None:
    stripped = strip_constraints(schema)

    assert strip_constraints(stripped) == stripped


def entry(**parts: Any) -> dict[str, Any]:
    """Return the only entry of a normalized catalog."""
    [normalized] = normalize_catalog({"streams": [{"tap_stream_id": "sales", **parts}]})["streams"]
    return dict(normalized)


def selected(normalized: dict[str, Any]) -> dict[str, bool | None]:
    """Return the selection by breadcrumb; that of the stream itself has the name ""."""
    return {
        ".".join(item["breadcrumb"]): item["metadata"].get("selected")
        for item in normalized["metadata"]
    }


def at(*place: str, **about: object) -> dict[str, Any]:
    return {"breadcrumb": [*place], "metadata": about}


@pytest.mark.parametrize(
    ("parts", "method", "key"),
    [
        ({}, None, None),
        ({"replication_method": "INCREMENTAL", "replication_key": "date"}, "INCREMENTAL", "date"),
        (
            {"metadata": [at(**{"replication-method": "FULL_TABLE", "replication-key": "date"})]},
            "FULL_TABLE",
            "date",
        ),
        (
            {
                "metadata": [at(**{"replication-method": "INCREMENTAL"})],
                "replication_method": "FULL_TABLE",
            },
            "INCREMENTAL",
            None,
        ),
        (
            {"metadata": [at(**{"forced-replication-method": "FULL_TABLE"})]},
            "FULL_TABLE",
            None,
        ),
    ],
    ids=str,
)
def test_the_replication_method_of_the_metadata_takes_precedence(
    parts: dict[str, Any], method: str | None, key: str | None
) -> None:
    normalized = entry(**parts)

    assert (normalized["replication_method"], normalized["replication_key"]) == (method, key)


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ({}, {"": None}),
        ({"selected": True}, {"": True}),
        ({"schema": {"selected": "true"}}, {"": True}),
        ({"metadata": [at(selected="False")]}, {"": False}),
        ({"metadata": [at(selected="perhaps")], "selected": True}, {"": True}),
        ({"metadata": [at(selected=False)], "selected": True}, {"": False}),
        (
            {"schema": {"properties": {"a": {"selected": True}, "b": {}}}, "selected": True},
            {"": True, "properties.a": True},
        ),
        (
            {
                "schema": {
                    "properties": {"a": {"items": {"properties": {"b": {"selected": False}}}}}
                }
            },
            {"": None, "properties.a.items.properties.b": False},
        ),
        (
            {
                "metadata": [at("properties", "a", selected=True)],
                "schema": {"properties": {"a": {"selected": False}}},
            },
            {"": None, "properties.a": True},
        ),
    ],
    ids=str,
)
def test_the_selection_is_moved_to_the_metadata(
    parts: dict[str, Any], what: dict[str, bool | None]
) -> None:
    assert selected(entry(**parts)) == what


def test_a_stream_is_named_by_its_id_and_has_a_schema() -> None:
    normalized = entry(stream="Sales!", schema=None)

    assert (normalized["stream"], normalized["schema"]) == ("sales", {})


def test_the_given_catalog_is_not_modified() -> None:
    catalog = {"streams": [{"tap_stream_id": "sales", "metadata": [at(selected="true")]}]}
    before = copy.deepcopy(catalog)

    normalize_catalog(catalog)

    assert catalog == before
