"""Names of the company's own fields that databases take: short enough, and unlike all others."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes that a name may have, as UTF-8: what PostgreSQL keeps of one.
MAX_BYTES = 63

#: Bytes of a safe name: some targets shorten those of 63 too.
SAFE_BYTES = 62

#: Hexadecimal digits that tell names apart.
_DIGITS = 10

_SIGNS = re.compile(r"[^0-9a-z_]")
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def safe_names(own: Iterable[str], documented: Iterable[str]) -> dict[str, str]:
    """Return the safe name of each of the company's own fields that needs another than its own.

    A name needs one that is longer than `MAX_BYTES`, that holds a quotation mark, or that a target
    would make the same as another name: by lower case, by underscores or nothing for other signs
    than letters and digits, or by underscores before capitals. All of the names that collide get
    one, whatever their order; documented names stay as they are.

    Args:
        own: Names of the company's own fields.
        documented: All other names of the stream.
    """
    known = set(documented)
    names = set(own) - known
    alike = Counter(form for name in known | names for form in _normalized(name))
    return {
        name: _with_digest(name)
        for name in sorted(names)
        if len(_encoded(name)) > MAX_BYTES or '"' in name or _is_ambiguous(name, alike)
    }


def _with_digest(name: str) -> str:
    """Return the beginning of a name and its digest: the same in every run and for anyone."""
    digest = blake2b(_encoded(name), digest_size=_DIGITS // 2).hexdigest()
    beginning = _encoded(name.replace('"', "_"))[: SAFE_BYTES - _DIGITS - 1].decode(errors="ignore")
    return f"{beginning}_{digest}"


def _is_ambiguous(name: str, alike: Counter[str]) -> bool:
    return any(alike[form] > 1 for form in _normalized(name))


def _normalized(name: str) -> set[str]:
    """Return what targets may make of a name."""
    words = _CAPITALS.sub("_", name).lower()
    return {
        _SIGNS.sub("_", words),
        *(_SIGNS.sub(replacement, name.lower()) for replacement in ("_", "")),
    }


def _encoded(name: str) -> bytes:
    return name.encode(errors="surrogatepass")
