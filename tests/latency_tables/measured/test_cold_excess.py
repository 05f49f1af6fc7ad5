"""What a unit takes longer in cold caches: learned from rows that have it, and its share in a network."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from toys import measured_card, row
from zenbench.bench.profiling.plan import random_networks, sources
from zenbench.latency_tables.measured.cold_excess import ColdExcess
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.measured.network_calibration import calibrate
from zenbench.latency_tables.op_features import timed_ops
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.cost import workload_cost
from zenbench.zen.network import Network
from zenbench.zen.space import spaces
from zenbench.zen.workload import Workload

SOURCES = sources(*spaces().values())


def networks(count: int, seed: int) -> list[Network]:
    return list(islice(random_networks(SOURCES, [64, 128], seed), count))


def units(count: int, seed: int) -> list[Workload]:
    found = dict.fromkeys(unit for network in networks(count, seed) for unit in network.workloads())
    return list(found)[:count]


def warm_ms(workload: Workload) -> float:
    return workload_cost(workload).macs / 2e7 + 0.01


def excess_ms(workload: Workload) -> float:
    return 0.002 * len(list(timed_ops(workload))) + 0.02 * 4 * workload_cost(workload).params / 1e6


def table(known: list[Workload], cold: bool = True) -> LatencyTable:
    rows = {unit: row(warm_ms(unit)) for unit in known}
    if cold:
        rows = {unit: replace(one, cold_ms=one.latency_ms + excess_ms(unit)) for unit, one in rows.items()}
    return LatencyTable(measured_card(basis="in-context"), rows)


def test_the_excess_of_units_never_measured() -> None:
    rows = table(units(120, 1)).rows
    learned = ColdExcess(list(rows), list(rows.values()), 32.0)
    errors = [learned.predict(unit) / excess_ms(unit) - 1 for unit in units(60, 2) if unit not in rows]
    assert np.median(np.abs(errors)) < 0.15


def test_without_cold_rows_there_is_none() -> None:
    rows = table(units(20, 1), cold=False).rows
    assert ColdExcess(list(rows), list(rows.values()), 32.0).predict(units(1, 2)[0]) == 0


def test_a_network_is_between_its_blocks_warm_and_cold() -> None:
    model = TableModel(table(units(200, 1)))
    ordered = sorted(networks(20, 3), key=lambda network: sum(map(warm_ms, network.workloads())))
    shares = []
    for network in ordered:
        warm = sum(model.block(unit).ms for unit in network.workloads())
        excess = sum(model.block(unit).extras[0] for unit in network.workloads())
        shares.append((model.estimate(network).sum_ms - warm) / excess)
    assert all(-1e-9 < share < 1 for share in shares)
    assert shares[0] < shares[-1], "the larger a network, the colder its caches"


def test_blocks_in_place_make_up_the_plain_sum() -> None:
    model = TableModel(table(units(200, 1)))
    (network,) = networks(1, 3)
    units_ms = model.units_ms(network)
    assert sum(units_ms[unit] for unit in network.workloads()) == pytest.approx(
        model.estimate(network).sum_ms
    )


def test_calibration_finds_the_cache_that_networks_outgrow() -> None:
    rng = np.random.default_rng(0)
    terms = np.column_stack(
        [
            rng.uniform(1, 20, 200),
            rng.uniform(0.2, 4, 200),
            rng.integers(10, 60, 200),
            rng.uniform(1, 20, 200),
            rng.uniform(1, 60, 200),
        ]
    )
    cache_mb, flow = 16.0, 3.0
    share = 0.9 * np.clip(((terms[:, 4] + flow * terms[:, 0]) / cache_mb - 0.2) / 1.8, 0, 1)
    truths = terms[:, 0] + 1.2 * share * terms[:, 1]
    found = calibrate(terms.tolist(), [0.0] * 200, [0.0] * 200, truths.tolist())
    assert (found.cache_mb, found.flow_mb_per_ms) == (cache_mb, flow)
    assert found.coefficients[:2] == pytest.approx([1.0, 1.2], rel=0.05)
    assert found.left_out is not None and found.left_out.mape < 0.005 < found.left_out.mape_of_sum


@pytest.mark.parametrize("told", ["large", -1, 0, None, [], float("inf")])
def test_a_card_that_tells_no_cache_size_has_the_usual_one(told: object) -> None:
    known = units(30, 1)
    usual, found = (
        TableModel(replace(table(known), card=replace(measured_card(basis="in-context"), recipe=recipe)))
        for recipe in ({}, {"last_cache_mb": told})
    )
    (network,) = networks(1, 3)
    assert found.estimate(network) == usual.estimate(network)
