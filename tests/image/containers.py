"""Images and their containers, with docker, podman or buildah."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import Run
from tests.server import TOKEN
from tests.time_limit import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
#: Seconds.
TIMEOUT = 120
#: The folder of the container where the folder of the test is mounted.
DATA = "/data"

#: Starts a command as the first process of a container, which Buildah cannot do.
_START = """
root=$1 folder=$2 user=$3
shift 3
mkdir --parents "$root/data"
mount --bind "$root" "$root"
mount --bind "$folder" "$root/data"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" env -i "$@"
"""


@cache
def engine() -> list[str]:
    """Return the command of the engine that the images were built with."""
    return _stdout([str(ROOT / "scripts/container_engine.sh")]).split()


def _stdout(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, check=True, text=True, timeout=TIMEOUT)
    return result.stdout.strip()


@dataclass(frozen=True)
class Layer:
    """A layer: the digest of its unpacked content, and its paths, without a leading slash."""

    digest: str
    paths: list[str]


@dataclass(frozen=True)
class Image:
    """An image.

    Attributes:
        name: Name and tag.
        config: The config of the image.
        layers: The layers, the lowest first.
        folder: The folder of the test, which containers have as /data.
        root: The mounted root of a container, if the engine is buildah; else None.
    """

    name: str
    config: dict[str, Any]
    layers: list[Layer]
    folder: Path
    root: Path | None = None

    @classmethod
    @contextmanager
    def opened(cls, name: str, folder: Path) -> Iterator[Image]:
        """Read the contents of an image, and prepare to start its containers."""
        archive = folder / "image.tar"
        command, *options = engine()
        if command != "buildah":
            _stdout([command, *options, "save", "--output", str(archive), name])
            yield cls(name, *_contents(archive), folder)
            return
        buildah = [command, *options]
        _stdout([*buildah, "push", name, f"docker-archive:{archive}:{name}"])
        container = _stdout([*buildah, "from", "--pull-never", name])
        try:
            root = Path(_stdout([*buildah, "mount", container]))
            yield cls(name, *_contents(archive), folder, root)
        finally:
            _stdout([*buildah, "rm", container])

    def run(
        self,
        *arguments: str,
        files: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        entrypoint: str | None = None,
        user: str | None = None,
    ) -> Run:
        """Run a container to its end, with the given JSON files in its working folder."""
        with self.started(
            *arguments, files=files, env=env, entrypoint=entrypoint, user=user
        ) as container:
            return container.end()

    @contextmanager
    def started(
        self,
        *arguments: str,
        files: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        entrypoint: str | None = None,
        user: str | None = None,
    ) -> Iterator[Container]:
        """Start a container with a read-only root.

        It is killed at the end of the context, or once it has run for `TIMEOUT`.
        """
        self.folder.chmod(0o755)
        for name, content in (files or {}).items():
            (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        start = self._with_unshare if self.root else self._with_engine
        command = start(list(arguments), env or {}, entrypoint, user)
        name = f"tap-custobar-test-{os.getpid()}"
        if not self.root:
            command[2:2] = ["--name", name]
        with subprocess.Popen(
            command, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            container = Container(process, None if self.root else name)
            with time_limit(container.kill, TIMEOUT):
                try:
                    yield container
                finally:
                    container.kill()

    def _with_engine(
        self, arguments: list[str], env: Mapping[str, str], entrypoint: str | None, user: str | None
    ) -> list[str]:
        return [
            *engine(),
            "run",
            "--rm",
            "--network=host",
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            f"--volume={self.folder}:{DATA}",
            *(f"--env={name}={value}" for name, value in env.items()),
            *([f"--entrypoint={entrypoint}"] if entrypoint else []),
            *([f"--user={user}"] if user else []),
            self.name,
            *arguments,
        ]

    def _with_unshare(
        self, arguments: list[str], env: Mapping[str, str], entrypoint: str | None, user: str | None
    ) -> list[str]:
        return [
            *("unshare", "--pid", "--fork", "--kill-child", "--mount"),
            *("sh", "-ec", _START, "sh", str(self.root), str(self.folder)),
            user or self.config["User"],
            f"--chdir={self.config['WorkingDir']}",
            *self.config["Env"],
            *(f"{name}={value}" for name, value in env.items()),
            *([entrypoint] if entrypoint else self.config["Entrypoint"]),
            *arguments,
        ]


def _contents(archive: Path) -> tuple[dict[str, Any], list[Layer]]:
    with tarfile.open(archive) as outer:

        def read(name: str) -> Any:  # noqa: ANN401 - any JSON value
            file = outer.extractfile(name)
            assert file
            return json.load(file)

        [manifest] = read("manifest.json")
        described = read(manifest["Config"])
        layers = []
        digests = described["rootfs"]["diff_ids"]
        for digest, name in zip(digests, manifest["Layers"], strict=True):
            with tarfile.open(fileobj=outer.extractfile(name)) as layer:
                layers.append(Layer(digest, [path.removeprefix("./") for path in layer.getnames()]))
    archive.unlink()
    return described["config"], layers


@dataclass
class Container:
    """A running container."""

    process: subprocess.Popen[bytes]
    name: str | None
    taken: bytes = b""

    def take(self, records: int) -> None:
        """Read its stdout until the given number of records was received."""
        assert self.process.stdout
        while self.taken.count(b'"type":"RECORD"') < records:
            line = self.process.stdout.readline()
            assert line, self.end().log
            self.taken += line

    def terminate(self) -> None:
        """Send SIGTERM to its first process."""
        if self.name:
            _stdout([*engine(), "kill", "--signal=TERM", self.name])
            return
        unshare = self.process.pid
        children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text(encoding="utf-8")
        _stdout(["kill", "-TERM", *children.split()])

    def end(self) -> Run:
        """Wait until it ends."""
        stdout, log = self.process.communicate()
        run = Run(self.process.returncode, (self.taken + stdout).decode(), log.decode())
        assert "Traceback" not in run.log
        assert TOKEN not in run.stdout + run.log
        return run

    def kill(self) -> None:
        if self.process.poll() is not None:
            return
        if self.name:
            _stdout([*engine(), "kill", self.name])
        self.process.kill()  # with unshare this kills its children, too
