"""What the settings say: a valid config, read by those that need something of it."""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tap_custobar.api.urls import ApiUrl, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

#: Records that the API gives at once at the most, and as CSV (section "limit" of the
#: specification).
MAX_JSON_PAGE = 10_000
MAX_CSV_PAGE = 100_000

#: The value of `personal_data` with which no raw identifier and no attribute leaves.
PSEUDONYMIZE = "pseudonymize"

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

#: Settings that no log line, error or state may show.
SECRETS = ("api_token", "hash_key")

#: Settings that are copied from elsewhere, and may bring blanks or a line break with them.
_PASTED = (
    "api_token",
    "api_url",
    "auth_scheme",
    "company",
    "personal_data",
    "response_format",
    "start_date",
    "timezone",
)

#: A token with what stands before it in the header Authorization.
_PREFIXED_TOKEN = re.compile(r"(?P<scheme>token|bearer)\s+(?P<token>.+)", re.IGNORECASE | re.DOTALL)

#: A company as in the address that it uses Custobar at.
_COMPANY_ADDRESS = re.compile(
    r"(https?://)?(?P<company>[^/.:@]+)(\.custobar\.com(/.*)?)?", re.IGNORECASE
)


def normalize(config: dict[str, Any], properties: Mapping[str, Any]) -> None:
    """Write settings the one way that the rest of the tap knows them; changes `config`.

    What people paste is accepted: blanks around a value, a token as the header has it, a company's
    address, a URL without its scheme, an option in other capitals. What is none of these stays as
    it is, for the validation to name.

    Args:
        config: The settings that are given, before the defaults are filled in.
        properties: The JSON schemas of all settings.
    """
    for name in _PASTED:
        if isinstance(value := config.get(name), str):
            config[name] = value.strip()
    for name, value in config.items():
        options = properties.get(name, {}).get("enum", ())
        if isinstance(value, str):
            config[name] = next((o for o in options if o and o.lower() == value.lower()), value)
    if isinstance(token := config.get("api_token"), str):
        config["api_token"], scheme = split_token(token)
        if scheme:
            config.setdefault("auth_scheme", scheme)
    if isinstance(company := config.get("company"), str):
        address = _COMPANY_ADDRESS.fullmatch(company)
        config["company"] = address["company"].lower() if address else company
    if isinstance(url := config.get("api_url"), str) and url and "://" not in url:
        config["api_url"] = _with_scheme(url.lstrip("/"))


def split_token(text: str) -> tuple[str, str | None]:
    """Return a token without what was pasted around it, and the scheme that stood before it."""
    text = text.strip()
    if prefixed := _PREFIXED_TOKEN.fullmatch(text):
        return prefixed["token"], prefixed["scheme"].capitalize()
    return text, None


def _with_scheme(address: str) -> str:
    """Return a URL: https, but on this machine, where the sandbox has no certificate."""
    host = address.partition("/")[0]
    if not host.startswith("["):  # of an IPv6 address
        host = host.partition(":")[0]
    scheme = "http" if is_loopback(host.partition("]")[0].strip("[")) else "https"
    return f"{scheme}://{address}"


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
        return _BOOLEANS.get(text.strip().lower(), text)
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


def hashes_anything(config: Mapping[str, Any]) -> bool:
    """Tell whether the settings ask for hashes, in any stream."""
    return config.get("personal_data") == PSEUDONYMIZE or any(
        options_of(config, stream).get("hash") for stream in config.get("stream_options") or {}
    )


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
