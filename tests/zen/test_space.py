"""Spaces: mutations and random networks stay inside them."""

import random
from collections.abc import Sequence
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zenbench.zen.blocks import Block
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.space import (
    MAX_DEPTH,
    MAX_LAST_WIDTH,
    MAX_WIDTH,
    MIN_WIDTH,
    SPACES,
    Space,
    mutate,
    random_network,
)
from zenbench.zen.units.base import Unit

both_spaces = pytest.mark.parametrize("space", list(SPACES.values()), ids=list(SPACES))


def assert_inside(network: Network, space: Space) -> None:
    """Building the Network already checked that widths chain."""
    stem, *body, last = network.blocks
    assert stem.kind == last.kind == "conv"
    assert stem.layers == last.layers == 1
    assert MIN_WIDTH <= last.out_channels <= MAX_LAST_WIDTH
    for block in body:
        assert block.kind in space.kinds
        assert block.kernel in space.kernels
        assert block.expansion in space.expansions
        assert 1 <= block.layers <= MAX_DEPTH
        for width in (block.out_channels, block.bottleneck):
            assert MIN_WIDTH <= width <= MAX_WIDTH and width % 8 == 0


def total_stride(blocks: Sequence[Block | Unit]) -> int:
    return prod(unit.total_stride for block in blocks for unit in block.units())


@both_spaces
@pytest.mark.parametrize("resolution", [32, 224])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutations_stay_inside_the_space(space: Space, resolution: int, seed: int) -> None:
    rng = random.Random(seed)
    start = space.start(resolution)
    blocks = start
    for _ in range(60):
        blocks = mutate(blocks, space, rng)
        network = Network(blocks, resolution, 10)
        assert_inside(network, space)
        assert total_stride(blocks) == total_stride(start)


@both_spaces
def test_mutation_reaches_every_property(space: Space) -> None:
    rng = random.Random(0)
    start = space.start(224)
    children = [mutate(start, space, rng) for _ in range(400)]
    for name in ("kernel", "out_channels", "bottleneck", "layers"):
        assert any(getattr(child[2], name) != getattr(start[2], name) for child in children), name
    assert {child[1].kind for child in children} == set(space.kinds)
    assert {child[1].expansion for child in children} == set(space.expansions)


def test_a_block_that_outgrows_the_depth_splits() -> None:
    rng = random.Random(1)
    blocks = SPACES["resnet"].start(32)
    longest = len(blocks)
    for _ in range(3000):
        blocks = mutate(blocks, SPACES["resnet"], rng)
        longest = max(longest, len(blocks))
    assert longest > len(SPACES["resnet"].start(32))


def test_total_strides_are_those_of_the_published_networks() -> None:
    assert total_stride(SPACES["resnet"].start(32)) == total_stride(zoo("zennet-cifar-1m").blocks)
    assert total_stride(SPACES["resnet"].start(224)) == total_stride(zoo("zennet-0.1ms").blocks)
    assert total_stride(SPACES["mobilenet"].start(224)) == total_stride(zoo("zennet-400m-se").blocks)


@both_spaces
def test_random_networks_are_seeded_varied_and_bounded(space: Space) -> None:
    def draw(seed: int) -> list[Network]:
        rng = random.Random(seed)
        return [random_network(space, resolution, 10, rng) for resolution in (224, 96, 32) * 5]

    networks = draw(0)
    assert networks == draw(0)
    assert networks != draw(1)
    for network in networks:
        assert_inside(network, space)
        assert cost(network).macs <= space.max_macs
    assert {block.kernel for network in networks for block in network.blocks[1:-1]} == set(space.kernels)


@both_spaces
def test_smallest_is_smaller_than_the_start_in_every_count(space: Space) -> None:
    least, start = (cost(Network(blocks, 224, 1000)) for blocks in (space.smallest(224), space.start(224)))
    assert least.macs < start.macs and least.params < start.params and least.layers <= start.layers
