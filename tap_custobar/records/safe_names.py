"""Names of the company's own fields that databases take: short enough, and unlike all others."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING
from unicodedata import normalize

from tap_custobar.records.json_codec import replace_invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes that a name may have, as UTF-8: what PostgreSQL keeps of one.
MAX_BYTES = 63

#: Bytes of a safe name: some targets shorten those of 63 too.
SAFE_BYTES = 62

#: Hexadecimal digits that tell names apart.
_DIGITS = 10

#: How the names of the columns begin that targets add to each table.
_OF_TARGETS = "_sdc_"

_SIGNS = re.compile(r"[^0-9a-z_]")
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def safe_names(own: Iterable[str], documented: Iterable[str]) -> dict[str, str]:
    """Return the safe name of each of the company's own fields that needs another than its own.

    A name needs one that is empty or longer than `MAX_BYTES`, that holds a quotation mark or what
    is no valid text, that begins like the columns of targets, or that a target would make the same
    as another name (or as the safe name of one): by lower case, by letters without accents, by
    underscores or nothing for other signs than letters and digits, or by underscores before
    capitals. All of the names that collide get one, whatever their order; documented names stay as
    they are.

    Args:
        own: Names of the company's own fields.
        documented: All other names of the stream.
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
    """Return the beginning of a name and its digest: the same in every run and for anyone."""
    digest = blake2b(_encoded(name), digest_size=_DIGITS // 2).hexdigest()
    usable = replace_invalid(name.replace('"', "_"))
    beginning = _encoded(usable)[: SAFE_BYTES - _DIGITS - 1].decode(errors="ignore")
    return f"{beginning}_{digest}"


def _is_unusable(name: str) -> bool:
    return (
        not 0 < len(_encoded(name)) <= MAX_BYTES
        or '"' in name
        or name.lower().startswith(_OF_TARGETS)
        or replace_invalid(name) != name
    )


def _is_ambiguous(name: str, alike: Counter[str]) -> bool:
    return any(alike[form] > 1 for form in _normalized(name))


def _normalized(name: str) -> set[str]:
    """Return what targets may make of a name."""
    words = _CAPITALS.sub("_", name).lower()
    return {
        _SIGNS.sub("_", words),
        *(_SIGNS.sub(replacement, name.lower()) for replacement in ("_", "")),
        # Some databases compare names without accents.
        _SIGNS.sub("", normalize("NFKD", name.casefold())),
    }


def _encoded(name: str) -> bytes:
    return name.encode(errors="surrogatepass")
