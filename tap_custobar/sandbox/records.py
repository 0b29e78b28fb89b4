"""Records made on demand from (seed, stream, index): nothing is stored, any size starts at once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import TypeAlias

from tap_custobar.sandbox.values import BY_TYPE, Make, Value

KEY = "external_id"

BLOCK = 49_152
"""Ranks do not cross the borders between so many records."""

ALWAYS = 256
OFTEN = 192
NEVER = 0

MAX_RECORDS = 99_999_999
"""As many as the eight digits of a key can number."""

POOL_SIZE = 1024
"""How many ready-made portions of a kind the records share."""

Record: TypeAlias = dict[str, Value]
FieldGroup: TypeAlias = tuple["Field", ...]
Derived: TypeAlias = tuple[str, Callable[[Value], Value]]
Rank: TypeAlias = Callable[[int], int]

_NUMBERS = struct.Struct("<16I")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a stream's records.

    Attributes:
        name: As in the API.
        type: Custobar's name of the type; it says how values are made, unless `make` does.
        make: Makes a value.
        share: How many of 256 records hold it.
        correlated_with: Another field of its group whose random number this one uses too, so
            that the two agree.
        increasing: Always held, and its values grow with the record's index, as text too.
        rank: Gives the number that an always held value is ordered by from the record's index
            alone. Records of different blocks are in the order of their index.
    """

    name: str
    type: str
    make: Make | None = None
    share: int = OFTEN
    correlated_with: str = ""
    increasing: bool = False
    rank: Rank | None = None


def _itself(index: int) -> int:
    return index


@dataclass(frozen=True, eq=False)
class Stream:
    """All records of one kind.

    Attributes:
        name: As in the path and the envelope of the API.
        size: How many records there are.
        seed: Another seed makes other records.
        own: The fields whose values are made for each record, the keys first.
        shared: Portions of fields whose values, for speed, come from a pool of ready-made ones.
            A record draws 16 numbers, one for each field of `own` and one for each
            portion, which begin again with the first where there are more; a portion draws as
            many, one for each of its fields.
        derived: Names that records can be ordered by without holding them: the field they come
            from, and how.
        keys: Names of the fields that together identify a record.
        drawn_for: Gives the index whose numbers a record draws. Records that draw the same ones
            agree in all that does not come from their own index.
    """

    name: str
    size: int
    seed: int
    own: FieldGroup
    shared: tuple[FieldGroup, ...]
    derived: Mapping[str, Derived] = field(default_factory=dict)
    keys: tuple[str, ...] = (KEY,)
    drawn_for: Callable[[int], int] = _itself

    @cached_property
    def properties(self) -> tuple[str, ...]:
        """The names of all potential properties, the keys first."""
        return tuple(each.name for portion in (self.own, *self.shared) for each in portion)

    @cached_property
    def increasing(self) -> frozenset[str]:
        """The names of the properties that grow with the index."""
        return frozenset(each.name for each in self.own if each.increasing)

    @cached_property
    def ranks(self) -> Mapping[str, Rank]:
        """The names of the properties that are ordered by rank."""
        return {each.name: each.rank for each in self.own if each.rank}

    def records(self, indices: Iterable[int], names: Collection[str]) -> Iterator[Record]:
        """The records at these indices, with these of their properties."""
        steps, pools = _selected(self, tuple(names))
        for index in indices:
            numbers = self._draw("", self.drawn_for(index))
            record = _make(steps, numbers, index)
            for slot, pool in pools:
                record |= pool[numbers[slot] % POOL_SIZE]
            yield record

    def values(self, name: str, indices: Iterable[int]) -> Iterator[Value | None]:
        """One property's or derived name's values; None where a record has none."""
        source, derive = self.derived.get(name, (name, None))
        for record in self.records(indices, (source,)):
            value = record.get(source)
            yield derive(value) if derive is not None and value is not None else value

    @cached_property
    def pools(self) -> list[tuple[FieldGroup, list[Record]]]:
        """Each shared portion with its ready-made values."""
        pools = []
        for portion in self.shared:
            steps, purpose = _steps(portion), f"{portion[0].name}/"
            places = range(POOL_SIZE)
            pool = [_make(steps, self._draw(purpose, place), place) for place in places]
            pools.append((portion, pool))
        return pools

    def _draw(self, purpose: str, index: int) -> tuple[int, ...]:
        """Sixteen numbers below 2**32, from one digest; a generator a field costs far more."""
        return _NUMBERS.unpack(
            blake2b(f"{self.seed}/{self.name}/{purpose}{index}".encode()).digest()
        )


_Step: TypeAlias = tuple[str, int, int, int, Make]


def _steps(portion: FieldGroup) -> list[_Step]:
    slots = {each.name: slot for slot, each in enumerate(portion)}
    return [
        (
            each.name,
            slots[each.name],
            slots[each.correlated_with or each.name],
            each.share,
            each.make or BY_TYPE[each.type],
        )
        for each in portion
    ]


@lru_cache(maxsize=32)
def _selected(
    stream: Stream, names: tuple[str, ...]
) -> tuple[list[_Step], list[tuple[int, list[Record]]]]:
    """The part of a stream that makes these properties; a pool goes with its number's place."""
    steps = [step for step in _steps(stream.own) if step[0] in names]
    pools = []
    for slot, (portion, pool) in enumerate(stream.pools, start=len(stream.own)):
        wanted = [each.name for each in portion if each.name in names]
        if wanted:
            parts = [{name: part[name] for name in wanted if name in part} for part in pool]
            pools.append((slot % 16, parts))
    return steps, pools


def _make(steps: Iterable[_Step], numbers: Sequence[int], index: int) -> Record:
    # The lowest byte decides whether the record holds the field, the others which value.
    return {
        name: value
        for name, slot, source, share, make in steps
        if numbers[slot] & 255 < share and (value := make(numbers[source] >> 8, index)) is not None
    }


def key_field(letter: str) -> Field:
    """The field that identifies a record: a letter and eight digits."""
    return Field(
        name=KEY,
        type="string",
        make=lambda _n, i: identifier(letter, i),
        share=ALWAYS,
        increasing=True,
    )


def identifier(letter: str, index: int) -> str:
    """The key of the record of this index."""
    return f"{letter}{index + 1:08d}"
