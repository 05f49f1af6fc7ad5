"""Fill-in, calibration and model, on a made-up machine whose truth is known."""

import random
import re
from dataclasses import replace
from statistics import mean

import numpy as np
import pytest
from toys import measured_card, row
from zenbench.errors import NetworkError, TableError
from zenbench.latency_tables.measured.fill_in import FillIn
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.measured.network_calibration import calibrate, cut_terms
from zenbench.latency_tables.op_features import KINDS, KINDS_WITH_MACS, ROOFLINE, workload_features
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.blocks import block_workloads
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.graph import Function
from zenbench.zen.network import Network, parse_text
from zenbench.zen.units.dense import DenseUnit, NormUnit
from zenbench.zen.units.mobile import InvertedUnit
from zenbench.zen.units.resnet import ResNetUnit
from zenbench.zen.workload import Workload

CARD = measured_card()
RATES = {"image": 0.1, "dense": 0.05, "grouped": 0.08, "pointwise": 0.03, "depthwise": 0.2, "linear": 0.1}
ACTIVATIONS = ROOFLINE.index("100 kB of activations")


def truth_ms(workload: Workload) -> float:
    """MACs by kind, traffic, a launch an operation; small feature maps run less efficiently."""
    total = 0.0
    for op in workload_features(workload):
        macs = sum(op.work[:KINDS_WITH_MACS])
        small = 1 + 0.5 / (1 + 2 ** (op.point[2] - 3))
        total += RATES.get(KINDS[op.kind], 0.0) * macs * small + 0.002 * op.work[ACTIVATIONS] + 0.005
    return total


def some_workloads(count: int, seed: int) -> list[Workload]:
    rng = random.Random(seed)
    found: list[Workload] = []
    while len(found) < count:
        kind = rng.choice(["SuperResK{k}K{k}", "SuperResK1K{k}K1", "SuperResIDWE4K{k}"])
        widths = [8 * rng.randint(1, 40) for _ in range(3)]
        name = kind.format(k=rng.choice([3, 5, 7]))
        block = f"{name}({widths[0]},{widths[1]},{rng.choice([1, 2])},{widths[2]},1)"
        text = f"SuperConvK3BNRELU(3,{widths[0]},1,1){block}"
        found += parse_text(text, rng.choice([7, 14, 28, 56])).workloads()[:-1]
    return found[:count]


def network_truth_ms(network: Network) -> float:
    """What cutting costs is not there in a whole network."""
    workloads = network.workloads()
    return 1.1 * sum(map(truth_ms, workloads)) - sum(0.004 + 0.02 * cut_terms(w)[1] for w in workloads)


def make_model(rows: int = 150, networks: int = 0) -> TableModel:
    names = (
        "zennet-0.1ms",
        "zennet-0.2ms",
        "zennet-400m-se",
        "zennet-cifar-1m",
        "zennet-cifar-0.5m",
        "zennet-600m-se",
    )
    whole = {zoo(name): row(network_truth_ms(zoo(name))) for name in names[:networks]}
    return TableModel(LatencyTable(CARD, {w: row(truth_ms(w)) for w in some_workloads(rows, 0)}, whole))


def test_a_grouped_convolution_does_its_share_of_the_dense_work() -> None:
    units = [ResNetUnit("bottleneck", 64, 64, 64, 1, False, groups) for groups in (1, 4, 64)]
    dense, grouped, depthwise = (workload_features(Workload(unit, 14))[1] for unit in units)
    assert [KINDS[op.kind] for op in (dense, grouped, depthwise)] == ["dense", "grouped", "depthwise"]
    assert grouped.work[grouped.kind] == pytest.approx(dense.work[dense.kind] / 4)
    assert depthwise.work[depthwise.kind] == pytest.approx(dense.work[dense.kind] / 64)


def test_only_a_norm_without_a_convolution_before_it_takes_time() -> None:
    norm, dense = workload_features(Workload(NormUnit(64), 14)), Workload(DenseUnit(64, 128, 32), 14)
    assert [KINDS[op.kind] for op in norm] == ["elementwise"]
    kinds = [KINDS[op.kind] for op in workload_features(dense)]
    assert kinds == ["elementwise", "pointwise", "dense", "copying"]  # norm, 1x1, 3x3, joining


