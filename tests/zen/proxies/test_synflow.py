import json
from math import log, sqrt
from typing import Any

import pytest
import torch
from places import DATA
from torch import nn
from zenbench.errors import UserError
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.base import Score
from zenbench.zen.proxies.synflow import synflow

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "proxies.json").read_text())


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return {
        name: synflow(
            parse_text(row["structure"], row["resolution"], row["classes"]).graph(),
            repeats=8,
            reference_sign=True,
        )
        for name, row in GOLDEN.items()
    }


def test_the_reference_form_gives_the_reference_scores(scores: dict[str, Score]) -> None:
    for name, score in scores.items():
        golden = GOLDEN[name]["synflow"]
        assert score.sem is not None
        error = sqrt(score.sem**2 + golden["std"] ** 2 / golden["n"])
        assert score.value == pytest.approx(golden["mean"], abs=3 * error - 0.03 * golden["mean"]), name
    ours = sorted(scores, key=lambda name: scores[name].value)
    assert ours == sorted(GOLDEN, key=lambda name: GOLDEN[name]["synflow"]["mean"])


def test_the_reference_form_is_that_of_live_batch_norm(tiny: Graph, twin: nn.Sequential) -> None:
    """The definition word by word, by torch's own backward pass."""
    generator = torch.Generator().manual_seed(3)
    twin.double()
    layers = [twin[0], twin[3], twin[8]]
    for layer in layers:
        nn.init.normal_(layer.weight, generator=generator)
        layer.weight.data.abs_()
    twin(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().backward()
    expected = 0.0
    for layer in layers:
        for out_channel, gradient in zip(layer.weight, layer.weight.grad, strict=True):
            expected -= (out_channel * gradient).abs().sum().item() / len(layer.weight)
    assert synflow(tiny, seed=3, reference_sign=True).value == pytest.approx(expected, rel=1e-6)


def test_a_score_is_the_flow_once_a_layer(tiny: Graph, twin: nn.Sequential) -> None:
    """Tanaka et al.'s conservation law: every layer's saliencies add up to the flow R itself."""
    generator = torch.Generator().manual_seed(3)
    plain = nn.Sequential(twin[0], twin[2], twin[3], *twin[5:]).double()
    for layer in (twin[0], twin[3], twin[8]):
        nn.init.normal_(layer.weight, 0, sqrt(2 / layer.weight[0].numel()), generator=generator)
        layer.weight.data.abs_()
    flow = plain(torch.ones(1, 3, 8, 8, dtype=torch.float64)).sum().item()
    # Batch norm at rest divides by sqrt(1 + 1e-5).
    assert synflow(tiny, seed=3).value == pytest.approx(log(3 * flow), abs=1e-4)


def test_the_papers_form_grows_with_width_and_depth_and_is_steady() -> None:
    def score(text: str) -> Score:
        return synflow(parse_text(text, 16, classes=10).graph(), repeats=4)

    base, wide, deep = (score(f"SuperConvK3BNRELU(3,{w},1,{n})") for w, n in ((8, 2), (32, 2), (8, 8)))
    assert base.value < wide.value < deep.value
    assert base.std is not None
    assert base.std < 0.1 * base.value


def test_a_flow_beyond_float64_is_refused(tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "ones", lambda *shape, **options: torch.full(shape, 1e308, **options))
    with pytest.raises(UserError, match="no synflow score: its numbers overflow; use another proxy"):
        synflow(tiny)


def test_the_reference_form_needs_more_than_one_pixel() -> None:
    dot = parse_text("SuperConvK3BNRELU(3,8,2,1)", 2, classes=10).graph()
    with pytest.raises(UserError, match="no variance at a 1x1 map; use a larger resolution or the paper"):
        synflow(dot, reference_sign=True)
    assert synflow(dot).value > 0


def test_no_batch_enters(tiny: Graph) -> None:
    assert synflow(tiny, batch=1).value == synflow(tiny, batch=16).value
