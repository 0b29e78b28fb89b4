"""Generated documents are up to date: `make docs` changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.documents import figures, region
from tests.benchmarks.figures import WayCost
from tests.benchmarks.processes import Run
from tests.benchmarks.report import as_json
from tests.benchmarks.results import Results

ROOT = Path(__file__).parent.parent.parent


def test_all_generated_documents_are_up_to_date() -> None:
    check = [sys.executable, "-m", "scripts.documents", "--check"]
    result = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


END = "# end of what make docs writes\n"
MARKED = (
    f"mine\n  # one: written by make docs\nold\nolder\n  {END}"
    f"# two: written by make docs\n{END}mine too\n"
)


def test_text_around_a_generated_region_is_kept() -> None:
    filled = region.fill(MARKED, "one", "new\n")

    assert filled == MARKED.replace("old\nolder\n", "new\n")
    assert region.fill(filled, "one", "new\n") == filled


def test_only_the_named_region_is_filled() -> None:
    assert region.fill(MARKED, "two", "new\n") == MARKED.replace(
        f"docs\n{END}", f"docs\nnew\n{END}"
    )


@pytest.mark.parametrize("text", ["", "mine\n", MARKED + MARKED])
def test_a_file_without_exactly_one_region_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="once"):
        region.fill(text, "one", "new\n")


def test_documents_show_the_figures_of_the_benchmark(tmp_path: Path) -> None:
    speed = {"ours": [Run(1.5, 99.0), Run(1.25, 98.0)], "stock": [Run(15, 70), Run(15, 70)]}
    packages = {"singer-sdk": "0.54.9"}
    described = {"cores": 2, "cpu": "Some", "system": "Linux", "python": "CPython 3.11.7"}
    machine = {**described, "packages": packages}
    results = Results(300_000, machine, speed={**speed, "specification": [Run(5.5, 60)]})
    results.ways = [WayCost("plain", 8, 8, 136, 90), WayCost("csv", 20, 8, None, 80.4)]
    (tmp_path / "benchmark.json").write_text(as_json(results))

    text = figures.benchmark(tmp_path)

    assert "2 cores (Some, Linux) with CPython 3.11.7 and singer-sdk 0.54.9" in text
    assert "10.9 times as long" in text
    assert "4.0 times" in text
    table = figures.ways(tmp_path)
    assert "| plain | 8.0 | 1.00 | 17.0 | 90 | stock / ours ≥ 12 | aim met |" in table
    assert "| csv | 20.0 | 2.50 |  | 80 | x plain ≤ 2 | MISSED |" in table


def test_figures_that_were_not_measured_are_omitted(tmp_path: Path) -> None:
    parts = (figures.benchmark, figures.durations, figures.requests, figures.ways)

    assert [part(tmp_path) for part in parts] == [""] * 4


def test_every_way_of_reading_has_a_row(tmp_path: Path) -> None:
    run = {"records": 9.0, "seconds": 1.25, "requests": 3.0, "megabytes": 0.5}
    found = {"stream": "events", "records": 9000, "ways": {"all": run, "some": run}}
    (tmp_path / "requests.json").write_text(json.dumps(found))

    assert figures.requests(tmp_path).splitlines()[2:] == [
        "| all | 3 | 0.5 | 1.2 |",
        "| some | 3 | 0.5 | 1.2 |",
    ]


#: What the Hub's JSON schemas of a plugin definition allow (meltano/hub, schemas/).
HUB_KEYS = {
    *("name", "namespace", "variant", "label", "description", "docs", "repo", "logo_url"),
    *("pip_url", "executable", "python", "commands", "hidden", "requires", "log_parser"),
    *("capabilities", "metadata", "schema", "select", "settings", "settings_group_validation"),
    *("maintenance_status", "quality", "domain_url", "keywords", "supported_python_versions"),
    *("definition", "next_steps", "prereq", "settings_preamble", "usage"),
}
HUB_SETTING_KEYS = {
    *("name", "aliases", "label", "value", "placeholder", "kind", "description", "tooltip"),
    *("documentation", "env", "value_processor", "value_post_processor", "oauth", "options"),
    *("docs", "hidden", "sensitive"),
}
HUB_KINDS = {
    *("array", "boolean", "date_iso8601", "decimal", "email", "file", "hidden", "integer"),
    *("oauth", "object", "options", "password", "string"),
}
HUB_CAPABILITIES = {
    *("about", "activate-version", "batch", "catalog", "discover", "log-based", "properties"),
    *("schema-flattening", "state", "stream-maps", "structured-logging", "test"),
}


def test_the_hub_definition_uses_the_vocabulary_of_the_hub() -> None:
    """The Hub's JSON schemas allow no others."""
    definition = yaml.safe_load((ROOT / "hub/tap-custobar.yml").read_text(encoding="utf-8"))
    settings = definition["settings"]

    assert {"name", "namespace", "variant", "quality"} <= definition.keys() <= HUB_KEYS
    assert set(definition["capabilities"]) <= HUB_CAPABILITIES
    assert definition["maintenance_status"] in {"active", "beta", "development", "inactive"}
    assert definition["quality"] in {"gold", "silver", "bronze", "unknown"}
    assert all(re.fullmatch(r"3\.\d+", v) for v in definition["supported_python_versions"])
    assert all(setting.keys() <= HUB_SETTING_KEYS for setting in settings)
    assert {setting["kind"] for setting in settings} <= HUB_KINDS
    names = {setting["name"] for setting in settings}
    assert all(set(group) <= names for group in definition["settings_group_validation"])
    for text in ("description", "label", "pip_url", "executable", "domain_url", "prereq", "usage"):
        assert isinstance(definition[text], str)
    for option in [option for setting in settings for option in setting.get("options", [])]:
        assert {type(value) for value in option.values()} == {str}
    secrets = [s for s in settings if s["kind"] == "password"]
    assert [secret["name"] for secret in secrets] == ["api_token", "hash_key"]
    assert all(secret["sensitive"] for secret in secrets)
