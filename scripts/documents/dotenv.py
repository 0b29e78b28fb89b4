"""`.env.example`, a template for `.env`."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.documents.about import About, Setting

_HEAD = """\
# Copy this to .env, uncomment what you need and set it. Meltano reads the file, and so does
# `tap-custobar --config ENV`. Written by make docs.

# The PostgreSQL server that Meltano's target-postgres loads into.
#TARGET_POSTGRES_HOST=localhost
#TARGET_POSTGRES_PORT=5432
#TARGET_POSTGRES_USER=
#TARGET_POSTGRES_PASSWORD=
#TARGET_POSTGRES_DATABASE=
"""


def render(_: str, tap: About) -> str:
    """Return the file, which lists every setting of this tap, all commented out."""
    return "\n".join([_HEAD, *(_lines(setting) for setting in tap.settings if setting.is_own)])


def _lines(setting: Setting) -> str:
    options = f" ({' or '.join(setting.options)})" if setting.options else ""
    comment = wrap(f"{setting.title}{options}: {setting.description}", width=98)
    return "".join(f"# {line}\n" for line in comment) + f"#{setting.variable}={_default(setting)}\n"


def _default(setting: Setting) -> str:
    match setting.default:
        case None:
            return ""
        case float(number):
            return f"{number:g}"  # 1, not 1.0: the shortest form
        case str(text):
            return text
        case value:
            return json.dumps(value)
