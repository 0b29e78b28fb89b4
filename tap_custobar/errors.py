"""One class and one sentence for each cause that a user can act on.

The texts are single lines and hold no token, no query string and no record content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class CustobarError(Exception):
    """Any failure of the tap that has a known cause; its text is what the user reads."""


class InputFileError(CustobarError):
    """A config, catalog or state file is missing or holds no JSON object."""

    def __init__(self, path: str, problem: str) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(f"{path}: {problem}")


class CatalogError(CustobarError):
    """The catalog asks for a stream or a replication that the tap does not have."""


class BrokenInstallationError(CustobarError):
    """A JSON schema that the package brings is missing or broken."""

    def __init__(self, stream: str) -> None:
        """Name the stream whose schema cannot be used."""
        super().__init__(f"schemas/{stream}.json is missing or broken: install tap-custobar again.")


class DiscoveryFailedError(CustobarError):
    """The API could not be asked for the company's own fields."""

    def __init__(self, cause: CustobarError, *, can_do_without: bool) -> None:
        """Name the cause, and the setting that does without where the run would go on with it."""
        hint = "(Asked for the company's own fields; discover_custom_fields: false turns that off.)"
        super().__init__(f"{cause} {hint}" if can_do_without else str(cause))
        self.cause = cause


class StreamsFailedError(CustobarError):
    """At least one stream failed, after all the others were read."""

    def __init__(self, causes: Mapping[str, str]) -> None:
        """Take the cause of each failed stream."""
        super().__init__(f"{', '.join(causes)} failed")
        self.causes = causes


class OutputError(CustobarError):
    """Nothing more can be written to stdout, so there is no point in reading on."""

    def __init__(self, problem: str) -> None:
        """Say what the system says."""
        super().__init__(f"Nothing can be written to stdout: {problem}.")


class UrlError(CustobarError):
    """A URL that must not be asked for: nothing has been sent to it."""


class PaginationLoopError(CustobarError):
    """A page named one that this sync has read already as its next."""

    def __init__(self, pages: int) -> None:
        """Say after how many pages the loop was met."""
        super().__init__(
            f"Custobar's next_url led back to a page already read, after {pages} pages; "
            "the stream was stopped instead of going round for ever."
        )


class EmptyPagesError(CustobarError):
    """Page after page held nothing, and each named another one."""

    def __init__(self, pages: int) -> None:
        """Say how many pages there were in a row."""
        super().__init__(
            f"Custobar named a next page {pages:,} times in a row and listed no record on any: "
            "the stream was stopped, for such a chain need not end."
        )


class NextLinkLostError(CustobarError):
    """A full page named no next one, and neither did a page of one row that must have one."""

    def __init__(self, header: str) -> None:
        """Name the header that the link is in."""
        super().__init__(
            f"The answers lack the header {header}, which names the next page: a proxy or gateway "
            "removes it. Let it pass, or set response_format: json."
        )


class FilterIgnoredError(CustobarError):
    """A record came that a filter of the settings excludes."""

    def __init__(self, stream: str, name: str) -> None:
        """Name the filter."""
        super().__init__(
            f"stream_options.{stream}.filters.{name}: Custobar sent records with another value, so "
            "the filter has no effect; check its name, or filter in the target."
        )


class StreamMapError(CustobarError):
    """An expression of a stream map failed for a record."""

    def __init__(self, stream: str, property_name: str, expression: str) -> None:
        """Name the place in the settings, and what stands there."""
        super().__init__(
            f"stream_maps.{stream}.{property_name}: this expression failed for a record: "
            f"{expression}"
        )


class RequestFailedError(CustobarError):
    """Custobar refused a request, and asking again would not help."""


class UnauthorizedError(RequestFailedError):
    """Status 401."""

    def __init__(self, auth_scheme: str) -> None:
        """Name the authorization scheme to try instead of `auth_scheme`."""
        other = "Bearer" if auth_scheme == "Token" else "Token"
        super().__init__(
            "Custobar did not accept the token (401): api_token is wrong or has expired "
            "(personal API keys end after 8 hours, integration keys do not); "
            f"if it is right, try auth_scheme: {other}."
        )


class ForbiddenError(RequestFailedError):
    """Status 403."""

    def __init__(self, path: str) -> None:
        """Name the scope that the token lacks for `path`."""
        super().__init__(
            f"The token may not read this (403): give its API key the scope GET {path} "
            "in Custobar, or deselect the stream."
        )


class NotFoundError(RequestFailedError):
    """Status 404."""

    def __init__(self, url: str) -> None:
        """Show the `url` (without its query) that is not there."""
        super().__init__(
            f"There is nothing at {url} (404): check the setting company or api_url "
            "(it ends in /api)."
        )


class PageGoneError(RequestFailedError):
    """Status 404 for a page that the API itself named as the next one."""

    def __init__(self, path: str) -> None:
        """Name the path."""
        super().__init__(
            f"Custobar no longer has the next page of GET {path} (404): run again to read from "
            "the beginning."
        )


