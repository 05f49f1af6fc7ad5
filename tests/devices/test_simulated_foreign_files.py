"""Files that zenbench did not write, on the simulated device: priced, or refused in one sentence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from toys import SIMULATED
from zenbench.devices.base import Artifact
from zenbench.devices.simulated import true_ms
from zenbench.errors import DeviceError


def price_ms(
    folder: Path, nodes: Sequence[NodeProto], shape: Sequence[int | str], **weights: object
) -> float:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy")
    arrays = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("someone", 1)]
    graph = helper.make_graph(list(nodes), "foreign", [x], [y], arrays)
    path = folder / "foreign.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return true_ms(Artifact("onnx", path, "", (), 1, "fp32"), SIMULATED)


def test_inputs_that_are_left_out_cost_nothing(tmp_path: Path) -> None:
    clip = price_ms(tmp_path, [helper.make_node("Clip", ["x", "", "high"], ["y"])], [1, 8], high=6.0)
    relu = price_ms(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], [1, 8])
    assert clip == pytest.approx(relu, rel=1e-3)


def test_a_matrix_product_costs_what_a_linear_layer_costs(tmp_path: Path) -> None:
    product, linear = (
        price_ms(tmp_path, [helper.make_node(kind, ["x", "w"], ["y"])], [32, 512], w=np.zeros((512, 512)))
        for kind in ("MatMul", "Gemm")
    )
    assert product == linear


def test_shapes_that_are_not_fixed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"no fixed shape of 'x' in foreign\.onnx"):
        price_ms(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], ["N", 8])
    unknown = helper.make_node("Whatever", ["x"], ["z"], domain="someone")
    with pytest.raises(DeviceError, match=r"no fixed shape of 'z' in foreign\.onnx"):
        price_ms(tmp_path, [unknown, helper.make_node("Relu", ["z"], ["y"])], [1, 8])
