"""Filters and orders records; in a stream of any size if the fields allow it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias, overload

from tap_custobar.sandbox.records import BLOCK
from tap_custobar.sandbox.values import Value, as_text

if TYPE_CHECKING:
    from tap_custobar.sandbox.records import Rank, Stream

SCAN_LIMIT = 100_000
"""The largest stream that can be filtered and ordered by any field."""

Filter: TypeAlias = tuple[str, str]
Order: TypeAlias = tuple[str, bool]


class QueryError(ValueError):
    """The query is not valid; the message is the reason in the response."""


@lru_cache(maxsize=16)
def matching(
    stream: Stream, filters: tuple[Filter, ...], order: tuple[Order, ...]
) -> Sequence[int]:
    """Return the indices of the records that match the filters, in order.

    The latest results are cached, so that later pages of a query are not sorted again.

    Raises:
        QueryError: The stream is too large to be filtered or ordered by one of the fields.
    """
    indices: Sequence[int] = range(stream.size)
    for name, wanted in filters:
        if name in stream.increasing:
            indices = _bisected(stream, indices, name, wanted)
    for name, wanted in filters:
        if name not in stream.increasing:
            indices = _scanned(stream, indices, name, wanted)
    return _ordered(stream, indices, order)


def _bisected(stream: Stream, indices: Sequence[int], name: str, wanted: str) -> Sequence[int]:
    def text(index: int) -> str:
        return as_text(next(stream.records((index,), (name,)))[name])

    first = bisect_left(indices, wanted, key=text)
    return indices[first : bisect_right(indices, wanted, lo=first, key=text)]


def _scanned(stream: Stream, indices: Sequence[int], name: str, wanted: str) -> Sequence[int]:
    _check_size("filter", stream, name)
    values = stream.values(name, indices)
    return array("I", (i for i, value in zip(indices, values, strict=True) if _is(value, wanted)))


def _is(value: Value | None, wanted: str) -> bool:
    if isinstance(value, list):
        return any(as_text(each) == wanted for each in value)
    return value is not None and as_text(value) == wanted


def _ordered(stream: Stream, indices: Sequence[int], order: tuple[Order, ...]) -> Sequence[int]:
    if not order:
        return indices
    name, descending = order[0]
    if name in stream.increasing:
        # No two records have the same value, so further names have no effect.
        return indices[::-1] if descending else indices
    if name in stream.ranks and len(order) == 1:
        return Ranked(indices, stream.ranks[name], descending=descending)
    for name, _ in order:
        _check_size("order", stream, name)
    # Stable sorts, from the last name to the first, which so takes precedence.
    for name, descending in reversed(order):
        pairs = list(zip(stream.values(name, indices), indices, strict=True))
        present = [(_sort_key(value), index) for value, index in pairs if value is not None]
        present.sort(key=itemgetter(0), reverse=descending)
        missing = [index for value, index in pairs if value is None]
        indices = array("I", [*(index for _, index in present), *missing])
    return indices


class Ranked(Sequence[int]):
    """Indices in the order of their ranks, sorted lazily, block by block.

    Ranks never move a record to another block, so a page needs the blocks of its records only.
    """

    def __init__(self, indices: Sequence[int], rank: Rank, *, descending: bool) -> None:
        """Create the sequence.

        Args:
            indices: The indices, increasing.
            rank: Returns the rank of an index.
            descending: Whether the highest rank comes first.
        """
        self._indices = indices
        self._rank = rank
        self._positions = range(len(indices))[:: -1 if descending else 1]
        self._blocks: dict[int, tuple[int, Sequence[int]]] = {}

    def __len__(self) -> int:
        """Return the number of indices."""
        return len(self._indices)

    @overload
    def __getitem__(self, position: int) -> int: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[int]: ...
    def __getitem__(self, position: int | slice) -> int | Sequence[int]:
        """Return the index at a position, or the indices of a slice."""
        if isinstance(position, slice):
            return [self._at(each) for each in self._positions[position]]
        return self._at(self._positions[position])

    def _at(self, position: int) -> int:
        number = self._indices[position] // BLOCK
        if number not in self._blocks:
            first = bisect_left(self._indices, number * BLOCK)
            end = bisect_left(self._indices, (number + 1) * BLOCK)
            block = array("I", sorted(self._indices[first:end], key=self._rank))
            self._blocks[number] = first, block
        start, ordered = self._blocks[number]
        return ordered[position - start]


def _sort_key(value: Value) -> tuple[int, float, str]:
    # Numbers before strings, so that fields of mixed types can be ordered at all.
    if isinstance(value, int | float):
        return 0, value, ""
    return 1, 0, as_text(value)


def _check_size(use: str, stream: Stream, name: str) -> None:
    if stream.size > SCAN_LIMIT:
        usable = stream.increasing | (stream.ranks.keys() if use == "order" else set())
        names = " and ".join(each for each in stream.properties if each in usable)
        reason = (
            f"cannot {use} by {name}: this sandbox has more than {SCAN_LIMIT} {stream.name}, so "
            f"it can {use} by {names or 'nothing'} only"
        )
        raise QueryError(reason)
