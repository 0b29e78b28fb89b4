"""The programs that are compared, each as the command line of a process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from tests.benchmarks import data
from tests.benchmarks.processes import environment
from tests.benchmarks.ways import PLAIN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.benchmarks.ways import Way

SCRIPTS = Path(__file__).parent / "baselines"

OURS = (str(Path(sys.executable).with_name("tap-custobar")),)
AIRBYTE = (str(Path(sys.executable).with_name("source-custobar")), "read")
STOCK = (sys.executable, str(SCRIPTS / "stock_tap.py"))

#: The programs in the order in which they run, with their labels in the report. Ours always runs.
LABELS = {
    "ours": "tap-custobar",
    "airbyte": "source-custobar",
    "lean": "unchecked bytes, fewest copies",
    "raw": "unchecked bytes",
    "specification": "the specification's own loop",
    "stock": "stock singer-sdk tap",
    "dlt": "dlt, rest_api source",
}
BASELINES = tuple(name for name in LABELS if name != "ours")


@dataclass(frozen=True)
class Workload:
    """The table that is read, and how.

    Attributes:
        records: Number of its records.
        page_size: Number of records of a page.
        latency: Seconds after which the server begins to respond.
        interval: Minimum number of seconds between two requests, for programs with such a setting.
        fields: The properties that a tap reads; None for all documented ones.
        unselected: Number of further properties in the catalog, which are not selected.
        way: The way in which a tap is run.
    """

    records: int
    page_size: int = 10_000
    latency: float = 0
    interval: float = 0
    fields: Collection[str] | None = None
    unselected: int = 0
    way: Way = PLAIN


@dataclass(frozen=True)
class Programs:
    """Makes the command lines of the programs.

    Attributes:
        host: Host and port of the server.
        folder: Where configs and catalogs are written to.
    """

    host: str
    folder: Path

    def base(self, work: Workload) -> str:
        """Return the base URL of the API with the table that is read."""
        return f"http://{self.host}/{work.records}/{work.latency}/{work.way.data}/api"

    def url(self, work: Workload) -> str:
        """Return the URL of the first page."""
        return f"{self.base(work)}/data/customers/?limit={work.page_size}"

    def command(self, name: str, work: Workload) -> list[str]:
        """Return the command line of the program of this name."""
        base, url = self.base(work), self.url(work)
        config: dict[str, Any] = {
            "api_url": base,
            "api_token": "benchmark",
            "page_size": work.page_size,
            **work.way.config,
        }
        match name:
            case "ours":
                config["request_interval"] = work.interval
                return self._tap(OURS, config, catalog(OURS, work))
            case "airbyte":
                config["request_interval"] = work.interval
                return self._tap(AIRBYTE, config, configured_catalog(work))
            case "stock":
                return self._tap(STOCK, config, catalog(STOCK, work))
            case "raw":
                return _script("raw_limit.py", url)
            case "lean":
                return _script("raw_limit.py", url, "lean")
            case "specification":
                return _script("specification.py", url, str(work.interval))
            case "dlt":
                return _script("dlt_rest_api.py", base, str(work.page_size), str(work.records))
            case _:
                raise ValueError(name)

    def _tap(
        self, tap: tuple[str, ...], config: Mapping[str, Any], catalog: Mapping[str, Any]
    ) -> list[str]:
        """Return the command line of a tap, with files for config and catalog."""
        command = [*tap]
        for option, content in (("config", config), ("catalog", catalog)):
            with NamedTemporaryFile("w", dir=self.folder, suffix=".json", delete=False) as file:
                json.dump(content, file)
            command += [f"--{option}", file.name]
        return command


def _script(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(SCRIPTS / name), *arguments]


def catalog(tap: tuple[str, ...], work: Workload) -> dict[str, Any]:
    """Return the catalog that the tap discovers, with the properties to read selected."""
    streams: list[dict[str, Any]] = json.loads(_discovered(tap))["streams"]
    customers = next(stream for stream in streams if stream["tap_stream_id"] == "customers")
    properties = customers["schema"]["properties"]
    if work.way.data != data.DOCUMENTED:
        properties = data.properties(work.way.data)
    properties = {name: work.way.declare(name, schema) for name, schema in properties.items()}
    selected = properties.keys() if work.fields is None else work.fields
    more = [f"acme__unselected_{number}" for number in range(work.unselected)]
    customers["metadata"] = [
        {"breadcrumb": [], "metadata": {"selected": True}},
        *(
            {"breadcrumb": ["properties", name], "metadata": {"selected": name in selected}}
            for name in [*properties, *more]
        ),
    ]
    customers["schema"]["properties"] = properties | {
        name: {"type": ["string", "null"]} for name in more
    }
    return {"streams": [customers]}


def configured_catalog(work: Workload) -> dict[str, Any]:
    """Return the selection of `catalog` as a configured catalog of Airbyte."""
    [customers] = catalog(OURS, work)["streams"]
    chosen = {i["breadcrumb"][-1] for i in customers["metadata"][1:] if i["metadata"]["selected"]}
    properties = {n: p for n, p in customers["schema"]["properties"].items() if n in chosen}
    stream = {"name": "customers", "json_schema": {"properties": properties}}
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "append"}
    return {"streams": [{"stream": stream, **modes}]}


@cache
def _discovered(tap: tuple[str, ...]) -> bytes:
    return subprocess.run(
        [*tap, "--discover"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        check=True,
    ).stdout