def test_an_activation_takes_time_unless_runtimes_fuse_it() -> None:
    def kinds(activation: Function) -> list[str]:
        unit = InvertedUnit(3, 16, 64, 24, 1, activation)
        return [KINDS[op.kind] for op in workload_features(Workload(unit, 14))]

    assert kinds("relu") == kinds("relu6") == ["pointwise", "depthwise", "pointwise"]
    assert kinds("swish") == ["pointwise", "swish", "depthwise", "swish", "pointwise"]
    assert kinds("hard-swish").count("hard-swish") == 2


def test_a_model_of_plain_units_predicts_known_networks_and_says_which_it_cannot() -> None:
    model = make_model(networks=4)
    seen = {op.kind for workload in model.table.rows for op in workload_features(workload)}
    for name in zoo_names():
        network, estimate = zoo(name), model.estimate(zoo(name))
        kinds = {op.kind for workload in network.workloads() for op in workload_features(workload)}
        if KINDS.index("grouped") in kinds - seen:
            assert abs(estimate.ms - network_truth_ms(network)) < 2 * estimate.std_ms, name
            assert estimate.std_ms > 0.05 * estimate.ms, name
        else:
            assert estimate.ms == pytest.approx(network_truth_ms(network), rel=0.2), name


def test_a_runtime_that_is_lost_on_large_depthwise_kernels_is_learned() -> None:
    def ops(workload: Workload) -> list[tuple[str, int]]:
        return [(KINDS[op.kind], round(2 ** (op.point[3] / 2))) for op in workload_features(workload)]

    def slow_ms(workload: Workload) -> float:
        extra = sum(
            7 * RATES["depthwise"] * op.work[op.kind]
            for op, kind in zip(workload_features(workload), ops(workload), strict=True)
            if kind == ("depthwise", 7)
        )
        return truth_ms(workload) + extra

    known, unseen = some_workloads(300, 0), some_workloads(200, 1)
    fill_in = FillIn(known, [slow_ms(workload) for workload in known])
    for kernel in (3, 5, 7):
        found = [workload for workload in unseen if ("depthwise", kernel) in ops(workload)]
        assert len(found) > 5
        errors = [abs(fill_in.predict(workload)[0] / slow_ms(workload) - 1) for workload in found]
        assert mean(errors) < 0.08, kernel


def test_every_timed_operation_has_features() -> None:
    for workload in zoo("zennet-400m-se").workloads():
        kinds = {KINDS[op.kind] for op in workload_features(workload)}
        assert kinds & {"image", "dense", "pointwise", "linear"}
        assert all(np.isfinite(op.point).all() and min(op.work) >= 0 for op in workload_features(workload))


def test_every_unit_of_a_cell_network_takes_time() -> None:
    network = cell_network("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|none~2|")
    assert all(workload_features(workload) for workload in network.workloads())


def test_fill_in_predicts_unseen_workloads_and_knows_its_error() -> None:
    seen = some_workloads(200, seed=1)
    fill_in = FillIn(seen, [truth_ms(w) for w in seen])
    unseen = [w for w in some_workloads(120, seed=2) if w not in set(seen)]
    errors, scores = [], []
    for workload in unseen:
        ms, variance = fill_in.predict(workload)
        errors.append(abs(ms / truth_ms(workload) - 1))
        scores.append(abs(ms - truth_ms(workload)) / variance**0.5)
    assert mean(errors) < 0.05
    assert np.mean(np.array(scores) < 2) > 0.85


def test_fill_in_is_less_sure_far_from_what_it_saw() -> None:
    seen = some_workloads(100, seed=1)
    fill_in = FillIn(seen, [truth_ms(w) for w in seen])
    near, far = (
        seen[0],
        Workload.parse(
            "residual(style=basic,kernel=7,in_channels=1024,hidden_channels=2048,out_channels=2048,stride=1,projection=1,squeeze_excite=0)@112"
        ),
    )
    relative = [fill_in.predict(w)[1] ** 0.5 / fill_in.predict(w)[0] for w in (near, far)]
    assert relative[1] > 1.5 * relative[0]


