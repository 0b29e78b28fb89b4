"""Writes the generated documents and regions; `make docs` runs it.

With --check it writes nothing, and fails if a file is not up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.documents import airbyte, dbt, docs, dotenv, hub, meltano, readme, streams
from scripts.documents.about import about

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.documents.about import About

ROOT = Path(__file__).parent.parent.parent

#: For each file, a function that returns its new content from the current one and from `--about`.
DOCUMENTS: dict[str, Callable[[str, About], str]] = {
    ".env.example": dotenv.render,
    "README.md": readme.render,
    "airbyte/metadata.yaml": airbyte.render,
    "docs/performance.md": docs.performance,
    "docs/recipes.md": docs.recipes,
    "docs/streams.md": streams.render,
    "examples/dbt/models/staging/sources.yml": dbt.render,
    "hub/tap-custobar.yml": hub.render,
    "meltano.yml": meltano.render,
}


def main() -> None:
    """Write the documents, or check that they are up to date."""
    tap = about()
    stale = []
    for name, render in DOCUMENTS.items():
        path = ROOT / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        rendered = render(text, tap)
        if rendered != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(rendered, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"Not up to date: {', '.join(stale)}. Run: make docs")


if __name__ == "__main__":
    main()
