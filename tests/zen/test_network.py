import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import STEM
from zenbench.errors import NetworkError
from zenbench.zen.blocks import Block
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.network import Network, from_json, parse_blocks, parse_text
from zenbench.zen.units.plain import HeadUnit


@st.composite
def networks(draw: st.DrawFn) -> Network:
    width = st.integers(1, 512)
    channels, blocks = 3, []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["conv", "basic", "bottleneck", "inverted"]))
        block = Block(
            kind,
            draw(st.sampled_from([1, 3, 5, 7] if kind == "conv" else [3, 5, 7])),
            channels,
            draw(width),
            draw(st.integers(1, 3)),
            draw(st.integers(1, 4)),
            0 if kind == "conv" else draw(width),
            draw(st.sampled_from([1, 2, 4, 6])) if kind == "inverted" else 1,
        )
        blocks.append(block)
        channels = block.out_channels
    return Network(tuple(blocks), draw(st.integers(1, 512)), draw(st.integers(1, 2000)), draw(st.booleans()))


@pytest.mark.parametrize("name", zoo_names())
def test_known_networks_round_trip(name: str) -> None:
    network = zoo(name)
    assert parse_text(network.text, network.resolution, network.classes).blocks == network.blocks
    assert from_json(json.loads(json.dumps(network.to_json()))) == network


@given(networks())
def test_any_network_round_trips_through_text_and_json(network: Network) -> None:
    assert parse_blocks(network.text) == network.blocks
    again = from_json(json.loads(json.dumps(network.to_json())))
    assert again == network
    assert again.digest == network.digest


@given(networks())
def test_units_join_from_image_to_classes(network: Network) -> None:
    workloads = network.workloads()
    assert workloads[0].size == network.resolution
    assert all(after.size == before.output_size for before, after in pairwise(workloads))
    assert workloads[-1].unit == HeadUnit(network.blocks[-1].out_channels, network.classes)
    assert network.graph().output_shape == (network.classes,)


def test_text_is_read_with_white_space_between_blocks() -> None:
    assert parse_text(f" {STEM}\n SuperResK3K3 (8,8,1,8,1) ").text == f"{STEM}SuperResK3K3(8,8,1,8,1)"


def test_text_has_imagenet_defaults() -> None:
    network = parse_text(STEM)
    assert (network.resolution, network.classes, network.squeeze_excite) == (224, 1000, False)


def test_a_text_that_lacks_the_gates_gives_way_to_the_name() -> None:
    assert str(zoo("zennet-400m-se")) == "zoo:zennet-400m-se"
    assert str(zoo("zennet-0.1ms")) == zoo("zennet-0.1ms").text


def test_a_digest_never_changes() -> None:
    assert zoo("zennet-0.1ms").digest == "61e8ee27042cca84"


