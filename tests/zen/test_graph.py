from itertools import pairwise

import pytest
import torch
from zenbench.zen.families import zennets, zoo, zoo_names
from zenbench.zen.graph import INPUT, Add, Conv, Graph, Linear, Multiply
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import GraphModule


def gated_residual() -> Graph:
    builder = GraphBuilder((4, 9, 9))
    x = builder.activation(builder.batch_norm(builder.conv(INPUT, 6, 3, stride=2)), "relu")
    y = builder.batch_norm(builder.conv(x, 6, 5, groups=6))
    gate = builder.activation(builder.conv(builder.global_average_pool(y), 6, 1), "sigmoid")
    shortcut = builder.conv(INPUT, 6, 1, stride=2, bias=True)
    x = builder.activation(builder.add(builder.multiply(y, gate), shortcut), "relu")
    builder.linear(builder.global_average_pool(x), 10)
    return builder.graph()


def test_the_builder_numbers_names_and_keeps_shapes() -> None:
    graph = gated_residual()
    assert [op.name for op in graph.ops if isinstance(op, Conv)] == ["conv1", "conv2", "conv3", "conv4"]
    assert graph.shape_of(INPUT) == (4, 9, 9)
    assert graph.shape_of("conv1") == (6, 5, 5)
    assert graph.shape_of("pool1") == (6, 1, 1)
    assert (graph.output, graph.output_shape) == ("linear1", (10,))
    assert isinstance(graph.ops[-1], Linear)
    assert graph.ops[-1].in_features == 6


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_convolution_shapes_are_those_of_torch(kernel: int, stride: int, size: int) -> None:
    builder = GraphBuilder((2, size, size))
    builder.conv(INPUT, 3, kernel, stride)
    graph = builder.graph()
    with torch.device("meta"):
        assert GraphModule(graph)(torch.empty(1, 2, size, size)).shape[1:] == graph.output_shape


def test_a_trunk_drops_gates_and_shortcuts_and_what_fed_them() -> None:
    trunk = gated_residual().trunk()
    assert [op.name for op in trunk.ops] == [
        "conv1",
        "bn1",
        "relu1",
        "conv2",
        "bn2",
        "relu2",
        "pool2",
        "linear1",
    ]


@pytest.mark.parametrize("name", zennets.names())
def test_the_trunk_of_a_zennet_is_one_chain_from_input_to_output(name: str) -> None:
    graph = zoo(name).graph()
    trunk = graph.trunk()
    assert not any(isinstance(op, Add | Multiply) for op in trunk.ops)
    assert trunk.ops[0].inputs == (INPUT,)
    assert all(after.inputs == (before.name,) for before, after in pairwise(trunk.ops))
    assert (trunk.output, trunk.output_shape) == (graph.output, graph.output_shape)


@pytest.mark.parametrize("name", zoo_names())
def test_the_graph_of_a_known_network_is_in_order_under_distinct_names(name: str) -> None:
    known = {INPUT}
    for op in zoo(name).graph().ops:
        assert known.issuperset(op.inputs)
        assert op.name not in known
        known.add(op.name)
