"""ONNX files with nodes that cannot be read: what they cost follows from shapes and constants."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from operation_graphs import GRAPHS, build, drawn
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.networks.model_file import FileSubject
from zenbench.bench.networks.onnx_graph import graph_of_onnx
from zenbench.errors import NetworkError
from zenbench.zen.cost import graph_cost
from zenbench.zen.graph import Graph, Shape

Extents = Sequence[int | str]


def weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.arange(prod(shape), dtype=np.float32).reshape(shape), name)


def integers(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model(
    nodes: Sequence[tuple[str, str, str] | onnx.NodeProto],
    constants: Sequence[onnx.TensorProto] = (),
    inputs: dict[str, Extents] | None = None,
    outputs: Sequence[str] = ("y",),
) -> onnx.ModelProto:
    """A file of nodes, each a node or (kind, inputs, outputs) with names parted by blanks."""
    made = [
        node
        if isinstance(node, onnx.NodeProto)
        else helper.make_node(node[0], node[1].split(), node[2].split())
        for node in nodes
    ]
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, extents)
        for name, extents in (inputs or {"x": (1, 4, 8, 8)}).items()
    ]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in outputs]
    graph = helper.make_graph(made, "g", given, results, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


Price = tuple[str, Shape, int, int]


def priced(of: onnx.ModelProto, shape: Shape | None = None) -> tuple[Graph, list[Price]]:
    """The graph, and kind, shape, MACs and parameters of what is priced in it."""
    graph = graph_of_onnx(of, shape, prices=True)
    assert len({op.name for op in graph.ops}) == len(graph.ops)
    return graph, [(op.kind, op.shape, op.macs, op.params) for op in graph.priced]


@pytest.mark.parametrize("name", GRAPHS)
def test_what_can_be_read_is_read(name: str, tmp_path: Any) -> None:
    graph = build(GRAPHS[name]).graph()
    path = write_onnx(graph, state_arrays(drawn(graph)), tmp_path / "g.onnx").path
    assert graph_of_onnx(path, prices=True) == graph_of_onnx(path)


ALONE: dict[str, tuple[onnx.ModelProto, Price]] = {
    "oblong kernel": (
        model(
            [helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[0, 3, 0, 3])],
            [weight("w", 6, 4, 1, 7), weight("b", 6)],
        ),
        ("Conv", (6, 8, 8), 6 * 64 * 4 * 7, 6 * 4 * 7 + 6),
    ),
    "transposed": (
        model(
            [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])], [weight("w", 4, 6, 2, 2)]
        ),
        ("ConvTranspose", (6, 16, 16), 4 * 64 * 6 * 4, 96),
    ),
    "resized": (
        model([helper.make_node("Resize", ["x", "", "", "sizes"], ["y"])], [integers("sizes", 1, 4, 16, 16)]),
        ("Resize", (4, 16, 16), 0, 0),
    ),
    "two axes": (
        model([helper.make_node("Einsum", ["x", "x"], ["y"], equation="nchw,ndhw->ncd")]),
        ("Einsum", (4, 4), 4 * 4 * 64, 0),
    ),
    "matrices of the image": (model([("MatMul", "x x", "y")]), ("MatMul", (4, 8, 8), 4 * 8**3, 0)),
    "place": (model([("Add", "x w", "y")], [weight("w", 1, 1, 8, 8)]), ("Add", (4, 8, 8), 0, 64)),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_node_that_cannot_be_read_has_a_price(name: str) -> None:
    of, wanted = ALONE[name]
    assert priced(of)[1] == [wanted]


def test_a_recurrent_layer_costs_its_matrices_at_every_step() -> None:
    of = model(
        [
            helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0, 2]),
            helper.make_node("LSTM", ["steps", "w", "r"], ["y", "", "cell"], hidden_size=3),
        ],
        [weight("w", 1, 12, 6), weight("r", 1, 12, 3)],
        {"x": (1, 5, 6)},
    )
    wanted = [("LSTM", (5, 1, 1, 3), 5 * 12 * 9, 12 * 9)]
    assert priced(of)[1][1:] == wanted
    of.graph.node[1].input.extend(["", "", "before", "before"])
    of.graph.initializer.append(weight("before", 1, 1, 3))
    assert priced(of)[1][1:] == wanted


def test_attention_costs_all_steps_that_it_looks_back_on() -> None:
    named = ["q", "q", "q", "", "before", "before"]
    of = model(
        [helper.make_node("Attention", named, ["y", "a", "b"])],
        inputs={"q": (1, 2, 5, 6), "before": (1, 2, 7, 6)},
    )
    of.opset_import[0].version = 23
    assert graph_cost(priced(of)[0]).macs == 2 * 2 * 5 * 6 * 12


def test_a_deformed_convolution_costs_its_kernel() -> None:
    of = model(
        [
            helper.make_node("Concat", ["x"] * 9, ["offset"], axis=1),
            helper.make_node("DeformConv", ["x", "w", "offset"], ["y"], pads=[1] * 4),
        ],
        [weight("w", 6, 2, 3, 3)],
        {"x": (1, 2, 8, 8)},
    )
    of.opset_import[0].version = 19
    assert priced(of)[1] == [("DeformConv", (6, 8, 8), 6 * 64 * 2 * 9, 6 * 2 * 9)]


def test_weights_that_are_stored_as_integers_are_parameters() -> None:
    of = model(
        [
            ("DynamicQuantizeLinear", "x", "a scale zero"),
            ("MatMulInteger", "a w zero", "b"),
            helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT),
        ],
        [numpy_helper.from_array(np.ones((8, 5), np.int8), "w")],
    )
    cost = graph_cost(priced(of)[0])
    assert (cost.macs, cost.params) == (4 * 8 * 8 * 5, 8 * 5)


def test_functions_of_the_file_cost_what_is_in_them() -> None:
    of = model([helper.make_node("layer", ["x", "w"], ["y"], domain="own")], [weight("w", 8, 5)])
    inner = [helper.make_node("MatMul", ["a", "b"], ["c"])]
    opsets = [helper.make_opsetid("", 18)]
    of.functions.append(helper.make_function("own", "layer", ["a", "b"], ["c"], inner, opsets))
    of.opset_import.append(helper.make_opsetid("own", 1))
    assert graph_cost(priced(of)[0]).macs == 4 * 8 * 8 * 5


def test_a_convolution_of_other_channels_is_refused() -> None:
    of = model([("Conv", "x w", "y")], [weight("w", 6, 7, 3, 3)])
    with pytest.raises(NetworkError, match="has weights for 7 channels and reads 4"):
        priced(of)


def test_a_number_is_an_input(tmp_path: Path) -> None:
    path = tmp_path / "number.onnx"
    onnx.save(model([("Relu", "x", "y")], inputs={"x": ()}), str(path))
    found = FileSubject.read(path).as_network()
    assert found.digest and found.resolution == found.classes == 1


def test_a_constant_without_a_value_is_one_sentence() -> None:
    of = model([helper.make_node("Constant", [], ["c"]), ("Add", "x c", "y")])
    with pytest.raises(NetworkError, match="'c', a Constant, is not valid"):
        priced(of)


def test_several_outputs_and_inputs_are_told_apart() -> None:
    of = model(
        [
            helper.make_node("Split", ["x"], ["a", "b"], axis=2, num_outputs=2),
            ("MatMul", "a state", "c"),
            ("Relu", "b", "d"),
        ],
        inputs={"x": (1, 4, 8, 8), "state": (8, 5)},
        outputs=("c", "d"),
    )
    graph, found = priced(of)
    assert [kind for kind, *_ in found] == ["input", "Split", "Split", "MatMul", "outputs"]
    assert graph_cost(graph).macs == 4 * 4 * 8 * 5
    assert graph.ops[-1].inputs == ("MatMul1", "relu1")


def test_shapes_that_the_file_computes_and_free_extents_are_followed() -> None:
    of = model(
        [
            ("Shape", "x", "extents"),
            helper.make_node("Gather", ["extents", "first"], ["batch"]),
            ("Concat", "batch rest", "target"),
            ("Reshape", "x target", "rows"),
            ("MatMul", "rows w", "y"),
        ],
        [integers("first", 0), integers("rest", 16, -1), weight("w", 16, 5)],
        {"x": ("batch", 4, "height", "width")},
    )
    of.graph.node[2].attribute.append(helper.make_attribute("axis", 0))
    assert priced(of, (4, 8, 8))[1] == [("Reshape", (16, 16), 0, 0), ("MatMul", (16, 5), 16 * 16 * 5, 80)]
    with pytest.raises(NetworkError, match="'x' has no fixed shape"):
        priced(of)


def test_what_is_half_of_something_else_is_priced_when_it_is_read_by_itself() -> None:
    of = model([("Softplus", "x", "a"), ("Erf", "a", "y")])
    assert [kind for kind, *_ in priced(of)[1]] == ["Softplus", "Erf"]


def test_shared_kernels_count_once_and_statistics_never() -> None:
    twice = model([("MatMul", "x w", "a"), ("MatMul", "a w", "y")], [weight("w", 8, 8)])
    assert [(macs, params) for *_, macs, params in priced(twice)[1]] == [(2048, 64), (2048, 0)]
    layers = model(
        [("Conv", "x w b", "a"), ("Conv", "a w b", "c"), ("Conv", "c v b", "y")],
        [weight("w", 4, 4, 1, 1), weight("v", 4, 4, 1, 1), weight("b", 4)],
    )
    assert graph_cost(priced(layers)[0]).params == 2 * (16 + 4)
    norm = model(
        [("BatchNormalization", "x a b c d", "y")], [weight(name, 4) for name in "abcd"], {"x": (1, 4, 8)}
    )
    assert priced(norm)[1] == [("BatchNormalization", (4, 8), 0, 8)]


@pytest.mark.parametrize("place", ["", "head"])
def test_a_file_that_branches_says_so(place: str) -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])],
        "b",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    node = helper.make_node("If", ["c"], ["y"], name=place, then_branch=branch, else_branch=branch)
    of = model([node], [numpy_helper.from_array(np.array(True), "c")])
    with pytest.raises(NetworkError, match=f"'{place or 'y'}', an If, branches"):
        priced(of)


def test_what_has_no_shape_is_named() -> None:
    of = model([("NonZero", "x", "a"), ("Cast", "a", "y")])
    of.graph.node[1].attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
    with pytest.raises(NetworkError, match="a NonZero, has no fixed shape"):
        priced(of)
