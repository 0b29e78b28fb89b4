"""Iteration over pages, against a client with prepared responses."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from requests.structures import CaseInsensitiveDict

from tap_custobar.api.responses import Response
from tap_custobar.api.urls import ApiUrl
from tap_custobar.errors import (
    BadRequestError,
    CustobarError,
    InvalidResponseError,
    NextLinkLostError,
    NoNewRecordsError,
    PaginationLoopError,
    UnauthorizedError,
    UrlError,
)
from tap_custobar.pages import reader
from tap_custobar.pages.json_pages import Page
from tap_custobar.pages.paginators import NextUrlPaginator
from tap_custobar.pages.reader import LastPageProbe, PageIterator
from tap_custobar.redaction import Redactor
from tap_custobar.state.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "https://acme.custobar.com/api/data/customers/"
FIRST = f"{BASE}?limit=5"

PageOrError: TypeAlias = "Page | CustobarError"


def page(rows: int = 1, next_link: str | None = None) -> Page:
    return Page([], next_link, rows)


class Client:
    """Returns the prepared responses of each URL in order, and repeats the last one."""

    def __init__(self, responses: dict[str, list[PageOrError]]) -> None:
        self.responses = {f"{BASE}{query}": list(each) for query, each in responses.items()}
        self.response: PageOrError = page()
        self.requested: list[str] = []
        self.first_pages: list[bool] = []
        self.prefetched: list[str | None] = []

    def get(self, url: str, parse: Callable[[Response], Page], *, first_page: bool) -> Page:
        self.requested.append(url.removeprefix(BASE))
        self.first_pages.append(first_page)
        responses = self.responses[url]
        response = responses.pop(0) if len(responses) > 1 else responses[0]
        if isinstance(response, CustobarError) and not isinstance(response, InvalidResponseError):
            raise response
        self.response = response
        return parse(Response(b"", CaseInsensitiveDict()))

    def parse(self, _: Response) -> Page:
        """Return the last response, or raise it as a parser does."""
        if isinstance(self.response, CustobarError):
            raise self.response
        return self.response

    def prefetch(self, url: str | None) -> None:
        self.prefetched.append(url and url.removeprefix(BASE))


class Reading:
    """The pages of one stream."""

    def __init__(
        self,
        responses: dict[str, list[PageOrError]],
        *,
        stored: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.client = Client(responses)
        self.bookmark: dict[str, Any] = {"resume": stored} if stored else {}
        self.checkpoint = Checkpoint(self.bookmark, fingerprint="f", now=1000)
        connection: Any = SimpleNamespace(
            client=self.client,
            base_url=ApiUrl.parse("https://acme.custobar.com/api"),
            redact=Redactor(["APISECRET"]),
        )
        defaults: dict[str, Any] = {"prefetch": False, "probe": None}
        self.pages = PageIterator(
            connection,
            self.checkpoint,
            FIRST,
            paginator=NextUrlPaginator,
            parse=self.client.parse,
            logger=logging.getLogger("test"),
            **{**defaults, **options},
        )

    def rows(self) -> list[int]:
        """Read all pages as a sync does, and return the number of rows of each."""
        rows = []
        for each in self.pages:
            rows.append(each.row_count)
            self.checkpoint.table.add_page(records=each.row_count, skipped=0, count=None)
            self.pages.commit(each, records=each.row_count)
        return rows


def stored(next_url: str = "/api/data/customers/?cursor=2") -> dict[str, Any]:
    numbers = {"began": 900, "records": 7, "skipped": 0, "count": 0}
    return {"next": next_url, "asked": "f", **numbers}


def test_empty_pages_are_followed_to_one_with_records() -> None:
    reading = Reading(
        {
            "?limit=5": [page(0, "?cursor=2")],
            "?cursor=2": [page(0, "?cursor=3")],
            "?cursor=3": [page(2)],
        }
    )

    assert reading.rows() == [0, 0, 2]
    assert reading.client.requested == ["?limit=5", "?cursor=2", "?cursor=3"]
    assert not reading.checkpoint.table.ended_on_empty_page


def test_an_empty_table_is_requested_once() -> None:
    reading = Reading({"?limit=5": [page(0)]})

    assert reading.rows() == [0]
    assert reading.client.requested == ["?limit=5"]


def test_only_the_first_page_of_a_sync_is_requested_as_first_page() -> None:
    reading = Reading({"?limit=5": [page(1, "?cursor=2")], "?cursor=2": [page(1)]})
    reading.rows()
    resumed = Reading({"?cursor=2": [page(1)]}, stored=stored())
    resumed.rows()

    assert reading.client.first_pages == [True, False]
    assert resumed.client.first_pages == [False]


def test_a_page_that_was_not_committed_is_requested_again() -> None:
    reading = Reading({"?limit=5": [page(1, "?cursor=2")]})

    for number, _ in enumerate(reading.pages):
        if number:
            break

    assert reading.client.requested == ["?limit=5", "?limit=5"]


def test_the_checkpoint_is_updated_with_each_page_and_cleared_with_the_last() -> None:
    reading = Reading({"?limit=5": [page(4, "?cursor=2")], "?cursor=2": [page(1)]})
    checkpoints = []
    for each in reading.pages:
        reading.pages.commit(each, records=each.row_count)
        checkpoints.append(reading.bookmark["resume"])

    assert checkpoints[0]["next"] == "/api/data/customers/?cursor=2"
    assert checkpoints[1] is None


@pytest.mark.parametrize(
    ("next_link", "keeps"), [("?cursor=APISECRET", True), ("?cursor=2", False)]
)
def test_a_next_link_with_a_secret_is_not_stored(next_link: str, *, keeps: bool) -> None:
    reading = Reading({"?limit=5": [page(1, next_link)]}, stored=stored("/api/data/x/"))
    reading.checkpoint.restart()

    reading.pages.commit(page(1, next_link), records=1, keeps_checkpoint=keeps)

    assert reading.bookmark == {"resume": None}


def test_an_interrupted_sync_resumes_at_its_page(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reading = Reading({"?cursor=2": [page(3)]}, stored=stored())

    assert reading.rows() == [3]
    assert reading.checkpoint.table.records == 10
    [line] = caplog.messages
    assert line.endswith(", after 7 records")


@pytest.mark.parametrize(
    ("response", "checkpoint", "reason"),
    [
        (BadRequestError(400, "/api/", "no"), stored(), "400"),
        (page(0), stored(), "empty"),
        (page(1), stored("/admin/"), "not below /api"),
        (page(1), {"next": 5}, "is not"),
    ],
    ids=["rejected", "empty", "outside the API", "invalid"],
)
def test_an_unusable_checkpoint_restarts_at_the_first_page(
    caplog: pytest.LogCaptureFixture, response: PageOrError, checkpoint: dict[str, Any], reason: str
) -> None:
    reading = Reading({"?cursor=2": [response], "?limit=5": [page(5)]}, stored=checkpoint)

    assert reading.rows() == [5]
    assert reading.checkpoint.table.records == 5
    [line] = caplog.messages
    assert reason in line


def test_an_unrelated_failure_keeps_the_checkpoint() -> None:
    reading = Reading({"?cursor=2": [UnauthorizedError("Token")]}, stored=stored())

    with pytest.raises(UnauthorizedError):
        reading.rows()

    assert reading.bookmark == {"resume": stored()}


def test_a_failing_first_page_raises() -> None:
    reading = Reading({"?limit=5": [BadRequestError(400, "/api/", "no")]})

    with pytest.raises(BadRequestError):
        reading.rows()


def test_a_last_page_that_is_empty_twice_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading({"?limit=5": [page(1, "?cursor=2")], "?cursor=2": [page(0)]})

    assert reading.rows() == [1, 0]
    assert reading.client.requested == ["?limit=5", "?cursor=2", "?cursor=2"]
    assert reading.checkpoint.table.ended_on_empty_page
    assert "empty twice: records may be missing" in caplog.text


def test_an_empty_last_page_is_replaced_by_its_second_response() -> None:
    reading = Reading({"?limit=5": [page(1, "?cursor=2")], "?cursor=2": [page(0), page(3)]})

    assert reading.rows() == [1, 3]
    assert not reading.checkpoint.table.ended_on_empty_page


def test_a_loop_ends_the_stream_and_clears_the_checkpoint() -> None:
    reading = Reading({"?limit=5": [page(1, "?cursor=2")], "?cursor=2": [page(1, "?limit=5")]})

    with pytest.raises(PaginationLoopError, match="after 2 pages"):
        reading.rows()

    assert reading.bookmark == {"resume": None}


def test_a_next_link_to_another_host_raises_after_its_page() -> None:
    reading = Reading({"?limit=5": [page(1, "https://evil.example/")]}, prefetch=True)
    seen = []

    def read() -> None:
        for each in reading.pages:
            seen.append(each.row_count)
            reading.pages.commit(each, records=each.row_count)

    with pytest.raises(UrlError):
        read()
    assert seen == [1]
    assert not any(reading.client.prefetched)


def test_too_many_pages_without_records_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PAGES_WITHOUT_NEWS", 3)
    responses: dict[str, list[PageOrError]] = {
        f"?cursor={number}": [page(number == 1, f"?cursor={number + 1}")] for number in range(9)
    }
    reading = Reading({**responses, "?limit=5": [page(0, "?cursor=0")]})

    with pytest.raises(NoNewRecordsError, match="3 pages in a row"):
        reading.rows()

    # A page with a record restarts the count.
    assert reading.client.requested[-1] == "?cursor=4"
    assert reading.bookmark == {"resume": None}


def test_the_next_page_is_prefetched_while_a_page_is_processed() -> None:
    reading = Reading({"?limit=5": [page(1, "?b")], "?b": [page(1)]}, prefetch=True)

    for each in reading.pages:
        assert reading.client.prefetched[-1] == each.next_link
        reading.pages.commit(each, records=each.row_count)
    reading.pages.close()

    assert [*filter(None, reading.client.prefetched)] == ["?b"]
    assert reading.client.prefetched[-1] is None


PROBE = LastPageProbe(full_page=5, url=f"{BASE}?limit=1", name="next_link", is_header=False)


@pytest.mark.parametrize(
    ("last", "one_row", "is_lost"),
    [
        (page(5), page(1), True),
        (page(5), page(1, "?cursor=2"), False),
        (page(5), page(5), False),
        (page(4), page(1), False),
    ],
    ids=["full", "full and last", "limit is ignored", "not full"],
)
def test_a_full_last_page_is_probed_for_a_lost_next_link(
    last: Page, one_row: Page, *, is_lost: bool
) -> None:
    reading = Reading({"?limit=5": [last], "?limit=1": [one_row]}, probe=PROBE)

    if is_lost:
        with pytest.raises(NextLinkLostError, match="lack next_link, "):
            reading.rows()
    else:
        assert reading.rows() == [last.row_count]
    assert ("?limit=1" in reading.client.requested) is (last.row_count == 5)


def test_an_invalid_page_is_named_by_its_number() -> None:
    html = InvalidResponseError("a page of HTML")
    reading = Reading({"?limit=5": [page(1, "?cursor=2")], "?cursor=2": [html]})

    with pytest.raises(InvalidResponseError, match="page 2"):
        reading.rows()


@pytest.mark.parametrize(
    ("hashes", "is_loop"),
    [
        ([7, 7, 7, 7], True),
        ([1, 7, 7, 7, 7], True),
        ([7, 8, 7, 8, 7], True),
        ([7, 7, 7, 8, 7, 7], False),
        ([None, None, None, None], False),
    ],
)
def test_too_many_pages_with_the_records_of_earlier_pages_raise(
    hashes: list[int | None], monkeypatch: pytest.MonkeyPatch, *, is_loop: bool
) -> None:
    monkeypatch.setattr(reader, "MAX_PAGES_WITHOUT_NEWS", 3)
    responses: dict[str, list[PageOrError]] = {
        f"?cursor={number}": [page(1, f"?cursor={number + 1}")] for number in range(9)
    }
    reading = Reading({**responses, "?limit=5": [page(1, "?cursor=0")]})
    remaining = list(hashes)

    def read() -> None:
        for each in reading.pages:
            if not remaining:
                break
            reading.pages.commit(each, records=1, keys_hash=remaining.pop(0))

    if is_loop:
        with pytest.raises(NoNewRecordsError):
            read()
        assert not remaining
        assert reading.bookmark == {"resume": None}
    else:
        read()
        assert reading.bookmark["resume"]


def test_the_last_page_may_repeat_the_same_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PAGES_WITHOUT_NEWS", 2)
    reading = Reading({"?limit=5": [page(1, "?cursor=2")], "?cursor=2": [page(1)]})

    for each in reading.pages:
        reading.pages.commit(each, records=1, keys_hash=7)

    assert reading.client.requested == ["?limit=5", "?cursor=2"]
