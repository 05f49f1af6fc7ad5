import pytest
import torch
from operation_graphs import GRAPHS, build
from torch.utils.flop_counter import FlopCounterMode
from zenbench.zen.cost import cost, graph_cost
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.graph import Graph
from zenbench.zen.module import GraphModule, build_module
from zenbench.zen.network import Network, parse_blocks, parse_text
from zenbench.zen.units.plain import ConvUnit, HeadUnit, ResidualUnit
from zenbench.zen.workload import Workload

BLOCKS = [
    *(f"SuperConvK{k}BNRELU(8,24,{{stride}},2)" for k in (1, 3, 5, 7)),
    *(f"SuperResK{k}K{k}(8,24,{{stride}},16,2)" for k in (3, 5, 7)),
    *(f"SuperResK1K{k}K1(8,24,{{stride}},16,2)" for k in (3, 5, 7)),
    *(f"SuperResIDWE{e}K{k}(8,24,{{stride}},12,2)" for e in (1, 2, 4, 6) for k in (3, 5, 7)),
]


def counted_by_torch(graph: Graph) -> tuple[int, int]:
    """MACs and parameters of the graph's module, without computing anything."""
    with torch.device("meta"):
        module = GraphModule(graph).eval()
        with FlopCounterMode(display=False) as counter:
            module(torch.empty(1, *graph.input_shape))
    return counter.get_total_flops() // 2, sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("squeeze_excite", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_costs_what_torch_counts(block: str, stride: int, squeeze_excite: bool) -> None:
    text = f"SuperConvK3BNRELU(3,8,1,1){block.format(stride=stride)}"
    network = Network(parse_blocks(text), resolution=15, classes=10, squeeze_excite=squeeze_excite)
    counted = cost(network)
    assert (counted.macs, counted.params) == counted_by_torch(network.graph())


@pytest.mark.parametrize("name", zoo_names())
def test_every_known_network_costs_what_torch_counts(name: str) -> None:
    counted = cost(zoo(name))
    assert (counted.macs, counted.params) == counted_by_torch(zoo(name).graph())


@pytest.mark.parametrize("name", zoo_names())
def test_workloads_add_up_to_the_network(name: str) -> None:
    whole, parts = graph_cost(zoo(name).graph()), cost(zoo(name))
    assert (whole.macs, whole.params) == (parts.macs, parts.params)
    assert whole.peak_activation_bytes == parts.peak_activation_bytes


@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_costs_what_torch_counts(name: str) -> None:
    graph = build(GRAPHS[name]).graph()
    counted = graph_cost(graph)
    assert (counted.macs, counted.params) == counted_by_torch(graph)


def test_the_built_module_has_the_counted_parameters() -> None:
    network = zoo("zennet-cifar-1m")
    module = build_module(network.graph())
    assert sum(parameter.numel() for parameter in module.parameters()) == cost(network).params == 1_040_844


def test_layers_are_counted_by_block() -> None:
    assert cost(parse_text("SuperConvK3BNRELU(3,8,1,2)SuperResK3K3(8,8,1,8,3)")).layers == 5


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        # input 4 and output 8 channels of 6 x 6; norm and rectifier work in place
        (ConvUnit(3, 4, 8, 1), (4 + 8) * 36),
        # the shortcut lives on beside a convolution's input and output
        (ResidualUnit("basic", 3, 8, 8, 8, 1, False), 3 * 8 * 36),
        # the widest moment: input, and hidden before and after the depthwise convolution
        (ResidualUnit("inverted", 3, 8, 48, 8, 1, False), (8 + 48 + 48) * 36),
        # strided: the input is held for the projection while the trunk is on the small map
        (ResidualUnit("basic", 3, 8, 8, 8, 2, True), 8 * 36 + 2 * 8 * 9),
        (HeadUnit(8, 10), 8 * 36 + 8),
    ],
)
def test_peak_memory_counts_what_is_alive_together(unit: ConvUnit, values: int) -> None:
    assert graph_cost(Workload(unit, 6).graph()).peak_activation_bytes == 4 * values
