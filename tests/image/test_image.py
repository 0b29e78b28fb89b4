"""Both container images against the sandbox, as their users run them."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.catalogs import incremental
from tests.conftest import entry_of
from tests.image.conftest import PROJECT
from tests.image.containers import DATA, ROOT, Image
from tests.server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run, Sandbox
    from tests.image.containers import Container
    from tests.server import Server

pytestmark = pytest.mark.image

CONFIG = ("--config", "config.json")
PYTHON = "/opt/tap-custobar/bin/python"
#: Paths that no layer may contain, not even one of the base image.
UNWANTED = re.compile(r"(^|/)\.git$|/\.cache/pip(/|$)|bin/(cc|c\+\+|gcc|g\+\+|git|ld|make)$")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The base image that the images were built on."""
    with Image.opened(os.environ["IMAGE_BASE"], tmp_path_factory.mktemp("base")) as image:
        return image


def test_the_tap_describes_itself(tap: Image) -> None:
    version = tap.run("--version")
    about = tap.run("--about", "--format=json")

    assert version.stdout.startswith(f"tap-custobar v{PROJECT['version']}, ")
    assert json.loads(about.stdout)["name"] == "tap-custobar"


def test_the_tap_discovers(tap: Image, sandbox: Sandbox) -> None:
    run = tap.run(*CONFIG, "--discover", files={"config.json": sandbox.config})

    assert run.exit_code == 0
    assert "external_id" in entry_of(json.loads(run.stdout))["schema"]["properties"]


@pytest.mark.parametrize("user", [None, "12345:0"], ids=["user of the image", "another user"])
def test_the_tap_reads_every_record(tap: Image, sandbox: Sandbox, user: str | None) -> None:
    run = tap.run(*CONFIG, files={"config.json": sandbox.config}, user=user)

    assert run.exit_code == 0
    assert len(run.records("customers")) == sandbox.customers
    assert len(run.records("products")) == sandbox.products


def test_settings_are_read_from_the_environment(tap: Image, sandbox: Sandbox) -> None:
    env = {f"TAP_CUSTOBAR_{name.upper()}": str(value) for name, value in sandbox.config.items()}

    run = tap.run("--config", "ENV", env=env)

    assert len(run.records("customers")) == sandbox.customers


def test_an_incremental_run_resumes_from_the_state_of_the_previous_one(
    tap: Image, sandbox: Sandbox
) -> None:
    files = {
        "config.json": {**sandbox.config, "lookback_days": 0},
        "catalog.json": incremental("products"),
    }
    arguments = (*CONFIG, "--catalog", "catalog.json")

    first = tap.run(*arguments, files=files)
    second = tap.run(
        *arguments, "--state", "state.json", files={**files, "state.json": first.state}
    )

    assert len(first.records("products")) == sandbox.products
    assert second.exit_code == 0
    assert len(second.records("products")) < sandbox.products
    assert second.state == first.state


@pytest.mark.parametrize(
    "env", [{}, {"PYTHONTZPATH": ""}], ids=["with those of the base", "without"]
)
def test_the_time_zones_are_included(tap: Image, server: Server, env: dict[str, str]) -> None:
    row = {"external_id": "1", "date_joined": "2024-06-01T12:00:00"}
    server.answer = lambda request: Reply(
        {"customers": [row]} if "customers" in request.path else {"products": []}
    )

    config = {**server.config, "timezone": "Europe/Helsinki"}
    run = tap.run(*CONFIG, files={"config.json": config}, env=env)

    assert [r["date_joined"] for r in run.records("customers")] == ["2024-06-01T09:00:00Z"]


def test_after_sigterm_the_next_run_resumes_from_the_written_state(
    tap: Image, sandbox: Sandbox
) -> None:
    config = {**sandbox.config, "page_size": 20}
    files = {"config.json": {**config, "request_interval": 1}}
    with tap.started(*CONFIG, files=files) as container:
        container.take(25)  # part of the second page, so that the state has the first
        container.terminate()
        first = container.end()
    second = tap.run(
        *CONFIG,
        "--state",
        "state.json",
        files={"config.json": config, "state.json": first.state},
    )

    assert first.exit_code == 143
    assert first.messages[-1]["type"] == "STATE"
    assert len(first.ids("customers")) < sandbox.customers
    assert "Resuming the interrupted sync" in second.log
    assert len({*first.ids("customers"), *second.ids("customers")}) == sandbox.customers


