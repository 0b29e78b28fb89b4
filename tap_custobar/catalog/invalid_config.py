"""The error of a config that is not valid, in the lowest package that knows the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from singer_sdk.exceptions import ConfigValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable


class InvalidConfigError(ConfigValidationError):
    """The config is not valid; the commands log each of its problems as a line."""

    def __init__(self, problems: Iterable[str]) -> None:
        """Create the error from its problems, each of which names a setting.

        A problem becomes a single line, because the names of settings and fields may be several.
        """
        lines = [" ".join(problem.split()) for problem in problems]
        super().__init__("The config is not valid", errors=lines)
