"""Validation of a config; its messages name the setting and never show its value."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from fnmatch import filter as filter_names
from typing import TYPE_CHECKING, Any

from tap_custobar.api.urls import PARAMETERS
from tap_custobar.config.settings import MAX_JSON_PAGE, Settings
from tap_custobar.errors import UrlError
from tap_custobar.records.json_codec import encode
from tap_custobar.records.timestamps import sort_key, to_utc
from tap_custobar.redaction import one_line
from tap_custobar.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from jsonschema import ValidationError

    from tap_custobar.config.settings import StreamOptions

#: Least characters of a hash key: a shorter one could be found by trial and error.
MIN_HASH_KEY = 16

#: Least value of the SDK's setting `flattening_max_key_length`: a name of this length or more is
#: shortened, and targets find the primary key, `sale_external_id` for one, by its name.
MIN_KEY_LENGTH = 17

_HEADER_SAFE = re.compile(r"[!-~]+")
_QUOTATION_MARKS = "\"'`\u00ab\u00b4\u00bb\u2018\u2019\u201a\u201c\u201d\u201e"
_HEADER_TEXT = re.compile(r"[!-~]([ -~]*[!-~])?")
_TYPES = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def describe(error: ValidationError) -> str:
    """Return the message of a JSON schema validator's error.

    The validator's own message shows the value.
    """
    name = ".".join(map(str, error.absolute_path)) or "config"
    allowed: Any = error.validator_value
    schema: Any = error.schema
    match error.validator:
        case "required":
            missing = next(key for key in allowed if repr(key) in error.message)
            help_text = schema["properties"].get(missing, {}).get("description", "")
            name = ".".join(map(str, [*error.absolute_path, missing]))
            return f"{name}: is missing. {help_text}".strip()
        case "type":
            types = [allowed] if isinstance(allowed, str) else allowed
            words = " or ".join(_TYPES[kind] for kind in types if kind in _TYPES)
            return f"{name}: must be {words}"
        case "enum":
            return f"{name}: must be one of {', '.join(str(v) for v in allowed if v is not None)}"
        case "pattern":
            return f"{name}: {_describe_pattern(schema)}"
        case "minimum":
            return f"{name}: must be at least {allowed}"
        case "exclusiveMinimum":
            return f"{name}: must be more than {allowed}"
        case "maximum":
            return f"{name}: must be at most {allowed}"
        case "additionalProperties" if isinstance(error.instance, dict):
            known = schema["properties"]
            unknown = [key for key in error.instance if key not in known]
            return f"{name}: must not contain {', '.join(unknown)}; allowed are {', '.join(known)}"
        case _:
            return f"{name}: does not match its description"


def _describe_pattern(schema: Mapping[str, Any]) -> str:
    """Return what a string must look like, by an example instead of its regular expression."""
    if "title" not in schema or "examples" not in schema:
        return "does not match its description"
    if description := schema.get("description"):
        return f"must look like {schema['examples'][0]}. {description}"
    return f"must be {schema['title']}, like {schema['examples'][0]}"


def check_else(stream_maps: object) -> Iterator[str]:
    """Yield the problems of `__else__`, whose JSON schema in the SDK is not usable."""
    if not isinstance(stream_maps, dict):
        return
    for name, definition in [("", stream_maps), *stream_maps.items()]:
        if isinstance(definition, dict) and definition.get("__else__") not in (None, "__NULL__"):
            place = ".".join(filter(None, ("stream_maps", name, "__else__")))
            yield f"{place}: must be __NULL__, which removes all others"


def cross_check(config: Mapping[str, Any], orders: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the problems that a JSON schema cannot express.

    Args:
        config: All settings; they fit the JSON schema.
        orders: The name of each stream to the only values that its option `order` may have; empty
            where it may have field names.
    """
    settings = Settings.from_config(config)
    if not settings.api_token:
        yield "api_token: is empty"
    elif any(settings.api_token[end] in _QUOTATION_MARKS for end in (0, -1)):
        yield "api_token: must not have quotation marks around it"
    elif not _HEADER_SAFE.fullmatch(settings.api_token):
        yield "api_token: must not contain spaces, line breaks or non-ASCII characters"
    if not _HEADER_TEXT.fullmatch(settings.user_agent or "-"):
        yield "user_agent: must be one line of ASCII characters"
    yield from _check_start_date(settings)
    if settings.response_format == "json" and (settings.page_size or 0) > MAX_JSON_PAGE:
        yield f"page_size: must be at most {MAX_JSON_PAGE}, unless response_format is csv"
    yield from _check_address(settings)
    for stream, options in settings.stream_options.items():
        yield from _check_options(stream, options, orders.get(stream, ()))
    yield from _check_hash_key(settings)
    if config.get("flattening_max_key_length", MIN_KEY_LENGTH) < MIN_KEY_LENGTH:
        yield (
            f"flattening_max_key_length: must be at least {MIN_KEY_LENGTH}, so that primary keys "
            "keep their names"
        )
    yield from _check_stream_maps(config.get("stream_maps") or {}, orders)


