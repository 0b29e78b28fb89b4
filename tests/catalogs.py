"""Catalogs that select streams and set their replication."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from typing import Any

from tests.conftest import TAP, entry_of, select

Catalog = dict[str, Any]


@cache
def _discovered() -> str:
    command = [*TAP, "--discover"]
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        command, capture_output=True, check=True, env=environment, text=True, timeout=60
    ).stdout


def catalog(**streams: list[str] | bool) -> Catalog:
    """Return the catalog without custom fields, with the named streams selected; see `select`."""
    return select(json.loads(_discovered()), **streams)


def replicate(catalog: Catalog, stream: str, **metadata: str) -> Catalog:
    """Set metadata of a stream in place, e.g. `replication_method`, and return the catalog."""
    roots = [m for m in entry_of(catalog, stream)["metadata"] if not m["breadcrumb"]]
    roots[0]["metadata"] |= {name.replace("_", "-"): value for name, value in metadata.items()}
    return catalog


def incremental(*streams: str, key: str = "date") -> Catalog:
    """Return a catalog in which the named streams are read incrementally."""
    result = catalog(**dict.fromkeys(streams, True))
    for stream in streams:
        replicate(result, stream, replication_method="INCREMENTAL", replication_key=key)
    return result
