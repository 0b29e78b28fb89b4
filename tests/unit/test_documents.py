"""Files, modules and make targets that the documents name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "examples/*/*.md")
    for path in sorted(ROOT.glob(pattern))
}
CONTRIBUTING = DOCUMENTS["CONTRIBUTING.md"]
RULES = {
    target
    for rule in re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in rule.split()
}

#: Packages, which the documents name as a whole.
PARTS = {path.parent.name for path in (ROOT / "tap_custobar").glob("*/__init__.py")}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_that_is_named_exists(name: str) -> None:
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", DOCUMENTS[name], re.MULTILINE)

    assert set(named) <= RULES


@pytest.mark.parametrize("name", ["AGENTS.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    named = re.findall(r"`((?:\w+/)*[\w.]*\w\.(?:md|py|toml)|\.?\w+/(?:\w+/)*)`", DOCUMENTS[name])

    assert named
    for file in set(named) - {"dist/"}:
        assert (ROOT / file).exists(), file


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[name]):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_module_that_is_more_than_a_helper_is_in_the_flow() -> None:
    """So that the list does not fall behind: new modules are in it, or are helpers by name."""
    helpers = {"streams"}
    flow = CONTRIBUTING.split("## How data flows\n")[1].split("\n## ")[0]
    listed = {Path(file).stem for file in re.findall(r"`tap_custobar/(\w+\.py)`", flow)}
    modules = {path.stem for path in (ROOT / "tap_custobar").glob("[a-z]*.py")}

    assert listed | helpers == modules
    for part in PARTS:
        assert f"`tap_custobar/{part}/" in flow


def test_the_stream_that_is_shown_is_a_real_one() -> None:
    (shown,) = re.findall(r"```python\n(.+?)```", CONTRIBUTING, re.DOTALL)

    assert shown in (ROOT / "tap_custobar/streams.py").read_text(encoding="utf-8")