def _is_unicode(value: object) -> bool:
    """Return whether all strings of a setting can be sent: those of variables may be any bytes."""
    try:
        encode(value)
    except UnicodeEncodeError:
        return False
    return True


def _check_start_date(settings: Settings) -> Iterator[str]:
    try:
        zone = settings.zone
    except ValueError:
        yield "timezone: must be an IANA name that this machine knows, like Europe/Helsinki"
        return
    if not settings.start_date:
        return
    start_date = to_utc(settings.start_date, zone)
    if start_date is None:
        yield "start_date: must be a date or date-time, like 2024-01-31"
    elif sort_key(start_date) > sort_key(to_utc(datetime.now(UTC).isoformat(), UTC) or ""):
        # Records before that date would never be read.
        yield "start_date: must not be in the future"


def _check_address(settings: Settings) -> Iterator[str]:
    if not settings.api_url and not settings.company:
        yield "company: is missing. Either company or api_url is required"
        return
    try:
        _ = settings.base_url
    except UrlError as error:
        yield f"{'api_url' if settings.api_url else 'company'}: {error}"


def _check_options(stream: str, options: StreamOptions, orders: Sequence[str]) -> Iterator[str]:
    place = f"stream_options.{stream}"
    if orders and options.order and options.order not in {(order,) for order in orders}:
        yield f"{place}.order: must be {' or '.join(json.dumps([order]) for order in orders)}"
    for name, value in (("filters", options.filters), ("order", options.order)):
        if not _is_unicode(value):
            yield f"{place}.{name}: must not contain invalid Unicode"
    for name in options.filters.keys() & PARAMETERS:
        yield f"{place}.filters.{name}: is a parameter of the API, not a field to filter by"
    for name in sorted(options.keep & options.hash):
        yield f"{place}.keep: {name} is hashed by {place}.hash"


def _check_hash_key(settings: Settings) -> Iterator[str]:
    if settings.hash_key is not None:
        if len(settings.hash_key.strip()) < MIN_HASH_KEY:
            yield f"hash_key: must have at least {MIN_HASH_KEY} characters"
        if not _is_unicode(settings.hash_key):
            yield "hash_key: must not contain invalid Unicode"
    elif settings.hashes_anything:
        yield (
            "hash_key: is missing, and required because properties are hashed. Set a random string "
            f"of at least {MIN_HASH_KEY} characters, and keep it: another key gives other hashes"
        )


def _check_stream_maps(stream_maps: Mapping[str, Any], streams: Collection[str]) -> Iterator[str]:
    """Yield the stream maps that apply to no stream: they may be there to hide personal data."""
    for name, definition in stream_maps.items():
        source = definition.get("__source__", name) if isinstance(definition, dict) else name
        if not name.startswith("__") and not filter_names(streams, source):
            yield f"stream_maps.{name}: there is no such stream; there are {', '.join(streams)}"


def ignored_company(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning if `company` has no effect, because `api_url` names another host.

    Args:
        config: All settings, without problems.
    """
    settings = Settings.from_config(config)
    if settings.company and settings.base_url.host != f"{settings.company}.custobar.com":
        yield "company is ignored, because api_url names another host: remove one of them"


def unknown_settings(config: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Yield a warning for each setting that does not exist, with the most similar name."""
    for name in config:
        if name not in known:
            yield f"Unknown setting {one_line(name)} is ignored{did_you_mean([name], known)}"


def unknown_variables(
    variables: Iterable[str], prefix: str, known: Collection[str]
) -> Iterator[str]:
    """Yield a warning for each environment variable of the tap that is not a setting.

    Meltano's own, which have an underscore after the prefix, and the log level are not reported.
    """
    for variable in variables:
        name = variable.removeprefix(prefix).lower()
        if variable.startswith(f"{prefix}_") or name in {variable.lower(), "loglevel"}:
            continue
        yield from (f"{variable}: {warning}" for warning in unknown_settings([name], known))
