from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.api.urls import ApiUrl
from tap_custobar.errors import PaginationLoopError, UrlError
from tap_custobar.pages.paginators import NextUrlPaginator

FIRST = "https://acme.custobar.com/api/data/customers/?limit=5"
resolve = ApiUrl.parse("https://acme.custobar.com/api").resolve


@pytest.mark.parametrize("last", [None, ""])
def test_a_page_without_a_next_one_is_the_last(last: str | None) -> None:
    paginator = NextUrlPaginator(FIRST, resolve)
    assert paginator.current_url == FIRST

    paginator.advance(last)

    assert not paginator.current_url
    assert paginator.page_count == 1


def test_after_the_end_there_is_nothing_to_leave() -> None:
    paginator = NextUrlPaginator(FIRST, resolve)

    paginator.advance(None)
    paginator.advance("?cursor=2")

    assert paginator.current_url is None
    assert paginator.page_count == 1


def test_what_is_named_as_next_is_completed_from_the_current_page() -> None:
    asked: list[tuple[str, str]] = []

    def following(url: str, *, current: str) -> str:
        asked.append((url, current))
        return resolve(url, current=current)

    paginator = NextUrlPaginator(FIRST, following)
    paginator.advance("?cursor=2")
    paginator.advance("../products/?cursor=3")

    second = "https://acme.custobar.com/api/data/customers/?cursor=2"
    assert asked == [("?cursor=2", FIRST), ("../products/?cursor=3", second)]
    assert paginator.current_url == "https://acme.custobar.com/api/data/products/?cursor=3"
    assert paginator.page_count == 2


@pytest.mark.parametrize(
    ("urls", "pages"),
    [
        ([FIRST], 1),
        (["?limit=5"], 1),
        (["http://ACME.custobar.com:80/api/data/customers/?limit=5#other-text-same-page"], 1),
        (["?cursor=a", "?cursor=a"], 2),
        (["?cursor=a", "?cursor=b", "?cursor=a"], 3),
        (["?cursor=a", "?cursor=b", "?limit=5"], 3),
    ],
)
def test_a_way_back_is_a_loop(urls: list[str], pages: int) -> None:
    paginator = NextUrlPaginator(FIRST, resolve)
    for url in urls[:-1]:
        paginator.advance(url)

    with pytest.raises(PaginationLoopError, match=f"after {pages} pages"):
        paginator.advance(urls[-1])
    assert "cursor" not in str(PaginationLoopError(pages))


def test_a_url_that_leads_away_is_no_next_page() -> None:
    paginator = NextUrlPaginator(FIRST, resolve)

    with pytest.raises(UrlError):
        paginator.advance("https://evil.example/api/data/customers/")


@given(st.lists(st.sampled_from(["?cursor=1", "?cursor=2", "?cursor=3", "?limit=5", "", None])))
def test_any_paging_ends_or_is_stopped_at_its_first_repeat(next_urls: list[str | None]) -> None:
    paginator = NextUrlPaginator(FIRST, resolve)
    visited = [FIRST]
    for next_url in next_urls:
        expected = resolve(next_url, current=FIRST) if next_url else None
        if expected in visited:
            with pytest.raises(PaginationLoopError):
                paginator.advance(next_url)
            return
        paginator.advance(next_url)
        assert paginator.page_count == len(visited)
        if expected is None:
            assert not paginator.current_url
            return
        assert paginator.current_url == expected
        visited.append(expected)
