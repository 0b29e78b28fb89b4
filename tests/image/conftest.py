"""The images that `make image` made."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.image.containers import ROOT, Image

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="session")
def tap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image of the tap."""
    folder = tmp_path_factory.mktemp("tap")
    with Image.opened(f"tap-custobar:{PROJECT['version']}", folder) as image:
        yield image


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image of Airbyte's source."""
    folder = tmp_path_factory.mktemp("source")
    with Image.opened(f"source-custobar:{PROJECT['version']}", folder) as image:
        yield image


@pytest.fixture(params=["tap", "source"])
def image(request: pytest.FixtureRequest) -> Image:
    """Each of the two images."""
    image = request.getfixturevalue(request.param)
    assert isinstance(image, Image)
    return image
