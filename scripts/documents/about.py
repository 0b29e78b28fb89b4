"""The output of `tap-custobar --about`: the source of all lists of settings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

#: Prefixes of the settings that every tap made with Meltano's SDK has.
_SDK_PREFIXES = ("batch_", "faker_", "flattening_", "stream_map")


@dataclass(frozen=True)
class Setting:
    """A setting of the tap.

    Attributes:
        name: Its name in the config.
        title: A label of one or two words.
        description: Where to find or how to choose the value.
        type: The JSON type of the value, apart from null.
        default: The default value; None if there is none.
        options: The allowed values; empty if there are no fixed ones.
        bounds: The range of allowed numbers, in words; empty if there are no limits.
        is_required: Whether a value is required.
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
        """The environment variable of the setting, for Meltano and for `--config ENV`."""
        return f"TAP_CUSTOBAR_{self.name.upper()}"

    @property
    def is_own(self) -> bool:
        """Whether it is a setting of this tap, not one that the SDK gives to every tap."""
        return not self.name.startswith(_SDK_PREFIXES)


@dataclass(frozen=True)
class About:
    """The output of `tap-custobar --about`.

    Attributes:
        version: Version of the tap.
        pythons: The supported versions of Python.
        capabilities: The Singer capabilities of the tap.
        settings: All settings, also those of the SDK.
        personal_data: The properties that hold personal data, by JSON schema and by kind.
    """

    version: str
    pythons: list[str]
    capabilities: list[str]
    settings: list[Setting]
    personal_data: dict[str, dict[str, list[str]]]


def about() -> About:
    """Run `tap-custobar --about` and return its output."""
    command = [sys.executable, "-m", "tap_custobar", "--about", "--format", "json"]
    output = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    required = output["settings"]["required"]
    settings = [
        _setting(name, definition, is_required=name in required)
        for name, definition in output["settings"]["properties"].items()
    ]
    return About(
        version=output["version"],
        pythons=output["supported_python_versions"],
        capabilities=output["capabilities"],
        settings=settings,
        personal_data=output["personal_data"],
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
