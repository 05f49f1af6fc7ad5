"""Outlines: what is read off one is what is read off the graph itself."""

import random

import pytest
from zenbench.latency_tables.op_features import boundary_bytes, graph_ops, timed_ops
from zenbench.zen.cost import graph_cost, workload_counts
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.outline import MARKS, evaluate, outline, polynomial
from zenbench.zen.random_networks import random_network
from zenbench.zen.space import spaces
from zenbench.zen.units.plain import ResidualUnit
from zenbench.zen.workload import Workload

NETWORKS = [
    *(
        random_network(space, resolution, 10, random.Random(resolution))
        for space in spaces().values()
        for resolution in (32, 224)
    ),
    *map(zoo, ("zennet-0.1ms", "efficientnet-b0", "resnet-18", "mobilenetv2-1.0")),
]


@pytest.mark.parametrize("network", NETWORKS)
def test_counts_and_operations_are_those_of_the_graph(network: Network) -> None:
    for workload in network.workloads():
        graph = workload.graph()
        counted = graph_cost(graph)
        assert workload_counts(workload) == (counted.macs, counted.params)
        assert tuple(timed_ops(workload)) == graph_ops(graph)
        values = [shape[0] * shape[1] * shape[2] for shape in (graph.input_shape,)]
        values.append(graph.output_shape[0] * (graph.output_shape[-1] ** 2 if graph.output_shape[1:] else 1))
        assert boundary_bytes(workload) == 4 * sum(values)


def test_units_that_differ_in_widths_alone_share_an_outline() -> None:
    def unit(hidden: int, kernel: int) -> Workload:
        return Workload(ResidualUnit("bottleneck", kernel, 24, hidden, 48, 1, projection=True), 16)

    (first, widths), (second, _), (other, _) = outline(unit(8, 3)), outline(unit(16, 3)), outline(unit(8, 5))
    assert first is second and first is not other
    assert widths == (24, 8, 48)


def test_rounded_widths_are_not_left_open() -> None:
    unit = ResidualUnit("inverted", 3, 24, 49, 24, 1, projection=False, squeeze_excite=True)
    found, widths = outline(Workload(unit, 8))
    assert widths == () and found.graph == Workload(unit, 8).graph()


def test_a_polynomial_is_read_off_its_value_at_the_marks() -> None:
    a, b, c = MARKS
    count = 7 + 3 * b + 5 * a * a + 2**40 * b * c + 11 * c * c
    assert evaluate(polynomial(count), (1, 2, 3, 5)) == 7 + 9 + 20 + 2**40 * 15 + 275
