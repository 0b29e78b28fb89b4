"""The sources of the dbt project in examples/dbt: the tables that a target creates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.documents import meltano, streams
from tap_custobar.catalog.discovery import shipped_schema
from tap_custobar.catalog.personal_data import PERSONAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts.documents.about import About

    Entry = dict[str, Any]

_HEAD = "# Written by make docs, from schemas/.\n"

#: For each JSON schema of a stream that has two, when a project is to use it.
_SHAPES = {
    "sales": "{{ var('sales_shape') == 'whole' }}",
    "sales_as_rows": "{{ var('sales_shape') == 'line_items' }}",
}


def render(_: str, __: About) -> str:
    """Return sources.yml: every documented column, and tests of the primary keys."""
    source = {
        "name": "custobar",
        "description": "What tap-custobar reads from Custobar's API.",
        "schema": "main",
        "tables": [_table(name, keys) for name, keys, _ in streams.shapes()],
    }
    return _HEAD + meltano.as_yaml({"sources": [source]})


def _table(name: str, keys: Sequence[str]) -> Entry:
    schema = shipped_schema(name)
    table: Entry = {"name": name, "description": schema["description"]}
    if name in _SHAPES:
        table |= {"identifier": "sales", "config": _enabled(name)}
    if len(keys) > 1:
        key = " || ' ' || ".join(keys)
        table["data_tests"] = [_test("unique", name, arguments={"column_name": f"({key})"})]
    tests = ("not_null",) if len(keys) > 1 else ("not_null", "unique")
    table["columns"] = [
        _column(column, definition, [_test(test, name) for test in tests if column in keys])
        for column, definition in schema["properties"].items()
    ]
    return table


def _column(name: str, definition: Mapping[str, Any], tests: Sequence[Entry | str]) -> Entry:
    column: Entry = {"name": name, "description": definition["description"]}
    if PERSONAL in definition:
        column["config"] = {"meta": {"personal_data": definition[PERSONAL]}}
    if tests:
        column["data_tests"] = tests
    return column


def _test(test: str, table: str, **details: Any) -> Entry | str:
    """Return a test; it is enabled under the same condition as its table, if there is one."""
    if table in _SHAPES:
        details["config"] = _enabled(table)
    return {test: details} if details else test


def _enabled(table: str) -> Entry:
    return {"enabled": _SHAPES[table]}
