"""The start nearest to a network: itself where the space has it, else its strides, widths and depth."""

from math import prod

import pytest
from zenbench.errors import NetworkError, UserError
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.graph import Conv, Graph, Pool
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.network import Network, parse_blocks, parse_text
from zenbench.zen.search.nearest import is_depthwise, nearest_start
from zenbench.zen.space import Space, space_from, spaces

CONVS = "nor_conv_3x3"
CELL = f"|{CONVS}~0|+|{CONVS}~0|{CONVS}~1|+|skip_connect~0|{CONVS}~1|{CONVS}~2|"


def started(space: str, network: Network | Graph, resolution: int = 224) -> str:
    """The start's structure; the space with it is one that can be written and read."""
    found = nearest_start(spaces()[space], network, resolution)
    assert space_from(found.to_json(), "test") == found
    return "".join(map(str, found.start(resolution)))


def reduction(graph: Graph) -> int:
    """The product of the strides on the trunk; in a network of one path."""
    strided = [op for op in graph.trunk().ops if isinstance(op, Conv | Pool) and op.stride > 1]
    levels = {op.shape[1]: op.stride for op in strided}
    return prod(levels.values())


@pytest.mark.parametrize("name", ["zennet-cifar-1m", "zennet-0.1ms"])
def test_a_network_of_the_space_is_its_own_start(name: str) -> None:
    network = zoo(name)
    assert started("resnet", network, network.resolution) == network.text


def test_residual_networks_keep_their_stages() -> None:
    assert started("resnet", zoo("resnet-18")) == (
        "SuperConvK3BNRELU(3,64,2,1)SuperResK3K3(64,64,2,64,2)SuperResK3K3(64,128,2,128,2)"
        "SuperResK3K3(128,256,2,256,2)SuperResK3K3(256,512,2,512,2)SuperConvK1BNRELU(512,512,1,1)"
    )
    assert started("resnet", zoo("resnet-50")) == (
        "SuperConvK3BNRELU(3,64,2,1)SuperResK1K3K1(64,256,2,64,1)SuperResK1K3K1(256,512,2,128,2)"
        "SuperResK1K3K1(512,1024,2,256,3)SuperResK1K3K1(1024,2048,2,512,1)SuperConvK1BNRELU(2048,2048,1,1)"
    )


def test_mobile_networks_keep_their_kernels_and_expansions() -> None:
    assert started("mobilenet", zoo("mobilenetv2-1.0")) == (
        "SuperConvK3BNRELU(3,32,2,1)SuperResIDWE4K3(32,24,2,24,1)SuperResIDWE6K3(24,32,2,32,1)"
        "SuperResIDWE4K3(32,96,2,96,3)SuperResIDWE6K3(96,160,2,160,2)SuperConvK1BNRELU(160,1280,1,1)"
    )
    assert "SuperResIDWE6K7(24,40,2" in started("mobilenet", zoo("dnanet-d"))
    # In a space of other kinds a hidden width of depthwise convolutions would be six times too wide.
    assert "SuperResK1K3K1(24,32,2,32,1)" in started("resnet", zoo("mobilenetv2-1.0"))


@pytest.mark.parametrize("space", spaces())
@pytest.mark.parametrize("name", [name for name in zoo_names() if not name.startswith("efficientnet-b")])
def test_every_known_network_keeps_its_total_stride(name: str, space: str) -> None:
    network = zoo(name)
    blocks = parse_blocks(started(space, network, network.resolution))
    assert prod(block.stride for block in blocks) == reduction(network.graph())  # type: ignore[union-attr]


def test_a_stage_longer_than_a_block_is_several() -> None:
    assert "SuperResK1K3K1(512,1024,2,256,10)SuperResK1K3K1(1024,1024,1,256,8)" in started(
        "resnet", zoo("resnet-152")
    )


def test_cells_and_graphs_are_read_by_their_operations() -> None:
    network = cell_network(CELL)
    found = started("resnet", network, 32)
    assert found == started("resnet", network.graph(), 32)
    blocks = parse_blocks(found)
    assert [block.stride for block in blocks if block.layers > 1] == [1, 2, 2]  # type: ignore[union-attr]
    assert [block.out_channels for block in blocks if block.layers > 1] == [16, 32, 64]


def test_a_large_stride_is_made_of_several() -> None:
    network = parse_text("conv(kernel=3,in_channels=3,out_channels=32,stride=8)")
    assert started("resnet", network) == (
        "SuperConvK3BNRELU(3,32,2,1)SuperResK3K3(32,32,2,32,1)SuperResK3K3(32,32,2,32,1)"
        "SuperConvK1BNRELU(32,32,1,1)"
    )
    flat = parse_text("conv(kernel=3,in_channels=3,out_channels=20,stride=1)", 16)
    assert started("resnet", flat, 16) == (
        "SuperConvK3BNRELU(3,24,1,1)SuperResK3K3(24,24,1,24,1)SuperConvK1BNRELU(24,24,1,1)"
    )


def test_what_a_space_cannot_start_from_is_refused() -> None:
    threes = parse_text("conv(kernel=3,in_channels=3,out_channels=8,stride=6)")
    with pytest.raises(UserError, match="reduces its input 6 times, which strides of 1 and 2 do not make"):
        started("resnet", threes)
    builder = GraphBuilder((3, 8, 8))
    builder.linear("input", 10)
    with pytest.raises(NetworkError, match="without convolutions"):
        started("resnet", builder.graph())


def test_a_start_is_of_the_space() -> None:
    space: Space = spaces()["mobilenet"]
    assert space.started_at(spaces()["resnet"].start(224), 224) is None
    own = space.started_at(space.start(32), 100)
    assert own is not None and own.start(100) == space.start(32)


def test_depthwise_networks_are_told_apart() -> None:
    assert is_depthwise(zoo("mnasnet-1.0").graph()) and is_depthwise(zoo("zennet-400m-se").graph())
    assert not is_depthwise(zoo("resnet-50").graph()) and not is_depthwise(zoo("regnety-400mf").graph())
