"""What a stream requests: its first URL, the only one whose query the tap itself makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from tap_custobar.api.urls import MAX_LENGTH
from tap_custobar.config.settings import MAX_CSV_PAGE, MAX_JSON_PAGE
from tap_custobar.pages.paginators import CursorParamPaginator, NextUrlPaginator
from tap_custobar.pages.reader import LastPageProbe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_custobar.api.urls import ApiUrl
    from tap_custobar.pages.paginators import Paginator

#: Most characters of a percent-encoded query that names fields. A next link repeats them, adds a
#: cursor and may encode more characters; it must not exceed what the tap and gateways accept.
MAX_QUERY = MAX_LENGTH // 2


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one of Custobar's APIs accepts, the same for all of its lists.

    Attributes:
        paginator: How a page names the next one.
        max_page_size: Records of a JSON page at most; None leaves the page size to the API.
        is_data_api: Whether the parameters `fields` and `format` exist.
        orders: The only values of the parameter `order`; empty where it takes field names.
        selectors: Parameters that choose records like filters, but are not fields.
    """

    paginator: type[Paginator]
    max_page_size: int | None
    is_data_api: bool
    orders: Sequence[str] = ()
    selectors: Sequence[str] = ()


#: `/api/data/` (the specification).
DATA_API = Endpoint(NextUrlPaginator, MAX_JSON_PAGE, is_data_api=True)

#: `/api/campaign/`, whose documentation says little.
CAMPAIGN_API = Endpoint(
    CursorParamPaginator,
    None,
    is_data_api=False,
    orders=("ascending", "descending"),
    selectors=("keys",),
)


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """The request for a whole list.

    Attributes:
        base_url: The base URL of the API.
        path: Below the base URL, with its closing slash.
        endpoint: The API that the list belongs to.
        page_size: Records of a page; None leaves it to the API.
        fields: The names in the parameter `fields`; empty for all fields.
        filters: Field name to the value that is wanted.
        order: Field names, with a leading dash for descending.
        is_csv: Whether records are requested as CSV.
    """

    base_url: ApiUrl
    path: str
    endpoint: Endpoint
    page_size: int | None = None
    fields: Sequence[str] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    order: Sequence[str] = ()
    is_csv: bool = False

    @property
    def first_url(self) -> str:
        """The absolute URL of the first page."""
        return self._url(self.page_size)

    @property
    def names_fields(self) -> bool:
        """Whether the query names the fields.

        It does not if their list is too long, or could be read as other names.
        """
        if not self.fields or not all(map(_is_listable, self.fields)):
            return False
        query = self._query(self.page_size, names_fields=True)
        return len(urlencode(query, quote_via=quote)) <= MAX_QUERY

    def last_page_probe(self) -> LastPageProbe | None:
        """Return the check of a full last page; None where no page of one row can be requested."""
        size = self.page_size or 0
        if not self.endpoint.is_data_api or size <= 1:
            return None
        paginator = self.endpoint.paginator
        name = paginator.next_header if self.is_csv else paginator.next_key
        return LastPageProbe(size, self._url(1), name, is_header=self.is_csv)

    def _url(self, page_size: int | None) -> str:
        query = self._query(page_size, names_fields=self.names_fields)
        return self.base_url.endpoint(self.path, query)

    def _query(self, page_size: int | None, *, names_fields: bool) -> dict[str, str]:
        """Return the parameters that are needed (section "Parameters" of the specification)."""
        query = dict(self.filters)
        if self.order:
            query["order"] = ",".join(self.order)
        if names_fields:
            query = {"fields": ",".join(self.fields), **query}
        if page_size is not None:
            query = {"limit": str(page_size), **query}
        if self.is_csv:
            query["format"] = "csv"
        return query


def _is_listable(name: str) -> bool:
    """Return whether a name in a list of names between commas is read as this name."""
    return bool(name) and "," not in name and name == name.strip()


def requested_fields(
    properties: Collection[str], selected: Iterable[str], *, always: bool = False
) -> list[str]:
    """Return the names for `fields` (section "Specifying the returned fields").

    Args:
        properties: All properties of the stream's schema, in its order.
        selected: The selected ones, keys included, in any order.
        always: Whether to list them even if all are selected.

    Returns:
        The selected properties in the order of the schema; empty if all are selected, because the
        API returns every field by default.
    """
    requested = set(selected)
    names = [name for name in properties if name in requested]
    return names if always or len(names) < len(properties) else []


def page_size(
    endpoint: Endpoint, *, is_csv: bool, wanted: int | None, needed: int | None
) -> int | None:
    """Return how many records to request per page; None leaves it to the API.

    Args:
        endpoint: The API.
        is_csv: Whether records are requested as CSV.
        wanted: The setting `page_size`.
        needed: Records that are needed at all; None for all there are.
    """
    size = MAX_CSV_PAGE if is_csv else endpoint.max_page_size
    if wanted:
        size = min(wanted, size or MAX_JSON_PAGE)
    return size if needed is None else min(size or needed, needed)
