"""The loopback phone for whatever test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_phone import LoopbackPhone, build


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[LoopbackPhone]:
    """A Pixel 2 without a key, gone when the test ends however it ends."""
    with LoopbackPhone(tmp_path / "phone") as phone:
        yield phone


@pytest.fixture
def runner() -> Path:
    """The program that stands in for Google's benchmark_model."""
    return build() / "benchmark_model"
