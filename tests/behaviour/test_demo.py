"""`make demo`, as a newcomer runs it (the Makefile has made its environments by now)."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEMO = [sys.executable, str(ROOT / "scripts/demo.py")]


def is_served(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def port_of(output: str) -> str:
    match = re.search(r"http://127\.0\.0\.1:(\d+)/api", output)
    assert match, output
    return match[1]


def test_it_shows_both_files_and_leaves_nothing_running(tmp_path: Path) -> None:
    demo = subprocess.run([*DEMO, tmp_path], capture_output=True, text=True, check=False)

    assert demo.returncode == 0, demo.stderr
    assert "customers.csv: 2000 records" in demo.stdout
    assert "products.csv: 500 records" in demo.stdout
    assert "external_id,phone_number,email" in demo.stdout
    assert not is_served(port_of(demo.stdout))


def test_stopped_half_way_it_leaves_nothing_running(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([*DEMO, tmp_path], stdout=pipe, stderr=pipe, text=True) as demo:
        assert demo.stdout
        port = port_of(demo.stdout.readline())
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)

    assert demo.returncode == 143
    assert not is_served(port)