def open_for_writing(pipe: Path, container: Container) -> int:
    """Open a pipe for writing as soon as the container has opened it for reading."""
    while container.process.poll() is None:
        with suppress(OSError):  # while no process reads from it
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    pytest.fail(container.end().log)


@pytest.mark.parametrize(("name", "command"), [("tap", ()), ("source", ("check",))])
def test_sigterm_ends_the_process_while_it_reads_its_config(
    name: str, command: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    image: Image = request.getfixturevalue(name)
    pipe = image.folder / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    with image.started(*command, "--config", f"{DATA}/pipe") as container:
        writer = open_for_writing(pipe, container)
        container.terminate()
        os.close(writer)  # because the signal may arrive just before it reads
        run = container.end()

    assert run.exit_code == 143
    assert run.stdout == ""


def test_sigterm_ends_a_check_that_waits_for_a_response(source: Image, server: Server) -> None:
    with (
        server.holding() as requested,
        source.started("check", *CONFIG, files={"config.json": server.config}) as container,
    ):
        assert requested.wait(60)
        container.terminate()
        run = container.end()

    assert run.exit_code == 143


def messages(run: Run, kind: str) -> list[Any]:
    assert run.exit_code == 0, run.log
    return [message[kind] for message in run.messages if kind in message]


def test_the_source_runs_every_command_of_airbyte(source: Image, sandbox: Sandbox) -> None:
    files: dict[str, Any] = {"config.json": sandbox.config}

    assert messages(source.run("spec"), "spec")
    [status] = messages(source.run("check", *CONFIG, files=files), "connectionStatus")
    [catalog] = messages(source.run("discover", *CONFIG, files=files), "catalog")
    [customers] = [stream for stream in catalog["streams"] if stream["name"] == "customers"]
    files["catalog.json"] = {
        "streams": [
            {
                "stream": customers,
                "sync_mode": "full_refresh",
                "destination_sync_mode": "overwrite",
            }
        ]
    }
    read = source.run("read", *CONFIG, "--catalog", "catalog.json", files=files)

    assert status == {"status": "SUCCEEDED"}
    assert len(messages(read, "record")) == sandbox.customers


def test_the_variable_airbyte_entrypoint_starts_the_source(source: Image) -> None:
    run = source.run("-c", 'eval "$AIRBYTE_ENTRYPOINT spec"', entrypoint="/bin/sh")

    assert messages(run, "spec")


def test_the_image_runs_as_an_unprivileged_user(image: Image) -> None:
    run = image.run("-c", "import os; print(os.getuid(), os.getgid())", entrypoint=PYTHON)

    assert run.stdout == "1000 1000\n"
    assert image.config["User"] == "1000:1000"


def test_the_labels_describe_the_image(image: Image, base: Image) -> None:
    labels = image.config["Labels"]
    prefix = "org.opencontainers.image"

    assert image.name == f"{labels[f'{prefix}.title']}:{labels[f'{prefix}.version']}"
    assert labels[f"{prefix}.version"] == PROJECT["version"]
    assert labels[f"{prefix}.licenses"] == PROJECT["license"]
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?", labels[f"{prefix}.revision"])
    assert labels[f"{prefix}.base.name"] == base.name


def test_the_image_adds_only_its_environment_to_its_base(image: Image, base: Image) -> None:
    count = len(base.layers)
    paths = [path for layer in image.layers[count:] for path in layer.paths]

    assert [layer.digest for layer in image.layers[:count]] == [
        layer.digest for layer in base.layers
    ]
    assert "opt/tap-custobar/bin/tap-custobar" in paths
    assert {path for path in paths if not path.startswith("opt/tap-custobar/")} <= {
        "data",
        "opt",
        "opt/tap-custobar",
    }
    assert not [path for path in paths if re.search("/(pip|hatchling|tests)(-[0-9]|$)", path)]


def test_no_layer_contains_a_compiler_or_leftovers_of_the_build(image: Image) -> None:
    unwanted = [path for layer in image.layers for path in layer.paths if UNWANTED.search(path)]

    assert unwanted == []


def test_every_installed_package_is_pinned(image: Image) -> None:
    code = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"

    names = image.run("-c", code, entrypoint=PYTHON).stdout.split()

    pins = (ROOT / "requirements/runtime.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==", pins, re.MULTILINE)
    found = {re.sub("[-_.]+", "-", name).lower() for name in names}
    assert {"singer-sdk", "tap-custobar"} <= found <= {*pinned, "tap-custobar"}
