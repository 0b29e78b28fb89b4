"""Records made on demand from (seed, stream, index); nothing is stored, so any size is cheap."""

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
"""Records in a block; ranks never move a record to another block."""

ALWAYS = 256
OFTEN = 192
NEVER = 0

MAX_RECORDS = 99_999_999
"""The largest size of a stream: keys have eight digits."""

POOL_SIZE = 1024
"""Number of prepared values of each shared field group."""

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
        type: Custobar's name of the type; its maker is used if there is no `make`.
        make: Makes a value.
        share: How many of 256 records have it.
        correlated_with: Another field of its group whose random number this one uses too, so
            that the two agree.
        increasing: Whether every record has it and its values, also as strings, increase with
            the index.
        rank: Computes the number by which the values are ordered from the index of the record;
            only for a field that every record has. Records of different blocks are in the order
            of their index.
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
        size: Number of records.
        seed: Seed of the generated data.
        own: The fields whose values are made for each record, primary keys first.
        shared: Groups of fields whose values, for speed, come from a pool of prepared ones. A
            record draws 16 numbers: one for each field of `own` and one for each group; a
            seventeenth would be the first again. A prepared value of a group draws 16 as well, one
            for each of its fields.
        derived: Further names by which records can be ordered: the field that each is derived
            from, and how.
        keys: The fields of the primary key.
        drawn_for: Returns the index whose numbers a record draws. Records that draw the same
            numbers agree in everything that is not made from their own index.
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
        """The names of all properties that a record may have, primary keys first."""
        return tuple(each.name for group in (self.own, *self.shared) for each in group)

    @cached_property
    def increasing(self) -> frozenset[str]:
        """The names of the properties whose values increase with the index."""
        return frozenset(each.name for each in self.own if each.increasing)

    @cached_property
    def ranks(self) -> Mapping[str, Rank]:
        """The ranks of the properties that are ordered by rank, by name."""
        return {each.name: each.rank for each in self.own if each.rank}

    def records(self, indices: Iterable[int], names: Collection[str]) -> Iterator[Record]:
        """Yield the records at the given indices, with the named properties only."""
        steps, pools = _selected(self, tuple(names))
        for index in indices:
            numbers = self._draw("", self.drawn_for(index))
            record = _make(steps, numbers, index)
            for slot, pool in pools:
                record |= pool[numbers[slot] % POOL_SIZE]
            yield record

    def values(self, name: str, indices: Iterable[int]) -> Iterator[Value | None]:
        """Yield the value of one property or derived name for each index; None if absent."""
        source, derive = self.derived.get(name, (name, None))
        for record in self.records(indices, (source,)):
            value = record.get(source)
            yield derive(value) if derive is not None and value is not None else value

    @cached_property
    def pools(self) -> list[tuple[FieldGroup, list[Record]]]:
        """Each shared group with its prepared values."""
        pools = []
        for group in self.shared:
            steps, purpose = _steps(group), f"{group[0].name}/"
            positions = range(POOL_SIZE)
            pool = [_make(steps, self._draw(purpose, each), each) for each in positions]
            pools.append((group, pool))
        return pools

    def _draw(self, purpose: str, index: int) -> tuple[int, ...]:
        """Return 16 numbers below 2**32 from one digest; a generator per field is far slower."""
        return _NUMBERS.unpack(
            blake2b(f"{self.seed}/{self.name}/{purpose}{index}".encode()).digest()
        )


_Step: TypeAlias = tuple[str, int, int, int, Make]


def _steps(group: FieldGroup) -> list[_Step]:
    slots = {each.name: slot for slot, each in enumerate(group)}
    return [
        (
            each.name,
            slots[each.name],
            slots[each.correlated_with or each.name],
            each.share,
            each.make or BY_TYPE[each.type],
        )
        for each in group
    ]


@lru_cache(maxsize=32)
def _selected(
    stream: Stream, names: tuple[str, ...]
) -> tuple[list[_Step], list[tuple[int, list[Record]]]]:
    """Return what makes the named properties.

    Returns:
        The steps of the own fields; and each pool that is needed, reduced to these properties,
        with the position of its number among those that a record draws.
    """
    steps = [step for step in _steps(stream.own) if step[0] in names]
    pools = []
    for slot, (group, pool) in enumerate(stream.pools, start=len(stream.own)):
        selected = [each.name for each in group if each.name in names]
        if selected:
            parts = [{name: part[name] for name in selected if name in part} for part in pool]
            pools.append((slot % 16, parts))
    return steps, pools


def _make(steps: Iterable[_Step], numbers: Sequence[int], index: int) -> Record:
    # The lowest byte decides whether the record has the field, the other bytes the value.
    return {
        name: value
        for name, slot, source, share, make in steps
        if numbers[slot] & 255 < share and (value := make(numbers[source] >> 8, index)) is not None
    }


def key_field(letter: str) -> Field:
    """Return the primary-key field: a letter and eight digits."""
    return Field(
        name=KEY,
        type="string",
        make=lambda _n, i: identifier(letter, i),
        share=ALWAYS,
        increasing=True,
    )


def identifier(letter: str, index: int) -> str:
    """Return the primary key of the record at this index."""
    return f"{letter}{index + 1:08d}"
