"""The standard tests that airbyte-cdk publishes, as they are, against the real process.

They would run a connector in their own process, for they expect one that is built on the CDK. Ours
is a command: each of their runs is one of it, with the arguments that they give.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airbyte_cdk.models.airbyte_protocol_serializers import AirbyteMessageSerializer
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.entrypoint_wrapper import EntrypointOutput
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase
from airbyte_cdk.test.standard_tests.pytest_hooks import pytest_generate_tests

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator


__all__ = ["pytest_generate_tests"]  # the hook by which pytest finds the scenarios

ROOT = Path(__file__).parents[2]
CONNECTOR = ROOT / "airbyte"
SOURCE = ROOT / ".venv/bin/source-custobar"
SANDBOX = [str(ROOT / ".venv/bin/python"), "-m", "tap_custobar.sandbox", "--port", "0"]
HASH_KEY = "a key of the tests: 0123456789"


class Source:
    """The command source-custobar, where the tests look for a connector of the CDK's."""

    def spec(self, _: logging.Logger) -> Any:  # noqa: ANN401 - as the CDK's protocol has it
        """There is no other way in than `run`; the tests only look whether this is here."""
        raise NotImplementedError

    def run(self, arguments: list[str]) -> EntrypointOutput:
        """Run the command to its end; every line of its output is a message of the protocol."""
        command = [str(SOURCE), *arguments]
        ended = subprocess.run(command, capture_output=True, check=False, text=True, timeout=120)
        lines = ended.stdout.splitlines()
        for line in lines:
            AirbyteMessageSerializer.load(json.loads(line))
        output = EntrypointOutput(lines, command=command, stderr=ended.stderr)
        assert (ended.returncode != 0) == bool(output.errors), ended.stderr
        assert "Traceback" not in ended.stderr
        return output


def run_command(source: Source, args: list[str], **_: object) -> EntrypointOutput:
    """Take the place of what runs a connector inside the tests' own process."""
    return source.run(args)


class TestSourceCustobar(SourceTestSuiteBase):
    """The published tests, for the scenarios of airbyte/acceptance-test-config.yml."""

    connector = Source
    folder = CONNECTOR

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        """Return the folder that has the connector's files, and secrets once the tests run."""
        return cls.folder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def secrets(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Copy the connector's folder, and put secrets into it: those of a running sandbox."""
        cls.folder = tmp_path_factory.mktemp("airbyte") / "source-custobar"
        shutil.copytree(CONNECTOR, cls.folder)
        (cls.folder / "secrets").mkdir()
        with subprocess.Popen(SANDBOX, stdout=subprocess.PIPE, text=True) as sandbox:
            try:
                assert sandbox.stdout
                started = re.search(r"(http://\S+) \(token (\w+)\)", sandbox.stdout.readline())
                assert started
                config = {"api_url": started[1], "api_token": started[2], "request_interval": 0}
                for name, others in {
                    "config": {},
                    "pseudonymized": {"personal_data": "pseudonymize", "hash_key": HASH_KEY},
                    "wrong_token": {"api_token": "of-somebody-else-0123456789"},
                }.items():
                    file = cls.folder / f"secrets/{name}.json"
                    file.write_text(json.dumps(config | others))
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(entrypoint_wrapper, "_run_command", run_command)
                    yield
            finally:
                sandbox.terminate()
        cls.folder = CONNECTOR
