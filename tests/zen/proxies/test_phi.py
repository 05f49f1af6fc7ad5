import json
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest
import torch
from places import DATA
from torch import nn
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import Graph
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies.phi import phi, phi_by_depth
from zenbench.zen.proxies.zen_score import zen_score

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "proxies.json").read_text())
SHALLOW = [name for name in GOLDEN if name != "zennet_cifar_1M"]


def golden_network(name: str) -> Network:
    row = GOLDEN[name]
    return parse_text(row["structure"], row["resolution"], row["classes"])


@pytest.mark.parametrize("name", SHALLOW)
def test_the_zen_score_is_what_phi_would_be(name: str) -> None:
    """The Zen-Score adds up what its batch norms divided by, so shallow networks have both alike."""
    network = golden_network(name)
    expected = zen_score(network.graph(), batch=8, repeats=4).value
    assert phi(network.graph(), batch=8, repeats=4).value == pytest.approx(expected, rel=0.04)


def test_a_score_is_that_of_two_passes_without_batch_norm(tiny: Graph, twin: nn.Sequential) -> None:
    """The definition word by word."""
    generator = torch.Generator().manual_seed(3)
    for layer in (twin[0], twin[3]):
        nn.init.normal_(layer.weight, generator=generator)
    images, noise = torch.randn(2, 4, 3, 8, 8, generator=generator)
    plain = nn.Sequential(twin[0], nn.ReLU(), twin[3], nn.ReLU())
    with torch.no_grad():
        change = plain(images) - plain(images + 0.01 * noise)
    expected = change.abs().sum(dim=(1, 2, 3)).mean().log().item()
    assert phi(tiny, batch=4, seed=3).value == pytest.approx(expected, abs=1e-4)


def test_the_last_layer_of_the_profile_is_the_score_and_the_earlier_ones_grow_to_it() -> None:
    graph = golden_network("resnet20_cifar_like").graph()
    profile = phi_by_depth(graph, batch=4, seed=2)
    assert len(profile) == 19
    assert profile[-1] == phi(graph, batch=4, seed=2).value
    assert fmean(after - before for before, after in pairwise(profile)) > 1


def test_a_deep_network_overflows_and_says_where() -> None:
    graph = golden_network("zennet_cifar_1M").graph()
    profile = phi_by_depth(graph, batch=2)
    assert 30 <= len(profile) <= 50
    message = f"overflows at layer {len(profile) + 1} of 98; use the Zen-Score, which exists for that reason"
    with pytest.raises(UserError, match=message):
        phi(graph, batch=2)


def test_a_network_that_ignores_its_input_has_no_score(tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenbench.zen.proxies.phi.GAMMA", 0.0)
    with pytest.raises(UserError, match="layer 1 of 2 does not change with the image; use a larger batch"):
        phi(tiny)
    assert phi_by_depth(tiny) == []


def test_gates_do_not_count() -> None:
    network = zoo("zennet-400m-se")
    small = Network(network.blocks[:3], 32, 10, squeeze_excite=True)
    bare = Network(network.blocks[:3], 32, 10, squeeze_excite=False)
    assert phi(small.graph(), batch=2).value == phi(bare.graph(), batch=2).value
