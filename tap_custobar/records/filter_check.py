"""Compares the received records with the filters of the settings.

The API may drop a filter from the next page's URL, or ignore one with an unknown name. Records that
the user excluded, such as customers without consent, would then be written.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_custobar.errors import FilterIgnoredError
from tap_custobar.records.converters import type_names
from tap_custobar.records.timestamps import to_utc
from tap_custobar.redaction import one_line
from tap_custobar.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import tzinfo
    from logging import Logger

    from tap_custobar.records.schema import SelectedSchema

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_IGNORED = re.compile(r"[\s()./-]+")


class Difference(Enum):
    """How a value differs from a filter's."""

    #: The API may consider them equal: it may ignore case, spaces or the format of a number.
    TEXT = auto()
    #: The filter cannot have been applied.
    PROOF = auto()


class FilterCheck:
    """Compares the records of one stream with its filters."""

    def __init__(
        self, stream: str, filters: Mapping[str, str], schema: SelectedSchema, logger: Logger
    ) -> None:
        """Create the check of one stream.

        Args:
            stream: Its name.
            filters: Property name to requested value, as sent to the API.
            schema: The schema of its records. A warning names the filters on properties that it
                does not compare.
            logger: Its logger.
        """
        self._stream = stream
        self._logger = logger
        self._warned: set[str] = set()
        self._comparisons = {
            name: _comparison(value, schema.fields[name], schema.zone, is_key=name in schema.keys)
            for name, value in filters.items()
            if name in schema.compared
        }
        known = schema.properties.keys() - {schema.surrogate_key}
        self._warn_of_unknown(filters.keys() - self._comparisons.keys(), known)

    def _warn_of_unknown(self, names: Iterable[str], known: Collection[str]) -> None:
        """Warn about filters that cannot be compared, most likely because they are misspelled."""
        if unknown := sorted(names):
            self._logger.warning(
                "stream_options.%s.filters: it cannot be verified that these have an effect, "
                "because no such fields are known: %s. Custom fields can be declared in "
                "custom_fields%s",
                self._stream,
                ", ".join(map(one_line, unknown)),
                did_you_mean(unknown, known),
            )

    def __bool__(self) -> bool:
        """Return whether there is anything to compare."""
        return bool(self._comparisons)

    def check(self, values_of: Callable[[str], Iterable[Any]]) -> None:
        """Compare some records with the filters.

        Args:
            values_of: Returns the records' values of a property, of which null and missing ones
                are ignored.

        Raises:
            FilterIgnoredError: a filter has no effect.
        """
        for name, compare in self._comparisons.items():
            differences = {compare(value) for value in values_of(name)}
            if Difference.PROOF in differences:
                raise FilterIgnoredError(self._stream, name)
            if Difference.TEXT in differences and name not in self._warned:
                self._warned.add(name)
                self._logger.warning(
                    "stream_options.%s.filters.%s: Custobar sent records with a different string; "
                    "check that the filter has an effect",
                    self._stream,
                    one_line(name),
                )


def _comparison(
    value: str, definition: Mapping[str, Any], zone: tzinfo, *, is_key: bool
) -> Callable[[Any], Difference | None]:
    """Return a function that compares a value of this schema with the filter's."""
    match type_names(definition):
        case ["boolean"]:
            return partial(_compare, _BOOLEANS.get(value.strip().lower()), bool)
        case ["integer"] | ["number"]:
            return partial(_compare, _number(value), int | Decimal)
        case _ if is_key:
            return partial(_compare_key, value)
        case _:
            spellings = {value, to_utc(value, zone) or value}
            return partial(_compare_string, frozenset(map(_normalized, spellings)))


def _compare(
    expected: object,
    types: Any,  # noqa: ANN401 - of isinstance
    received: object,
) -> Difference | None:
    is_other = expected is not None and isinstance(received, types) and received != expected
    return Difference.PROOF if is_other else None


def _compare_key(expected: str, received: object) -> Difference | None:
    is_other = (
        isinstance(received, str) and received.strip().casefold() != expected.strip().casefold()
    )
    return Difference.PROOF if is_other else None


def _compare_string(expected: frozenset[str], received: object) -> Difference | None:
    if isinstance(received, list):
        differences = [_compare_string(expected, element) for element in received]
        return Difference.TEXT if differences and all(differences) else None
    if not isinstance(received, str) or (string := _normalized(received)) in expected:
        return None
    # Custom fields are strings unless their type is declared, and so are booleans in them.
    return Difference.PROOF if {string, *expected} == {"true", "false"} else Difference.TEXT


def _normalized(string: str) -> str:
    """Return a string without the differences that the API may ignore."""
    return _IGNORED.sub("", string).casefold()


def _number(string: str) -> Decimal | None:
    try:
        number = Decimal(string)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
