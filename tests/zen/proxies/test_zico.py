from math import log, sqrt

import numpy as np
import pytest
import torch
from torch import nn
from zenbench.errors import UserError
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies import score
from zenbench.zen.proxies.zico import zico


def test_a_score_is_the_papers_sum_over_layers(tiny: Graph, twin: nn.Sequential) -> None:
    """The definition word by word, by torch's own backward pass and NumPy."""
    generator = torch.Generator().manual_seed(3)
    layers = [twin[0], twin[3], twin[8]]
    for layer in layers:
        bound = 1 / sqrt(layer.weight[0].numel())
        layer.weight.data.uniform_(-bound, bound, generator=generator)
    seen: list[list[np.ndarray]] = [[] for _ in layers]
    for _ in range(2):
        images = torch.randn(4, 3, 8, 8, generator=generator)
        labels = torch.randint(5, (4,), generator=generator)
        twin.zero_grad()
        log_shares = twin(images).log_softmax(dim=1)
        (-sum(row[label] for row, label in zip(log_shares, labels, strict=True)) / 4).backward()
        for place, layer in zip(seen, layers, strict=True):
            place.append(np.abs(layer.weight.grad.double().numpy().copy()))
    expected = 0.0
    for first, second in seen:
        mean, deviation = (first + second) / 2, np.abs(first - second) / 2
        expected += log((mean[deviation > 0] / deviation[deviation > 0]).sum())
    assert zico(tiny, batch=4, seed=3).value == pytest.approx(expected, rel=1e-4)


def test_a_deeper_and_a_wider_network_scores_more() -> None:
    texts = (
        "SuperConvK3BNRELU(3,8,1,1)",
        "SuperConvK3BNRELU(3,16,1,1)",
        "SuperConvK3BNRELU(3,16,1,1)SuperResK3K3(16,16,1,16,2)",
    )
    values = [score(parse_text(text, 16, classes=10), "zico", repeats=4).value for text in texts]
    assert values == sorted(values) and values[0] < values[-1]


def test_more_repeats_continue_fewer(tiny: Graph) -> None:
    once, twice = (zico(tiny, batch=4, repeats=repeats) for repeats in (1, 2))
    assert twice.std is not None and once.value != twice.value
    assert zico(tiny, batch=4).value == once.value


def test_a_single_class_is_refused() -> None:
    with pytest.raises(UserError, match="2 classes or more"):
        zico(parse_text("SuperConvK3BNRELU(3,8,1,1)", 8, classes=1).graph())


def test_gradients_that_are_all_equal_are_refused(tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn", lambda *shape, **options: torch.zeros(*shape))
    with pytest.raises(UserError, match="a layer has no gradient"):
        zico(tiny, batch=4)
