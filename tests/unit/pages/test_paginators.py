from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_custobar.api.urls import ApiUrl
from tap_custobar.errors import PaginationLoopError, UrlError
from tap_custobar.pages.paginators import CursorParamPaginator, NextUrlPaginator

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

    with pytest.raises(PaginationLoopError, match=f"after {pages} pages") as raised:
        paginator.advance(urls[-1])
    assert "cursor" not in str(raised.value)  # it is made of records


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


CAMPAIGNS = "https://acme.custobar.com/api/campaign/"


@pytest.mark.parametrize(
    ("query", "cursor", "asked"),
    [
        ("", "2", "?from=2"),
        ("?limit=5&order=descending", "2", "?limit=5&order=descending&from=2"),
        ("?from=1&limit=5", "2", "?limit=5&from=2"),
        ("?ids=a,b&name=&limit=5", "2", "?ids=a,b&name=&limit=5&from=2"),
        ("?name=b%C3%BC%20r%26d", "x y/z", "?name=b%C3%BC%20r%26d&from=x%20y%2Fz"),
        ("", "2024-01-31T10:00:00+02:00", "?from=2024-01-31T10%3A00%3A00%2B02%3A00"),
        ("", "a&limit=9#?", "?from=a%26limit%3D9%23%3F"),
    ],
)
def test_a_cursor_replaces_the_parameter_from_of_the_same_request(
    query: str, cursor: str, asked: str
) -> None:
    paginator = CursorParamPaginator(CAMPAIGNS + query, resolve)

    assert paginator.next_url(cursor) == CAMPAIGNS + asked
    paginator.advance(cursor)

    assert paginator.current_url == CAMPAIGNS + asked
    assert paginator.page_count == 1


def test_cursors_lead_from_page_to_page_until_there_is_none_or_one_comes_again() -> None:
    paginator = CursorParamPaginator(f"{CAMPAIGNS}?limit=5", resolve)
    for cursor in "abc":
        paginator.advance(cursor)
        assert paginator.current_url == f"{CAMPAIGNS}?limit=5&from={cursor}"

    for cursor in "abc":
        with pytest.raises(PaginationLoopError, match="after 4 pages"):
            paginator.next_url(cursor)
    paginator.advance(None)
    assert paginator.current_url is None


def test_a_cursor_of_half_a_character_is_one_of_a_page_all_the_same() -> None:
    paginator = NextUrlPaginator(FIRST, lambda url, **_: url)
    paginator.advance("?cursor=\ud800")

    with pytest.raises(PaginationLoopError):
        paginator.next_url("?cursor=\ud800")


@pytest.mark.parametrize(
    ("paginator", "key", "header"),
    [
        (NextUrlPaginator, "next_url", "X-Custobar-Next-Url"),
        (CursorParamPaginator, "next", ""),
    ],
)
def test_each_api_names_the_next_page_in_its_own_place(
    paginator: type[NextUrlPaginator], key: str, header: str
) -> None:
    assert (paginator.next_key, paginator.next_header) == (key, header)
