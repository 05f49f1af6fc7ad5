"""Networks that are graphs of their own, and the pieces they are cut into."""

from __future__ import annotations

from dataclasses import replace

import pytest
from zenbench.errors import NetworkError
from zenbench.zen.cost import cost, graph_cost, workload_cost
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.graph_network import GraphNetwork
from zenbench.zen.importing.read_graph import ReadGraph
from zenbench.zen.units.piece import PieceUnit
from zenbench.zen.units.plain import HeadUnit
from zenbench.zen.workload import Workload


def network_of(builder: GraphBuilder) -> GraphNetwork:
    return GraphNetwork("own", ReadGraph(builder.graph(), {}))


def everything() -> GraphNetwork:
    """One of every operation that a piece can spell."""
    b = GraphBuilder((3, 16, 16))
    x = b.activation(b.batch_norm(b.conv(INPUT, 8, 3, 2, bias=True, padding=(0, 0, 1, 1))), "leaky-relu", 0.1)
    y = b.layer_norm(b.conv(x, 8, 2, groups=8, padding=(0, 0, 1, 1)))
    y = b.channel_shift(b.channel_scale(b.affine(y, 0.5, -1e-7)), is_single=True)
    x = b.add(b.group_norm(y, 2), x)
    gate = b.activation(b.conv(b.global_average_pool(x), 8, 1), "sigmoid")
    x = b.channel_shuffle(b.multiply(x, gate), 2)
    x = b.concat([b.slice(x, 2, 4), b.sum([x, b.group_softmax(x, 4)])])
    x = b.pool(x, "average", 3, 2, (1, 1, 1, 1), counts_padding=True)
    x = b.unflatten(b.activation(b.linear(b.global_average_pool(x), 6), "gelu"))
    b.linear(b.conv(x, 4, 1), 5, bias=False)
    return network_of(b)


NETWORKS = {
    "everything": everything(),
    **{
        name: GraphNetwork(name, ReadGraph(replace(zoo(name), resolution=64).graph(), {}))
        for name in ("resnet-18", "mobilenetv2-0.5", "densenet-121", "efficientnet-b0", "resnest-50")
    },
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_pieces_are_the_network(network: GraphNetwork) -> None:
    pieces, whole = [workload_cost(one) for one in network.workloads()], graph_cost(network.graph())
    assert sum(one.macs for one in pieces) == whole.macs == cost(network).macs
    assert sum(one.params for one in pieces) == whole.params == cost(network).params
    assert max(one.peak_activation_bytes for one in pieces) == whole.peak_activation_bytes
    shape = network.graph().input_shape
    for one in network.workloads():
        graph = one.graph()
        assert graph.input_shape == shape and Workload.parse(str(one)) == one
        shape = graph.output_shape
        assert one.output_size == shape[-1] or len(shape) == 1
    assert shape == network.graph().output_shape


@pytest.mark.parametrize("name", ["resnet-18", "mobilenetv2-0.5", "efficientnet-b0"])
def test_layers_are_those_of_the_known_network(name: str) -> None:
    own = zoo(name)
    network = GraphNetwork(name, ReadGraph(own.graph(), {}))
    assert network.layers == own.layers
    assert (network.resolution, network.classes) == (own.resolution, own.classes)


def test_it_is_cut_where_one_map_is_all_that_goes_on() -> None:
    b = GraphBuilder((3, 8, 8))
    stem = b.activation(b.batch_norm(b.conv(INPUT, 4, 3)), "relu")
    b.linear(b.global_average_pool(b.add(b.conv(b.conv(stem, 4, 3), 4, 3), stem)), 10)
    stem_unit, residual, head = network_of(b).blocks
    assert isinstance(stem_unit, PieceUnit) and stem_unit.ops.count(";") == 2
    assert isinstance(residual, PieceUnit) and residual.label == "2 conv 3x3, 4>4"
    assert head == HeadUnit(4, 10)


def test_the_digest_is_that_of_the_operations_or_of_the_file() -> None:
    first, second = everything(), everything()
    assert first.digest == replace(second, name="other").digest
    assert len({one.digest for one in NETWORKS.values()}) == len(NETWORKS)
    assert replace(first, file_digest="file:1").digest == "file:1"


@pytest.mark.parametrize(
    "ops",
    ["", "conv", "conv::1", "sew::", "bn:x:", "add:0:", "act::relu7/0", "conv::8/3/1/1/0/1.1/1"],
)
def test_a_text_that_spells_no_operations(ops: str) -> None:
    with pytest.raises(NetworkError, match="spells no operations"):
        Workload.parse(f"piece(in_channels=4,out_channels=4,ops={ops})@8")


@pytest.mark.parametrize(
    ("ops", "reason"),
    [
        ("conv::4/1/1/0/0/0.0.0.0/1", "the number 0 where 1 to"),
        ("conv::4/1/1/3/0/0.0.0.0/1", "3 groups of 4 and 4 channels"),
        ("conv::4/1/0/1/0/0.0.0.0/1", "the number 0 where 1 to 65,536"),
        ("conv::4/1/1/1/0/0.0.0.0/0", "the number 0 where 1 to 65,536"),
        ("conv::4/1/1/1/0/-1.0.0.0/1", "the number -1 where 0 to 65,536"),
        ("conv::4/99999/1/1/0/60000.60000.60000.60000/1", "the number 99999 where 1 to 65,536"),
        (f"conv::{'9' * 999}/1/1/1/0/0.0.0.0/1", "the number 9{20} where"),
        ("conv::5/1/1/1/0/0.0.0.0/1", "makes 5 channels, not 4"),
        ("pool::max/0/1/0.0.0.0/0", "the number 0 where 1 to"),
        ("shuffle::3", "3 groups of 4 channels"),
        ("gn::0", "the number 0"),
        ("softmax::0", "the number 0"),
        ("slice::-1/4", "the number -1"),
        ("sum:0+-1:", "the number -1 where 0 to 0"),
        ("sum:0+1:", "the number 1 where 0 to 0"),
        ("act::leaky-relu/nan", "the number nan; it must be finite"),
        ("affine::1e999/0", "the number inf; it must be finite"),
        ("priced::x/-5/1/4.8.8/0", "the number -5"),
        ("priced::x/5/-1/4.8.8/0", "the number -1"),
        (";".join(["bn::"] * 4097), "4,097 operations; tables hold no more than 4,096"),
    ],
)
def test_a_text_whose_numbers_make_no_sense(ops: str, reason: str) -> None:
    with pytest.raises(NetworkError, match=reason):
        Workload.parse(f"piece(in_channels=4,out_channels=4,ops={ops})@8")


def test_a_key_is_checked_on_the_map_of_its_size() -> None:
    key = "piece(in_channels=4,out_channels=4,ops=pool::max/100/1/0.0.0.0/0)"
    assert Workload.parse(f"{key}@224").output_size == 125
    with pytest.raises(NetworkError, match="its windows do not fit a map of 8"):
        Workload.parse(f"{key}@8")


def test_a_network_of_one_number_has_a_digest() -> None:
    for given in ((4, 8, 8), ()):
        builder = GraphBuilder(given)
        builder.priced("mean", [INPUT], (), 0, 0, False)
        network = GraphNetwork("net", ReadGraph(builder.graph(), {}))
        assert network.digest and network.resolution == (8 if given else 1)
