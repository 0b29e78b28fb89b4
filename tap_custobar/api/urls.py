"""What may be asked for: the one check of every URL, whoever named it.

The token goes wherever a request goes, so a URL that did not come from the settings gives no
more than its path and query; scheme, host and port are always the configured ones.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from tap_custobar.errors import UrlError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Characters of a URL; longer ones are refused.
MAX_LENGTH = 8192

#: Characters between two dots of a host name (RFC 1035).
MAX_LABEL = 63

#: The parameters of the data API; every other name in a query is a filter on a field.
PARAMETERS = frozenset({"limit", "fields", "order", "format"})

_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff]")
_CUSTOBAR = "custobar.com"
_NEXT = "Custobar's next_url"


@dataclass(frozen=True, slots=True)
class ApiUrl:
    """The base URL below which everything is asked for, e.g. `https://acme.custobar.com/api`."""

    scheme: str
    host: str
    netloc: str
    path: str

    @classmethod
    def parse(cls, text: str) -> ApiUrl:
        """Read a configured base URL.

        Raises:
            UrlError: it is no such URL, or would send the token in the clear.
        """
        parts = _split(text)
        host = parts.hostname or ""
        if parts.scheme not in {"http", "https"} or not _is_host(host):
            msg = "is no URL like https://COMPANY.custobar.com/api"
            raise UrlError(msg)
        if parts.query or parts.fragment:
            msg = "must end with the path, without query or fragment"
            raise UrlError(msg)
        if parts.scheme == "http" and not is_loopback(host):
            msg = "must begin with https (http would send the token in the clear)"
            raise UrlError(msg)
        return cls(parts.scheme, host, parts.netloc, parts.path.rstrip("/"))

    def endpoint(self, path: str, query: Mapping[str, str]) -> str:
        """Return the URL of a path below the base, with its query encoded."""
        encoded = urlencode(query, safe=",", quote_via=quote)
        return self._absolute(f"{self.path}{path}", encoded)

    def resolve(self, url: str, *, current: str) -> str:
        """Return what to ask for where the API, at the URL `current`, named `url` as the next.

        Raises:
            UrlError: `url` leads away from the API (section "next_url" of the specification
                says nothing of other hosts, so none is trusted).
        """
        _split(url, _NEXT)
        parts = _split(urljoin(current, url), _NEXT)
        if parts.scheme not in {"http", "https"} or not self._is_ours(parts.hostname or ""):
            msg = (
                f"{_NEXT} names another server ({(parts.hostname or '?')[:100]}), "
                f"not {self.host}; nothing was sent there."
            )
            raise UrlError(msg)
        if not _is_below(parts.path, self.path):
            msg = f"{_NEXT} is not below {self.path}; it was not asked for."
            raise UrlError(msg)
        return self._absolute(parts.path, parts.query)

    def _is_ours(self, host: str) -> bool:
        return host == self.host or (_is_custobar(host) and _is_custobar(self.host))

    def _absolute(self, path: str, query: str) -> str:
        return f"{self.scheme}://{self.netloc}{path}{'?' if query else ''}{query}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_query(url: str) -> str:
    """Return the part of a URL that may be shown: filters hold personal data."""
    return url.partition("?")[0]


def query_filter_values(url: str) -> list[str]:
    """Return the values in a URL's query that are not the API's own parameters."""
    query = parse_qsl(urlsplit(url).query)
    return [value for name, value in query if name not in PARAMETERS]


def _split(text: str, name: str = "") -> SplitResult:
    try:
        problem = _problem(text, parts := urlsplit(text))
    except ValueError:
        problem = "is no valid URL"
    if problem:
        raise UrlError(f"{name} {problem}".strip())
    return parts


def _problem(text: str, parts: SplitResult) -> str | None:
    if len(text) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    if _CONTROL.search(text) or "\\" in text:
        return "holds spaces, backslashes or control characters"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    _ = parts.port  # raises ValueError where it is no number
    return None


def _is_host(host: str) -> bool:
    """Tell whether names of these lengths can be looked up at all."""
    return all(0 < len(label) <= MAX_LABEL for label in host.split("."))


def _is_custobar(host: str) -> bool:
    return host == _CUSTOBAR or host.endswith(f".{_CUSTOBAR}")


def _is_below(path: str, base: str) -> bool:
    """Compare by whole segments, after undoing every layer of encoding a proxy might undo.

    Segments that are empty or dots are refused: not everyone on the way reads them the same.
    """
    while (decoded := unquote(path)) != path:
        path = decoded
    *inner, last = path.replace("\\", "/").split("/")[1:] or [""]
    wanted = base.split("/")[1:]
    return (
        not {"", ".", ".."}.intersection(inner)
        and last not in {".", ".."}
        and inner[: len(wanted)] == wanted
        and [*inner[len(wanted) :], last] != [""]
    )