def test_a_digest_tells_networks_apart_and_ignores_names() -> None:
    network = parse_text(STEM)
    others = [
        replace(network, resolution=192),
        replace(network, classes=10),
        replace(network, squeeze_excite=True),
        parse_text(STEM.replace("K3", "K5")),
    ]
    assert len({network.digest, *(other.digest for other in others)}) == 5
    assert replace(network, name="zoo:mine").digest == network.digest


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the structure is empty"),
        (" \n", "the structure is empty"),
        (STEM[:-1], r"unclosed bracket in 'SuperConvK3BNRELU\(3,8,1,1'"),
        (f"{STEM[:-1]}{STEM}", r"unclosed bracket in 'SuperConvK3BNRELU\(3,8,1,1SuperConv"),
        (f"{STEM}hello", "expected a block .* at 'hello'"),
        (f"{STEM})", r"expected a block .* at '\)'"),
        (f"{STEM}Transformer(8,8,1,8,1)", "unknown block 'Transformer'; known are SuperConv"),
        ("SuperConvK4BNRELU(3,8,1,1)", "unknown block 'SuperConvK4BNRELU'"),
        (f"{STEM}SuperResK3K5(8,8,1,8,1)", "unknown block 'SuperResK3K5'"),
        (f"{STEM}SuperResIDWE3K3(8,8,1,8,1)", "unknown block 'SuperResIDWE3K3'"),
        (f"{STEM}SuperResK3K3(9,8,1,8,1)", r"block 2, .* takes 9 channels but block 1 gives 8"),
        ("SuperConvK3BNRELU(4,8,1,1)", r"block 1, .* takes 4 channels but an image has 3"),
        ("SuperConvK3BNRELU(3,0,1,1)", "output width must be 1 to 65536, not 0"),
        ("SuperConvK3BNRELU(3,-8,1,1)", "output width must be 1 to 65536, not -8"),
        (f"{STEM}SuperResK3K3(8,8,1,0,1)", "bottleneck width must be 1 to 65536, not 0"),
        ("SuperConvK3BNRELU(3,65537,1,1)", "output width must be 1 to 65536, not 65537"),
        ("SuperConvK3BNRELU(3,8,0,1)", "stride must be 1 to 8, not 0"),
        ("SuperConvK3BNRELU(3,8,1,0)", "number of layers must be 1 to 256, not 0"),
        ("SuperConvK3BNRELU(3,8,1,100000)", "number of layers must be 1 to 256, not 100000"),
        (f"{STEM}{'SuperConvK3BNRELU(8,8,1,256)' * 5}", "has 1281 layers; the limit is 1024"),
        ("SuperConvK3BNRELU(3,8,1)", r"should read SuperConvK3BNRELU\(in,out,stride,layers\)"),
        ("SuperConvK3BNRELU(3,8,1,1,1)", r"should read SuperConvK3BNRELU\(in,out,stride,layers\)"),
        (f"{STEM}SuperResK3K3(8,8,1,1)", r"should read SuperResK3K3\(in,out,stride,bottleneck,layers\)"),
        ("SuperConvK3BNRELU(3,8.5,1,1)", "in whole numbers"),
        ("SuperConvK3BNRELU(3,eight,1,1)", "in whole numbers"),
        (f"SuperConvK3BNRELU(3,{'9' * 5000},1,1)", "in whole numbers"),
        ("SuperConvK3BNRELU(3,٣,1,1)", "in whole numbers"),
    ],
)
def test_a_malformed_structure_is_refused_with_its_fault(text: str, fault: str) -> None:
    with pytest.raises(NetworkError, match=fault):
        parse_text(text)


@given(st.lists(st.sampled_from([STEM, "SuperResK3K3(8,8,2,8,1)", "(", ")", ",", "3", "-1", "K3", " ", "é"])))
def test_any_text_is_a_network_or_refused(pieces: list[str]) -> None:
    try:
        network = parse_text("".join(pieces))
    except NetworkError as error:
        assert str(error)
    else:
        assert parse_text(network.text) == network


@pytest.mark.parametrize(("resolution", "classes"), [(0, 10), (5000, 10), (32, 0), (32, 2_000_000)])
def test_senseless_inputs_and_outputs_are_refused(resolution: int, classes: int) -> None:
    with pytest.raises(NetworkError, match=r"must be 1 to"):
        parse_text(STEM, resolution, classes)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": "zenbench-network/9"}, '"format": "zenbench-network/1"'),
        ({"blocks": STEM}, '"blocks" must be a list'),
        ({"blocks": [1]}, '"blocks" must be a list'),
        ({"blocks": []}, "structure is empty"),
        ({"resolution": "32"}, '"resolution" must be a whole number'),
        ({"resolution": True}, '"resolution" must be a whole number'),
        ({"classes": 10.0}, '"classes" must be a whole number'),
        ({"squeeze_excite": 1}, '"squeeze_excite" must be true or false'),
    ],
)
def test_a_damaged_network_file_is_refused_with_its_fault(change: dict[str, object], fault: str) -> None:
    with pytest.raises(NetworkError, match=fault):
        from_json({**parse_text(STEM).to_json(), **change})


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(NetworkError, match="JSON object"):
        from_json([STEM])


def test_a_head_among_the_blocks_is_refused() -> None:
    with pytest.raises(NetworkError, match="block 2 is a head, which every network has of its own"):
        parse_text("SuperConvK3BNRELU(3,8,1,1)head(in_channels=8,classes=10)", 16)
