"""What holds for every random proxy."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from math import sqrt

import pytest
import torch
from torch import nn
from zenbench.errors import UserError
from zenbench.zen.graph import Graph
from zenbench.zen.proxies.base import Score
from zenbench.zen.proxies.grad_norm import grad_norm
from zenbench.zen.proxies.naswot import naswot
from zenbench.zen.proxies.phi import phi
from zenbench.zen.proxies.regions import regions
from zenbench.zen.proxies.synflow import synflow
from zenbench.zen.proxies.te import te

Proxy = Callable[[Graph, int, int, int], Score]
PROXIES: list[Proxy] = [phi, naswot, synflow, grad_norm, te, regions]


@pytest.fixture(params=PROXIES, ids=lambda proxy: proxy.__name__)
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    yield request.param


def test_a_seed_decides_the_score_and_leaves_the_process_alone(proxy: Proxy, tiny: Graph) -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_rng_state().tolist(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
        )

    before = state()
    first = proxy(tiny, 4, 1, 3)
    assert state() == before
    torch.manual_seed(1)
    assert proxy(tiny, 4, 1, 3).value == first.value
    assert proxy(tiny, 4, 1, 4).value != first.value
    for without_gradients in (torch.no_grad(), torch.inference_mode()):
        with without_gradients:
            assert proxy(tiny, 4, 1, 3).value == first.value
    assert (first.std, first.repeats) == (None, 1)
    assert first.seconds > 0


def test_more_repeats_continue_fewer(proxy: Proxy, tiny: Graph) -> None:
    one, two, three = (proxy(tiny, 4, repeats, 3) for repeats in (1, 2, 3))
    second = 2 * two.value - one.value
    third = 3 * three.value - 2 * two.value
    assert two.std == pytest.approx(abs(one.value - second) / sqrt(2))
    assert len({one.value, second, third}) == 3


def test_no_repeat_is_refused(proxy: Proxy, tiny: Graph) -> None:
    with pytest.raises(UserError, match="takes 1 repeat or more, not 0"):
        proxy(tiny, 4, 0, 3)


@pytest.mark.parametrize("batch", [1, 10**9])
@pytest.mark.parametrize("drawing", [p for p in PROXIES if p is not synflow], ids=lambda p: p.__name__)
def test_a_senseless_batch_is_refused(drawing: Proxy, batch: int, tiny: Graph) -> None:
    with pytest.raises(UserError, match=f"takes a batch of 2 to 65536 images, not {batch}"):
        drawing(tiny, batch, 1, 3)


def test_too_little_memory_asks_for_a_smaller_batch(
    proxy: Proxy, tiny: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.ReLU, "forward", lambda _self, _x: torch.empty(2**58))
    with pytest.raises(UserError, match="does not fit in memory; use a smaller batch or resolution"):
        proxy(tiny, 4, 1, 3)


def test_another_process_gives_the_same_scores(tiny: Graph) -> None:
    code = (
        "import torch; torch.manual_seed(5);"
        "from zenbench.zen.network import parse_text;"
        "from zenbench.zen.proxies.naswot import naswot; from zenbench.zen.proxies.te import te;"
        "text = 'SuperConvK3BNRELU(3,6,2,1)SuperConvK3BNRELU(6,8,1,1)';"
        "graph = parse_text(text, 8, classes=5).graph();"
        "print(naswot(graph, 4, 2, 3).value, te(graph, 4, 2, 3).value)"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.split() == [str(naswot(tiny, 4, 2, 3).value), str(te(tiny, 4, 2, 3).value)]
