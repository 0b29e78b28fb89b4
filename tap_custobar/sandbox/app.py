"""The sandbox as a web application: paths, tokens, errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from tap_custobar.sandbox.campaigns import make_next_cursor, parse_campaign_query
from tap_custobar.sandbox.csv_format import encode_csv
from tap_custobar.sandbox.query import make_cursor, parse_query
from tap_custobar.sandbox.rate_limit import RateLimit
from tap_custobar.sandbox.search import QueryError, matching
from tap_custobar.sandbox.untidy import encode_untidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.requests import Request

    from tap_custobar.sandbox.query import Query
    from tap_custobar.sandbox.records import Stream

TOKEN = "APISANDBOX"  # noqa: S105 - gives access to sample data only
"""The token with the scopes of all streams."""

SCOPES: Mapping[str, frozenset[str] | None] = {
    TOKEN: None,
    **{
        f"{TOKEN}{name.upper()}": frozenset({name})
        for name in ("customers", "products", "sales", "events", "campaigns")
    },
}
"""The streams that each token may read; None for all of them."""

_SCHEMES = frozenset({"token", "bearer"})


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Options of the API that all streams share.

    Attributes:
        rate_limit: The limit on requests a minute, over all streams and tokens.
        untidy: Whether pages of JSON are as untidy as real data.
        delimiter: The delimiter of CSV.
    """

    rate_limit: RateLimit = field(default_factory=lambda: RateLimit(0))
    untidy: bool = False
    delimiter: str = ","


def create_app(
    streams: Iterable[Stream], campaigns: Stream, server_options: ServerOptions | None = None
) -> Starlette:
    """Return the API as a web application.

    Args:
        streams: Each is served at `/api/data/<name>/`.
        campaigns: Served at `/api/campaign/actions/`.
        server_options: Options of all endpoints; None for the defaults.
    """
    server_options = server_options or ServerOptions()
    endpoints: dict[str, Endpoint] = {
        f"/api/data/{stream.name}/": DataEndpoint(stream, server_options) for stream in streams
    }
    endpoints["/api/campaign/actions/"] = CampaignEndpoint(campaigns, server_options)
    app = Starlette(
        routes=[Route(path, each.get, methods=["GET"]) for path, each in endpoints.items()],
        exception_handlers={HTTPException: _error_response},
    )
    # Custobar's paths end in a slash; a path without one is unknown, not redirected.
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True)
class Endpoint(ABC):
    """The endpoint of one stream."""

    stream: Stream
    server_options: ServerOptions

    def get(self, request: Request) -> Response:
        """Return a response with one page of records.

        Raises:
            HTTPException: The request is rejected.
        """
        limit = self.server_options.rate_limit
        if not limit.admits():
            raise HTTPException(429, f"rate limit exceeded: {limit.maximum} requests a minute")
        _authorize(request, self.stream)
        try:
            return self._page(request)
        except QueryError as error:
            raise HTTPException(400, str(error)) from None

    @abstractmethod
    def _page(self, request: Request) -> Response:
        """Return the page of an authorized request.

        Raises:
            QueryError: The query is not valid.
        """

    def _json(
        self,
        page: Sequence[int],
        query: Query,
        paging: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        records = list(self.stream.records(page, query.names))
        envelope = {self.stream.name: records, **paging}
        body = (
            encode_untidy(envelope, self.stream, page, query)
            if self.server_options.untidy
            else msgspec.json.encode(envelope)
        )
        return _json_response(body, headers=headers)


class DataEndpoint(Endpoint):
    """An endpoint of the data API, paged by `next_url`."""

    def _page(self, request: Request) -> Response:
        query = parse_query(self.stream, request.query_params.multi_items())
        indices = matching(self.stream, query.filters, query.order)
        end = query.position + query.limit
        next_url = self._next_url(request, query, end) if end < len(indices) else None
        headers = {"X-Custobar-Next-Url": next_url} if next_url else {}
        page = indices[query.position : end]
        if query.format == "csv":
            records = self.stream.records(page, query.names)
            body = encode_csv(query.names, records, self.server_options.delimiter)
            return Response(body, headers=headers, media_type="text/csv")
        paging = {"count": len(indices), **({"next_url": next_url} if next_url else {})}
        return self._json(page, query, paging, headers)

    def _next_url(self, request: Request, query: Query, position: int) -> str:
        cursor = make_cursor(self.stream, query.filters, query.order, position)
        items = [item for item in request.query_params.multi_items() if item[0] != "cursor"]
        return str(request.url.replace(query=urlencode([*items, ("cursor", cursor)])))


class CampaignEndpoint(Endpoint):
    """The endpoint of campaigns, paged by `next`."""

    def _page(self, request: Request) -> Response:
        query, indices = parse_campaign_query(self.stream, request.query_params)
        end = query.position + query.limit
        paging = {"next": make_next_cursor(indices[end])} if end < len(indices) else {}
        return self._json(indices[query.position : end], query, paging)


def _authorize(request: Request, stream: Stream) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in _SCHEMES or token not in SCOPES:
        raise HTTPException(401, "Authorization must be Token or Bearer and a known token")
    scope = SCOPES[token]
    if scope is not None and stream.name not in scope:
        raise HTTPException(403, f"the token has no scope for GET {request.url.path}")


def _error_response(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = msgspec.json.encode({"error": {"reason": error.detail}})
    return _json_response(body, status=error.status_code, headers=error.headers)


def _json_response(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(body, status, headers, "application/json")
