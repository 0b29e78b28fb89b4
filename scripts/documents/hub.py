"""The definition for Meltano Hub, which `meltano add tap-custobar` would use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts.documents import meltano

if TYPE_CHECKING:
    from scripts.documents.about import About

_HEAD = """\
# For Meltano Hub. Written by make docs.
# To be set when there is a public repository: variant (its organisation), repo and logo_url.
"""

_PREREQ = (
    "An API key of an integration in Custobar, with the scope GET on the path of each stream that "
    "is read. Personal API keys expire after 8 hours."
)

_USAGE = (
    "Only the selected fields are requested: select those that you use. Products, sales and events "
    "are read incrementally with `replication-method: INCREMENTAL` and `replication-key: date` in "
    "their `metadata`."
)


def render(_: str, tap: About) -> str:
    """Return the definition."""
    about: dict[str, Any] = {
        "name": "tap-custobar",
        "namespace": "tap_custobar",
        "variant": "community",
        "label": "Custobar",
        "description": "Customer data platform and marketing automation for retail",
        "domain_url": "https://www.custobar.com",
        "pip_url": "tap-custobar",
        "executable": "tap-custobar",
        "keywords": ["api", "meltano_sdk"],
        "maintenance_status": "beta",
        "quality": "unknown",  # the Hub decides
        "supported_python_versions": tap.pythons,
        "select": ["customers.*", "products.*"],
        "prereq": _PREREQ,
        "usage": _USAGE,
    }
    definition = meltano.definition(tap)
    for setting in definition["settings"]:
        if setting.get("sensitive"):
            setting["kind"] = "password"
    return _HEAD + meltano.as_yaml(about | definition)
