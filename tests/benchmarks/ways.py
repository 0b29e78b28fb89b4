"""The ways of running that are measured, and the bounds of their cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tests.benchmarks import data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: A copy of an example, so that a change of the example does not change the figures.
PSEUDONYMS = Path(__file__).with_name("pseudonyms.json")


def _unchanged(_name: str, definition: dict[str, Any]) -> dict[str, Any]:
    return definition


def _nullable_items(_name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Declare lists as the SDK's `ArrayType` does."""
    if "array" not in definition["type"]:
        return definition
    return {**definition, "items": {"type": ["string", "null"]}}


def _undeclared(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Declare everything as strings, as custom fields are until their types are declared."""
    return definition if name == data.KEY else {"type": ["string", "null"]}


@dataclass(frozen=True)
class Way:
    """A way of running, and the bounds of its figures.

    Attributes:
        label: Its name in the report.
        data: The data of the table.
        config: Further settings.
        declare: Returns the JSON schema of a property in the catalog, by its name and usual schema.
        page_size: Number of records of a page; lower where they are large.
        scale: Divisor of the number of records, for large ones.
        is_stock_alike: Whether the stock tap's records have the same values.
        has_stock: Whether the stock tap can be run in this way.
        most: Allowed cost of a record, as a multiple of a plain one.
        aim: The multiple that is aimed at.
        least: Minimum cost of the stock tap, as a multiple of ours.
    """

    label: str
    data: str = data.DOCUMENTED
    config: Mapping[str, Any] = field(default_factory=dict)
    declare: Callable[[str, dict[str, Any]], dict[str, Any]] = _unchanged
    page_size: int = 10_000
    scale: int = 1
    is_stock_alike: bool = True
    has_stock: bool = True
    most: float | None = None
    aim: float | None = None
    least: float | None = None


PLAIN = Way("plain", least=12)


def ways(folder: Path) -> list[Way]:
    """Return all ways, the plain one first.

    Args:
        folder: Folder for batch files.
    """
    storage = {"root": folder.as_uri(), "prefix": "bench-"}
    encoding = {"format": "jsonl", "compression": "gzip"}
    batch = {"batch_config": {"encoding": encoding, "storage": storage}}
    flattening = {"flattening_enabled": True, "flattening_max_depth": 2}
    hashed = {
        "hash_key": "of the benchmark, long enough",
        "stream_options": {"customers": {"hash": ["external_id", "email", "phone_number"]}},
    }
    pseudonyms = msgspec.json.decode(PSEUDONYMS.read_bytes())
    return [
        PLAIN,
        *(
            Way(
                f"plain, {name.replace('-', ' ')}",
                name,
                page_size=1_000 if name == "6-kB" else 10_000,
                scale=5 if name == "6-kB" else 1,
                least=12,
            )
            for name in data.SHAPES
        ),
        Way("nullable list items", declare=_nullable_items, most=1.1, aim=1, least=12),
        Way(
            "own fields undeclared",
            declare=_undeclared,
            is_stock_alike=False,
            most=1.4,
            aim=1.15,
            least=8,
        ),
        Way("csv", config={"response_format": "csv"}, has_stock=False, most=2, aim=1),
        Way("batch", config=batch, most=3.5, aim=2, least=4),
        Way("flattening", config=flattening, most=3, aim=1.5, least=5),
        Way("stream map", config=pseudonyms, most=8, aim=5, least=2),
        Way("three fields hashed", config=hashed, has_stock=False, most=1.4),
    ]
