"""NAS-Bench-201: its cells, what they cost, and what of them is alive."""

import json
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional
from zenbench.errors import NetworkError
from zenbench.zen.cost import cost, graph_cost
from zenbench.zen.families.nas_bench_201 import cell_network, cell_text
from zenbench.zen.graph import Conv, Pool
from zenbench.zen.module import build_module, initialise
from zenbench.zen.network import from_json
from zenbench.zen.units import unit_from_text
from zenbench.zen.units.cell import CELL_EDGES, CELL_OPS, CellUnit
from zenbench.zen.workload import Workload

MIXED = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
cell_ops = st.tuples(*[st.sampled_from(CELL_OPS)] * len(CELL_EDGES))


@pytest.mark.parametrize(
    ("op", "params", "macs"),
    [("nor_conv_3x3", 1.53143e6, 220.12e6), ("skip_connect", 73_306, 7.78e6)],
)
def test_networks_cost_what_the_benchmark_says(op: str, params: float, macs: float) -> None:
    found = cost(cell_network(cell_text((op,) * 6)))
    assert found.params == pytest.approx(params, rel=1e-3)
    assert found.macs == pytest.approx(macs, rel=1e-3)


def test_a_network_is_called_by_its_cell_and_round_trips() -> None:
    network = cell_network(f" {MIXED}\n")
    assert str(network) == MIXED
    assert (network.resolution, network.classes) == (32, 10)
    again = from_json(json.loads(json.dumps(network.to_json())))
    assert again == network and again.digest == network.digest
    for workload in network.workloads():
        assert Workload.parse(str(workload)) == workload


@given(cell_ops)
def test_any_cell_lowers_to_what_its_string_computes(ops: tuple[str, ...]) -> None:
    unit = CellUnit(".".join(ops), 4)
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    # Nodes by the string alone, convolutions taken for a sign that a value came through.
    nodes: list[Tensor] = [x]
    for target in (1, 2, 3):
        given_ops = [(s, op) for (s, t), op in zip(CELL_EDGES, ops, strict=True) if t == target]
        nodes.append(sum((_stand_in(op, nodes[s]) for s, op in given_ops), torch.zeros_like(x)))
    alive = bool(nodes[3].abs().sum() > 0)
    assert bool(unit.live()) == alive
    if not alive or unit.is_identity:
        assert not alive or torch.equal(nodes[3], x)
        with pytest.raises(NetworkError, match=r"passes nothing from|hands its input on"):
            unit.check()
        return
    graph = Workload(unit, 5).graph()
    needed = {name for op in graph.ops for name in op.inputs} | {graph.output}
    assert all(op.name in needed for op in graph.ops), "nothing dead is left"
    if not any(isinstance(op, Conv) for op in graph.ops):
        with torch.no_grad():
            assert torch.allclose(build_module(graph)(x), nodes[3], atol=1e-5)


def _stand_in(op: str, x: Tensor) -> Tensor:
    match op:
        case "none":
            return torch.zeros_like(x)
        case "avg_pool_3x3":
            return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        case _:
            return x


def test_a_cell_that_hands_its_input_on_is_left_out() -> None:
    network = cell_network("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    assert not any(isinstance(block, CellUnit) for block in network.blocks)
    assert network.graph().output_shape == (10,)
    assert cost(network).params == 73_306


def test_dead_operations_cost_nothing() -> None:
    live = cell_network("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    dead = cell_network("|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|nor_conv_1x1~2|")
    assert graph_cost(live.graph()) == graph_cost(dead.graph())


def test_layers_are_those_of_the_longest_way() -> None:
    assert CellUnit(".".join(["nor_conv_3x3"] * 6), 16).layers == 3
    assert CellUnit("none.nor_conv_3x3.nor_conv_3x3.skip_connect.none.nor_conv_1x1", 16).layers == 2


def test_a_network_runs() -> None:
    module = initialise(cell_network(MIXED, resolution=8).graph())
    with torch.no_grad():
        assert torch.isfinite(module(torch.randn(2, 3, 8, 8))).all()
    assert sum(isinstance(op, Pool) for op in module.graph.ops) == 17


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("|none~0|", "no cell of NAS-Bench-201, which reads"),
        (MIXED.replace("~2", "~3"), "no cell of NAS-Bench-201"),
        (MIXED.replace("nor_conv_1x1", "conv_5x5"), "no operation 'conv_5x5'; known are none, skip"),
        (cell_text(("none",) * 6), "passes nothing from its input to its output"),
        (cell_text(("none", "none", *["nor_conv_3x3"], "none", "nor_conv_1x1", "skip_connect")), "nothing"),
    ],
)
def test_what_is_no_cell_is_refused(text: str, fault: str) -> None:
    with pytest.raises(NetworkError, match=fault):
        cell_network(text)


def test_a_unit_with_too_few_operations_is_refused() -> None:
    with pytest.raises(NetworkError, match="a cell has 6 operations, not 2"):
        unit_from_text("cell(ops=none.none,channels=16)")


def test_every_cell_of_the_space_is_read_or_refused_with_its_reason() -> None:
    refused = 0
    for ops in product(CELL_OPS[:3], repeat=6):
        try:
            assert str(cell_network(cell_text(ops))) == cell_text(ops)
        except NetworkError as error:
            assert "passes nothing" in str(error)
            refused += 1
    assert 0 < refused < 100
