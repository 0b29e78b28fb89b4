"""The sandbox as a web application: paths, tokens, errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from tap_custobar.sandbox.csv_format import encode_csv
from tap_custobar.sandbox.query import Query, make_cursor, parse_query
from tap_custobar.sandbox.rate_limit import RateLimit
from tap_custobar.sandbox.search import QueryError, matching
from tap_custobar.sandbox.untidy import encode_untidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from tap_custobar.sandbox.records import Stream

TOKEN = "APISANDBOX"  # noqa: S105 - made up, and opens nothing but made-up data
"""The token that may read all streams."""

SCOPES: Mapping[str, frozenset[str] | None] = {
    TOKEN: None,
    "APISANDBOXCUSTOMERS": frozenset({"customers"}),
    "APISANDBOXPRODUCTS": frozenset({"products"}),
}
"""All tokens, each with the streams it may read; None is all of them."""

_SCHEMES = frozenset({"token", "bearer"})


def create_app(
    streams: Iterable[Stream], rate_limit: int = 0, *, untidy: bool = False
) -> Starlette:
    """The data API over these streams.

    Args:
        streams: Each is served at `/api/data/<name>/`.
        rate_limit: Requests a minute, over all streams and tokens; 0 is no limit.
        untidy: Whether pages of JSON are as untidy as real data.
    """
    limit = RateLimit(rate_limit)
    routes = [
        Route(
            f"/api/data/{stream.name}/",
            DataEndpoint(stream, limit, untidy).get,
            methods=["GET"],
        )
        for stream in streams
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _error_response})
    # Custobar's paths end in a slash; without one they are wrong, not moved.
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True)
class DataEndpoint:
    """One stream's path."""

    stream: Stream
    rate_limit: RateLimit
    untidy: bool

    def get(self, request: Request) -> Response:
        """Answer with one page of records."""
        if not self.rate_limit.admits():
            raise HTTPException(
                429, f"rate limit exceeded: {self.rate_limit.maximum} requests a minute"
            )
        _authorize(request, self.stream)
        try:
            query = parse_query(self.stream, request.query_params.multi_items())
            indices = matching(self.stream, query.filters, query.order)
        except QueryError as error:
            raise HTTPException(400, str(error)) from None

        end = query.position + query.limit
        next_url = self._next_url(request, query, end) if end < len(indices) else None
        headers = {"X-Custobar-Next-Url": next_url} if next_url else {}
        page = indices[query.position : end]
        records = self.stream.records(page, query.names)
        if query.format == "csv":
            return Response(
                encode_csv(query.names, records), headers=headers, media_type="text/csv"
            )
        envelope: dict[str, object] = {self.stream.name: list(records), "count": len(indices)}
        if next_url:
            envelope["next_url"] = next_url
        body = (
            encode_untidy(envelope, self.stream, page, query)
            if self.untidy
            else msgspec.json.encode(envelope)
        )
        return _json_response(body, headers=headers)

    def _next_url(self, request: Request, query: Query, position: int) -> str:
        cursor = make_cursor(self.stream, query.filters, query.order, position)
        items = [item for item in request.query_params.multi_items() if item[0] != "cursor"]
        return str(request.url.replace(query=urlencode([*items, ("cursor", cursor)])))


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
