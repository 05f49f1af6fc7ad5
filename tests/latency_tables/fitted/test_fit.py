"""Tables fitted to whole networks: what they are fitted by, how well they predict, what they refuse."""

import csv
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import DATA
from zenbench.bench.profiling.plan import random_networks, sources
from zenbench.devices.base import Setting
from zenbench.errors import NetworkError, TableError
from zenbench.latency_tables.card import TableCard
from zenbench.latency_tables.fitted.cell_features import (
    CELL_READINGS,
    CONVERTED,
    LISTED,
    LISTED_IDLE,
    computed,
)
from zenbench.latency_tables.fitted.features import ANY, SPACES, readings_of
from zenbench.latency_tables.fitted.fit import fit_networks, network_features
from zenbench.latency_tables.fitted.model import FittedTable
from zenbench.latency_tables.fitted.record import FittedRecord
from zenbench.latency_tables.modelled.calibration import calibrate_model
from zenbench.latency_tables.modelled.model import ModelledTable
from zenbench.latency_tables.op_features import Vector
from zenbench.latency_tables.predictor import predictor
from zenbench.latency_tables.store import shipped
from zenbench.latency_tables.table import LatencyTable
from zenbench.latency_tables.table_files import card_path
from zenbench.zen.families import zoo
from zenbench.zen.families.nas_bench_201 import cell_network, cell_text
from zenbench.zen.network import Network, parse_text
from zenbench.zen.space import spaces
from zenbench.zen.units.cell import CellUnit
from zenbench.zen.workload import Workload

NASBENCH = DATA / "nasbench201_latency.csv"
SHORT = {"0": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}


def read_measured() -> tuple[list[Network], dict[str, Vector]]:
    with NASBENCH.open(newline="") as file:
        rows = list(csv.DictReader(file))
    devices = [name for name in rows[0] if name != "arch"]
    latencies = {name: np.array([float(row[name]) for row in rows]) for name in devices}
    return [cell_network(row["arch"]) for row in rows], latencies


CELLS, MEASURED = read_measured()


def cell(short: str) -> CellUnit:
    """A cell of 16 channels, its edges in the order 0>1, 0>2, 1>2, 0>3, 1>3, 2>3."""
    return CellUnit(".".join(SHORT[one] for one in short), 16)


def fit(networks: list[Network], latencies: Vector, space: str = "nasbench201") -> FittedTable:
    record = fit_networks(networks, list(map(str, networks)), list(latencies), readings_of(space))
    setting = Setting("phone", "litert")
    return FittedTable(
        LatencyTable(TableCard(setting, "fitted", {}, {}, {}, None, None, "", "", model=record.to_json()), {})
    )


def off(model: FittedTable, networks: list[Network], latencies: Vector) -> Vector:
    errors: Vector = np.array([model.estimate(one).ms for one in networks]) / latencies - 1
    return errors


@pytest.mark.parametrize(
    "short, edges",
    [
        ("333333", "0>1 0>2 1>2 0>3 1>3 2>3"),
        ("0s333s", "0>2 0>3 2>3"),  # node 1 is a zero, and what reads it is folded away
        ("000303", "0>3 2>3"),  # node 2 is a sum of two zeros, which is not folded
        ("003303", "0>3"),  # node 2 has one way in, from a zero
        ("330300", "0>3"),  # neither node 1 nor node 2 is needed
        ("303s03", "0>1 1>2 0>3 2>3"),
    ],
)
def test_what_of_a_cell_is_computed(short: str, edges: str) -> None:
    assert " ".join(f"{source}>{target}" for source, target, _ in computed(cell(short).ops)) == edges


def test_features_count_work_in_that_of_the_first_stage() -> None:
    features = readings_of("nasbench201")[0]
    narrow, wide, large = (
        dict(zip(features.names, features.unit(workload), strict=True))
        for workload in (
            Workload(CellUnit(cell("3s1p3s").ops, 16), 32),
            Workload(CellUnit(cell("3s1p3s").ops, 32), 16),
            Workload(CellUnit(cell("3s1p3s").ops, 16), 64),
        )
    )
    assert [narrow[name] for name in features.names[:5]] == [0, 2, 1, 1, 3]
    assert wide["nor_conv_3x3"] == 2 and wide["avg_pool_3x3"] == 0.5
    assert large["nor_conv_3x3"] == 8 and large["sum"] == 12
    whole = network_features([CELLS[0]], features)[0]
    assert whole[0] == pytest.approx(1)  # stem and reductions of one network


