"""One exception class and one message for each cause that a user can act on.

The messages are single lines and hold no token, no query string and no record content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class CustobarError(Exception):
    """Any failure of the tap that has a known cause; its message is what the user reads."""


class InputFileError(CustobarError):
    """A config, catalog or state file is missing or does not contain the expected JSON."""

    def __init__(self, path: str, problem: str) -> None:
        """Create the error of a file, with what is wrong with it."""
        super().__init__(f"{path}: {problem}")


class CatalogError(CustobarError):
    """The catalog requests a stream or a replication that the tap does not have."""


class BrokenInstallationError(CustobarError):
    """A JSON schema of the package is missing or broken."""

    def __init__(self, stream: str) -> None:
        """Create the error of the stream whose schema cannot be used."""
        super().__init__(f"schemas/{stream}.json is missing or broken: reinstall tap-custobar.")


class DiscoveryFailedError(CustobarError):
    """The names of the custom fields could not be requested."""

    def __init__(self, cause: CustobarError, *, can_do_without: bool) -> None:
        """Create the error.

        Args:
            cause: Why the request failed.
            can_do_without: Whether the run can succeed without the request, so that the message
                names the setting that turns it off.
        """
        hint = "(Requested for custom fields; discover_custom_fields: false turns that off.)"
        super().__init__(f"{cause} {hint}" if can_do_without else str(cause))
        self.cause = cause


class StreamsFailedError(CustobarError):
    """At least one stream failed; all other streams were read."""

    def __init__(self, causes: Mapping[str, str]) -> None:
        """Create the error from the name of each failed stream and the message of its failure."""
        super().__init__(f"{', '.join(causes)} failed")
        self.causes = causes


class OutputError(CustobarError):
    """Nothing more can be written to stdout, so no stream can be read any further."""

    def __init__(self, problem: str) -> None:
        """Create the error with the operating system's message."""
        super().__init__(f"Cannot write to stdout: {problem}.")


class UrlError(CustobarError):
    """A URL that must not be requested; nothing was sent to it."""


class PaginationLoopError(CustobarError):
    """The next link of a page leads to a page that this sync has already read."""

    def __init__(self, pages: int) -> None:
        """Create the error with the number of pages that were read."""
        super().__init__(
            "Custobar's next_url points to a page that was already read, "
            f"after {pages:,} pages: the stream was stopped. Report this to Custobar."
        )


class NoNewRecordsError(CustobarError):
    """Too many consecutive pages had no new record, although each of them had a next link."""

    def __init__(self, pages: int) -> None:
        """Create the error with the number of consecutive pages."""
        super().__init__(
            f"Custobar returned {pages:,} pages in a row without a new record, each with a "
            "next_url: the stream was stopped. Report this to Custobar."
        )


class NextLinkLostError(CustobarError):
    """The responses lack the next link.

    A full page had none, and neither had a page of one record, which must have one.
    """

    def __init__(self, name: str, *, is_header: bool) -> None:
        """Create the error with the name of the header or of the key of the body."""
        super().__init__(
            f"The responses lack the header {name}, which holds the next link: a proxy or "
            "gateway removes it. Change that, or set response_format: json."
            if is_header
            else f"The responses lack {name}, the link to the next page, although there are more "
            "records: Custobar's API may have changed. Please report it."
        )


class FilterIgnoredError(CustobarError):
    """Custobar returned a record that a filter of the settings excludes."""

    def __init__(self, stream: str, name: str) -> None:
        """Create the error of the filter on the field `name`."""
        super().__init__(
            f"stream_options.{stream}.filters.{name}: Custobar sent records with another value, so "
            "the filter has no effect: check its name, or filter in the target."
        )


class StreamMapError(CustobarError):
    """An expression of a stream map failed for a record."""

    def __init__(self, stream: str, property_name: str, expression: str) -> None:
        """Create the error of an expression, which the settings have for this property."""
        super().__init__(
            f"stream_maps.{stream}.{property_name}: this expression failed for a record: "
            f"{expression}"
        )


class StreamMapTypeError(CustobarError):
    """The result of an expression of a stream map is not of the type that SCHEMA declares."""

    def __init__(self, stream: str, property_name: str) -> None:
        """Create the error of a property of a stream."""
        super().__init__(
            f"stream_maps.{stream}.{property_name}: a result is not of the type in SCHEMA. Put the "
            "expression in str(), int(), float() or bool(), which declares the type."
        )


class RequestFailedError(CustobarError):
    """Custobar rejected a request, and a retry would not help."""


class UnauthorizedError(RequestFailedError):
    """Status 401."""

    def __init__(self, auth_scheme: str) -> None:
        """Create the error, whose message suggests the other scheme than `auth_scheme`."""
        other = "Bearer" if auth_scheme == "Token" else "Token"
        super().__init__(
            "Custobar did not accept the token (401): api_token is wrong or has expired "
            "(personal API keys expire after 8 hours, integration keys do not); "
            f"if it is right, try auth_scheme: {other}."
        )


class ForbiddenError(RequestFailedError):
    """Status 403."""

    def __init__(self, path: str) -> None:
        """Create the error of a path, for which the token lacks the scope."""
        super().__init__(
            f"The token has no access (403): give its API key the scope GET {path} "
            "in Custobar, or deselect the stream."
        )


