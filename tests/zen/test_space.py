"""Spaces: mutations and random networks stay inside them."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zenbench.errors import UserError
from zenbench.zen.blocks import Block
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.random_networks import random_network
from zenbench.zen.search.block_cache import BlockCache
from zenbench.zen.search.mutation import Mutate, PaperMutation, StepMutation
from zenbench.zen.space import Space, open_space, parse_space, space_from, spaces
from zenbench.zen.units.base import Unit

both_spaces = pytest.mark.parametrize("space", list(spaces().values()), ids=list(spaces()))
both_mutations = pytest.mark.parametrize("mutation", [StepMutation, PaperMutation])


def assert_inside(network: Network, space: Space) -> None:
    """Building the Network already checked that widths chain."""
    stem, *body, last = network.blocks
    assert stem.kind == last.kind == "conv"
    assert stem.layers == last.layers == 1
    assert space.last_widths[0] <= last.out_channels <= space.last_widths[1]
    for block in body:
        assert block.kind in space.kinds
        assert block.kernel in space.kernels
        assert block.expansion in space.expansions
        assert 1 <= block.layers <= space.most_layers_a_block
        for width in (block.out_channels, block.bottleneck):
            assert space.widths[0] <= width <= space.widths[1] and width % 8 == 0


def total_stride(blocks: Sequence[Block | Unit]) -> int:
    return prod(unit.total_stride for block in blocks for unit in block.units())


Blocks = tuple[Block, ...]


def walk(space: Space, mutation: type, resolution: int, seed: int, steps: int) -> Iterator[Blocks]:
    """The blocks after every one of so many mutations in a row."""
    cache, mutate = BlockCache(10, "paper", []), mutation(space)
    rng = random.Random(seed)
    genome = cache.genome(space.start(resolution), resolution)
    for _ in range(steps):
        genome = mutate(genome, cache, rng)
        yield tuple(cached.block for cached in genome)


@both_spaces
@both_mutations
@pytest.mark.parametrize("resolution", [32, 224])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutations_stay_inside_the_space(
    space: Space, mutation: Callable[[Space], Mutate], resolution: int, seed: int
) -> None:
    for blocks in walk(space, mutation, resolution, seed, 60):
        assert_inside(Network(blocks, resolution, 10), space)
        assert total_stride(blocks) == total_stride(space.start(resolution))


@both_spaces
@both_mutations
def test_mutation_reaches_every_property(space: Space, mutation: Callable[[Space], Mutate]) -> None:
    start = space.start(224)
    children = list(walk(space, mutation, 224, 0, 400))
    for name in ("kernel", "out_channels", "bottleneck", "layers"):
        assert any(getattr(child[2], name) != getattr(start[2], name) for child in children), name
    assert {child[1].kind for child in children} == set(space.kinds)
    assert {child[1].expansion for child in children} == set(space.expansions)


@both_mutations
def test_a_block_that_outgrows_the_depth_splits(mutation: Callable[[Space], Mutate]) -> None:
    space = spaces()["resnet"]
    networks = list(walk(space, mutation, 32, 1, 1000))
    assert max(map(len, networks)) > len(space.start(32))
    assert all(block.layers <= space.most_layers_a_block for blocks in networks for block in blocks)


def test_the_paper_s_mutation_changes_one_block_within_half_and_double() -> None:
    space = spaces()["mobilenet"]
    cache, mutate, rng = BlockCache(10, "paper", []), PaperMutation(space), random.Random(0)
    start = cache.genome(space.start(224), 224)
    for _ in range(200):
        child = mutate(start, cache, rng)
        changed = [
            (old.block, new.block)
            for old, new in zip(start, child, strict=True)
            if replace(old.block, in_channels=8) != replace(new.block, in_channels=8)
        ]
        assert len(changed) <= 1
        for old, new in changed:
            assert 0.5 * old.out_channels - 4 <= new.out_channels <= 2 * old.out_channels + 4
            assert 0.5 * old.layers <= new.layers <= 2 * old.layers


def test_total_strides_are_those_of_the_published_networks() -> None:
    assert total_stride(spaces()["resnet"].start(32)) == total_stride(zoo("zennet-cifar-1m").blocks)
    assert total_stride(spaces()["resnet"].start(224)) == total_stride(zoo("zennet-0.1ms").blocks)
    assert total_stride(spaces()["mobilenet"].start(224)) == total_stride(zoo("zennet-400m-se").blocks)


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
        assert cost(network).macs <= space.random_macs_at_224
    assert {block.kernel for network in networks for block in network.blocks[1:-1]} == set(space.kernels)


@both_spaces
def test_smallest_is_smaller_than_the_start_in_every_count(space: Space) -> None:
    least, start = (cost(Network(blocks, 224, 1000)) for blocks in (space.smallest(224), space.start(224)))
    assert least.macs < start.macs and least.params < start.params and least.layers <= start.layers


MINE = """
name = "mine"
kinds = ["bottleneck"]
kernels = [3]
widths = [16, 64]
[[start]]
up_to_resolution = 96
blocks = "SuperConvK3BNRELU(3,16,2,1)SuperResK1K3K1(16,32,2,16,1)SuperConvK1BNRELU(32,64,1,1)"
"""


def test_a_space_of_one_s_own_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MINE)
    space = open_space(str(file))
    assert space_from(space.to_json(), "json") == space
    for blocks in walk(space, StepMutation, 64, 0, 300):
        assert_inside(Network(blocks, 64, 10), space)
    with pytest.raises(UserError, match="no start network for resolution 97; its largest is for 96"):
        space.start(97)


@both_spaces
def test_shipped_spaces_round_trip_through_json(space: Space) -> None:
    assert space_from(json.loads(json.dumps(space.to_json())), "json") == space


@pytest.mark.parametrize(
    "change, wrong",
    [
        (("kinds", "kind"), "unknown key 'kind'"),
        (('name = "mine"', ""), "needs a name"),
        (('["bottleneck"]', '["conv"]'), "kinds must be a list of basic, bottleneck, inverted"),
        (("[3]", "[4]"), "kernels must be a list of 3, 5, 7"),
        (("[3]", "[3.0]"), "kernels must be a list of 3, 5, 7"),
        (('name = "mine"', 'name = "mine"\nrandom_macs_at_224 = nan'), "must be a number above 0"),
        (('name = "mine"', 'name = "mine"\nrandom_macs_at_224 = 1' + "0" * 400), "must be a number above 0"),
        (("[16, 64]", "[16, 60]"), "widths must be two multiples of 8"),
        (("[16, 64]", "[64, 16]"), "widths must be two multiples of 8"),
        (("[16, 64]", "[24, 64]"), "its widths must be multiples of 8 from 24 to 64"),
        (("[[start]]", "[[starts]]"), "unknown key 'starts'"),
        (("up_to_resolution = 96", ""), "needs up_to_resolution and blocks"),
        (("96", "0"), "up_to_resolution must be a whole number from 1 to 4096"),
        (("SuperResK1K3K1(16", "SuperResK1K3K1(24"), "do not follow on each other"),
        (("SuperResK1K3K1(16", "SuperResK1K5K1(16"), "whose kernel is none of its kernels"),
        (("SuperResK1K3K1(16,32,2,16,1)", "SuperResK3K3(16,32,2,16,1)"), "which is none of its kinds"),
        (("SuperResK1K3K1(16,32,2,16,1)", "SuperResK1K3K1(16,32,2,16,11)"), "has at most 10 layers"),
        (("SuperConvK1BNRELU(32,64,1,1)", ""), "begins and ends with a SuperConv block"),
        (("SuperConvK1BNRELU(32", "Mystery(32"), "unknown block 'Mystery'"),
        (("[[start]]", "[[start"), "is no TOML"),
    ],
)
def test_a_wrong_space_is_refused_by_what_is_wrong(change: tuple[str, str], wrong: str) -> None:
    with pytest.raises(UserError, match=wrong) as refusal:
        parse_space(MINE.replace(*change), "mine.toml")
    assert "mine.toml" in str(refusal.value)


@pytest.mark.parametrize("text, wrong", [("mine", "no space is called 'mine'"), ("no.toml", "cannot read")])
def test_a_missing_space_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        open_space(text)
