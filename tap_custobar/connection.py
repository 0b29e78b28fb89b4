"""The settings, as the API's base URL and a client for it: one of each in a run."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tap_custobar.api.client import CustobarClient
from tap_custobar.config import settings
from tap_custobar.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_custobar.api.urls import ApiUrl


class Connection:
    """What all streams share, so that the pace holds over all of them.

    Nothing of it is made before it is needed: without a config there is none to make.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the validated config."""
        self._config = config

    @cached_property
    def api(self) -> ApiUrl:
        """The base URL."""
        return settings.api_url(self._config)

    @cached_property
    def redact(self) -> Redactor:
        """What masks the token."""
        return Redactor([self._config["api_token"]])

    @cached_property
    def client(self) -> CustobarClient:
        """The client, with the pace and patience that the settings ask for."""
        config = self._config
        return CustobarClient(
            token=config["api_token"],
            auth_scheme=config["auth_scheme"],
            user_agent=config.get("user_agent") or f"tap-custobar/{version('tap-custobar')}",
            request_interval=float(config["request_interval"]),
            request_timeout=float(config["request_timeout"]),
            max_retries=config["max_retries"],
            secrets=settings.filter_values(config),
        )

    def close(self) -> None:
        """Leave no thread and no connection behind; a later request makes new ones."""
        if "client" in vars(self):
            self.client.close()
