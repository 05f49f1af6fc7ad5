"""What a residual learns, when a fit takes one, how a card holds it."""

import csv
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import DATA
from zenbench.devices.base import Setting
from zenbench.errors import NetworkError, TableError
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.fitted.features import readings_of
from zenbench.latency_tables.fitted.fit import fit_networks
from zenbench.latency_tables.fitted.model import FittedTable
from zenbench.latency_tables.fitted.residual import MOST_NETWORKS, ResidualFit
from zenbench.latency_tables.op_features import Vector
from zenbench.latency_tables.predictor import predictor
from zenbench.latency_tables.table import LatencyTable
from zenbench.latency_tables.table_files import card_path
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.network import Network


def cells(file: str, column: str) -> tuple[list[Network], Vector]:
    """The cells of a device table in random order, with their latencies in ms."""
    with (DATA / f"nasbench201_{file}.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    found = {}
    for row in rows:
        with suppress(NetworkError):  # a cell that passes nothing on
            found[cell_network(row["arch"])] = float(row[column])
    order = np.random.default_rng(3).permutation(len(found))
    networks, latencies = list(found), np.array(list(found.values()))
    return [networks[index] for index in order], latencies[order]


def fitted(networks: list[Network], latencies: Vector) -> FittedTable:
    record = fit_networks(networks, list(map(str, networks)), list(latencies), readings_of("nasbench201"))
    card = TableCard(Setting("d", "r"), "fitted", {}, {}, {}, None, None, "", "", model=record.to_json())
    return FittedTable(LatencyTable(card, {}))


@pytest.fixture(scope="module")
def myriad() -> FittedTable:
    networks, latencies = cells("edge_devices", "myriad_vpu_ms")
    return fitted(networks[:700], latencies[:700])


def test_what_no_sum_can_say_is_learned(myriad: FittedTable) -> None:
    networks, latencies = cells("edge_devices", "myriad_vpu_ms")
    rest = [myriad.estimate(network) for network in networks[700:]]
    errors = np.array([(found.ms, found.sum_ms) for found in rest]) / latencies[700:, None] - 1
    error, of_sum = np.abs(errors).mean(0)
    assert error < 0.9 * of_sum
    assert myriad.record.error.mean == pytest.approx(error, rel=0.3)
    assert myriad.record.error.mean < min(myriad.record.readings.values())
    assert "read as converted + residual" in myriad.notice
    within = np.mean(
        [abs(one.ms - ms) < 2 * one.std_ms for one, ms in zip(rest, latencies[700:], strict=True)]
    )
    assert within > 0.88


@pytest.mark.parametrize(("count", "column"), [(700, "raspi4_ms"), (59, "gtx_1080ti_gpu_b256_ms")])
def test_noise_and_few_networks_have_no_residual(count: int, column: str) -> None:
    networks, latencies = cells("more_devices", column)
    assert fitted(networks[:count], latencies[:count]).record.residual is None


def test_features_that_were_never_seen_change_nothing() -> None:
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.uniform(1, 2, (MOST_NETWORKS + 50, 3)), np.zeros(MOST_NETWORKS + 50)])
    departures = 0.1 * np.sin(4 * features[:, 0])
    residual = ResidualFit(features, departures).residual(departures)
    assert len(residual.points) == MOST_NETWORKS
    assert residual.departures(features) == pytest.approx(departures, abs=0.03)
    far = residual.departures(np.array([[1e3, 1e3, 1e3, 1.0]]))
    assert far == pytest.approx([0.0], abs=1e-6)


def test_a_card_holds_the_residual(tmp_path: Path, myriad: FittedTable) -> None:
    networks, _ = cells("edge_devices", "myriad_vpu_ms")
    myriad.table.save(tmp_path / "t.csv")
    loaded = predictor(LatencyTable.load(tmp_path / "t.csv"))
    assert loaded.estimate(networks[-1]) == pytest.approx(myriad.estimate(networks[-1]), rel=1e-4)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("length", 0),
        ("length", 10**400),
        ("length", 1e-308),
        ("length", True),
        ("weights", 1.5),
        ("points", None),
        ("scales", []),
        ("scales", {"sum": 1.0}),
        ("points", [[1.0]]),
        ("weights", []),
        ("weights", ["many"] * MOST_NETWORKS),
        ("weights", [float("nan")] * MOST_NETWORKS),
    ],
)
def test_a_damaged_residual_is_named(tmp_path: Path, myriad: FittedTable, entry: str, value: Any) -> None:
    myriad.table.save(tmp_path / "t.csv")
    path = card_path(tmp_path / "t.csv")
    card = json.loads(path.read_text())
    card["model"]["residual"][entry] = value
    path.write_text(json.dumps(card))
    with pytest.raises(TableError, match=r"damaged model: .*residual"):
        predictor(LatencyTable.load(tmp_path / "t.csv"))
