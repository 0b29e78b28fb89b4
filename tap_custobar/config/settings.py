"""What the settings say: a valid config, read by those that need something of it."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tap_custobar.api.urls import ApiUrl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

#: Records that the API gives at once at the most, and as CSV (section "limit" of the
#: specification).
MAX_JSON_PAGE = 10_000
MAX_CSV_PAGE = 100_000

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def api_url(config: Mapping[str, Any]) -> ApiUrl:
    """Return the base URL that the settings `api_url` or `company` name.

    Raises:
        UrlError: neither names a usable one.
    """
    return ApiUrl.parse(config.get("api_url") or f"https://{config['company']}.custobar.com/api")


def parse(text: str, types: str | list[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return what an environment variable says for a setting of these JSON types.

    What is not of its type stays text, for the validation to name.
    """
    if "string" in types:
        return text
    if "boolean" in types:
        return _BOOLEANS.get(text.lower(), text)
    try:
        value = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text
    # 1000.0 is a whole number to JSON Schema, but no way to write one to the API.
    return text if "integer" in types and isinstance(value, float) else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name; UTC needs no time zone data.

    Raises:
        ValueError: this machine knows no such zone.
    """
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(name) from None


def options_of(config: Mapping[str, Any], stream: str) -> Mapping[str, Any]:
    """Return what `stream_options` says for one stream, if anything."""
    return (config.get("stream_options") or {}).get(stream) or {}


def filters(config: Mapping[str, Any], stream: str) -> dict[str, str]:
    """Return a stream's filters as the API writes values: booleans in lower case."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (options_of(config, stream).get("filters") or {}).items()
    }


def filter_values(config: Mapping[str, Any]) -> set[str]:
    """Return the values of all filters: they hold e-mail addresses and phone numbers."""
    streams = config.get("stream_options") or {}
    return {value for stream in streams for value in filters(config, stream).values()}
