"""Baseline: dlt's rest_api source, with the destination that discards everything.

dlt does more than a tap: it extracts to files, infers and normalizes a schema, and loads. Lists
stay in their column, as with a tap. Arguments: the base URL, the page size, and the number of
records, which is checked.
"""

from __future__ import annotations

import sys
import tempfile

import dlt
from dlt.sources.rest_api import rest_api_source

base_url, page_size, expected = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

source = rest_api_source(
    {
        "client": {
            "base_url": base_url,
            "headers": {"Authorization": "Token benchmark"},
            "paginator": {"type": "json_link", "next_url_path": "next_url"},
        },
        "resources": [
            {
                "name": "customers",
                "primary_key": "external_id",
                "endpoint": {
                    "path": "data/customers/",
                    "params": {"limit": page_size},
                    "data_selector": "customers",
                },
            }
        ],
    },
    max_table_nesting=0,
)
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=folder,
        destination=dlt.destinations.dummy(completed_prob=1.0),
        dataset_name="benchmark",
    )
    pipeline.run(source)
    rows = pipeline.last_trace.last_normalize_info.row_counts["customers"]
sys.exit(f"{rows} records received, not {expected}" if rows != expected else 0)
