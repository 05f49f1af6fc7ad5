"""The published networks' shapes are those of the networks, wherever a network can be built."""

from fractions import Fraction
from math import ceil, exp, log

import pytest
from zenbench.zen.blocks import Block
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo_names
from zenbench.zen.network import Network
from zenbench.zen.proxies.chain import chain_of
from zenbench.zen.published import PublishedNetwork, published_networks
from zenbench.zen.search.shape_limits import narrowest, stage_share
from zenbench.zen.units.base import Unit
from zenbench.zen.units.mobile import InvertedUnit
from zenbench.zen.units.pools import MaxPoolUnit, PooledConvUnit
from zenbench.zen.units.resnet import ResNetUnit

NETWORKS = published_networks()


def layers(unit: Block | Unit) -> Fraction:
    """Of a residual unit, as a super block counts it."""
    if isinstance(unit, ResNetUnit):
        return Fraction(1, 2) if unit.style == "bottleneck" else Fraction(1)
    return Fraction(1, 2) if isinstance(unit, InvertedUnit) else Fraction(0)


def shape(network: Network) -> tuple[int, int, float]:
    """Layers, least width and largest share of a stage, where a last convolution counts in any case."""
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    if network.is_plain and blocks[-1].kind == "conv":
        return network.layers, narrowest(blocks), stage_share(blocks)
    stages, widths = [Fraction(1)], [network.blocks[0].out_channels]
    for unit in network.blocks[1:]:
        if isinstance(unit, PooledConvUnit):
            continue
        stride = unit.stride if isinstance(unit, Block) else unit.total_stride
        stages += [Fraction(0)] * (stride > 1)
        stages[-1] += Fraction(unit.layers) if isinstance(unit, Block) else layers(unit)
        widths += [] if isinstance(unit, MaxPoolUnit) else [unit.out_channels]
        widths += [unit.hidden_channels] if isinstance(unit, ResNetUnit) else []
    stages[-1] += 1
    return ceil(sum(stages)), min(widths), float(max(stages) / sum(stages))


def depth_to_width(network: Network) -> float:
    found = chain_of(network.graph()).layers
    return len(found) / exp(sum(log(one.channels_per_group * one.kernel**2) for one in found) / len(found))


@pytest.mark.parametrize("row", NETWORKS, ids=lambda row: row.name)
def test_the_numbers_are_those_of_the_network(row: PublishedNetwork) -> None:
    network = row.network()
    assert row.resolution == network.resolution
    assert cost(network).macs == pytest.approx(row.macs, rel=0 if row.blocks is None else 0.01)
    found = shape(network)
    assert found[:2] == (row.layers, row.min_width)
    assert found[2] == pytest.approx(row.max_stage_share, abs=1e-4)
    assert depth_to_width(network) == pytest.approx(row.max_depth_to_width, abs=1e-4)


def test_every_published_zennet_and_both_kinds_are_there() -> None:
    names = [row.name for row in NETWORKS]
    assert len(set(names)) == len(names)
    assert {name for name in zoo_names() if name.startswith("zennet")} <= set(names)
    assert {row.kind for row in NETWORKS} == {"residual", "inverted"}
    counted = {row.name: row.layers for row in NETWORKS}
    # 16 bottlenecks are 8 layers, 17 inverted blocks 9, 54 basic blocks 54; stem and last convolution are 2.
    assert [counted[name] for name in ("resnet-50", "mobilenetv2-1.0", "resnet-110")] == [10, 11, 56]
