from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_custobar.api.responses import Response
from tap_custobar.api.urls import ApiUrl
from tap_custobar.catalog.declaration import fetch_sample
from tap_custobar.streams import CampaignsStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_custobar.pages.json_pages import Page


def test_a_sample_is_one_small_page_of_whole_records() -> None:
    asked = []

    class Client:
        def get(self, url: str, parse: Callable[[Response], Page], *, first_page: bool) -> Page:
            asked.append((url, first_page))
            return parse(Response(b'{"campaigns": [{"id": 1}], "next": "2"}', {}))

    class Connection:
        base_url = ApiUrl.parse("https://acme.custobar.com/api")
        client = Client()

    connection: Any = Connection()
    sample = fetch_sample(connection, CampaignsStream.declaration(), 7)

    assert (sample.rows, sample.next_link) == ([{"id": 1}], "2")
    assert asked == [("https://acme.custobar.com/api/campaign/actions/?limit=7", True)]
