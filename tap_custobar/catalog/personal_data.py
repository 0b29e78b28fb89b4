"""Personal data: which properties are hashed or withheld (docs/behaviour.md, "Personal data")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_custobar.catalog.invalid_config import InvalidConfigError
from tap_custobar.records.hashing import hashed_schema, is_hashable
from tap_custobar.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tap_custobar.config.settings import Settings

    Properties = Mapping[str, Mapping[str, Any]]

#: The tap's own keywords in the JSON schemas of properties: the kind of personal data, what a
#: property identifies (the same in every stream), and Custobar's type where it matters.
PERSONAL = "x-personal-data"
IDENTIFIES = "x-identifies"
CUSTOBAR_TYPE = "x-custobar-type"

IDENTIFIER, ATTRIBUTE = "identifier", "attribute"

#: The kind of custom fields, which may hold any personal data.
CUSTOM = "custom"

#: The end of a hashed property's description in the catalog.
NOTE = " Values are hashed."


class Protection:
    """Decides which properties of one stream are hashed and which are withheld.

    Attributes:
        kept_members: Of each property whose objects are reduced, the members that are written.
    """

    def __init__(
        self,
        settings: Settings,
        stream: str,
        known: Properties,
        rows: Mapping[str, Properties] | None = None,
    ) -> None:
        """Create the protection of a stream.

        Args:
            settings: All settings of the tap.
            stream: The stream's name.
            known: The JSON schemas of its known properties, custom fields included, with the
                keywords above.
            rows: For properties with objects of any members, the JSON schemas of the documented
                ones.
        """
        options = settings.options_for(stream)
        self._known = known
        self._stream = stream
        self._hash = options.hash
        self._keep = options.keep
        self._pseudonymizes = settings.is_pseudonymized
        self.kept_members = {
            name: frozenset(m for m in members if PERSONAL not in members[m])
            for name, members in (rows or {}).items()
            if self._pseudonymizes and name in known and name not in options.keep
        }

    def __bool__(self) -> bool:
        """Whether any property is hashed or withheld."""
        return self._pseudonymizes or bool(self._hash)

    def hashes(self, name: str) -> bool:
        """Return whether a property is written as its hash."""
        return name in self._hash or (
            self._pseudonymizes and name not in self._keep and self._kind(name) == IDENTIFIER
        )

    def withholds(self, name: str) -> bool:
        """Return whether a property must not be written, so that it is not requested either."""
        return (
            self._pseudonymizes
            and name not in self._hash | self._keep
            and self._kind(name) in {ATTRIBUTE, CUSTOM}
        )

    def is_email(self, name: str) -> bool:
        """Return whether a property is an e-mail address."""
        return self._known.get(name, {}).get(CUSTOBAR_TYPE) == "email"

    @property
    def protects_emails(self) -> bool:
        """Whether any e-mail address is hashed or withheld, selected or not."""
        emails = filter(self.is_email, self._known)
        return any(self.hashes(name) or self.withholds(name) for name in emails)

    def identified_by(self, name: str) -> str | None:
        """Return what a property identifies, by the same name in all streams; None for nothing."""
        identified: str | None = self._known.get(name, {}).get(IDENTIFIES)
        return identified

    def _kind(self, name: str) -> str | None:
        kind: str | None = self._known.get(name, {PERSONAL: CUSTOM}).get(PERSONAL)
        return kind

    def catalog_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of a stream for the catalog.

        The properties have their types before hashing; `NOTE` ends the description of hashed ones.
        """
        return {
            **schema,
            "properties": {
                name: {
                    **definition,
                    "description": f"{definition.get('description', '')}{NOTE}".strip(),
                }
                if self.hashes(name)
                else definition
                for name, definition in schema["properties"].items()
            },
        }

    def written_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of a stream's records as they are written.

        Where a property is no longer hashed, `NOTE` is removed from the description that an older
        catalog has for it.
        """
        return {
            **schema,
            "properties": {
                name: hashed_schema(definition) if self.hashes(name) else _without_note(definition)
                for name, definition in schema.get("properties", {}).items()
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
        """Validate the options `hash` and `keep` against the properties of the stream.

        Args:
            properties: The JSON schemas of all properties.
            replication_keys: Properties that may be the replication key.
            surrogate_key: The property that is computed from the others; None if there is none.
            also_known: Names that need not be among the properties; None allows any name.

        Raises:
            InvalidConfigError: a name is unknown, or its property cannot be hashed.
        """
        problems = [
            *self._unknown_names(properties, also_known),
            *self._unhashable_names(properties, replication_keys, surrogate_key),
        ]
        if problems:
            raise InvalidConfigError(problems)

    def _unknown_names(
        self, properties: Properties, also_known: Collection[str] | None
    ) -> Iterator[str]:
        if also_known is None:
            return
        for option, names in (("hash", self._hash), ("keep", self._keep)):
            for name in sorted(names - properties.keys() - {*also_known}):
                hint = did_you_mean([name], properties)
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
                yield f"{place} is computed from the other properties: hash those instead"
            elif not is_hashable(properties[name]):
                yield f"{place} is an object, which cannot be hashed"


def _without_note(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    description = definition.get("description")
    if not isinstance(description, str) or not description.endswith(NOTE):
        return definition
    return {**definition, "description": description.removesuffix(NOTE)}


def lost_joins(streams: Iterable[tuple[str, Protection, Iterable[str]]]) -> Iterator[str]:
    """Yield a warning for each identifier that is hashed in one property and not in another.

    Args:
        streams: The name, protection and selected properties of each stream that is read.
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
                "Name both in stream_options.<stream>.hash"
            )


def personal_properties(properties: Properties) -> dict[str, list[str]]:
    """Return the names of a stream's documented properties that are personal data, by kind."""
    return {
        kind: [name for name, definition in properties.items() if definition.get(PERSONAL) == kind]
        for kind in (IDENTIFIER, ATTRIBUTE)
    }
