import json
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
from places import DATA
from torch import nn
from zenbench.errors import UserError
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.naswot import naswot

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "proxies.json").read_text())


def golden_graph(name: str) -> Graph:
    row = GOLDEN[name]
    return parse_text(row["structure"], row["resolution"], row["classes"]).graph()


@pytest.mark.parametrize("batch", [8, 16])
@pytest.mark.parametrize("name", GOLDEN)
def test_scores_are_those_of_the_reference(name: str, batch: int) -> None:
    golden = GOLDEN[name][f"naswot_b{batch}"]
    score = naswot(golden_graph(name), batch, repeats=4)
    assert score.sem is not None
    error = sqrt(score.sem**2 + golden["std"] ** 2 / golden["n"])
    assert score.value == pytest.approx(golden["mean"], abs=3 * error + 0.005 * golden["mean"])


def test_networks_rank_as_in_the_reference() -> None:
    ours = {name: naswot(golden_graph(name), batch=8).value for name in GOLDEN}
    assert sorted(ours, key=ours.__getitem__) == sorted(
        GOLDEN, key=lambda name: GOLDEN[name]["naswot_b8"]["mean"]
    )


def test_a_score_is_the_log_determinant_of_the_agreements(tiny: Graph, twin: nn.Sequential) -> None:
    """The definition word by word: bits, Hamming distances, determinant."""
    generator = torch.Generator().manual_seed(3)
    for layer in (twin[0], twin[3], twin[8]):
        nn.init.normal_(layer.weight, generator=generator)
    images = torch.randn(4, 3, 8, 8, generator=generator)
    with torch.no_grad():
        codes = torch.cat([(twin[:end](images) > 0).flatten(1) for end in (2, 5)], dim=1)
    bits = codes.shape[1]
    kernel = [[bits - int((one != other).sum()) for other in codes] for one in codes]
    expected = np.log(np.linalg.det(np.array(kernel, float)))
    assert naswot(tiny, batch=4, seed=3).value == pytest.approx(expected, rel=1e-9)


def test_images_that_switch_all_rectifiers_alike_are_refused() -> None:
    one_bit = parse_text("SuperConvK1BNRELU(3,1,1,1)", 1, classes=2).graph()
    with pytest.raises(
        UserError, match=r"16 images switch its rectifiers alike.* use a smaller batch or a l"
    ):
        naswot(one_bit, batch=16)


def test_a_network_without_rectifiers_is_refused(tiny: Graph) -> None:
    linear = Graph(tiny.input_shape, tiny.ops[:2])
    with pytest.raises(UserError, match="has no Activation, which this proxy looks at"):
        naswot(linear)
