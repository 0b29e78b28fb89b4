"""Draws docs/terminal.svg and docs/terminal-clean.svg: the log of a run as a terminal shows it.

The first is of untidy data, the second of clean data. The lines are from real runs on the sandbox,
wrapped, without their date and without the SDK's METRIC lines, which are for machines.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from scripts.demo import TAP, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent.parent / "docs"
SANDBOX = ["--customers", "30000", "--products", "2000"]
#: For each picture, further options of the sandbox, and the title.
PICTURES = {
    "terminal.svg": (
        ["--untidy"],
        "The data is untidy on purpose (sandbox --untidy): what was lost, how often, where first",
    ),
    "terminal-clean.svg": (
        [],
        "The data is clean (sandbox without --untidy): progress, and a summary of each stream",
    ),
}
#: So that the run takes long enough for a progress line, and the warnings fit on a screen.
SETTINGS = {"page_size": 2500, "discover_custom_fields": False}
FIELDS = {
    "customers": {"external_id", "email", "can_email", "date_joined"},
    "products": {"external_id", "title", "price", "category"},
}
PROMPT = "$ tap-custobar --config config.json --catalog catalog.json > records.jsonl"

#: Left edge of each column in pixels, because not every viewer has a monospaced font.
AT = {"time": 18, "level": 86, "name": 156, "message": 346}
WIDTH, CHARACTERS, LINE, MARGIN = 1040, 92, 19, 18
# The background is part of the picture, so that it is readable on any page.
STYLE = """
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328 }
.ground { fill: #f6f8fa; stroke: #d1d9e0 } .quiet { fill: #59636e } .name { fill: #0550ae }
.WARNING { fill: #7d4e00 } .ERROR { fill: #b3141d } .prompt { font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .ground { fill: #0d1117; stroke: #3d444d } .quiet { fill: #9198a1 }
  .name { fill: #79c0ff } .WARNING { fill: #e3b341 } .ERROR { fill: #ff7b72 }
}
""".strip()


def run(options: list[str]) -> list[str]:
    """Return the lines that the tap logs on a sandbox with the given options."""
    found = json.loads(subprocess.check_output([*TAP, "--discover"], stderr=subprocess.DEVNULL))
    for entry in found["streams"]:
        for item in entry["metadata"]:
            fields, place = FIELDS.get(entry["tap_stream_id"], set()), item["breadcrumb"]
            item["metadata"]["selected"] = place[1] in fields if place else bool(fields)
    with tempfile.TemporaryDirectory() as folder, sandbox(*SANDBOX, *options) as (url, token):
        config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
        config.write_text(json.dumps({"api_url": url, "api_token": token, **SETTINGS}))
        catalog.write_text(json.dumps(found))
        command = [*TAP, "--config", str(config), "--catalog", str(catalog)]
        return subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ).stderr.splitlines()


def rows(title: str, lines: list[str]) -> Iterator[str]:
    """Yield the content of each row of the picture as SVG."""
    yield _cell("time", "quiet", f"# {title}")
    yield _cell("time", "prompt", PROMPT)
    for line in lines:
        time, level, name, message = (part.strip() for part in line.split("|", 3))
        if message.startswith("METRIC"):
            continue
        unbreakable = re.sub(r"(?<=\d) (?=[a-zA-Z])", "\N{NO-BREAK SPACE}", message)
        first, *rest = wrap(unbreakable, CHARACTERS)
        yield (
            _cell("time", "quiet", time[11:19])
            + _cell("level", level, level)
            + _cell("name", "name", name)
            + _cell("message", level, first)
        )
        yield from (_cell("message", level, part) for part in rest)


def _cell(column: str, kind: str, text: str) -> str:
    return f'<tspan class="{kind}" x="{AT[column]}">{escape(text)}</tspan>'


def svg(title: str, lines: list[str]) -> str:
    """Return the picture as SVG."""
    contents = list(rows(title, lines))
    height = len(contents) * LINE + 2 * MARGIN
    size = f'width="{WIDTH}" height="{height}"'
    inner = f'width="{WIDTH - 1}" height="{height - 1}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}"',
            f' role="img" aria-label="{title}">',
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="ground" x=".5" y=".5" {inner} rx="6"/>',
            *(
                f'<text y="{MARGIN + 13 + LINE * place}">{content}</text>'
                for place, content in enumerate(contents)
            ),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    for name, (options, title) in PICTURES.items():
        (DOCS / name).write_text(svg(title, run(options)), "utf-8")
