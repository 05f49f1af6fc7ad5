from dataclasses import replace
from math import log

import pytest
import torch
from torch.nn import functional
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import Conv, Graph, Op
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies.entropy import entropy, stage_entropies

BACKBONE = "SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,1)SuperResIDWE2K5(16,32,2,16,2)" + (
    "SuperResK1K3K1(32,64,2,16,1)SuperResK1K3K1(64,96,2,32,1)"
)


def backbone(text: str = BACKBONE, resolution: int = 64) -> Network:
    return parse_text(text, resolution, classes=10)


def test_a_score_is_one_c3_one_c4_and_six_c5() -> None:
    stages = stage_entropies(backbone().graph())
    assert list(stages) == [1, 2, 3, 4, 5]
    score = entropy(backbone().graph())
    assert (score.value, score.std) == (stages[3] + stages[4] + 6 * stages[5], 0)


def test_a_stages_entropy_is_the_sum_of_its_fan_ins() -> None:
    stages = stage_entropies(backbone().graph())
    stem, basic = 9 * 3, (9 * 8) * (9 * 8)
    assert stages[1] == pytest.approx(log(8) + 0.5 * log(stem))
    assert stages[2] == pytest.approx(log(16) + 0.5 * log(stem * basic))


def test_a_stages_entropy_is_the_spread_of_drawn_maps() -> None:
    """Of linear 1x1 layers, on which no padding eats, an actual map has the predicted spread."""
    graph = parse_text("SuperConvK1BNRELU(3,128,2,1)SuperConvK1BNRELU(128,128,2,2)", 64).graph()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, 64, 64, generator=generator)
    for op in graph.ops:
        if isinstance(op, Conv):
            weight = torch.randn(op.out_channels, op.in_channels, 1, 1, generator=generator)
            x = functional.conv2d(x, weight, stride=op.stride)
    assert stage_entropies(graph)[2] == pytest.approx(log(128) + x.std().log().item(), abs=0.2)


def test_shortcuts_and_gates_do_not_count() -> None:
    network = replace(zoo("zennet-400m-se"), resolution=64)
    bare = replace(network, squeeze_excite=False)
    assert entropy(network.graph()).value == entropy(bare.graph()).value


def test_a_depthwise_convolution_counts_one_channel() -> None:
    graph = backbone().graph()
    ops = tuple(replace(op, groups=1) if isinstance(op, Conv) else op for op in graph.ops)
    grouped = [op for op in graph.trunk().ops if isinstance(op, Conv) and op.groups > 1]
    dense = stage_entropies(Graph(graph.input_shape, ops))
    assert grouped
    assert dense[5] - stage_entropies(graph)[5] == pytest.approx(sum(0.5 * log(op.groups) for op in grouped))


def test_the_last_stage_weighs_most() -> None:
    base = entropy(backbone().graph()).value
    deeper_c4 = entropy(backbone(BACKBONE.replace("64,2,16,1", "64,2,16,2")).graph()).value
    deeper_c5 = entropy(backbone(BACKBONE.replace("96,2,32,1", "96,2,32,2")).graph()).value
    assert base < deeper_c4
    assert base < deeper_c5


def test_a_network_without_the_three_strides_is_refused() -> None:
    shallow = parse_text("SuperConvK3BNRELU(3,8,2,1)SuperConvK3BNRELU(8,8,2,1)SuperConvK3BNRELU(8,8,2,1)", 64)
    with pytest.raises(UserError, match="no map at stride 16 or 32, but entropy scores detection backbones"):
        entropy(shallow.graph())


def test_branches_are_refused() -> None:
    builder = GraphBuilder((3, 64, 64))
    stem = builder.conv("input", 8, 3, 2)
    branches = builder.conv(stem, 8, 3), builder.conv(stem, 8, 3)
    join = Op("join", branches, builder.shape(stem))
    with pytest.raises(UserError, match="defined for a chain of layers, but 'conv3' is on a branch"):
        stage_entropies(Graph((3, 64, 64), (*builder.graph().ops, join)))
