"""An operation that has a price only: every reader that has to know what it computes names it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.tflite import write_tflite
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.errors import NetworkError
from zenbench.zen.graph import INPUT, Graph
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import build_module
from zenbench.zen.proxies import score


def resized() -> Graph:
    builder = GraphBuilder((3, 8, 8))
    builder.priced("interpolate", [INPUT], (3, 16, 16), macs=0, params=0, is_view=False)
    return builder.graph()


READERS: dict[str, Callable[[Graph, Path], object]] = {
    "module": lambda graph, _: build_module(graph),
    "timing weights": lambda graph, _: timing_weights(graph),
    "ONNX": lambda graph, folder: write_onnx(graph, {}, folder / "x.onnx"),
    "TFLite": lambda graph, folder: write_tflite(graph, {}, folder / "x.tflite"),
    "score": lambda graph, _: score(graph, "zen"),
    "closed form": lambda graph, _: score(graph, "zen-closed"),
    "entropy": lambda graph, _: score(graph, "entropy"),
}


@pytest.mark.parametrize("reader", READERS)
def test_it_is_refused_by_its_name(reader: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="'interpolate1'"):
        READERS[reader](resized(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_graph_names_what_is_priced() -> None:
    assert [op.kind for op in resized().priced] == ["interpolate"]


def test_what_it_costs_is_a_score() -> None:
    assert score(resized(), "flops").value == 0
