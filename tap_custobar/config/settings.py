"""A valid config as one typed object."""

from __future__ import annotations

from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tap_custobar.api.urls import ApiUrl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

#: Largest pages of the data API, in records (section "limit" of the specification).
MAX_JSON_PAGE = 10_000
MAX_CSV_PAGE = 100_000

#: Settings that no log line, error message or state may show.
SECRETS = ("api_token", "hash_key")

#: The value of `personal_data` with which identifiers are hashed and attributes left out.
PSEUDONYMIZE: Literal["pseudonymize"] = "pseudonymize"

_Config: TypeAlias = "Mapping[str, Any]"


class StreamOptions(msgspec.Struct, frozen=True):
    """What `stream_options` sets for one stream; see the descriptions of the settings.

    Attributes:
        filters: Field name to a string, number or boolean.
        order: Field names, with a leading dash for descending.
        custom_fields: Field name to Custobar's type name.
        hash: Properties that are hashed.
        keep: Properties that `personal_data` does not change.
    """

    filters: dict[str, Any] = {}
    order: tuple[str, ...] = ()
    custom_fields: dict[str, str] = {}
    hash: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()

    @property
    def filter_parameters(self) -> dict[str, str]:
        """The filters as query parameters; booleans in lower case."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.filters.items()
        }


class Settings(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """The tap's own settings; those of the SDK (stream maps, batch, flattening) are not here.

    Each attribute is described in `tap.py` under the same name. Durations are in seconds.
    """

    api_token: str = ""
    company: str | None = None
    api_url: str | None = None
    auth_scheme: str = "Token"
    page_size: int | None = None
    request_interval: float = 1.0
    request_timeout: float = 300.0
    max_retries: int = 8
    discover_custom_fields: bool = True
    stream_options: dict[str, StreamOptions] = {}
    personal_data: str = "keep"
    hash_key: str | None = None
    response_format: Literal["json", "csv"] = "json"
    start_date: str | None = None
    lookback_days: int = 1
    timezone: str = "UTC"
    resume: bool = True
    user_agent: str | None = None

    @classmethod
    def from_config(cls, config: _Config) -> Settings:
        """Convert a config that fits the tap's JSON schema, its defaults filled in.

        Raises:
            msgspec.ValidationError: it does not fit.
        """
        return msgspec.convert(_without_nulls(config), cls)

    @cached_property
    def base_url(self) -> ApiUrl:
        """The base URL that `api_url` or else `company` names.

        Raises:
            UrlError: it is not a usable one.
        """
        return ApiUrl.parse(self.api_url or f"https://{self.company}.custobar.com/api")

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of timestamps that come without one.

        Raises:
            ValueError: this machine does not know a zone of that name.
        """
        try:
            # UTC needs no time zone data.
            return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, OSError):
            raise ValueError(self.timezone) from None

    @property
    def is_pseudonymized(self) -> bool:
        """Whether identifiers are hashed and attributes left out."""
        return self.personal_data == PSEUDONYMIZE

    @property
    def hashes_anything(self) -> bool:
        """Whether any property of any stream is to be hashed."""
        return self.is_pseudonymized or any(o.hash for o in self.stream_options.values())

    @property
    def filter_values(self) -> set[str]:
        """The values of all filters, which may be e-mail addresses and phone numbers."""
        options = self.stream_options.values()
        return {value for each in options for value in each.filter_parameters.values()}

    def options_for(self, stream: str) -> StreamOptions:
        """Return the options of a stream; the defaults where it has none."""
        return self.stream_options.get(stream, StreamOptions())


def _without_nulls(config: _Config) -> dict[str, Any]:
    """Return a config without its nulls: they stand for settings that are not set."""
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if value is not None
    }
