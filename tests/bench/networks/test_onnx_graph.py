"""ONNX files of others: what is read computes and costs the same, and the rest is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from operation_graphs import GRAPHS, build, drawn
from places import DATA
from zenbench.bench.export.checked import export_onnx
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.networks.onnx_graph import graph_of_onnx, read_onnx
from zenbench.errors import NetworkError, UserError
from zenbench.zen.cost import graph_cost
from zenbench.zen.families import zoo
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.graph import Activation, Add, BatchNorm, Conv, Graph, Multiply, Op
from zenbench.zen.importing.batch_norms import convolutions_without_norm, require_batch_norm
from zenbench.zen.module import build_module, load_state
from zenbench.zen.network import Network, parse_text

NETWORKS = {
    "plain": parse_text(
        "SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,2)SuperResIDWE2K5(16,8,1,16,1)", 32, 10
    ),
    "gated": replace(zoo("zennet-400m-se"), resolution=32),
}
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
RNG = np.random.default_rng(0)


class Made:
    """A small ONNX file by hand: an image of 4 x 8 x 8, nodes and weights one after the other."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, NDArray[Any]] = {}
        self.last = "image"

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = (0.5 + RNG.random(shape)).astype(np.float32)
        return name

    def numbers(self, *values: float, kind: type = np.int64) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(values if len(values) > 1 or kind is np.int64 else values[0], kind)
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Reads the last tensor where no inputs are given; its output becomes the last tensor."""
        self.last = f"t{len(self.nodes)}"
        before = f"t{len(self.nodes) - 1}" if self.nodes else "image"
        self.nodes.append(helper.make_node(kind, inputs or [before], [self.last], **attributes))
        return self.last

    def conv(self, x: str, channels: int, out: int, kernel: int, **more: Any) -> str:
        usual: dict[str, Any] = {} if "auto_pad" in more else {"pads": [(kernel - 1) // 2] * 4}
        return self.node("Conv", x, self.weight(out, channels, kernel, kernel), **{**usual, **more})

    def norm(self, x: str, channels: int) -> str:
        return self.node("BatchNormalization", x, *(self.weight(channels) for _ in range(4)))

    def model(self, batch: int | str = 1, extent: int | str = 8) -> onnx.ModelProto:
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 4, extent, extent])
        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [None, None])
        weights = [numpy_helper.from_array(array, name) for name, array in self.weights.items()]
        graph = helper.make_graph(self.nodes, "made", [image], [output], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def everything() -> Made:
    """Every operator that can be read, at least once."""
    made = Made()
    stem = made.norm(made.conv("image", 4, 6, 3), 6)
    x = made.node("Mul", stem, made.node("Sigmoid"))
    shared = made.node("Identity", made.weight(6, 6, 5, 5))
    y = made.norm(made.node("Conv", x, shared, pads=[2] * 4), 6)
    y = made.node("Clip", y, made.numbers(0.0, kind=np.float32), made.numbers(6.0, kind=np.float32))
    gate = made.conv(made.node("GlobalAveragePool"), 6, 6, 1)
    gate = made.node("HardSigmoid", alpha=1 / 6)
    y = made.conv(made.node("Mul", gate, y), 6, 6, 1)
    x = made.node("HardSwish", made.node("Add", x, y))
    x = made.node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    x = made.node("Concat", x, made.node("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4), axis=1)
    scaled = made.node("Mul", x, made.weight(12, 1, 1))
    x = made.node("Relu", made.node("Add", made.weight(12, 1, 1), scaled))
    made.node("Sum", x, made.node("Dropout", x), made.node("Identity", x))
    made.node("ReduceMean", axes=[2, 3], keepdims=1)
    made.node("Reshape", made.last, made.numbers(1, -1))
    made.node("Add", made.node("MatMul", made.last, made.weight(12, 5)), made.weight(5))
    made.node("Gemm", made.node("Relu"), made.weight(3, 5), made.weight(3), transB=1)
    return made


def result(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


@torch.no_grad()
def same_result(model: onnx.ModelProto, graph: Graph) -> None:
    """The graph's module, given the weights that were read, computes what onnxruntime computes."""
    read, module = read_onnx(model), build_module(graph)
    assert read.graph == graph
    load_state(module, {name: torch.from_numpy(x) for name, x in read.state().items()}, "the file")
    x = RNG.standard_normal((1, *graph.input_shape), dtype=np.float32)
    is_last = model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value == graph.input_shape[0]
    found = module(torch.from_numpy(x)).numpy()
    expected = result(model, x.transpose(0, 2, 3, 1) if is_last else x)
    assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_an_exported_file_gives_its_graph_back_without_batch_norm(network: Network, tmp_path: Path) -> None:
    export_onnx(network, tmp_path / "n.onnx")
    graph, ours = graph_of_onnx(tmp_path / "n.onnx"), network.graph()

    def form(graph: Graph) -> list[Op]:
        bare = [replace(op, name="", inputs=()) for op in graph.ops if not isinstance(op, BatchNorm)]
        return [replace(op, bias=True) if isinstance(op, Conv) else op for op in bare]

    assert form(graph) == form(ours)
    assert form(graph.trunk()) == form(ours.trunk())
    assert graph_cost(graph).macs == graph_cost(ours).macs
    model = onnx.load(str(tmp_path / "n.onnx"))
    same_result(model, graph)
    with pytest.raises(NetworkError, match=r"batch norm after them .* proxy phi"):
        require_batch_norm(graph, "n.onnx")


