"""Custobar -> DuckDB with PyAirbyte. Each run resumes from the last state.

Install `airbyte` in one environment and tap-custobar in another; then, with the bin folder of the
second on the PATH:

    export TAP_CUSTOBAR_COMPANY=acme TAP_CUSTOBAR_API_TOKEN=API...
    python custobar_to_duckdb.py custobar.duckdb
"""

from __future__ import annotations

import os
import sys

# No telemetry and no requests to Airbyte's registry; PyAirbyte reads these when it is imported.
os.environ |= {"DO_NOT_TRACK": "1", "AIRBYTE_OFFLINE_MODE": "1"}

import airbyte as ab

STREAMS = ["customers", "products"]
SETTINGS = ("api_token", "company", "api_url", "personal_data", "hash_key")


def main() -> None:
    """Read the streams into the DuckDB file that is the argument."""
    if not sys.argv[1:]:
        sys.exit(__doc__)
    environment = {name: os.environ.get(f"TAP_CUSTOBAR_{name.upper()}") for name in SETTINGS}
    source = ab.get_source(
        "source-custobar",
        local_executable=os.environ.get("SOURCE_CUSTOBAR", "source-custobar"),
        config={name: value for name, value in environment.items() if value},
    )
    source.check()  # before discovery, so that a configuration error is one line
    source.select_streams(STREAMS)
    result = source.read(cache=ab.DuckDBCache(db_path=sys.argv[1]))
    print(f"{result.processed_records} records read")


if __name__ == "__main__":
    main()
