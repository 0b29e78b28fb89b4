"""The standard tests that airbyte-cdk publishes, unchanged, against the real process.

They expect a connector that is built on the CDK, and run it in their own process. This connector is
a command: each of their runs starts it, with the same arguments.
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


__all__ = ["pytest_generate_tests"]  # the hook that parametrizes the tests with the scenarios

ROOT = Path(__file__).parents[2]
CONNECTOR = ROOT / "airbyte"
SOURCE = ROOT / ".venv/bin/source-custobar"
SANDBOX = [str(ROOT / ".venv/bin/python"), "-m", "tap_custobar.sandbox", "--port", "0"]
HASH_KEY = "a key of the tests: 0123456789"


class Source:
    """Runs the command source-custobar, in place of a connector that is built on the CDK."""

    def spec(self, _: logging.Logger) -> Any:  # noqa: ANN401 - declared by the CDK's protocol
        """Never called: the tests only check that the method exists."""
        raise NotImplementedError

    def run(self, arguments: list[str]) -> EntrypointOutput:
        """Run the command to its end; every line on stdout must be a message of the protocol."""
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
    """Run the command instead of a connector in the process of the tests."""
    return source.run(args)


class TestSourceCustobar(SourceTestSuiteBase):
    """The published tests, for the scenarios of airbyte/acceptance-test-config.yml."""

    connector = Source
    folder = CONNECTOR

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        """Return the folder with the connector's files and, while the tests run, with secrets."""
        return cls.folder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def secrets(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Copy the connector's folder, and add secrets: configs for a running sandbox."""
        cls.folder = tmp_path_factory.mktemp("airbyte") / "source-custobar"
        shutil.copytree(CONNECTOR, cls.folder)
        (cls.folder / "secrets").mkdir()
        with subprocess.Popen(SANDBOX, stdout=subprocess.PIPE, text=True) as sandbox:
            try:
                assert sandbox.stdout
                started = re.search(r"(http://\S+) \(token (\w+)\)", sandbox.stdout.readline())
                assert started
                config = {"api_url": started[1], "api_token": started[2], "request_interval": 0}
                for name, settings in {
                    "config": {},
                    "pseudonymized": {"personal_data": "pseudonymize", "hash_key": HASH_KEY},
                    "wrong_token": {"api_token": "of-somebody-else-0123456789"},
                }.items():
                    file = cls.folder / f"secrets/{name}.json"
                    file.write_text(json.dumps(config | settings))
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(entrypoint_wrapper, "_run_command", run_command)
                    yield
            finally:
                sandbox.terminate()
        cls.folder = CONNECTOR
