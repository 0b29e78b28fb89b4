"""Flattened records equal those of the SDK, without properties that SCHEMA does not have."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict
from singer_sdk.helpers._flattening import flatten_key, flatten_record, flatten_schema
from singer_sdk.singerlib.json import serialize_json

from tap_custobar.api.responses import Response
from tap_custobar.pages.json_pages import JsonPageParser
from tap_custobar.pages.paginators import NextUrlPaginator
from tap_custobar.records.decoder import RecordDecoder
from tap_custobar.records.flattening import Projection, flat_columns, plain_columns
from tap_custobar.records.json_codec import encode_lines
from tap_custobar.records.schema import SelectedSchema
from tests.unit.strategies import SCHEMAS, fitting, schemas, valid_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_custobar.records.decoder import Batch

ANY: dict[str, Any] = {}

names = st.sampled_from(["a", "b", "camelCase", "snake_case", "with space", "ä", "__", 'x"y'])
nested_objects = st.recursive(
    schemas,
    lambda inner: st.builds(
        lambda members, types: {"type": types, "properties": members},
        st.dictionaries(names, inner, min_size=1, max_size=3),
        st.sampled_from(["object", ["object", "null"], ["null", "object"]]),
    ),
    max_leaves=5,
)


def batch_of(properties: dict[str, Any], records: list[dict[str, Any]]) -> Batch:
    schema = SelectedSchema(properties, properties, [], UTC)
    body = encode_lines([{"rows": records}])
    page = JsonPageParser("rows", NextUrlPaginator).parse(Response(body, CaseInsensitiveDict()))
    decoder = RecordDecoder(schema)
    (batch,) = decoder.decode(page.chunks, 1)
    assert not decoder.losses.nulled
    return batch


def flattened(
    properties: dict[str, Any], records: list[dict[str, Any]], max_depth: int, **options: Any
) -> Batch:
    def name_of(path: Sequence[str]) -> str:
        *parents, name = path
        return flatten_key(name, parents, **options)

    columns = flat_columns(properties, max_depth, name_of)
    return Projection(columns, serialize_json).apply(batch_of(properties, records))


def flattened_by_the_sdk(
    properties: dict[str, Any], records: list[dict[str, Any]], max_depth: int, **options: Any
) -> list[dict[str, Any]]:
    """Return the SDK's records, without properties that its flattened schema does not have."""
    schema = flatten_schema({"properties": deepcopy(properties)}, max_depth, **options)
    known = schema["properties"]
    return [
        {name: value for name, value in record.items() if name in known}
        for each in records
        for record in [
            flatten_record(each, flattened_schema=schema, max_level=max_depth, **options)
        ]
    ]


def comparable(records: Sequence[dict[str, Any]]) -> list[dict[str, bytes]]:
    """Return records so that 1.0 and 1, and 1 and true, are different; their order is none."""
    return [{name: encode_lines([value]) for name, value in record.items()} for record in records]


@given(st.data())
def test_records_are_flattened_as_the_sdk_flattens_them(data: st.DataObject) -> None:
    drawn_properties = data.draw(st.dictionaries(names, nested_objects, max_size=4))
    properties = {"id": {"type": "string"}, **drawn_properties}
    record = st.fixed_dictionaries({}, optional={n: fitting(d) for n, d in properties.items()})
    drawn = data.draw(st.lists(record, min_size=1, max_size=3))
    max_depth = data.draw(st.integers(1, 3))
    options = {
        "separator": data.draw(st.sampled_from(["__", ".", ""])),
        "max_key_length": data.draw(st.sampled_from([5, 12, 255])),
    }
    records = batch_of(properties, drawn).dicts()
    try:
        expected = flattened_by_the_sdk(properties, records, max_depth, **options)
    except ValueError:  # two columns of one name: no tap starts with such options
        reject()

    batch = flattened(properties, records, max_depth, **options)

    assert comparable(batch.dicts()) == comparable(expected)
    assert batch.lines().count(b"\n") == len(records)


@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_shipped_streams_are_flattened_as_the_sdk_flattens_them(
    name: str, data: st.DataObject
) -> None:
    properties = SCHEMAS[name]["properties"]
    record = st.fixed_dictionaries({}, optional={n: fitting(d) for n, d in properties.items()})
    records = [data.draw(record)]

    for max_depth in (1, 2):
        assert comparable(flattened(properties, records, max_depth).dicts()) == comparable(
            flattened_by_the_sdk(properties, records, max_depth)
        )


@pytest.mark.parametrize(
    ("record", "flat"),
    [
        ({"o": None, "id": "1"}, {"id": "1"}),
        ({"o": {}}, {}),
        ({"o": {"a": None, "new": 1}}, {"o__a": None}),
        ({"o": {"p": None}}, {}),
        ({"o": {"p": {"b": [1, "ä"], "new": {"c": 1}}}}, {"o__p__b": '[1,"\\u00e4"]'}),
        ({"free": {"x": Decimal("1.50")}, "list": []}, {"free": '{"x":1.50}', "list": "[]"}),
        ({"free": None, "list": None, "any": None}, {"free": None, "list": None, "any": None}),
        ({"any": [1]}, {"any": "[1]"}),
        ({"any": "text"}, {"any": "text"}),
        ({"any": 5}, {"any": "5"}),
        ({}, {}),
    ],
    ids=str,
)
def test_properties_that_are_in_no_schema_are_not_written(
    record: dict[str, Any], flat: dict[str, Any]
) -> None:
    inner = {"type": ["object", "null"], "properties": {"b": {"type": "array"}}}
    properties: dict[str, Any] = {
        "id": {"type": "string"},
        "o": {
            "type": ["object", "null"],
            "properties": {"a": {"type": ["integer", "null"]}, "p": inner},
        },
        "free": {"type": ["object", "null"]},
        "list": {"type": ["array", "null"]},
        "any": ANY,
    }

    assert flattened(properties, [record], 2).dicts() == [flat]


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), valid_texts), min_size=1))
def test_renamed_columns_keep_their_values(records: list[dict[str, str]]) -> None:
    properties = {name: {"type": "string"} for name in ("a", "b")}
    columns = [column._replace(name=f"x_{column.name}") for column in plain_columns(properties)]

    renamed = Projection(columns, serialize_json).apply(batch_of(properties, records))

    assert renamed.dicts() == [{f"x_{n}": v for n, v in record.items()} for record in records]
    assert [*map(json.loads, renamed.lines().splitlines())] == renamed.dicts()
