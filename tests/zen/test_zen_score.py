import json
import subprocess
import sys
from dataclasses import replace
from math import sqrt
from statistics import fmean, stdev
from typing import Any

import pytest
import torch
from places import DATA
from torch import Tensor
from torch.nn import functional
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import Conv
from zenbench.zen.network import Network, parse_text
from zenbench.zen.proxies import score
from zenbench.zen.proxies.zen_score import zen_samples, zen_score

GOLDEN: dict[str, dict[str, Any]] = json.loads((DATA / "zen_scores.json").read_text())
CHEAP = [name for name, row in GOLDEN.items() if row["cpu_seconds_per_score"] < 0.6]
SMALL = "SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,16,2,8,2)SuperResIDWE2K5(16,8,1,16,1)"


def small_network(resolution: int = 16) -> Network:
    return parse_text(SMALL, resolution, classes=10)


@pytest.mark.parametrize("name", CHEAP)
def test_scores_are_those_of_the_reference(name: str) -> None:
    row = GOLDEN[name]
    network = parse_text(row["structure"], row["resolution"])
    samples = zen_samples(network.graph(), row["batch"], repeats=8)
    for reading, relative, absolute in (("paper", 0.002, 0), ("running", 0.002, 0), ("log_delta", 0, 0.02)):
        ours, golden = getattr(samples, reading), row[f"{reading}_mean"]
        error = sqrt(stdev(ours) ** 2 / len(ours) + row[f"{reading}_std"] ** 2 / row["n_repeats"])
        assert fmean(ours) == pytest.approx(golden, abs=3 * error + relative * golden + absolute), reading


def test_a_score_is_that_of_two_separate_passes() -> None:
    """The definition word by word: one pass after the other, with torch's own batch norm."""
    network, batch = small_network(), 4
    generator = torch.Generator().manual_seed(7)
    images, change = (torch.randn(batch, 16, 16, 3, generator=generator).permute(0, 3, 1, 2) for _ in "12")
    convolutions = [op for op in network.graph().trunk().ops if isinstance(op, Conv)]
    weights = [
        torch.randn(
            op.shape[0], op.kernel, op.kernel, op.in_channels // op.groups, generator=generator
        ).permute(0, 3, 1, 2)
        for op in convolutions
    ]
    norms = [torch.nn.BatchNorm2d(op.shape[0]) for op in convolutions]
    variances: list[Tensor] = []

    def forward(x: Tensor) -> Tensor:
        for op, weight, norm in zip(convolutions, weights, norms, strict=True):
            x = functional.conv2d(x, weight, stride=op.stride, padding=op.padding[:2], groups=op.groups)
            variances.append(x.var(dim=(0, 2, 3)))
            x = norm(x).relu()
        return x

    with torch.no_grad():
        difference = forward(images) - forward(images + 0.01 * change)
    log_delta = difference.abs().sum(dim=(1, 2, 3)).mean().log().item()
    paper = log_delta + sum(v.mean().sqrt().log().item() for v in variances[: len(norms)])
    running = log_delta + sum(norm.running_var.mean().sqrt().log().item() for norm in norms)

    samples = zen_samples(network.graph(), batch, seed=7)
    assert samples.log_delta == pytest.approx((log_delta,), abs=1e-3)
    assert samples.paper == pytest.approx((paper,), abs=1e-3)
    assert samples.running == pytest.approx((running,), abs=1e-3)


def test_a_score_is_the_mean_and_spread_of_its_repeats() -> None:
    network = small_network()
    samples = zen_samples(network.graph(), batch=4, repeats=3, seed=5)
    result = zen_score(network.graph(), 4, 3, 5, "running")
    assert (result.value, result.std, result.repeats) == (fmean(samples.running), stdev(samples.running), 3)
    assert result.sem == pytest.approx(stdev(samples.running) / sqrt(3))
    assert result.seconds > 0
    assert score(network, "zen", "paper", batch=4, repeats=1, seed=5).value == samples.paper[0]
    assert score(network, "zen", "paper", batch=4, repeats=1, seed=5).std is None


def test_a_seed_decides_the_score_in_any_process_and_the_global_generator_stays() -> None:
    before = torch.get_rng_state()
    here = zen_samples(small_network().graph(), batch=4, repeats=2, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    code = (
        "import torch; from zenbench.zen.network import parse_text;"
        "from zenbench.zen.proxies.zen_score import zen_samples;"
        f"torch.manual_seed(1); print(zen_samples(parse_text({SMALL!r}, 16, 10).graph(), 4, 2, 3).paper)"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here.paper)
    assert zen_samples(small_network().graph(), batch=4, repeats=2, seed=4).paper != here.paper


def test_more_repeats_continue_fewer() -> None:
    few, many = (zen_samples(small_network().graph(), batch=4, repeats=repeats) for repeats in (2, 5))
    assert many.paper[:2] == few.paper
    assert len(set(many.paper)) == 5


def test_gates_and_shortcuts_do_not_count() -> None:
    network = replace(zoo("zennet-400m-se"), resolution=32)
    bare = replace(network, squeeze_excite=False)
    assert zen_samples(network.graph(), batch=2).paper == zen_samples(bare.graph(), batch=2).paper


def test_a_wider_and_a_deeper_network_score_higher() -> None:
    def value(text: str) -> float:
        return zen_score(parse_text(text, 16).graph(), batch=8, repeats=4).value

    assert value("SuperConvK3BNRELU(3,32,1,2)") > value("SuperConvK3BNRELU(3,8,1,2)")
    assert value("SuperConvK3BNRELU(3,8,1,6)") > value("SuperConvK3BNRELU(3,8,1,2)")


def test_a_network_that_ignores_its_input_has_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenbench.zen.proxies.zen_score.GAMMA", 0.0)
    with pytest.raises(
        UserError, match="no Zen-Score: the change of the last feature map is 0, which has no log"
    ):
        zen_samples(small_network().graph(), batch=2)


def test_an_overflow_is_named_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.randn
    monkeypatch.setattr(torch, "randn", lambda *shape, **options: draw(*shape, **options) * 1e30)
    with pytest.raises(UserError, match=r"no Zen-Score: the variance at u0_bn1 is (inf|nan)"):
        zen_samples(small_network().graph(), batch=2)


def test_too_little_memory_asks_for_a_smaller_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functional, "conv2d", lambda *_args, **_options: torch.empty(2**58))
    with pytest.raises(
        UserError, match="two passes of 8 images at 16 pixels do not fit in memory; use a smaller"
    ):
        zen_samples(small_network().graph(), batch=8)


@pytest.mark.parametrize(
    ("batch", "repeats", "fault"),
    [
        (1, 1, "batch of 2 to 65536 images, not 1"),
        (10**9, 1, "not 1000000000"),
        (16, 0, "1 repeat or more, not 0"),
    ],
)
def test_senseless_counts_are_refused(batch: int, repeats: int, fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        zen_samples(small_network().graph(), batch, repeats)
