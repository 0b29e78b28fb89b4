"""The client and the base URL that all streams of a tap share."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from tap_custobar.api.client import CustobarClient
from tap_custobar.redaction import Redactor

if TYPE_CHECKING:
    from tap_custobar.api.urls import ApiUrl
    from tap_custobar.config.settings import Settings


class Connection:
    """One client, so that the rate limit holds over all streams.

    It is created once it is needed: discovery without a config needs none.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the settings of a valid config."""
        self._settings = settings

    @property
    def base_url(self) -> ApiUrl:
        """The base URL of all requests.

        Raises:
            UrlError: the settings name no usable one.
        """
        return self._settings.base_url

    @cached_property
    def redact(self) -> Redactor:
        """Masks the token."""
        return Redactor([self._settings.api_token])

    @cached_property
    def client(self) -> CustobarClient:
        """The client, as the settings describe it."""
        settings = self._settings
        return CustobarClient(
            token=settings.api_token,
            auth_scheme=settings.auth_scheme,
            user_agent=settings.user_agent or f"tap-custobar/{version('tap-custobar')}",
            request_interval=settings.request_interval,
            request_timeout=settings.request_timeout,
            max_retries=settings.max_retries,
            secrets=settings.filter_values,
        )

    def close(self) -> None:
        """End all threads and connections; a later request starts new ones."""
        if "client" in vars(self):
            self.client.close()
