"""The files in `airbyte/`, which Airbyte's registry and its standard tests read."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tap_custobar.streams import STREAMS

ROOT = Path(__file__).parents[2]
CONNECTOR = ROOT / "airbyte"
METADATA = yaml.safe_load((CONNECTOR / "metadata.yaml").read_text())["data"]
TESTS = yaml.safe_load((CONNECTOR / "acceptance-test-config.yml").read_text())


def test_the_metadata_equals_that_of_the_package() -> None:
    assert METADATA["connectorType"] == "source"
    assert METADATA["suggestedStreams"]["streams"] == [
        stream.name for stream in STREAMS if stream.selected_by_default
    ]


def test_the_icon_is_square_and_self_contained() -> None:
    text = (CONNECTOR / METADATA["icon"]).read_text(encoding="utf-8")
    icon = ET.fromstring(text)  # noqa: S314 - our own file
    left, top, width, height = map(float, icon.attrib["viewBox"].split())

    assert icon.tag == "{http://www.w3.org/2000/svg}svg"
    assert (left, top, width) == (0, 0, height)
    assert icon.attrib["width"] == icon.attrib["height"]
    assert [name for name in ("script", "href", "style", "<text", "url(") if name in text] == []


def test_every_config_without_secrets_exists() -> None:
    named = {
        test["config_path"]
        for section in TESTS["acceptance_tests"].values()
        for test in section["tests"]
    }

    assert "secrets/config.json" in named
    for name in named:
        assert name.startswith("secrets/") or (CONNECTOR / name).exists(), name


@pytest.mark.parametrize("section", ["spec", "connection", "discovery", "basic_read"])
def test_each_kind_of_standard_test_has_a_scenario(section: str) -> None:
    assert TESTS["test_strictness_level"] == "high"
    assert {"config_path": "secrets/config.json"}.items() <= TESTS["acceptance_tests"][section][
        "tests"
    ][0].items()
