from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_custobar.sandbox.app import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

COUNTS = {"customers": 500, "products": 120, "sales": 300, "events": 700, "campaigns": 45}
SIZES = [f"--{name}={count}" for name, count in COUNTS.items()]


def csv_cell(value: object) -> str:
    """Return how the sandbox writes a value of JSON into a cell of CSV."""
    if isinstance(value, list) and not isinstance(value[0], dict):
        return ",".join(map(csv_cell, value))
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Sandbox:
    """The sandbox as a process, and requests to it."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tap_custobar.sandbox", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.announcement = self.process.stdout.readline()
        self.url = self.announcement.split()[2]

    def get(
        self,
        path: str,
        query: dict[str, Any] | str | None = None,
        *,
        authorization: str | None = f"Token {TOKEN}",
        method: str = "GET",
    ) -> requests.Response:
        url = path if path.startswith("http") else f"{self.url}/data/{path}"
        headers = {} if authorization is None else {"Authorization": authorization}
        return requests.request(method, url, params=query, headers=headers, timeout=30)

    def records(self, stream: str, **query: Any) -> list[dict[str, Any]]:
        reply = self.get(f"{stream}/", query)
        assert reply.status_code == 200, reply.text
        records: list[dict[str, Any]] = reply.json()[stream]
        return records

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@contextmanager
def started(*options: str) -> Iterator[Sandbox]:
    sandbox = Sandbox(*options)
    try:
        yield sandbox
    finally:
        if sandbox.process.poll() is None:
            sandbox.stop()


@pytest.fixture(scope="session")
def start() -> Callable[..., AbstractContextManager[Sandbox]]:
    return started


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with more customers than a page; tests must not stop it."""
    with started(*SIZES) as running:
        yield running


@pytest.fixture(scope="session")
def rows_sandbox() -> Iterator[Sandbox]:
    """A sandbox whose sales are rows and whose CSV delimiter is a semicolon."""
    with started(*SIZES, "--sales-shape=rows", "--csv-delimiter=semicolon") as running:
        yield running


@pytest.fixture(scope="session")
def later_sandbox() -> Iterator[Sandbox]:
    """The first sandbox three days later, whose CSV delimiter is a tab."""
    with started(*SIZES, "--day=3", "--csv-delimiter=tab") as running:
        yield running