def test_a_norm_that_could_not_be_folded_is_seen(tmp_path: Path) -> None:
    network = cell_network(CELL, resolution=8)
    export_onnx(network, tmp_path / "cell.onnx")
    graph = graph_of_onnx(tmp_path / "cell.onnx")
    assert sum(isinstance(op, BatchNorm) for op in graph.ops) == 1
    assert graph_cost(graph).macs == graph_cost(network.graph()).macs


def test_a_file_by_hand_is_read_whole() -> None:
    made = everything()
    model = made.model()
    graph = graph_of_onnx(model)
    functions = [op.function for op in graph.ops if isinstance(op, Activation)]
    assert functions == ["swish", "relu6", "hard-sigmoid", "hard-swish", "relu", "relu"]
    assert [op.residual for op in graph.ops if isinstance(op, Add)] == [True, False]
    (gated,) = (op for op in graph.ops if isinstance(op, Multiply))
    assert graph.shape_of(gated.inputs[1]) == (6, 1, 1)
    assert not convolutions_without_norm(graph)
    same_result(model, graph)


WINDOWS: dict[str, Callable[[Made], Any]] = {
    "same upper, stride 2": lambda m: m.conv("image", 4, 4, 3, auto_pad="SAME_UPPER", strides=[2, 2]),
    "same lower, stride 2": lambda m: m.conv("image", 4, 4, 3, auto_pad="SAME_LOWER", strides=[2, 2]),
    "same upper, even": lambda m: m.conv("image", 4, 4, 4, auto_pad="SAME_UPPER"),
    "valid": lambda m: m.conv("image", 4, 4, 3, auto_pad="VALID"),
    "patches": lambda m: m.conv("image", 4, 4, 4, strides=[4, 4], pads=[0] * 4),
    "dilated": lambda m: m.conv("image", 4, 4, 3, dilations=[2, 2], pads=[2] * 4),
    "pool of same upper": lambda m: m.node(
        "MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "average that counts its padding": lambda m: m.node(
        "AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1
    ),
    "last window cut": lambda m: m.node("AveragePool", kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1),
    "padded before": lambda m: m.conv(
        m.node("Pad", "image", m.numbers(0, 0, 0, 0, 0, 0, 1, 1)), 4, 4, 3, strides=[2, 2], pads=[0] * 4
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_every_padding_is_read(name: str) -> None:
    made = Made()
    WINDOWS[name](made)
    same_result(made.model(), graph_of_onnx(made.model()))


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_of_ours_is_read_back(name: str, size: int, tmp_path: Path) -> None:
    graph = build(GRAPHS[name], size).graph()
    path = write_onnx(graph, state_arrays(drawn(graph)), tmp_path / "g.onnx").path
    found = graph_of_onnx(path)
    assert graph_cost(found).macs == graph_cost(graph).macs
    same_result(onnx.load(str(path)), found)


CASES = {
    "two_linear_silu": (443_200, 1_322),
    "plain_64": (442_528, 618),
    "linear_without_bias": (442_528, 608),
    "ends_in_softmax": (442_528, 618),
    "same_upper_stride2": (442_528, 618),
    "patchify4": (196_768, 954),
    "leaky_relu": (442_528, 618),
    "nhwc_input": (442_528, 618),
}
"""MACs and parameters, counted from the shapes that onnxruntime 1.32 produced."""


@pytest.mark.parametrize("name", CASES)
def test_what_people_met_in_public_is_read(name: str) -> None:
    model = onnx.load(str(DATA / f"onnx/{name}.onnx"))
    graph = graph_of_onnx(model)
    assert (graph_cost(graph).macs, graph_cost(graph).params) == CASES[name]
    same_result(model, graph)


def test_batch_may_be_free_but_extents_may_not(tmp_path: Path) -> None:
    made = everything()
    assert graph_of_onnx(made.model(batch="N")) == graph_of_onnx(made.model(batch=7))
    with pytest.raises(NetworkError, match="'image' has no fixed channels, height and width"):
        graph_of_onnx(made.model(extent="H"))


BAD: dict[str, Callable[[Made], Any]] = {
    "a Softsign, cannot be read": lambda m: m.node("Softsign"),
    "softmax over axis 2 of .*; only over channels": lambda m: m.node("Softmax"),
    "takes places one by one": lambda m: m.node("Gather", "image", m.numbers(0, 1), axis=1),
    "has weights for 5 channels and reads 4": lambda m: m.conv("image", 5, 4, 3),
    "has weights for 0 channels and reads 4": lambda m: m.node(
        "Conv", "image", m.weight(4, 0, 3, 3), group=0, pads=[1] * 4
    ),
    "makes 0 channels of 4": lambda m: m.conv("image", 4, 0, 3),
    "stride -1 and dilation 1; no runtime": lambda m: m.conv("image", 4, 4, 3, strides=[-1, -1]),
    "stride 0 and dilation 1; no runtime": lambda m: m.conv("image", 4, 4, 3, strides=[0, 0]),
    "windows of 9 on a map of 8; give a larger": lambda m: m.conv("image", 4, 4, 9, pads=[0] * 4),
    "padding 1 x 0 x 1 x 0; make it the same": lambda m: m.conv("image", 4, 4, 3, pads=[1, 0, 1, 0]),
    "has a padding below nought": lambda m: m.conv("image", 4, 4, 3, pads=[-1] * 4),
    "lie on its padding alone": lambda m: m.node("MaxPool", kernel_shape=[1, 1], pads=[1] * 4),
    "reads a map padded with 1; pad": lambda m: m.conv(
        m.node("Pad", "image", m.numbers(0, 0, 1, 1, 0, 0, 1, 1), m.numbers(1, kind=np.float32)), 4, 4, 3
    ),
    "pads channels or images": lambda m: m.node("Pad", "image", m.numbers(0, 1, 0, 0, 0, 0, 0, 0)),
    "pads by 'edge'": lambda m: m.node("Pad", "image", m.numbers(*[1] * 8), mode="edge"),
    "kernel 1 x 3; make it the same": lambda m: m.node("Conv", "image", m.weight(4, 4, 1, 3)),
    "computes its weights": lambda m: m.node("Conv", "image", m.node("Relu")),
    "a Gemm, computes its weights": lambda m: m.node(
        "Gemm", m.node("Flatten"), m.weight(256, 256), m.node("Relu", m.last)
    ),
    "a Conv, uses its weights a second time": lambda m: m.node("Conv", m.conv("image", 4, 4, 1), "w0"),
    "'t9', a Constant, is not valid": lambda m: (
        m.nodes.append(helper.make_node("Constant", [], ["t9"])),
        m.node("Add", "image", "t9"),
    ),
    "a Div, is not valid": lambda m: m.node("Div", "image", m.numbers(0.0, kind=np.float32)),
    "clips to -1.0 and 1.0; only from 0": lambda m: m.node(
        "Clip", "image", m.numbers(-1.0, kind=np.float32), m.numbers(1.0, kind=np.float32)
    ),
    "clips to 0 and 0; nothing": lambda m: m.node(
        "Clip", "image", m.numbers(0.0, kind=np.float32), m.numbers(0.0, kind=np.float32)
    ),
    "has constants of the shape .1, 4, 8, 8.": lambda m: m.node("Add", "image", m.weight(1, 4, 8, 8)),
    "multiplies by .0.5, 1.0. or turns": lambda m: m.node(
        "Gemm", m.node("Flatten"), m.weight(256, 5), alpha=0.5
    ),
    "read as a part of GELU only": lambda m: m.node("Erf"),
    "part of a function that cannot be read": lambda m: m.node("Relu", m.node("Softplus")),
    "read as a part of a group norm only": lambda m: m.node(
        "InstanceNormalization", "image", m.weight(4), m.weight(4)
    ),
    "takes more than a run of channels": lambda m: m.node(
        "Slice", "image", m.numbers(0, 0), m.numbers(2, 2), m.numbers(1, 2)
    ),
    "moves the batch": lambda m: m.node("Transpose", perm=[1, 0, 2, 3]),
    "keep the images apart": lambda m: m.node("Reshape", "image", m.numbers(4, 64)),
    "along axis 2; only channels": lambda m: m.node("Concat", "image", "image", axis=2),
    "only over height and width together": lambda m: m.node("ReduceMean", axes=[1]),
    "only flattening, groups": lambda m: m.node("Reshape", "image", m.numbers(1, 2, 2, 64)),
    "flatten it before": lambda m: m.node("Gemm", "image", m.weight(4, 4), m.weight(4)),
    "has weights for 250 features and reads 256": lambda m: m.node(
        "Gemm", m.node("Flatten"), m.weight(250, 4)
    ),
    "the ONNX file is not valid": lambda m: m.node("Concat", "image", "image"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_be_read_is_named_with_what_would_help(fault: str) -> None:
    made = Made()
    BAD[fault](made)
    with pytest.raises(NetworkError, match=fault) as caught:
        graph_of_onnx(made.model())
    assert "\n" not in str(caught.value)


def test_what_follows_from_shapes_is_a_constant() -> None:
    made = Made()
    x = made.conv("image", 4, 6, 3)
    half = made.node("Ceil", made.numbers(0.5, kind=np.float32))
    border, zero = (
        made.node("Cast", made.node("Unsqueeze", half, made.numbers(0)), to=TensorProto.INT64),
        made.numbers(0),
    )
    pads = made.node("Concat", zero, zero, border, border, zero, zero, border, border, axis=0)
    x = made.node("GlobalAveragePool", made.conv(made.node("Pad", x, pads), 6, 5, 3, pads=[0] * 4))
    batch = made.node("Slice", made.node("Shape", x), made.numbers(0), made.numbers(1))
    flat = made.node("Reshape", x, made.node("Concat", batch, made.numbers(-1), axis=0))
    made.node("Gemm", flat, made.weight(5, 2), made.weight(2))
    graph = graph_of_onnx(made.model())
    assert [op.shape for op in graph.ops] == [(6, 8, 8), (5, 8, 8), (5, 1, 1), (2,)]
    same_result(made.model(), graph)


def test_zeros_that_an_exporter_keeps_as_one_are_kernels_of_their_own() -> None:
    made = Made()
    made.weights["zeros"] = np.zeros((4, 4, 3, 3), np.float32)
    for _ in range(2):
        x = made.node("Conv", made.last, "zeros", made.weight(4), pads=[1] * 4)
    made.node("Relu", x)
    graph = graph_of_onnx(made.model())
    assert graph_cost(graph).params == 2 * (144 + 4)
    same_result(made.model(), graph)


def test_any_clip_from_zero_is_read() -> None:
    made = Made()
    least, most = made.numbers(0.0, kind=np.float32), made.numbers(2.5, kind=np.float32)
    x = made.node("Clip", made.conv("image", 4, 6, 3), least, most)
    made.node("Mul", x, made.node("HardSigmoid", made.conv(x, 6, 6, 1), alpha=0.2))
    same_result(made.model(), graph_of_onnx(made.model()))


def test_values_taken_in_their_order_are_a_reshape() -> None:
    made = Made()
    row = made.node("Reshape", made.node("GlobalAveragePool", made.conv("image", 4, 3, 3)), made.numbers(-1))
    made.weights["order"] = np.arange(3).reshape(1, 3, 1, 1)
    made.node("Relu", made.node("Gather", row, "order", axis=0))
    same_result(made.model(), graph_of_onnx(made.model()))
    made.weights["order"] = np.array([2, 1, 0]).reshape(1, 3, 1, 1)
    with pytest.raises(NetworkError, match="takes places one by one"):
        graph_of_onnx(made.model())


def test_a_weight_without_extents_is_one_sentence() -> None:
    model = everything().model()
    weight = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == weight)
    tensor.CopyFrom(numpy_helper.from_array(np.float32(1), weight))
    with pytest.raises(NetworkError, match=r"a Conv, is not valid .*; export it again"):
        graph_of_onnx(model)


def test_equal_vectors_that_a_file_keeps_as_one_are_read() -> None:
    made = Made()
    shared = made.weight(4)
    for x in ("image", "t0"):
        made.node("Conv", x, made.weight(4, 4, 1, 1), shared)
    assert graph_cost(graph_of_onnx(made.model())).params == 2 * (16 + 4)


def test_several_inputs_are_refused() -> None:
    model = everything().model()
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(NetworkError, match="2 inputs and 1 outputs; it must have one of each"):
        graph_of_onnx(model)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_text("garbage")
    with pytest.raises(NetworkError, match=r"bad\.onnx is not an ONNX file"):
        graph_of_onnx(tmp_path / "bad.onnx")
    with pytest.raises(UserError, match=r"none\.onnx cannot be read"):
        graph_of_onnx(tmp_path / "none.onnx")