def test_known_coefficients_are_found() -> None:
    features = readings_of("nasbench201")[0]
    counts = network_features(CELLS[:200], features)[:, : features.carriers]
    truth = counts @ [2.0, 0.3, 0.05, 0.08, 0.02]
    model = fit(CELLS[:100], truth[:100])
    assert np.abs(off(model, CELLS[100:200], truth[100:])).max() < 0.005
    assert model.record.coefficients[1] == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    "device, goal", [("cortex_a76_cpu_ms", 0.025), ("adreno_640_gpu_ms", 0.014), ("adreno_630_gpu_ms", 0.019)]
)
def test_measured_cells_are_predicted_from_a_hundred(device: str, goal: float) -> None:
    truth = MEASURED[device]
    order = np.random.default_rng(11).permutation(len(truth))
    aside = order[-400:]
    others, deviations = [CELLS[index] for index in aside], []
    means = []
    for count in (100, 600):
        known = order[:count]
        model = fit([CELLS[index] for index in known], truth[known])
        errors = off(model, others, truth[aside])
        means.append(float(np.abs(errors).mean()))
        assert np.mean(np.abs(errors) < 0.1) >= 0.99 and means[-1] < goal
        assert model.record.error.mean == pytest.approx(means[-1], rel=0.35)
        deviations += [
            errors[place] * truth[aside][place] / model.estimate(one).std_ms
            for place, one in enumerate(others)
        ]
    assert means[1] < 1.02 * means[0]
    sizes = np.abs(deviations)
    assert 0.55 < np.mean(sizes < 1) < 0.85 and np.mean(sizes < 2) > 0.88


@pytest.mark.parametrize("space", ["resnet", "mobilenet", ANY])
def test_networks_of_super_blocks_are_predicted(space: str) -> None:
    drawn = sources(*spaces().values()) if space == ANY else sources(spaces()[space])
    networks = list(islice(random_networks(drawn, (224, 160), 5), 260))
    truth = np.array(
        [ModelledTable(shipped(Setting("pixel2", "litert"))).estimate(one).ms for one in networks]
    )
    noisy = truth * np.exp(0.02 * np.random.default_rng(0).standard_normal(len(truth)))
    errors = np.abs(off(fit(networks[:160], noisy[:160], space), networks[160:], truth[160:]))
    assert errors.mean() < 0.04 and np.mean(errors < 0.1) > 0.95


def test_more_channels_are_not_predicted_faster() -> None:
    networks = list(islice(random_networks(sources(spaces()["resnet"]), (224,), 6), 80))
    truth = ModelledTable(shipped(Setting("t4", "tensorrt", "int8", 64)))
    model = fit(networks, np.array([truth.estimate(one).ms for one in networks]), "resnet")
    for size in (7, 14, 28, 56):
        texts = (
            f"SuperConvK3BNRELU(3,32,1,1)SuperResK3K3(32,{width},1,{width},1)" for width in range(32, 257, 32)
        )
        times = [model.block(parse_text(text, size).workloads()[1]).ms for text in texts]
        assert times == sorted(times) and times[0] > 0


def test_repeated_units_and_a_network_add_up() -> None:
    model = fit(CELLS[:60], MEASURED["adreno_640_gpu_ms"][:60])
    estimate = model.estimate(CELLS[70])
    assert estimate.sum_ms == pytest.approx(sum(model.block(one).ms for one in CELLS[70].workloads()))
    assert estimate.coverage == 0 and 0 < estimate.std_ms < 0.1 * estimate.ms


def test_a_saved_table_predicts_the_same_in_plain_numbers(tmp_path: Path) -> None:
    model = fit(CELLS[:60], MEASURED["adreno_640_gpu_ms"][:60])
    path = tmp_path / "t.csv"
    model.table.save(path)
    loaded = predictor(LatencyTable.load(path))
    assert isinstance(loaded, FittedTable)
    assert loaded.estimate(CELLS[70]) == pytest.approx(model.estimate(CELLS[70]))
    card = json.loads(card_path(path).read_text())
    assert card["provenance"] == "fitted" and len(card["model"]["trained_on"]) == 60
    assert loaded.notice == model.notice and "60 whole networks of nasbench201" in loaded.notice