class NotFoundError(RequestFailedError):
    """Status 404."""

    def __init__(self, url: str) -> None:
        """Create the error of a URL, which is given without its query."""
        super().__init__(
            f"{url} was not found (404): check the setting company or api_url (which ends in /api)."
        )


class PageGoneError(RequestFailedError):
    """Status 404 for a page that the API itself named as the next one."""

    def __init__(self, path: str) -> None:
        """Create the error of the page's path."""
        super().__init__(
            f"Custobar no longer has the next page of GET {path} (404): run again to read from "
            "the beginning."
        )


class CaBundleError(RequestFailedError):
    """The CA bundle that an environment variable names cannot be used."""

    def __init__(self, variable: str, path: str, problem: str) -> None:
        """Create the error of an environment variable and its file, with what is wrong with it."""
        super().__init__(
            f"{variable} names {path}, which cannot be used ({problem}): "
            "name a file or folder of CA certificates, or unset it."
        )


class BadRequestError(RequestFailedError):
    """Status 400, and every other status that no class above represents."""

    def __init__(self, status: int, path: str, reason: str) -> None:
        """Create the error with the API's own `reason`, already truncated and redacted."""
        quoted = f": {reason}" if reason else "."
        super().__init__(f"Custobar rejected the request GET {path} ({status}){quoted}")


class RedirectedError(RequestFailedError):
    """Status 3xx: redirects are never followed, because the token could go to another server."""

    def __init__(self, status: int, url: str) -> None:
        """Create the error of a URL, which is given without its query."""
        super().__init__(
            f"{url} redirects ({status}), and redirects are never followed: "
            "set company or api_url to the address that Custobar itself uses."
        )


class ResponseTooLargeError(RequestFailedError):
    """A body that is larger than the allowed size."""

    def __init__(self, path: str, limit: int) -> None:
        """Create the error of a path, with the limit in bytes."""
        super().__init__(
            f"The response to GET {path} is larger than {limit >> 20} MiB: lower page_size."
        )


class TransientError(CustobarError):
    """A failure after which the request is retried."""

    #: Whether a stream's first request most likely fails because of a setting. Such a request is
    #: retried only once.
    likely_misconfiguration = False

    #: Seconds to wait that the server asked for; None where it did not.
    retry_after: float | None = None


class RateLimitedError(TransientError):
    """Status 429."""

    def __init__(self, retry_after: float | None) -> None:
        """Create the error with the seconds of the header Retry-After, if there is one."""
        super().__init__(
            "Custobar reports too many requests (429): "
            "raise request_interval, or run fewer pipelines at a time."
        )
        self.retry_after = retry_after


class ServerError(TransientError):
    """Status 5xx, 408 or 425."""

    def __init__(self, status: int, path: str, retry_after: float | None, reason: str = "") -> None:
        """Create the error with the API's own `reason`, already truncated and redacted."""
        quoted = f": {reason}" if reason else "."
        super().__init__(f"Custobar failed to process the request GET {path} ({status}){quoted}")
        self.retry_after = retry_after


class ConnectionFailedError(TransientError):
    """The connection was not made in time, or ended before the response was complete."""

    def __init__(self, host: str, problem: str) -> None:
        """Create the error of the connection to a host; `problem` is the rest of the sentence."""
        super().__init__(f"The connection to {host} {problem}.")


class RequestTimeoutError(TransientError):
    """The response, or the next part of it, did not arrive in time."""

    def __init__(self, host: str, seconds: float) -> None:
        """Create the error with the seconds that were waited."""
        super().__init__(
            f"{host} did not respond within {seconds:g} s: "
            "raise request_timeout or lower page_size if this persists."
        )


class InvalidResponseError(TransientError):
    """A successful response with something other than Custobar's data."""

    likely_misconfiguration = True

    def __init__(self, what: str, page: int = 1) -> None:
        """Create the error; a misconfiguration can cause it on the first page only.

        Args:
            what: What the response contains instead.
            page: The number of the page.
        """
        self.what = what
        advice = (
            "check the setting company or api_url, and any proxy in between"
            if page == 1
            else "run again, and report it to Custobar if it persists"
        )
        place = f" on page {page}" if page > 1 else ""
        super().__init__(f"The response is not Custobar's data but {what}{place}: {advice}.")


class UnreachableError(TransientError):
    """The connection was refused, or there is no route to the host."""

    likely_misconfiguration = True

    def __init__(self, address: str, problem: str) -> None:
        """Create the error of a host and port, with the operating system's message."""
        super().__init__(
            f"No connection to {address} ({problem}): check the setting company or api_url, "
            "and this machine's network."
        )


class HostNotFoundError(TransientError):
    """The host's name cannot be resolved."""

    likely_misconfiguration = True

    def __init__(self, host: str) -> None:
        """Create the error of a host."""
        super().__init__(
            f"There is no host named {host}: check the setting company or api_url, "
            "and this machine's network."
        )


class CertificateError(TransientError):
    """No trusted TLS connection to the host could be made."""

    likely_misconfiguration = True

    def __init__(self, host: str) -> None:
        """Create the error of a host."""
        super().__init__(
            f"No trusted TLS connection to {host} (certificate or protocol): check the setting "
            "company or api_url, any proxy in between, and REQUESTS_CA_BUNDLE if you use it."
        )


#: Failures that another page would have as well, so that a restart would not help.
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
