"""The generated regions of README.md: streams, settings and figures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from scripts.documents import figures, region
from scripts.documents.table import table
from tap_custobar.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.documents.about import About, Setting
    from tap_custobar.stream import CustobarStream


def render(text: str, tap: About) -> str:
    """Return the README with its regions filled."""
    regions = {
        "benchmark": figures.benchmark(),
        "streams": streams(),
        "settings": settings(tap),
        "personal": personal(tap),
        "durations": f"{figures.durations()}\n",
    }
    for name, body in regions.items():
        text = region.fill(text, name, body)
    return text


def streams() -> str:
    """Return the table of the streams."""
    headings = (
        "endpoint, and scope of the API key",
        "stream",
        "primary key",
        "replication",
        "selected by default",
    )
    return table(headings, map(_stream, STREAMS))


def _stream(stream: type[CustobarStream]) -> list[str]:
    keys = _key(cast("Sequence[str]", stream.primary_keys))
    replication = _key(stream.valid_replication_keys)
    if shape := stream.line_items:
        keys += f", or {_key(shape.keys)}"
        replication += f" (or {_key(shape.replication_keys)})"
    return [
        f"`GET /api{stream.path}`",
        f"[`{stream.name}`](docs/streams.md#{stream.name})",
        keys,
        f"FULL_TABLE, or INCREMENTAL on {replication}" if replication else "FULL_TABLE",
        "yes" if stream.selected_by_default else "no; preview",
    ]


def personal(tap: About) -> str:
    """Return the table of the properties that hold personal data."""
    rows = [
        [
            f"`{schema}`".replace("_as_rows`", "`, as line items"),
            *(_listed(properties) for properties in kinds.values()),
        ]
        for schema, kinds in tap.personal_data.items()
    ]
    return table(("stream", "identifiers: hashed", "attributes: left out"), rows)


def settings(tap: About) -> str:
    """Return the table of the settings of this tap."""
    own = (setting for setting in tap.settings if setting.is_own)
    return table(("setting", "value", "default", "what it is"), map(_setting, own))


def _setting(setting: Setting) -> list[str]:
    default = "**required**" if setting.is_required else ""
    if setting.default is not None:
        value = setting.default
        default = f"`{value if isinstance(value, str) else json.dumps(value)}`"
    return [f"`{setting.name}`", _allowed_values(setting), default, setting.description]


def _allowed_values(setting: Setting) -> str:
    if setting.options:
        return " or ".join(f"`{option}`" for option in setting.options)
    if setting.bounds:
        return setting.bounds
    kind = {"boolean": "true or false"}.get(setting.type, setting.type)
    return f"{kind}, secret" if setting.is_secret else kind


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _key(names: Sequence[str]) -> str:
    return " + ".join(f"`{name}`" for name in names)
