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
def test_a_page_without_a_next_link_is_the_last(last: str | None) -> None:
    paginator = NextUrlPaginator(FIRST, resolve)
    assert paginator.current_url == FIRST

    paginator.advance(last)

    assert not paginator.current_url
    assert paginator.page_count == 1


def test_after_the_last_page_there_is_no_next_page() -> None:
    paginator = NextUrlPaginator(FIRST, resolve)

    paginator.advance(None)
    paginator.advance("?cursor=2")

    assert paginator.current_url is None
    assert paginator.page_count == 1


def test_a_next_link_is_resolved_against_the_current_page() -> None:
    requested: list[tuple[str, str]] = []

    def following(url: str, *, current: str) -> str:
        requested.append((url, current))
        return resolve(url, current=current)

    paginator = NextUrlPaginator(FIRST, following)
    paginator.advance("?cursor=2")
    paginator.advance("../products/?cursor=3")

    second = "https://acme.custobar.com/api/data/customers/?cursor=2"
    assert requested == [("?cursor=2", FIRST), ("../products/?cursor=3", second)]
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
def test_a_url_that_was_requested_before_is_a_loop(urls: list[str], pages: int) -> None:
    paginator = NextUrlPaginator(FIRST, resolve)
    for url in urls[:-1]:
        paginator.advance(url)

    with pytest.raises(PaginationLoopError, match=f"after {pages} pages") as raised:
        paginator.advance(urls[-1])
    assert "cursor" not in str(raised.value)  # it is made of records


def test_a_next_link_that_cannot_be_resolved_raises() -> None:
    paginator = NextUrlPaginator(FIRST, resolve)

    with pytest.raises(UrlError):
        paginator.advance("https://evil.example/api/data/customers/")


@given(st.lists(st.sampled_from(["?cursor=1", "?cursor=2", "?cursor=3", "?limit=5", "", None])))
def test_pagination_ends_or_raises_at_the_first_repeated_url(next_urls: list[str | None]) -> None:
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
    ("query", "cursor", "requested"),
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
    query: str, cursor: str, requested: str
) -> None:
    paginator = CursorParamPaginator(CAMPAIGNS + query, resolve)

    assert paginator.next_url(cursor) == CAMPAIGNS + requested
    paginator.advance(cursor)

    assert paginator.current_url == CAMPAIGNS + requested
    assert paginator.page_count == 1


def test_cursors_are_followed_until_there_is_none_or_one_is_repeated() -> None:
    paginator = CursorParamPaginator(f"{CAMPAIGNS}?limit=5", resolve)
    for cursor in "abc":
        paginator.advance(cursor)
        assert paginator.current_url == f"{CAMPAIGNS}?limit=5&from={cursor}"

    for cursor in "abc":
        with pytest.raises(PaginationLoopError, match="after 4 pages"):
            paginator.next_url(cursor)
    paginator.advance(None)
    assert paginator.current_url is None


def test_a_cursor_with_a_lone_surrogate_is_accepted() -> None:
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
def test_each_paginator_reads_the_next_page_from_its_field(
    paginator: type[NextUrlPaginator], key: str, header: str
) -> None:
    assert (paginator.next_key, paginator.next_header) == (key, header)


def test_a_cursor_that_is_not_valid_unicode_is_rejected() -> None:
    paginator = CursorParamPaginator(CAMPAIGNS, resolve)

    with pytest.raises(UrlError, match=r"^next is not valid Unicode$"):
        paginator.next_url("\ud83d")
