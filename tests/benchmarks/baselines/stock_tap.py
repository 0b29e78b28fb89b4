"""Baseline: a minimal Singer tap, written as the SDK's tap template shows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from singer_sdk import RESTStream, SchemaDirectory, StreamSchema, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator
from singer_sdk.pagination import BaseHATEOASPaginator

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from urllib.parse import ParseResult

    import requests
    from singer_sdk.helpers.types import Context

SCHEMAS = SchemaDirectory(Path(__file__).parents[3] / "schemas")


class NextUrlPaginator(BaseHATEOASPaginator):
    """Continues with the URL in the header of the page."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        return response.headers.get("X-Custobar-Next-Url")


class CustomersStream(RESTStream["ParseResult | None"]):
    """Customers."""

    name = "customers"
    path = "/data/customers/"
    primary_keys = ("external_id",)
    replication_key = None
    records_jsonpath = "$.customers[*]"
    schema = StreamSchema(SCHEMAS)

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["api_url"])

    @property
    @override
    def authenticator(self) -> APIKeyAuthenticator:
        return APIKeyAuthenticator(
            key="Authorization", value=f"Token {self.config['api_token']}", location="header"
        )

    @override
    def get_new_paginator(self) -> NextUrlPaginator:
        return NextUrlPaginator()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        if next_page_token:
            return dict(parse_qsl(next_page_token.query))
        return {"limit": self.config["page_size"]}


class TapStock(Tap):
    """Stock tap for Custobar."""

    name = "tap-stock"
    config_jsonschema = th.PropertiesList(
        th.Property("api_token", th.StringType(nullable=False), required=True, secret=True),
        th.Property("api_url", th.StringType(nullable=False), required=True),
        th.Property("page_size", th.IntegerType(nullable=False), default=10_000),
    ).to_dict()

    @override
    def discover_streams(self) -> list[CustomersStream]:
        return [CustomersStream(self)]


if __name__ == "__main__":
    TapStock.cli()
