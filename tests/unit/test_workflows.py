"""Permissions, pinned actions and commands of the workflows; `make check` checks their syntax."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8")
    for path in (Path(__file__).parents[2] / ".github/workflows").glob("*.yml")
}
RELEASE: dict[str, Any] = yaml.safe_load(WORKFLOWS["release.yml"])
JOBS: dict[str, Any] = RELEASE["jobs"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit_and_names_its_version(name: str) -> None:
    lines = re.findall(r"uses: (.+)", WORKFLOWS[name])

    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_an_action_has_one_version_in_all_workflows() -> None:
    uses = {use for text in WORKFLOWS.values() for use in re.findall(r"uses: (.+)", text)}

    assert len({use.partition("@")[0] for use in uses}) == len(uses)


def test_every_command_is_a_make_target_or_our_own_script() -> None:
    for text in WORKFLOWS.values():
        for command in re.findall(r"run: (.+)", text):
            assert command.startswith(("make ", ".ci/"))


def test_only_the_publishing_job_has_permission_and_it_runs_no_code_of_the_project() -> None:
    allowed = {name: job["permissions"] for name, job in JOBS.items()}
    (publish,) = (name for name, given in allowed.items() if "id-token" in given)
    job = JOBS[publish]

    assert RELEASE["permissions"] == {}
    assert allowed.pop(publish) == {"id-token": "write"}
    assert all(given == {"contents": "read"} for given in allowed.values())
    assert job["environment"] == "release"
    assert set(job["needs"]) == JOBS.keys() - {publish}
    assert [step["uses"].partition("@")[0] for step in job["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert job["steps"][-1]["with"] == {"attestations": True}  # no password, for one
    assert "secrets." not in WORKFLOWS["release.yml"]


def test_the_published_files_are_the_checked_ones() -> None:
    steps = JOBS["build"]["steps"]
    (check,) = (step["run"] for step in steps if "run" in step)

    assert check == 'make release-check "TAG=$GITHUB_REF_NAME"'
    assert steps[-1]["with"]["path"] == JOBS["publish"]["steps"][0]["with"]["path"] == "dist/"
    assert steps[-1]["with"]["name"] == JOBS["publish"]["steps"][0]["with"]["name"]
