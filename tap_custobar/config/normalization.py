"""Settings as people paste them, made what the JSON schema of the config describes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from tap_custobar.api.urls import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

#: Settings that are copied from elsewhere, possibly with spaces or a line break around them.
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

#: A token with its authorization scheme, as in the header `Authorization`.
_PREFIXED_TOKEN = re.compile(r"(?P<scheme>token|bearer)\s+(?P<token>.+)", re.IGNORECASE | re.DOTALL)

#: A company, or the address that it uses Custobar at.
_COMPANY_ADDRESS = re.compile(
    r"(https?://)?(?P<company>[^/.:@]+)(\.custobar\.com(/.*)?)?", re.IGNORECASE
)


def normalize(config: dict[str, Any], properties: Mapping[str, Any]) -> None:
    """Normalize pasted settings in place.

    Accepted are spaces around a value, a token with its scheme, a company's address, a URL without
    scheme, options in another case, and objects as JSON text, at any depth. Anything else stays as
    it is, to be reported by the validation.

    Args:
        config: The given settings, before defaults are filled in; changed in place.
        properties: The JSON schemas of all settings, by name.
    """
    for name in _PASTED:
        if isinstance(value := config.get(name), str):
            config[name] = value.strip()
    for name, given in config.items():
        schema = properties.get(name, {})
        config[name] = value = _with_objects(given, schema)
        options = schema.get("enum", ())
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
    """Split a pasted token into the token itself and its scheme, or None without one."""
    text = text.strip()
    if prefixed := _PREFIXED_TOKEN.fullmatch(text):
        return prefixed["token"], prefixed["scheme"].capitalize()
    return text, None


def _with_scheme(address: str) -> str:
    """Return a URL with https, or http on a loopback address: the sandbox has no certificate."""
    host = address.partition("/")[0]
    if not host.startswith("["):  # of an IPv6 address
        host = host.partition(":")[0]
    scheme = "http" if is_loopback(host.partition("]")[0].strip("[")) else "https"
    return f"{scheme}://{address}"


def _with_objects(value: Any, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value with the objects that it has as JSON text, as Airbyte's form gives them."""
    types = schema.get("type", ())
    if isinstance(value, str) and "object" in types and "string" not in types:
        value = parse_variable(value, types)
    if not isinstance(value, dict):
        return value
    members = schema.get("properties", {})
    return {name: _with_objects(each, members.get(name, {})) for name, each in value.items()}


def parse_variable(text: str, types: str | list[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a setting that is given as text, as in an environment variable, by its JSON types.

    A value that is not of these types stays a string, to be reported by the validation.
    """
    if "string" in types:
        return text
    if "boolean" in types:
        return _BOOLEANS.get(text.strip().lower(), text)
    try:
        value = json.loads(text, parse_constant=_reject)
    except (ValueError, RecursionError):
        return text
    # JSON Schema accepts 1000.0 as an integer, but the API would be sent it as it is.
    return text if "integer" in types and isinstance(value, float) else value


def _reject(constant: str) -> NoReturn:
    raise ValueError(constant)
