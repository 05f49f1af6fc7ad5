"""What ONNX Runtime makes of a function that opset 17 has no operator for."""

from pathlib import Path

from toys import optimised
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.weights import state_arrays
from zenbench.zen.graph import INPUT
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import initialise


def test_gelu_is_one_operator_to_onnx_runtime(tmp_path: Path) -> None:
    builder = GraphBuilder((3, 8, 8))
    builder.linear(builder.global_average_pool(builder.activation(builder.conv(INPUT, 8, 3), "gelu")), 4)
    graph = builder.graph()
    artifact = write_onnx(graph, state_arrays(initialise(graph)), tmp_path / "g.onnx")
    left = optimised(artifact.path, tmp_path)
    assert left["Gelu"] == 1 and not {"Erf", "Mul", "Div"} & left.keys()
