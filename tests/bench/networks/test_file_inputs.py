"""Files whose axes are free: what batch, resolution and shapes make of them, and what they hold."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from zenbench.bench.networks.file_inputs import FileInput, shaped, sized, specs, valued
from zenbench.bench.networks.model_file import FileSubject
from zenbench.devices.base import Setting, TensorSpec
from zenbench.devices.inputs import random_inputs
from zenbench.errors import NetworkError, UserError

IMAGE = FileInput("x", ("batch", 3, "height", "width"), "float32")
STATE = FileInput("state", (2, 1, 32), "float32")
IDS = FileInput("ids", ("batch", "length"), "int64")
SCALAR = FileInput("scale", (), "float32")


def shapes(inputs: tuple[FileInput, ...], batch: int = 1) -> list[tuple[int, ...]]:
    return [spec.shape for spec in specs(inputs, batch)]


def test_a_free_batch_is_that_of_the_setting() -> None:
    assert shapes(sized((IMAGE,), 64), 4) == [(4, 3, 64, 64)]


def test_axes_named_as_the_batch_follow_it_and_states_keep_theirs() -> None:
    named = FileInput("h", (2, "batch", 32), "float32")
    assert shapes((*sized((IMAGE,), 8), STATE, named, SCALAR), 3)[1:] == [(2, 1, 32), (2, 3, 32), ()]
    fixed = FileInput("x", (1, 3, 8, 8), "float32")
    assert specs((STATE, fixed), 1) == (TensorSpec("state", (2, 1, 32)), TensorSpec("x", (1, 3, 8, 8)))


def test_height_and_width_stand_before_channels_too() -> None:
    last = FileInput("x", (1, "h", "w", 3), "float32")
    assert shapes(sized((last,), 32)) == [(1, 32, 32, 3)]


def test_given_shapes_fill_other_axes() -> None:
    assert shapes(shaped((IDS,), {"ids": (1, 128)})) == [(1, 128)]


def test_axes_of_one_name_take_one_length() -> None:
    mask = FileInput("mask", ("batch", 1, "length", "length"), "float32")
    nameless = FileInput("bias", (1, ""), "float32")
    assert shapes(shaped((mask, IDS), {"ids": (1, 128)})) == [(1, 1, 128, 128), (1, 128)]
    with pytest.raises(NetworkError, match="free axis 1 at its input 'bias'"):
        shapes(shaped((FileInput("x", (1, ""), "float32"), nameless), {"x": (1, 5)}))


def test_a_size_whose_axes_are_named_as_the_batch_is_asked_for() -> None:
    alike = FileInput("x", ("N", 3, "N", "N"), "float32")
    with pytest.raises(NetworkError, match="give --resolution"):
        shapes((alike,))
    assert shapes(sized((alike,), 16), 2) == [(2, 3, 16, 16)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda: specs((IMAGE,), 1), "free height and width at its input 'x'; give --resolution"),
        (lambda: specs((IDS,), 1), "free axis 'length' at its input 'ids'; give --shape ids=1x1"),
        (lambda: specs((FileInput("x", (1, ""), "float32"),), 1), "free axis 1 at its input 'x'"),
        (
            lambda: specs((FileInput("x", (2, 3, 8, 8), "float32"),), 1),
            "written for batch 2, the setting asks for 1",
        ),
        (lambda: sized((FileInput("x", (1, 3, 8, 8), "float32"),), 16), "fixed size of 8 x 8, not 16"),
        (lambda: sized((IDS,), 16), "no image as its input"),
        (lambda: shaped((STATE,), {"state": (3, 1, 32)}), "'state' as 2x1x32, not 3x1x32"),
        (lambda: shaped((STATE,), {"state": (2, 1)}), "'state' as 2x1x32, not 2x1"),
    ],
)
def test_what_does_not_fit_is_one_sentence(change, fault: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((UserError, NetworkError), match=fault):
        change()


def written(path: Path, nodes: list[onnx.NodeProto], **weights: onnx.TensorProto) -> Path:
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, ["n", 4]), value("y", TensorProto.FLOAT, None)
    for name, tensor in weights.items():
        tensor.name = name
    graph = helper.make_graph(nodes, "g", [x], [y], list(weights.values()))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path)
    return path


@pytest.mark.parametrize(
    ("op", "precision"),
    [
        ("QuantizeLinear", "int8"),
        ("DequantizeLinear", "int8"),
        ("QLinearConv", "int8"),
        ("QLinearMatMul", "int8"),
        ("QGemm", "int8"),
        ("DynamicQuantizeLinear", "int8"),
        ("DynamicQuantizeMatMul", "int8"),
        ("MatMulInteger", "int8"),
        ("ConvInteger", "int8"),
        ("Relu", "fp32"),
    ],
)
def test_what_a_file_computes_in_is_its_precision(tmp_path: Path, op: str, precision: str) -> None:
    path = written(tmp_path / "f.onnx", [helper.make_node(op, ["x"], ["y"])])
    assert FileSubject.read(path).precision == precision


def test_half_weights_are_fp16(tmp_path: Path) -> None:
    import numpy as np

    half = numpy_helper.from_array(np.ones((4, 4), np.float16))
    path = written(tmp_path / "f.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], w=half)
    assert FileSubject.read(path).precision == "fp16"


def test_a_file_is_measured_in_its_own_precision(tmp_path: Path) -> None:
    path = written(tmp_path / "f.onnx", [helper.make_node("QuantizeLinear", ["x"], ["y"])])
    with pytest.raises(UserError, match=r"f.onnx is int8, the setting asks for fp32; give --precision int8"):
        FileSubject.read(path).artifact(tmp_path, Setting("host", "onnxruntime"), "onnx")


@pytest.mark.parametrize(
    "value",
    [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1]),
    ],
)
def test_an_input_without_axes_is_refused(tmp_path: Path, value: onnx.ValueInfoProto) -> None:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [output])
    onnx.save(helper.make_model(graph), tmp_path / "f.onnx")
    with pytest.raises(NetworkError, match=r"input 'x' of .*f.onnx is no tensor of a known rank"):
        FileSubject.read(tmp_path / "f.onnx")


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.BFLOAT16, 999])
def test_an_input_that_is_no_array_of_numbers_is_named(tmp_path: Path, kind: int) -> None:
    path = written(tmp_path / "x.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = kind
    onnx.save(model, path)
    with pytest.raises(NetworkError, match=r"input 'x' of .* export it with float"):
        FileSubject.read(path)


def test_an_empty_file_is_no_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"")
    with pytest.raises(NetworkError, match=r"is not an ONNX file \(it holds no graph\)"):
        FileSubject.read(path)


def lstm(path: Path, steps: int | str, batch: int | str) -> FileSubject:
    shapes = {"x": [steps, batch, 16], "h": [1, batch, 8], "c": [1, batch, 8]}
    weights = {"w": (1, 32, 16), "r": (1, 32, 8)}
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["x", "w", "r", "", "", "h", "c"], ["y"], hidden_size=8)],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()],
    )
    onnx.save(helper.make_model(graph), path)
    return FileSubject.read(path)


def test_the_steps_of_a_recurrent_layer_are_no_batch(tmp_path: Path) -> None:
    fixed = lstm(tmp_path / "fixed.onnx", 10, 1)
    assert shapes(fixed.inputs) == [(10, 1, 16), (1, 1, 8), (1, 1, 8)]
    with pytest.raises(UserError, match="is written for batch 1"):
        shapes(fixed.inputs, 10)
    free = lstm(tmp_path / "free.onnx", "steps", "n")
    with pytest.raises(NetworkError, match="has the free axis 'steps' at its input 'x'"):
        shapes(free.inputs)
    assert shapes(shaped(free.inputs, {"x": (10, 4, 16)}), 4) == [(10, 4, 16), (1, 4, 8), (1, 4, 8)]


def test_a_file_that_quantises_in_a_branch_is_int8(tmp_path: Path) -> None:
    def branch(name: str) -> onnx.GraphProto:
        quantise = helper.make_node("QuantizeLinear", ["x", "s"], [f"{name}_q"])
        back = helper.make_node("DequantizeLinear", [f"{name}_q", "s"], [name])
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])
        return helper.make_graph([quantise, back], name, [], [output])

    node = helper.make_node("If", ["b"], ["y"], then_branch=branch("t"), else_branch=branch("e"))
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
        helper.make_tensor_value_info("b", TensorProto.BOOL, []),
    ]
    scale = onnx.numpy_helper.from_array(np.float32(0.1), "s")
    graph = helper.make_graph(
        [node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])], [scale]
    )
    onnx.save(helper.make_model(graph), tmp_path / "f.onnx")
    assert FileSubject.read(tmp_path / "f.onnx").precision == "int8"


def test_a_value_fills_an_input_in_its_dtype() -> None:
    (rate,) = valued([FileInput("sr", (), "int64")], {"sr": 16000})
    (filled,) = random_inputs(specs([rate], 1))
    assert filled.shape == () and filled.dtype == np.int64 and filled == 16000
    flag, image = valued(
        [FileInput("on", (1,), "bool"), FileInput("x", (1, 4), "float32")], {"on": 1, "x": 0.5}
    )
    assert random_inputs(specs([flag, image], 1))[1].tolist() == [[0.5] * 4]
    for dtype, value in (("bool", 2), ("uint8", 256), ("float16", 1e6)):
        with pytest.raises(UserError, match=f"as {dtype}, which does not hold"):
            valued([FileInput("x", (), dtype)], {"x": value})
