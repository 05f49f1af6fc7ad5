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
from zenbench.zen.proxies.te import te

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "proxies.json").read_text())


@pytest.fixture(scope="module")
def scores() -> dict[str, tuple[float, float]]:
    """Mean and standard error of the condition number, for every golden network that is cheap enough."""
    found = {}
    for name in ("init_cifar_params", "resnet20_cifar_like", "mut_cifar_k5"):
        row = GOLDEN[name]
        score = te(parse_text(row["structure"], row["resolution"], row["classes"]).graph(), repeats=4)
        assert score.sem is not None
        found[name] = (score.value, score.sem)
    return found


def test_scores_are_those_of_the_reference(scores: dict[str, tuple[float, float]]) -> None:
    for name, (value, error) in scores.items():
        golden = GOLDEN[name]["ntk_b16"]
        both = sqrt(error**2 + golden["std"] ** 2 / golden["n"])
        assert value == pytest.approx(golden["mean"], abs=3 * both - 0.05 * golden["mean"]), name


def test_networks_rank_as_in_the_reference(scores: dict[str, tuple[float, float]]) -> None:
    assert sorted(scores, key=lambda name: scores[name][0]) == sorted(
        scores, key=lambda name: GOLDEN[name]["ntk_b16"]["mean"]
    )


def test_a_score_is_minus_the_condition_number_of_the_tangent_kernel(
    tiny: Graph, twin: nn.Sequential
) -> None:
    """The definition word by word: one backward pass an image, all weights in a row."""
    generator = torch.Generator().manual_seed(3)
    for layer in (twin[0], twin[3], twin[8]):
        bound = 1 / sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    logits = twin(torch.randn(4, 3, 8, 8, generator=generator))
    weights = [parameter for name, parameter in twin.named_parameters() if "weight" in name]
    rows = []
    for image in logits:
        twin.zero_grad()
        image.sum().backward(retain_graph=True)
        rows.append(np.concatenate([weight.grad.numpy().ravel() for weight in weights]))
    kernel = np.array([[float(one @ other) for other in rows] for one in rows])
    assert te(tiny, batch=4, seed=3).value == pytest.approx(-np.linalg.cond(kernel), rel=1e-3)


def test_more_images_than_independent_gradients_are_refused() -> None:
    six_weights = parse_text("SuperConvK1BNRELU(3,1,1,1)", 4, classes=2).graph()
    with pytest.raises(UserError, match=r"kernel of 16 images is singular.* use a smaller batch or a larger"):
        te(six_weights, batch=16)


def test_an_overflow_is_refused(tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *shape, **options: draw(*shape, **options) * 1e38)
    with pytest.raises(UserError, match="no TE score: its gradients overflow; use another proxy"):
        te(tiny)
