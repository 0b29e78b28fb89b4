"""Imports the standard tests of airbyte-cdk, if installed; `make test-airbyte` runs them."""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("airbyte_cdk") else ["test_*.py"]
if not collect_ignore_glob:
    with warnings.catch_warnings(action="ignore"):  # its import causes warnings
        import_module("airbyte_cdk.test.standard_tests")
