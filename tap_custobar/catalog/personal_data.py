"""What tells of a person, and what the settings let leave of it (docs/behaviour.md)."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError

from tap_custobar.records.hashing import hashed_schema, is_hashable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tap_custobar.config.settings import Settings

    Properties = Mapping[str, Mapping[str, Any]]

#: Keywords of our own in the JSON schemas of properties: whether a property tells of a person, what
#: it identifies (the same in every stream), and Custobar's type where that matters.
PERSONAL = "x-personal-data"
IDENTIFIES = "x-identifies"
CUSTOBAR_TYPE = "x-custobar-type"

IDENTIFIER, ATTRIBUTE = "identifier", "attribute"

#: The mark of the company's own fields, of which nobody knows.
CUSTOM = "custom"

#: What the catalog says of a hashed property, behind its description.
NOTE = " Leaves hashed."


class Protection:
    """Which properties of one stream are hashed, and which do not leave.

    Attributes:
        documented: The JSON schemas of the properties that are known, with their marks.
    """

    def __init__(self, settings: Settings, stream: str, documented: Properties) -> None:
        """Take all settings, the stream's name, and the JSON schemas of its known properties."""
        options = settings.options_for(stream)
        self.documented = documented
        self._stream = stream
        self._hash = options.hash
        self._keep = options.keep
        self._pseudonymizes = settings.is_pseudonymized

    def hashes(self, name: str) -> bool:
        """Tell whether a property leaves as its hash."""
        return name in self._hash or (
            self._pseudonymizes and name not in self._keep and self._kind(name) == IDENTIFIER
        )

    def withholds(self, name: str) -> bool:
        """Tell whether a property must not leave at all, and so is not asked for."""
        return (
            self._pseudonymizes
            and name not in self._hash | self._keep
            and self._kind(name) in {ATTRIBUTE, CUSTOM}
        )

    def is_email(self, name: str) -> bool:
        """Tell whether a property is an e-mail address."""
        return self.documented.get(name, {}).get(CUSTOBAR_TYPE) == "email"

    def identified_by(self, name: str) -> str | None:
        """Return what a property identifies, in the words that all streams share."""
        identified: str | None = self.documented.get(name, {}).get(IDENTIFIES)
        return identified

    def _kind(self, name: str) -> str | None:
        kind: str | None = self.documented.get(name, {PERSONAL: CUSTOM}).get(PERSONAL)
        return kind

    def described(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of a stream for the catalog: real types, hashes noted."""
        return {
            **schema,
            "properties": {
                name: {**about, "description": f"{about.get('description', '')}{NOTE}".strip()}
                if self.hashes(name)
                else about
                for name, about in schema["properties"].items()
            },
        }

    def leaving(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of what leaves of a stream.

        A note of hashes that an older catalog has is taken away where it does not hold.
        """
        return {
            **schema,
            "properties": {
                name: hashed_schema(about) if self.hashes(name) else _without_note(about)
                for name, about in schema.get("properties", {}).items()
                if not self.withholds(name)
            },
        }

    def check(
        self,
        properties: Properties,
        *,
        replication_keys: Collection[str],
        surrogate_key: str | None,
        also_known: Collection[str] | None = (),
    ) -> None:
        """Validate the settings `hash` and `keep`, now that the properties are known.

        Args:
            properties: The JSON schemas of all properties.
            replication_keys: Properties that may be the replication key.
            surrogate_key: The property that is computed from the others, if any.
            also_known: Names that need not be among the properties; None for any name.

        Raises:
            ConfigValidationError: a name is unknown, or its property cannot be hashed.
        """
        problems = [
            *self._unknown_names(properties, also_known),
            *self._unhashable_names(properties, replication_keys, surrogate_key),
        ]
        if problems:
            msg = "The config is not valid"
            raise ConfigValidationError(msg, errors=problems)

    def _unknown_names(
        self, properties: Properties, also_known: Collection[str] | None
    ) -> Iterator[str]:
        if also_known is None:
            return
        for option, names in (("hash", self._hash), ("keep", self._keep)):
            for name in sorted(names - properties.keys() - {*also_known}):
                nearest = get_close_matches(name, properties, n=1)
                hint = f"; did you mean {nearest[0]}?" if nearest else ""
                yield f"stream_options.{self._stream}.{option}: there is no {name}{hint}"

    def _unhashable_names(
        self,
        properties: Properties,
        replication_keys: Collection[str],
        surrogate_key: str | None,
    ) -> Iterator[str]:
        for name in sorted(filter(self.hashes, properties)):
            place = f"stream_options.{self._stream}.hash: {name}"
            if name in replication_keys:
                yield f"{place} is a replication key, which cannot be hashed"
            elif name == surrogate_key:
                yield f"{place} is made of the other properties: hash those"
            elif not is_hashable(properties[name]):
                yield f"{place} is an object, which cannot be hashed"


def _without_note(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    description = definition.get("description")
    if not isinstance(description, str) or not description.endswith(NOTE):
        return definition
    return {**definition, "description": description.removesuffix(NOTE)}


def lost_joins(streams: Iterable[tuple[str, Protection, Iterable[str]]]) -> Iterator[str]:
    """Yield a warning for each identifier that is hashed in one place and raw in another.

    Args:
        streams: Of each stream that is read: name, protection, selected properties.
    """
    places: dict[str, tuple[list[str], list[str]]] = {}
    for stream, protection, names in streams:
        for name in sorted(names):
            if identified := protection.identified_by(name):
                raw, hashed = places.setdefault(identified, ([], []))
                (hashed if protection.hashes(name) else raw).append(f"{stream}.{name}")
    for raw, hashed in places.values():
        if raw and hashed:
            yield (
                f"{', '.join(hashed)}: hashed, but not {', '.join(raw)}, so they do not join. "
                "List both in stream_options.<stream>.hash"
            )


def personal_properties(properties: Properties) -> dict[str, list[str]]:
    """Return the names of a stream's documented properties that tell of a person, by their mark."""
    return {
        mark: [name for name, about in properties.items() if about.get(PERSONAL) == mark]
        for mark in (IDENTIFIER, ATTRIBUTE)
    }
