"""Names of custom fields that databases accept: short enough, and distinct from all others."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING
from unicodedata import normalize

from tap_custobar.records.json_codec import replace_invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Maximum length of a name, in bytes of UTF-8: PostgreSQL truncates longer ones.
MAX_BYTES = 63

#: Maximum length of a safe name, in bytes: some targets shorten names of 63 bytes too.
SAFE_BYTES = 62

#: Hexadecimal digits that make a safe name distinct.
_DIGITS = 10

#: Prefix of the columns that targets add to each table.
_TARGET_PREFIX = "_sdc_"

_SIGNS = re.compile(r"[^0-9a-z_]")
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def safe_names(own: Iterable[str], documented: Iterable[str]) -> dict[str, str]:
    """Return the safe name of each custom field whose own name is not safe.

    A name is not safe if it is empty or longer than `MAX_BYTES`, contains a quotation mark or
    characters that targets reject, or begins with the prefix of the targets' columns. Neither is a
    name that collides with another name, or with the safe name of one, when a target normalizes
    it: to lower case, without accents, with underscores (or nothing) in place of all characters
    but letters and digits, or with underscores before capitals. All colliding custom fields get a
    safe name, independent of their order; documented names stay unchanged.

    Args:
        own: Names of the custom fields.
        documented: Names of the documented fields of the stream.
    """
    known = set(documented)
    names = set(own) - known
    every = [*(known | names), *map(_with_digest, names)]
    alike = Counter(form for name in every for form in _normalized(name))
    return {
        name: _with_digest(name)
        for name in sorted(names)
        if _is_unusable(name) or _is_ambiguous(name, alike)
    }


def _with_digest(name: str) -> str:
    """Return the beginning of a name with a digest of it, which is the same in every run."""
    digest = blake2b(_encoded(name), digest_size=_DIGITS // 2).hexdigest()
    usable = replace_invalid(name.replace('"', "_"))
    beginning = _encoded(usable)[: SAFE_BYTES - _DIGITS - 1].decode(errors="ignore")
    return f"{beginning}_{digest}"


def _is_unusable(name: str) -> bool:
    return (
        not 0 < len(_encoded(name)) <= MAX_BYTES
        or '"' in name
        or name.lower().startswith(_TARGET_PREFIX)
        or replace_invalid(name) != name
    )


def _is_ambiguous(name: str, alike: Counter[str]) -> bool:
    return any(alike[form] > 1 for form in _normalized(name))


def _normalized(name: str) -> set[str]:
    """Return the forms to which targets may normalize a name."""
    words = _CAPITALS.sub("_", name).lower()
    return {
        _SIGNS.sub("_", words),
        *(_SIGNS.sub(replacement, name.lower()) for replacement in ("_", "")),
        # Some databases compare names without accents.
        _SIGNS.sub("", normalize("NFKD", name.casefold())),
    }


def _encoded(name: str) -> bytes:
    return name.encode(errors="surrogatepass")
