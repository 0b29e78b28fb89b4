"""Catalogs that select streams, and say how each is to be replicated."""

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
    """Return the offline catalog with these streams selected, whole or in part."""
    return select(json.loads(_discovered()), **streams)


def replicate(catalog: Catalog, stream: str, **metadata: str) -> Catalog:
    """Set root metadata of a stream, e.g. `replication_method`, as Meltano does."""
    roots = [m for m in entry_of(catalog, stream)["metadata"] if not m["breadcrumb"]]
    roots[0]["metadata"] |= {name.replace("_", "-"): value for name, value in metadata.items()}
    return catalog


def incremental(*streams: str, key: str = "date") -> Catalog:
    """Return a catalog in which these streams are read incrementally, by Meltano's means."""
    made = catalog(**dict.fromkeys(streams, True))
    for stream in streams:
        replicate(made, stream, replication_method="INCREMENTAL", replication_key=key)
    return made
