"""The path of campaigns, which is paged and ordered in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.sandbox.conftest import Sandbox


def get(sandbox: Sandbox, **query: Any) -> dict[str, Any]:
    reply = sandbox.get(f"{sandbox.url}/campaign/actions/", query)
    assert reply.status_code == 200, reply.text
    content: dict[str, Any] = reply.json()
    return content


def keys(reply: dict[str, Any]) -> list[str]:
    return [each["campaign_key"] for each in reply["campaigns"]]


@pytest.mark.parametrize("order", ["descending", "ascending", None])
@pytest.mark.parametrize("limit", [1, 20, 44, 45, 100, None])
def test_pages_cover_every_campaign_once_and_in_order(
    sandbox: Sandbox, order: str | None, limit: int | None
) -> None:
    query = {name: value for name, value in (("order", order), ("limit", limit)) if value}
    reply = get(sandbox, **query)
    found, sizes = keys(reply), [len(reply["campaigns"])]
    while "next" in reply:
        reply = get(sandbox, **query, **{"from": reply["next"]})
        found += keys(reply)
        sizes.append(len(reply["campaigns"]))
    expected = [f"CA-{number}" for number in range(1, 46)]
    assert found == (expected if order == "ascending" else expected[::-1])
    assert sizes[:-1] == [limit or 30] * (len(sizes) - 1)
    assert sizes[-1] > 0


def test_only_next_shows_that_there_is_another_page(sandbox: Sandbox) -> None:
    assert get(sandbox).keys() == {"campaigns", "next"}
    assert get(sandbox)["next"] == "i15"
    assert get(sandbox, limit=100).keys() == {"campaigns"}


def test_campaigns_are_found_by_their_keys(sandbox: Sandbox) -> None:
    reply = get(sandbox, keys="CA-1,CA-3,CA-99,x", limit=1)
    assert keys(reply) == ["CA-3"]
    assert keys(get(sandbox, keys="CA-1,CA-3", **{"from": reply["next"]})) == ["CA-1"]
    assert get(sandbox, keys="CA-0") == {"campaigns": []}


def test_other_parameters_are_ignored(sandbox: Sandbox) -> None:
    assert get(sandbox, fields="name", format="csv", kind="sms") == get(sandbox)


@pytest.mark.parametrize(
    ("name", "value"), [("limit", "0"), ("limit", "x"), ("order", "-date"), ("from", "1967")]
)
def test_a_wrong_value_is_400(sandbox: Sandbox, name: str, value: str) -> None:
    reply = sandbox.get(f"{sandbox.url}/campaign/actions/", {name: value})
    assert reply.status_code == 400
    assert reply.json() == {"error": {"reason": f"{name} has an invalid value"}}


@pytest.mark.parametrize(
    ("token", "status"), [("CAMPAIGNS", 200), ("EVENTS", 403), ("", 200), ("X", 401)]
)
def test_a_token_needs_the_scope(sandbox: Sandbox, token: str, status: int) -> None:
    reply = sandbox.get(
        f"{sandbox.url}/campaign/actions/", authorization=f"Bearer APISANDBOX{token}"
    )
    assert reply.status_code == status
    if status == 403:
        reason = "the token has no scope for GET /api/campaign/actions/"
        assert reply.json() == {"error": {"reason": reason}}
