"""What the tap says of itself: the one source of every list of its settings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

#: How the names of the settings begin that every tap made with Meltano's SDK has.
_OF_THE_SDK = ("batch_", "faker_", "flattening_", "stream_map")


@dataclass(frozen=True)
class Setting:
    """A setting of the tap.

    Attributes:
        name: As in the config.
        title: What it is called, in a word or two.
        description: Where to find or how to choose the value.
        type: The JSON type of the value, null aside.
        default: The value where none is set; None where there is none.
        options: The only values that are allowed; empty where there are others.
        bounds: The numbers that are allowed, in words; empty where all are.
        is_required: Whether there must be a value.
        is_secret: Whether the value must never be shown.
    """

    name: str
    title: str
    description: str
    type: str
    default: Any
    options: list[str]
    bounds: str
    is_required: bool
    is_secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it, for Meltano and for `--config ENV`."""
        return f"TAP_CUSTOBAR_{self.name.upper()}"

    @property
    def is_own(self) -> bool:
        """Whether it is this tap's, and not one that its SDK gives to every tap."""
        return not self.name.startswith(_OF_THE_SDK)


@dataclass(frozen=True)
class About:
    """What `tap-custobar --about` tells.

    Attributes:
        version: Its own, which pyproject.toml has.
        pythons: The versions of Python that it runs with.
        capabilities: Those of Singer's.
        settings: All settings.
        personal_data: By JSON schema and mark, the properties that tell of a person.
    """

    version: str
    pythons: list[str]
    capabilities: list[str]
    settings: list[Setting]
    personal_data: dict[str, dict[str, list[str]]]


def about() -> About:
    """Ask the tap."""
    command = [sys.executable, "-m", "tap_custobar", "--about", "--format", "json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    required = told["settings"]["required"]
    settings = [
        _setting(name, definition, is_required=name in required)
        for name, definition in told["settings"]["properties"].items()
    ]
    return About(
        version=told["version"],
        pythons=told["supported_python_versions"],
        capabilities=told["capabilities"],
        settings=settings,
        personal_data=told["personal_data"],
    )


def _setting(name: str, definition: dict[str, Any], *, is_required: bool) -> Setting:
    (kind,) = (kind for kind in definition["type"] if kind != "null")
    return Setting(
        name=name,
        title=definition["title"],
        description=definition["description"],
        type=kind,
        default=definition.get("default"),
        options=definition.get("enum", []),
        bounds=_bounds(definition),
        is_required=is_required,
        is_secret=definition.get("secret", False),
    )


def _bounds(definition: dict[str, Any]) -> str:
    match definition:
        case {"exclusiveMinimum": least, "maximum": most}:
            return f"more than {least:g}, at most {most:,g}"
        case {"minimum": least, "maximum": most}:
            return f"{least:g} to {most:,g}"
        case {"minimum": least}:
            return f"{least:g} or more"
        case _:
            return ""
