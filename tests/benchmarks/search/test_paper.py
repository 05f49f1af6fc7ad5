"""The figures of docs/paper.md, with few points: what they show is what they say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from places import ROOT

PAPER = ROOT / "benchmarks" / "search" / "paper.py"


@pytest.fixture(scope="module")
def paper() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paper", PAPER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.REPEATS = 1  # type: ignore[attr-defined]
    return module


def test_phi_ends_and_batch_norm_saturates_where_zen_goes_on(paper: ModuleType, tmp_path: Path) -> None:
    found = paper.depth(tmp_path / "depth.png", (8, 40, 60))
    for ended, *rest in found.values():
        deltas, zens = rest[:3], rest[3:]
        assert 20 < ended < 60
        assert abs(deltas[2] - deltas[1]) < 1 < deltas[1] - deltas[0]
        assert zens[0] < zens[1] < zens[2]
    assert (tmp_path / "depth.png").stat().st_size > 10_000


def test_batch_norm_hides_the_width_that_zen_sees(paper: ModuleType, tmp_path: Path) -> None:
    for values in paper.width(tmp_path / "width.png", (16, 64)).values():
        (narrow_delta, narrow_zen), (wide_delta, wide_zen) = values[:2], values[2:]
        assert wide_delta == pytest.approx(narrow_delta, abs=0.3)
        assert wide_zen > narrow_zen + 4


def test_the_product_of_deviations_stands_for_the_scale(paper: ModuleType) -> None:
    for seed in range(3):
        plain, normed = paper.log_scales(6, 8, 8, seed)
        assert normed == pytest.approx(plain, rel=0.05)