def test_more_channels_at_the_same_alignment_are_not_predicted_faster() -> None:
    rng = random.Random(0)
    seen = some_workloads(150, seed=1)
    fill_in = FillIn(seen, [truth_ms(w) * rng.gauss(1, 0.05) for w in seen])
    compared = 0
    for workload in some_workloads(60, seed=2):
        for name in ("in_channels", "hidden_channels", "out_channels"):
            found = re.search(rf"{name}=(\d+)", str(workload))
            if found is None or int(found[1]) % 16:
                continue
            wider = str(workload).replace(found[0], f"{name}={int(found[1]) + 32}")
            try:
                ms = fill_in.predict(Workload.parse(wider))[0]
            except NetworkError:
                continue  # a depthwise unit or one without a projection fixes some of its widths
            compared += 1
            assert ms > (1 - fill_in.noise) * fill_in.predict(workload)[0]
    assert compared > 30


def test_fill_in_is_deterministic() -> None:
    seen = some_workloads(60, seed=3)
    times = [truth_ms(w) for w in seen]
    probe = some_workloads(5, seed=4)
    assert [FillIn(seen, times).predict(w) for w in probe] == [FillIn(seen, times).predict(w) for w in probe]


def test_measured_rows_are_used_as_they_are() -> None:
    model = make_model()
    workload, measured = next(iter(model.table.rows.items()))
    part = model.block(workload)
    assert part.ms == part.measured_ms == measured.latency_ms


def test_uncalibrated_model_is_the_plain_sum() -> None:
    model = make_model()
    estimate = model.estimate(zoo("zennet-0.1ms"))
    assert estimate.ms == pytest.approx(estimate.sum_ms)
    assert model.calibration.bias_of_sum is None


def test_calibration_beats_the_plain_sum_on_an_unseen_network() -> None:
    model = make_model(networks=6)
    network = zoo("zennet-0.3ms")
    estimate, truth = model.estimate(network), network_truth_ms(network)
    assert abs(estimate.ms / truth - 1) < 0.5 * abs(estimate.sum_ms / truth - 1)
    assert abs(estimate.ms - truth) < 3 * estimate.std_ms


def test_calibration_learns_its_coefficients() -> None:
    rng = np.random.default_rng(0)
    terms = np.column_stack(
        [
            rng.uniform(1, 50, 200),
            np.zeros(200),
            rng.integers(10, 60, 200),
            rng.uniform(1, 20, 200),
            rng.uniform(1, 200, 200),
        ]
    )
    past_cache = np.maximum(0.0, terms[:, -1] - 32.0)
    truths = terms @ np.array([1.08, 1.0, -0.01, -0.05, 0.004]) + 0.03 * past_cache
    found = calibrate(terms.tolist(), [0.0] * 200, [0.0] * 200, truths.tolist())
    assert found.cache_mb == 32.0
    assert found.coefficients == pytest.approx([1.08, 1.0, -0.01, -0.05, 0.004, 0.03], rel=0.1, abs=2e-3)


def test_coverage_is_the_measured_share() -> None:
    network = zoo("zennet-cifar-0.5m")
    rows = {w: row(truth_ms(w)) for w in (*network.workloads(), *some_workloads(20, 0))}
    table = LatencyTable(CARD, rows)
    assert TableModel(table).estimate(network).coverage == pytest.approx(1.0)
    partial = dict(list(rows.items())[8:])
    assert 0 < TableModel(replace(table, rows=partial)).estimate(network).coverage < 1


def test_std_holds_what_all_blocks_have_in_common() -> None:
    """Block errors are correlated: more blocks do not average the calibration's error away."""
    model = make_model(networks=6)
    deep = parse_text("SuperConvK3BNRELU(3,64,2,1)SuperResK3K3(64,64,2,64,40)", 64)
    estimate = model.estimate(deep)
    independent = sum(model.block(workload).variance for workload in deep.workloads())
    assert estimate.std_ms**2 > independent + 0.99 * (model.calibration.noise * estimate.ms) ** 2


def test_too_few_rows_say_what_to_run() -> None:
    few = dict(list(make_model(20).table.rows.items())[:3])
    model = TableModel(LatencyTable(CARD, few))
    unseen = block_workloads(parse_text("SuperConvK7BNRELU(3,48,2,1)").blocks[0], 96)[0]
    with pytest.raises(TableError, match="zenbench profile"):
        model.block(unseen)
