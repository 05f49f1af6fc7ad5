"""A table's predictions, corrected by networks measured just now."""

import pytest
from zenbench.bench.tables.prediction import open_model
from zenbench.devices.base import SettingRequest
from zenbench.latency_tables.corrected import Corrected
from zenbench.latency_tables.predictor import Predictor
from zenbench.zen.network import Network, parse_text
from zenbench.zen.search import Budget, LatencyLimit

WIDE = "SuperConvK3BNRELU(3,32,2,1)SuperResK3K3(32,{},2,64,{})SuperConvK1BNRELU({},512,1,1)"


def network(width: int, layers: int, resolution: int = 224) -> Network:
    return parse_text(WIDE.format(width, layers, width), resolution)


@pytest.fixture(scope="module")
def model() -> Predictor:
    return open_model("t4", SettingRequest())


def test_it_learns_most_from_networks_alike_and_says_how_sure_it_is(model: Predictor) -> None:
    like, unlike = network(72, 2), network(512, 9)
    measured = {network(width, 2): 1.2 * model.estimate(network(width, 2)).ms for width in (56, 64, 80, 88)}
    corrected = Corrected(model, measured)
    ratios = [corrected.estimate(one).ms / model.estimate(one).ms for one in (like, unlike)]
    assert ratios[0] == pytest.approx(1.2, abs=0.03) and 1.0 < ratios[1] < ratios[0]
    sure, unsure = (corrected.estimate(one) for one in (like, unlike))
    assert sure.std_ms / sure.ms < 0.7 * unsure.std_ms / unsure.ms


def test_errors_beyond_the_stated_deviations_stretch_them(model: Predictor) -> None:
    networks = [network(width, 2) for width in (56, 64, 80, 88)]
    far = network(512, 9)
    mild, wild = (
        Corrected(model, {one: (1 + error) * model.estimate(one).ms for one in networks}).estimate(far)
        for error in (0.01, 1.5)
    )
    assert wild.std_ms / wild.ms > 1.5 * mild.std_ms / mild.ms


def test_a_search_adds_up_its_parts_as_an_estimate_does(model: Predictor) -> None:
    corrected = Corrected(model, {network(64, 2): 1.1 * model.estimate(network(64, 2)).ms})
    limit = LatencyLimit(10.0, corrected)
    assert Budget(latencies=(limit,)).latencies[0].estimate(network(80, 3)).ms == pytest.approx(
        corrected.estimate(network(80, 3)).ms
    )
