"""Validation of every URL before it is requested.

Each request contains the token. Of a URL that the API returned, only path and query are therefore
used; scheme, host and port are always the configured ones.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from tap_custobar.errors import UrlError
from tap_custobar.redaction import mask_personal_data

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Most characters of a URL; longer ones are rejected.
MAX_LENGTH = 8192

#: Most characters of a label of a host name (RFC 1035).
MAX_LABEL = 63

#: The parameters of the data API; every other name in a query is a filter on a field.
PARAMETERS = frozenset({"limit", "fields", "order", "format"})

_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")
_CUSTOBAR = "custobar.com"
_NEXT = "Custobar's next_url"


@dataclass(frozen=True, slots=True)
class ApiUrl:
    """The base URL of all requests, e.g. `https://acme.custobar.com/api`.

    Attributes:
        scheme: `http` (on a loopback address only) or `https`.
        host: The host name or IP address.
        netloc: The host with its port, if there is one.
        path: The path, without a slash at its end.
    """

    scheme: str
    host: str
    netloc: str
    path: str

    @classmethod
    def parse(cls, text: str) -> ApiUrl:
        """Parse a configured base URL.

        Raises:
            UrlError: it is not a valid base URL, or the token would be sent unencrypted.
        """
        parts = _split(text)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not _is_host(host):
            msg = "is not a valid URL, like https://COMPANY.custobar.com/api"
            raise UrlError(msg)
        if parts.query or parts.fragment:
            msg = "must end with the path, without query or fragment"
            raise UrlError(msg)
        if parts.scheme == "http" and not is_loopback(host):
            msg = "must begin with https (http would send the token unencrypted)"
            raise UrlError(msg)
        return cls(parts.scheme, host, parts.netloc, parts.path.rstrip("/"))

    def endpoint(self, path: str, query: Mapping[str, str]) -> str:
        """Return the absolute URL of a path below the base URL.

        Args:
            path: Begins with a slash.
            query: The parameters, not encoded.
        """
        encoded = urlencode(query, safe=",", quote_via=quote)
        return self._absolute(f"{self.path}{path}", encoded)

    def resolve(self, url: str, *, current: str) -> str:
        """Return the absolute URL of the next page (section "next_url" of the specification).

        The specification does not mention other hosts, so none is trusted.

        Args:
            url: The next link, absolute or relative.
            current: The absolute URL of the page that it is from.

        Raises:
            UrlError: it is not below the base URL.
        """
        _split(url, _NEXT)
        parts = _split(urljoin(current, url), _NEXT)
        if parts.scheme not in {"http", "https"} or not self._is_ours(parts.hostname or ""):
            msg = (
                f"{_NEXT} names another server ({(parts.hostname or '?')[:100]}), "
                f"not {self.host}; nothing was sent there. Report this to Custobar."
            )
            raise UrlError(msg)
        if not _is_below(parts.path, self.path):
            msg = (
                f"{_NEXT} is not below {self.path}; it was not requested. Report this to Custobar."
            )
            raise UrlError(msg)
        return self._absolute(parts.path, parts.query)

    def _is_ours(self, host: str) -> bool:
        is_equal = _canonical(host) == _canonical(self.host)
        return is_equal or (_is_custobar(host) and _is_custobar(self.host))

    def _absolute(self, path: str, query: str) -> str:
        return f"{self.scheme}://{self.netloc}{path}{'?' if query else ''}{query}"


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address is this machine's loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def path_for_message(url: str) -> str:
    """Return the path of a URL, without what may be personal data: a next link may hold some."""
    return mask_personal_data(urlsplit(url).path, "/")


def url_for_message(url: str) -> str:
    """Return a URL with the path of `path_for_message`, and without its query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{path_for_message(url)}"


def query_filter_values(url: str) -> list[str]:
    """Return the values of a URL's query parameters that are not in `PARAMETERS`."""
    query = parse_qsl(urlsplit(url).query)
    return [value for name, value in query if name not in PARAMETERS]


def _split(text: str, name: str = "") -> SplitResult:
    try:
        problem = _problem(text, parts := urlsplit(text))
    except ValueError:
        problem = "is not a valid URL"
    if problem:
        raise UrlError(f"{name} {problem}".strip())
    return parts


def _problem(text: str, parts: SplitResult) -> str | None:
    if len(text) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    if _CONTROL.search(text) or "\\" in text:
        return "contains spaces, backslashes or control characters"
    if "@" in parts.netloc:
        return "must not contain a user name or password"
    _ = parts.port  # raises ValueError if it is not a valid port number
    return None


def _is_host(host: str) -> bool:
    """Return whether the labels of a host name have lengths that DNS allows."""
    return all(0 < len(label) <= MAX_LABEL for label in host.split("."))


def _canonical(host: str) -> str:
    """Return a host name as it is sent: without a final dot, and in ASCII if it has an umlaut."""
    try:
        return host.removesuffix(".").encode("idna").decode()
    except UnicodeError:
        return host


def _is_custobar(host: str) -> bool:
    return host == _CUSTOBAR or host.endswith(f".{_CUSTOBAR}")


def _is_below(path: str, base: str) -> bool:
    """Return whether a path is below a base path, by whole segments.

    The path is decoded repeatedly, because a proxy may do that too. Empty segments and dots are
    rejected, because proxies and servers treat them differently.
    """
    while (decoded := unquote(path)) != path:
        path = decoded
    *inner, last = path.replace("\\", "/").split("/")[1:] or [""]
    expected = base.split("/")[1:]
    return (
        not {"", ".", ".."}.intersection(inner)
        and last not in {".", ".."}
        and inner[: len(expected)] == expected
        and [*inner[len(expected) :], last] != [""]
    )
