import subprocess
import sys

import pytest
from zenbench.errors import UserError
from zenbench.zen.cost import cost
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.counts import flops, params, random

TEXT = "SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,2)"


def test_counts_are_those_of_the_whole_network_with_its_shortcuts() -> None:
    network = parse_text(TEXT, 16, classes=10)
    exact = cost(network)
    assert (flops(network.graph()).value, flops(network.graph()).std) == (exact.macs, 0)
    assert (params(network.graph()).value, params(network.graph()).std) == (exact.params, 0)


def test_a_random_score_depends_on_graph_and_seed_alone(tiny: Graph) -> None:
    other = parse_text(TEXT, 16, classes=10).graph()
    values = {random(tiny).value, random(tiny, seed=1).value, random(other).value}
    assert len(values) == 3
    code = (
        "from zenbench.zen.network import parse_text; from zenbench.zen.proxies.counts import random;"
        f"print(random(parse_text({TEXT!r}, 16, 10).graph(), batch=2).value)"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(random(other, batch=64).value)


def test_random_scores_spread_like_normal_numbers(tiny: Graph) -> None:
    many = random(tiny, repeats=1000)
    assert many.std == pytest.approx(1, abs=0.1)
    assert many.value == pytest.approx(0, abs=0.15)
    assert random(tiny).std is None
    with pytest.raises(UserError, match="random takes 1 repeat or more, not 0"):
        random(tiny, repeats=0)