class CaBundleError(RequestFailedError):
    """The file of trusted certificates that the environment names cannot be used."""

    def __init__(self, variable: str, path: str, problem: str) -> None:
        """Name the environment variable, its file and what is wrong with it."""
        super().__init__(f"{variable} names {path}, which cannot be used ({problem}).")


class BadRequestError(RequestFailedError):
    """Status 400, and every other that no class above explains."""

    def __init__(self, status: int, path: str, reason: str) -> None:
        """Quote the API's own `reason`, already bounded and redacted."""
        quoted = f": {reason}" if reason else "."
        super().__init__(f"Custobar refused the request GET {path} ({status}){quoted}")


class RedirectedError(RequestFailedError):
    """Status 3xx: redirects are never followed, for they could take the token elsewhere."""

    def __init__(self, status: int, url: str) -> None:
        """Show the `url` (without its query) that redirects."""
        super().__init__(
            f"{url} answers with a redirect ({status}), which is never followed: "
            "set company or api_url to the address Custobar itself answers at."
        )


class ResponseTooLargeError(RequestFailedError):
    """A body that does not end within the allowed size."""

    def __init__(self, path: str, limit: int) -> None:
        """Say which limit, in bytes, was passed."""
        super().__init__(
            f"The answer to GET {path} is larger than {limit >> 20} MiB: lower page_size."
        )


class TransientError(CustobarError):
    """A failure worth a retry."""

    #: Likely a wrong setting when met on a stream's first request: retried once only there.
    likely_misconfiguration = False

    #: Seconds that the server asked to be left alone; None where it did not say.
    retry_after: float | None = None


class RateLimitedError(TransientError):
    """Status 429."""

    def __init__(self, retry_after: float | None) -> None:
        """Take the seconds of the header Retry-After; a minute is the API's own window."""
        super().__init__(
            "Custobar says there are too many requests (429): "
            "raise request_interval, or run fewer pipelines at a time."
        )
        self.retry_after = 60.0 if retry_after is None else retry_after


class ServerError(TransientError):
    """Status 5xx, 408 or 425."""

    def __init__(self, status: int, path: str, retry_after: float | None, reason: str = "") -> None:
        """Name the path and the status; quote the API's own `reason`, bounded and redacted."""
        quoted = f": {reason}" if reason else "."
        super().__init__(f"Custobar failed to answer GET {path} ({status}){quoted}")
        self.retry_after = retry_after


class ConnectionFailedError(TransientError):
    """The connection was not made in time, or was reset or cut before the answer was complete."""

    def __init__(self, host: str, problem: str) -> None:
        """Say what happened to the connection to `host`."""
        super().__init__(f"The connection to {host} {problem}.")


class RequestTimeoutError(TransientError):
    """Nothing, or not enough, came in time."""

    def __init__(self, host: str, seconds: float) -> None:
        """Say how long was waited."""
        super().__init__(
            f"{host} did not answer within {seconds:g} s: "
            "raise request_timeout or lower page_size if this goes on."
        )


class InvalidResponseError(TransientError):
    """Status 200 with something else than Custobar's data."""

    likely_misconfiguration = True

    def __init__(self, what: str, page: int = 1) -> None:
        """Say what came instead, and as which page; settings are to blame for the first only."""
        self.what = what
        advice = (
            "check the setting company or api_url, and any proxy on the way"
            if page == 1
            else "run again, and ask Custobar if it stays"
        )
        place = f" on page {page}" if page > 1 else ""
        super().__init__(f"The answer is not Custobar's data but {what}{place}: {advice}.")


class UnreachableError(TransientError):
    """The connection was refused, or there is no route to the host."""

    likely_misconfiguration = True

    def __init__(self, address: str, problem: str) -> None:
        """Name host and port, and what the system says."""
        super().__init__(
            f"No connection to {address} ({problem}): check the setting company or api_url, "
            "and this machine's network."
        )


class HostNotFoundError(TransientError):
    """The host's name does not resolve."""

    likely_misconfiguration = True

    def __init__(self, host: str) -> None:
        """Name the host."""
        super().__init__(
            f"There is no host named {host}: check the setting company or api_url, "
            "and this machine's network."
        )


class CertificateError(TransientError):
    """TLS could not be set up with the host."""

    likely_misconfiguration = True

    def __init__(self, host: str) -> None:
        """Name the host."""
        super().__init__(
            f"No trusted TLS connection to {host} (certificate or protocol): check the setting "
            "company or api_url, any proxy on the way, and REQUESTS_CA_BUNDLE if it is your own."
        )


#: Failures that another page would meet too: going on elsewhere would not help.
NOT_PAGE_SPECIFIC = (
    CaBundleError,
    CertificateError,
    ConnectionFailedError,
    ForbiddenError,
    RateLimitedError,
    RequestTimeoutError,
    UnauthorizedError,
    HostNotFoundError,
    UnreachableError,
)