@pytest.mark.parametrize(
    "entry, value",
    [
        ("kind", "gpu-roofline"),
        ("version", 4),
        ("reading", []),
        ("reading", {}),
        ("reading", "elsewhere"),
        ("reading", None),
        ("readings_left_out_error", {"elsewhere": 0.1}),
        ("space", "elsewhere"),
        ("noise", 0.0),
        ("noise", None),
        ("noise", 1e300),
        ("unseen", ["elsewhere"]),
        ("resolutions", [32]),
        ("resolutions", [64, 32]),
        ("coefficients", {}),
        ("left_out_error", {}),
        ("trained_on", []),
    ],
)
def test_damaged_models_do_not_load(tmp_path: Path, entry: str, value: Any) -> None:
    path = tmp_path / "t.csv"
    fit(CELLS[:20], MEASURED["adreno_640_gpu_ms"][:20]).table.save(path)
    card = json.loads(card_path(path).read_text())
    card["model"][entry] = value
    card_path(path).write_text(json.dumps(card))
    with pytest.raises(TableError, match="damaged model"):
        predictor(LatencyTable.load(path))


@pytest.mark.parametrize(
    "damage", [{"ms": None}, {"ms": float("inf")}, {"ms": 1e300}, {"directions": [1.0]}, {"directions": 3}]
)
def test_damaged_coefficients_do_not_load(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "t.csv"
    fit(CELLS[:20], MEASURED["adreno_640_gpu_ms"][:20]).table.save(path)
    card = json.loads(card_path(path).read_text())
    card["model"]["coefficients"]["sum"] |= damage
    card_path(path).write_text(json.dumps(card))
    with pytest.raises(TableError, match="damaged model"):
        predictor(LatencyTable.load(path))


def test_no_network_is_predicted_to_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    fit(CELLS[:20], MEASURED["adreno_640_gpu_ms"][:20]).table.save(path)
    card = json.loads(card_path(path).read_text())
    for coefficient in card["model"]["coefficients"].values():
        coefficient["ms"] = 0.0  # as non-negative ones may be for a network like no other
    card["model"]["trained_on"][0]["left_out_ms"] = 0.0
    card_path(path).write_text(json.dumps(card))
    with pytest.raises(TableError, match="no time at all"):
        predictor(LatencyTable.load(path)).estimate(CELLS[70])


def test_a_fitted_table_needs_its_model_and_no_reference(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    fit(CELLS[:20], MEASURED["adreno_640_gpu_ms"][:20]).table.save(path)
    card = json.loads(card_path(path).read_text())
    for change in ({"model": None}, {"reference": "x", "reference_ms": 1.0}, {"provenance": "modelled"}):
        card_path(path).write_text(json.dumps({**card, **change}))
        with pytest.raises(TableError, match="card"):
            predictor(LatencyTable.load(path))


def test_too_few_and_equal_latencies_are_refused() -> None:
    features = readings_of("nasbench201")[0]
    with pytest.raises(TableError, match="at least 10 networks, not 9"):
        fit_networks(CELLS[:9], ["n"] * 9, list(MEASURED["adreno_640_gpu_ms"][:9]), [features])
    with pytest.raises(TableError, match="all 12 networks have the same latency, 3 ms"):
        fit_networks(CELLS[:12], ["n"] * 12, [3.0] * 12, [features])


def test_ten_networks_that_are_almost_alike_give_a_cautious_table() -> None:
    model = fit(CELLS[:10], MEASURED["adreno_640_gpu_ms"][:10])
    estimate = model.estimate(CELLS[500])
    assert 0.5 < estimate.ms / MEASURED["adreno_640_gpu_ms"][500] < 2
    assert isinstance(FittedRecord.from_json(model.table.card.model), FittedRecord)


def test_what_no_network_had_is_refused() -> None:
    networks = list(islice(random_networks(sources(spaces()["resnet"]), (224, 192), 1), 30))
    model = fit(networks, np.linspace(1, 2, 30), "resnet")
    with pytest.raises(TableError, match="none of the space resnet, to which the table of phone"):
        model.estimate(zoo("mobilenetv2-1.0"))
    with pytest.raises(TableError, match="depthwise 10M MACs, which none of the networks had"):
        model.block(zoo("mobilenetv2-1.0").workloads()[1])
    with pytest.raises(TableError, match="192 to 224 pixels and says nothing of 64"):
        model.estimate(parse_text(networks[0].text, 64))
    cells = fit(CELLS[:20], MEASURED["adreno_640_gpu_ms"][:20])
    with pytest.raises(TableError, match="none of the space nasbench201"):
        cells.block(networks[0].workloads()[1])


@pytest.mark.parametrize("space", SPACES)
def test_networks_are_of_their_space(space: str) -> None:
    examples = {
        "nasbench201": CELLS[0],
        "resnet": parse_text("SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,16,1,8,1)SuperConvK1BNRELU(16,8,1,1)"),
        "mobilenet": parse_text(
            "SuperConvK3BNRELU(3,8,1,1)SuperResIDWE6K3(8,16,1,8,1)SuperConvK1BNRELU(16,8,1,1)"
        ),
        ANY: zoo("resnet-18"),
    }
    features = readings_of(space)[0]
    for owner, network in examples.items():
        if space in (owner, ANY):
            features.check(network)
        else:
            with pytest.raises(TableError, match=f"none of the space {space}"):
                features.check(network)


def test_a_fitted_table_neither_merges_nor_calibrates() -> None:
    table = fit(CELLS[:20], MEASURED["adreno_640_gpu_ms"][:20]).table
    with pytest.raises(TableError, match="a fitted table does not merge"):
        table.merged_with(table)
    with pytest.raises(TableError, match="fit it again"):
        calibrate_model(table, [], [], "now")


def test_any_cell_takes_time() -> None:
    """Corrections learned on measured cells do not make an unusual one free."""
    model = fit(CELLS[:100], MEASURED["adreno_640_gpu_ms"][:100])
    for short in ("00s1s0", "ssssss", "pppppp", "3000s0", "0s000s"):
        unit = cell(short)
        if unit.live() and not unit.is_identity:
            network = cell_network(cell_text(tuple(unit.ops.split("."))))
            assert model.estimate(network).ms > 0
            assert all(model.block(one).ms >= 0 for one in network.workloads())


def devices(name: str, column: str, count: int) -> tuple[list[Network], Vector]:
    """Networks and latencies of the first rows of a file whose cells pass anything on, each once."""
    found: dict[str, tuple[Network, float]] = {}
    with (DATA / name).open(newline="") as file:
        for row in islice(csv.DictReader(file), count):
            try:
                network = cell_network(row["arch"])
            except NetworkError:
                continue
            found.setdefault(network.digest, (network, float(row[column])))
    return [network for network, _ in found.values()], np.array([ms for _, ms in found.values()])


@pytest.mark.parametrize(
    "name, column, reading, most",
    [
        ("nasbench201_latency.csv", "cortex_a76_cpu_ms", CONVERTED, 0.03),
        ("nasbench201_more_devices.csv", "fpga_ms", LISTED, 0.001),
        ("nasbench201_more_devices.csv", "titan_rtx_gpu_b1_ms", LISTED_IDLE, 0.04),
    ],
)
def test_what_runs_is_chosen_by_the_error_left_out(name: str, column: str, reading: str, most: float) -> None:
    networks, latencies = devices(name, column, 400)
    model = fit(networks[:100], latencies[:100])
    record = model.record
    assert record.features.reading == reading == min(record.readings, key=lambda one: record.readings[one])
    assert list(record.readings) == list(CELL_READINGS)
    assert np.abs(off(model, networks[100:], latencies[100:])).mean() < most


def test_a_listed_cell_that_hands_its_input_on_counts_what_it_lists() -> None:
    networks, latencies = devices("nasbench201_more_devices.csv", "fpga_ms", 100)
    model = fit(networks, latencies)
    plain, dead = (
        cell_network(cell_text(tuple(SHORT[one] for one in short))) for short in ("000s00", "300s00")
    )
    assert plain.digest == dead.digest and model.estimate(dead).ms > 1.05 * model.estimate(plain).ms


def test_the_table_predicts_what_the_fit_says_of_its_own_networks() -> None:
    networks, latencies = devices("nasbench201_more_devices.csv", "gtx_1080ti_gpu_b256_ms", 120)
    model = fit(networks, latencies)
    said = [one.predicted_ms for one in model.record.trained_on]
    assert [model.estimate(one).ms for one in networks] == pytest.approx(said, rel=1e-4)


def test_a_table_of_the_first_version_is_of_what_a_converter_leaves(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    model = fit(CELLS[:40], MEASURED["adreno_640_gpu_ms"][:40])
    model.table.save(path)
    card = json.loads(card_path(path).read_text())
    card["model"]["version"] = 1
    for name in ("reading", "readings_left_out_error"):
        del card["model"][name]
    card_path(path).write_text(json.dumps(card))
    found = predictor(LatencyTable.load(path))
    assert isinstance(found, FittedTable) and found.record.features.reading == CONVERTED
    assert found.estimate(CELLS[50]).ms == model.estimate(CELLS[50]).ms
