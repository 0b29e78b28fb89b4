"""Pages that are as untidy as real data: most values are unchanged, some fit no schema.

The cases are tables of JSON texts, which are sent unchanged. The index of a record alone decides
which cases it has, so that it is the same in every response. 150 records have every case of every
field.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tap_custobar.sandbox.records import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tap_custobar.sandbox.query import Query
    from tap_custobar.sandbox.records import Stream

Case: TypeAlias = "tuple[str, str]"
Odd: TypeAlias = "Callable[[Mapping[str, Any], int, str], object]"

SURPRISE = "surprise"
"""A property that is in no schema and no CSV header."""

_HUGE = "123456789012345678901234567890"
_BIG = "9007199254740993"  # not representable as a float, but as an integer of a database
_STRINGS = (
    *("1000", "12.50", _HUGE, "true", "false", '{"a": [1.50, "ä"]}', '["a", 1]'),
    *(r'"\ud83d"', '""', "null"),
)
_INTEGERS = ("1000.0", '"1000"', _BIG, '"12,50"', '""', "null")
_LISTS = ('"a"', "7", '["a", ["b", ["c"]]]', '["a", 1, 12.50, true]', '["a", null]', '""', "null")

BY_TYPE: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(
        ("country_code", "day_of_year", "email", "language_code", "phone_number", "string"),
        _STRINGS,
    ),
    **dict.fromkeys(("integer", "money"), _INTEGERS),
    **dict.fromkeys(("list", "set"), _LISTS),
    "boolean": ('"TRUE"', '"false"', "0", "1", '"0"', '"1"', '"maybe"', '""', "null"),
    "date": ('"1999-12-31T00:00:00"', '"31.12.1999"', '""', "null"),
    "datetime": (
        # In Helsinki the first time does not exist, and the second occurs twice.
        *('"2024-03-31T03:30:00"', '"2024-10-27T03:30:00"', '"2024-03-31"'),
        *('"2024-05-01T12:34:56+03:00"', '"2024-05-01T12:34:56-0530"', '"2024-05-01T12:34:56z"'),
        *('"2024-05-01 12:34:56Z"', '"2024-05-01T12:34:56.123456789Z"', '""', "null"),
        *('"yesterday"', '"2016-12-31T25:59:00Z"', '"2023-02-30"'),
    ),
    "number": ('"19.90"', "0.1234567890123456789012345", '"n/a"', '""', "null"),
    "object": ('"no object"', '""', "null"),
}
"""The cases of each of Custobar's types."""

BY_NAME: Mapping[str, Sequence[str]] = {
    # Documented as a string or a list of strings; tidy records have both already.
    **dict.fromkeys(("category", "category_id"), _LISTS),
    "stock": (
        *('{"shop_id": "helsinki", "quantity": 1}', '[{"shop_id": 7, "quantity": "1.50"}]'),
        *('[{"shop_id": "helsinki"}, "no object"]', '""', "null"),
    ),
}
"""The cases of fields whose values are more specific than their type."""

UNFIT = frozenset(
    {
        *('"12,50"', '"maybe"', '"31.12.1999"', '"n/a"', '"no object"', '["a", null]'),
        *('"yesterday"', '"2016-12-31T25:59:00Z"', '"2023-02-30"'),
        '[{"shop_id": "helsinki"}, "no object"]',
    }
)
"""The cases that cannot be converted to the type of the field, or not completely."""

EVERY = 20
"""One row in this many is odd as a whole."""

NO_OBJECTS: tuple[Odd, ...] = (
    lambda _record, _index, _key: "no record",
    lambda _record, _index, _key: None,
    lambda _record, _index, _key: ["no record"],
)
"""Makers of odd rows that are not records of any stream."""

NO_RECORDS: tuple[Odd, ...] = (
    *NO_OBJECTS,
    lambda record, _index, key: {name: record[name] for name in record if name != key},
    lambda record, _index, key: {**record, key: None},
    lambda record, _index, key: {**record, key: ""},
)
"""Makers of odd rows that are not records of a stream with a primary key."""

ODD_ROWS: tuple[Odd, ...] = (*NO_RECORDS, lambda record, index, key: {**record, key: index + 1})
"""Makers of odd rows; the last one, whose key is a number, makes a record nevertheless."""


def encode_untidy(
    envelope: Mapping[str, Any], stream: Stream, indices: Iterable[int], query: Query
) -> bytes:
    """Return a page as JSON with untidy rows; every second page, from the first, begins with a BOM.

    Args:
        envelope: The tidy page.
        stream: The stream of the page.
        indices: The indices of the page's records.
        query: The query of the request.
    """
    # `is`: a request that names all fields has not requested the unknown one.
    surprise = (SURPRISE,) if query.names is stream.properties else ()
    names = frozenset((*query.names, *surprise))
    rows = [
        _row(stream, index, names, record)
        for index, record in zip(indices, envelope[stream.name], strict=True)
    ]
    bom = BOM_UTF8 if query.position // query.limit % 2 == 0 else b""
    return bom + msgspec.json.encode({**envelope, stream.name: rows})


def skipped(stream: Stream) -> int:
    """Return the number of a stream's rows that are not records."""
    return sum(_odd_maker(stream, index) in NO_RECORDS for index in range(stream.size))


def unfit(stream: Stream) -> Counter[str]:
    """Return, by field, the number of values that do not fit the type, or not completely."""
    return Counter(
        name
        for index in range(stream.size)
        if _odd_maker(stream, index) is None
        for name, case in _cases(stream, index)
        if case in UNFIT
    )


def _row(stream: Stream, index: int, names: Collection[str], record: Mapping[str, Any]) -> object:
    if odd := _odd_maker(stream, index):
        return odd(record, index, stream.keys[0] if stream.keys else "")
    cases = {name: msgspec.Raw(case) for name, case in _cases(stream, index) if name in names}
    return {**record, **cases}


def _odd_maker(stream: Stream, index: int) -> Odd | None:
    makers = ODD_ROWS if stream.keys else NO_OBJECTS
    turn, position = divmod(index, EVERY)
    return makers[turn % len(makers)] if position == EVERY - 1 else None


def _cases(stream: Stream, index: int) -> list[Case]:
    """Return three cases for a row that is not odd, far enough apart to be of different fields."""
    cases = _all_cases(stream)
    third = -(-len(cases) // 3)
    turn = index - index // EVERY
    return [cases[(turn + step) % len(cases)] for step in (0, third, 2 * third)]


@lru_cache(maxsize=8)
def _all_cases(stream: Stream) -> list[Case]:
    fields = (each for group in (stream.own, *stream.shared) for each in group)
    return [
        *(
            (field.name, case)
            for field in fields
            if field.name not in stream.keys and field.share > NEVER
            for case in BY_NAME.get(field.name, BY_TYPE[field.type])
        ),
        (SURPRISE, '"!"'),
    ]
