"""The sample campaigns, and the paging of their endpoint: by `next` and `from`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_custobar.sandbox.query import Query
from tap_custobar.sandbox.records import ALWAYS, Field, Stream
from tap_custobar.sandbox.search import QueryError
from tap_custobar.sandbox.values import choice, day, several

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_custobar.sandbox.values import Value

DEFAULT_LIMIT = 30

_NAMES = ("Kevätale 🎉", "Tervetuloa", 'Muistutus, "ostoskori"')
_OUTCOMES = (("sent", 1), ("delivered", 1), ("opens", 3), ("clicks", 9), ("unsubscribes", 90))


def _folder(n: int, _i: int) -> Value:
    return {"id": 1 + n % 4, "name": ("Uutiskirjeet", "Automaatiot", "Ale, kesä", "🎄")[n % 4]}


def _stats(n: int, i: int) -> Value:
    size = 100 + n % 5000
    return {
        "date_range": {"start": day(19_000 + 3 * i), "end": day(19_030 + 3 * i)},
        "audience_size": size,
        "audience_with_events": size // 2,
        "audience_with_sales": size // 10,
        "sales_for_conversion": size // 20,
        "events": [{"name": name, "count": size // part} for name, part in _OUTCOMES],
    }


ACTION = (
    Field(name="campaign_key", type="string", make=lambda _n, i: _key(i + 1), share=ALWAYS),
    Field(
        name="kind",
        type="string",
        make=choice(("automated-email", "email", "sms", "automated-sms")),
        share=ALWAYS,
    ),
    Field(
        name="automated", type="boolean", make=lambda n, _i: n % 4 in (0, 3), correlated_with="kind"
    ),
    Field(
        name="name",
        type="string",
        make=lambda n, i: f"{_NAMES[n % len(_NAMES)]} {i}",
    ),
    Field(name="state", type="string", make=choice(("active", "finished", "draft"))),
    Field(
        name="utm_campaign",
        type="string",
        make=lambda n, i: f"kampanja-{i}" if n % 4 in (0, 1) else None,
        correlated_with="kind",
    ),
    Field(name="campaign_tags", type="list", make=several(("ale", "uutuudet", "vip", "b2b"))),
    Field(name="folder", type="object", make=_folder),
    Field(
        name="permissions",
        type="object",
        make=lambda n, _i: {"marketing_permission": ("can_email", "can_sms")[n % 2]},
    ),
    Field(name="stats", type="object", make=_stats),
)


def campaigns(size: int, seed: int = 0) -> Stream:
    """Return a stream of `size` campaigns, oldest first."""
    return Stream("campaigns", size, seed, own=ACTION, shared=(), keys=("campaign_key",))


def parse_campaign_query(
    stream: Stream, parameters: Mapping[str, str]
) -> tuple[Query, Sequence[int]]:
    """Parse a query; unknown parameters are ignored.

    Returns:
        The query, and the indices of the campaigns of all its pages, in order.

    Raises:
        QueryError: A parameter has an invalid value.
    """
    limit = _parameter(parameters, "limit", "[1-9][0-9]{0,4}", str(DEFAULT_LIMIT))
    order = _parameter(parameters, "order", "ascending|descending", "descending")
    start = _parameter(parameters, "from", "i[1-9][0-9]{0,8}", "")
    keys = parameters.get("keys", "").split(",") if parameters.get("keys") else None

    numbers = range(1, stream.size + 1)
    wanted = [number for number in numbers if keys is None or _key(number) in keys]
    if order == "descending":
        wanted.reverse()
    before = [each for each in wanted if start and _is_before(each, int(start[1:]), order)]
    query = Query(
        format="json",
        limit=int(limit),
        names=stream.properties,
        filters=(),
        order=(),
        position=len(before),
    )
    return query, [number - 1 for number in wanted]


def make_next_cursor(index: int) -> str:
    """Return the value of `next` if the campaign at this index is the first of the next page."""
    return f"i{index + 1}"


def _key(number: int) -> str:
    return f"CA-{number}"


def _is_before(number: int, start: int, order: str) -> bool:
    return number > start if order == "descending" else number < start


def _parameter(parameters: Mapping[str, str], name: str, pattern: str, default: str) -> str:
    value = parameters.get(name, default)
    if name in parameters and not re.fullmatch(pattern, value):
        reason = f"{name} has an invalid value"
        raise QueryError(reason)
    return value
