"""Calibrating a modelled table: a handful of networks of another machine bring the others nearer."""

import random

import numpy as np
import pytest
from zenbench.errors import TableError
from zenbench.latency_tables.modelled.calibration import calibrate_model
from zenbench.latency_tables.modelled.model import ModelledTable
from zenbench.latency_tables.modelled.published import PUBLICATIONS, read_network, read_source
from zenbench.latency_tables.modelled.record import ModelRecord
from zenbench.latency_tables.modelled.roofline import Roofline
from zenbench.latency_tables.modelled.roofline_fit import Observation
from zenbench.latency_tables.store import shipped
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.network import Network

TABLE = shipped(PUBLICATIONS[0].setting)
NETWORKS = [zoo(name) for name in zoo_names() if "cifar" not in name and "resnest" not in name]


def another_machine(seed: int, factor: float) -> ModelledTable:
    """The model with every coefficient slower by a factor and something of its own."""
    model = ModelledTable(TABLE)
    published = model.record.roofline
    shifts = np.random.default_rng(seed).normal(np.log(factor), 0.25, len(published.names))
    model._roofline = Roofline.from_log_times(
        published.machine, published.log_times + shifts, published.covariance, published.noise
    )
    return model


def observed(model: ModelledTable, networks: list[Network]) -> list[Observation]:
    return [Observation(network, model.estimate(network).ms) for network in networks]


def mean_error(table: LatencyTable, truth: list[Observation]) -> float:
    model = ModelledTable(table)
    return float(np.mean([abs(model.estimate(one.network).ms / one.latency_ms - 1) for one in truth]))


@pytest.mark.parametrize("seed", range(4))
def test_five_networks_bring_the_others_nearer(seed: int) -> None:
    networks = random.Random(seed).sample(NETWORKS, len(NETWORKS))
    truth = observed(another_machine(seed, 1.6), networks)
    calibrated = calibrate_model(TABLE, [str(i) for i in range(5)], truth[:5], "now")
    others = truth[5:]
    before, after = mean_error(TABLE, others), mean_error(calibrated, others)
    assert after < 0.15 and after < 0.6 * before, (before, after)
    record = ModelRecord.from_json(calibrated.card.model)
    assert record.calibration is not None and calibrated.card.provenance == "modelled"
    assert record.calibration.before.mean > record.calibration.after.mean
    assert [one.latency_ms for one in record.newest] == pytest.approx(
        [one.latency_ms for one in truth[:5]], rel=1e-4
    )


def test_more_networks_teach_the_coefficients() -> None:
    truth = observed(another_machine(7, 1.6), NETWORKS)
    errors = [
        mean_error(calibrate_model(TABLE, ["n"] * count, truth[::2][:count], "now"), truth[1::2])
        for count in (2, 16)
    ]
    assert errors[1] < 0.6 * errors[0]


def test_the_same_machine_changes_little() -> None:
    truth = observed(ModelledTable(TABLE), NETWORKS)
    assert mean_error(calibrate_model(TABLE, ["n"] * 4, truth[:4], "now"), truth[4:]) < 0.02


def test_another_stack_s_figures_are_met_better_after_half_of_them() -> None:
    """GENet's INT8 table: published, of the same GPU, and in no fit."""
    rows = read_source("genet_t4.csv")
    truth = [Observation(read_network(row), 64 * float(row["t4_int8_ms_per_image"])) for row in rows]
    calibrated = calibrate_model(TABLE, ["n"] * 5, truth[::2], "now")
    assert mean_error(calibrated, truth[1::2]) < 0.75 * mean_error(TABLE, truth[1::2])


def test_what_cannot_be_calibrated_is_refused() -> None:
    truth = observed(ModelledTable(TABLE), NETWORKS[:3])
    with pytest.raises(TableError, match="at least 2 networks"):
        calibrate_model(TABLE, ["n"], truth[:1], "now")
    once = calibrate_model(TABLE, ["n"] * 3, truth, "now")
    with pytest.raises(TableError, match="calibrated already"):
        calibrate_model(once, ["n"] * 3, truth, "now")
