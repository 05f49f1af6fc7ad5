import json
from math import sqrt
from typing import Any

import pytest
import torch
from places import DATA
from torch import nn
from zenbench.errors import UserError
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.grad_norm import grad_norm

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "proxies.json").read_text())
SHALLOW = [name for name in GOLDEN if name != "zennet_cifar_1M"]


def golden_graph(name: str) -> Graph:
    row = GOLDEN[name]
    return parse_text(row["structure"], row["resolution"], row["classes"]).graph()


@pytest.mark.parametrize("name", SHALLOW)
def test_scores_are_those_of_the_reference(name: str) -> None:
    golden = GOLDEN[name]["gradnorm_b16"]
    score = grad_norm(golden_graph(name), batch=16, repeats=6)
    assert score.sem is not None
    error = sqrt(score.sem**2 + golden["std"] ** 2 / golden["n"])
    assert score.value == pytest.approx(golden["mean"], abs=3 * error + 0.05 * golden["mean"])


def test_networks_rank_as_in_the_reference_and_the_deep_one_is_of_its_order() -> None:
    ours = {name: grad_norm(golden_graph(name), batch=16).value for name in GOLDEN}
    golden = {name: row["gradnorm_b16"]["mean"] for name, row in GOLDEN.items()}
    assert sorted(ours, key=ours.__getitem__) == sorted(golden, key=golden.__getitem__)
    assert 1 / 3 < ours["zennet_cifar_1M"] / golden["zennet_cifar_1M"] < 3


def test_a_score_is_the_length_of_the_whole_gradient(tiny: Graph, twin: nn.Sequential) -> None:
    """The definition word by word, by torch's own backward pass."""
    generator = torch.Generator().manual_seed(3)
    for layer in (twin[0], twin[3], twin[8]):
        nn.init.normal_(layer.weight, generator=generator)
    images = torch.randn(4, 3, 8, 8, generator=generator)
    labels = torch.randint(5, (4,), generator=generator)
    log_shares = twin(images).log_softmax(dim=1)
    (-sum(row[label] for row, label in zip(log_shares, labels, strict=True)) / 4).backward()
    squares = sum(parameter.grad.square().sum().item() for parameter in twin.parameters())
    assert grad_norm(tiny, batch=4, seed=3).value == pytest.approx(sqrt(squares), rel=1e-4)


def test_a_single_class_is_refused() -> None:
    with pytest.raises(UserError, match="2 classes or more"):
        grad_norm(parse_text("SuperConvK3BNRELU(3,8,1,1)", 8, classes=1).graph())


def test_an_overflow_is_refused(tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *shape, **options: draw(*shape, **options) * 1e38)
    with pytest.raises(UserError, match="no grad-norm score: its numbers overflow; use another proxy"):
        grad_norm(tiny)
