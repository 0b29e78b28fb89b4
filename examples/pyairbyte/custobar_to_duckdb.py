"""Custobar -> DuckDB with PyAirbyte. Run it as often as you like: it goes on from its last state.

In one environment `pip install airbyte`, in another tap-custobar; then, with the second one's bin
folder on the PATH:

    export TAP_CUSTOBAR_COMPANY=acme TAP_CUSTOBAR_API_TOKEN=API...
    python custobar_to_duckdb.py custobar.duckdb
"""

from __future__ import annotations

import os
import sys

# Neither telemetry nor look-ups in Airbyte's registry; read by PyAirbyte as it is imported.
os.environ |= {"DO_NOT_TRACK": "1", "AIRBYTE_OFFLINE_MODE": "1"}

import airbyte as ab

STREAMS = ["customers", "products"]
SETTINGS = ("api_token", "company", "api_url", "personal_data", "hash_key")


def main() -> None:
    """Read the streams into the DuckDB file that the command line names."""
    if not sys.argv[1:]:
        sys.exit(__doc__)
    environment = {name: os.environ.get(f"TAP_CUSTOBAR_{name.upper()}") for name in SETTINGS}
    source = ab.get_source(
        "source-custobar",
        local_executable=os.environ.get("SOURCE_CUSTOBAR", "source-custobar"),
        config={name: value for name, value in environment.items() if value},
    )
    source.check()  # before it discovers, so that what is wrong is told in one line
    source.select_streams(STREAMS)
    result = source.read(cache=ab.DuckDBCache(db_path=sys.argv[1]))
    print(f"{result.processed_records} records read")


if __name__ == "__main__":
    main()
