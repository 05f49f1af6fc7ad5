"""The figures of `zenbench report` and its verdict: what they draw and claim."""

import json
import re
from pathlib import Path

import pytest
from report_charts import values
from toys import PLAIN_WITH_END
from zenbench.bench.charts.accuracy import error_distribution, measured_against_predicted
from zenbench.bench.charts.search import latency_by_block
from zenbench.bench.charts.style import LIGHT, chart_svg, spread_scale
from zenbench.bench.comparing.agreement import agree
from zenbench.bench.latency_files.latency_rows import LatencyRow, write_rows
from zenbench.bench.measuring.drift import read_drift
from zenbench.bench.measuring.journal import read as read_journal
from zenbench.bench.report.facts import gather
from zenbench.bench.report.verdict import verdict
from zenbench.bench.tables.block_latencies import BlockLatency, Blocks
from zenbench.zen.network import parse_text


def rows_with(errors: list[float]) -> tuple[list[LatencyRow], list[LatencyRow]]:
    setting = "simulated/fp32/b1/t1/free"
    truths = [
        LatencyRow(f"n{i}", f"{i:016d}", "simulated", setting, latency_ms=1.0 + i) for i in range(len(errors))
    ]
    guesses = [
        LatencyRow(
            row.network, row.digest, row.device, row.setting, latency_ms=(row.latency_ms or 0) * (1 + e)
        )
        for row, e in zip(truths, errors, strict=True)
    ]
    return truths, guesses


@pytest.mark.parametrize(
    "errors, words",
    [
        ([0.01] * 20, "Predictions hold"),
        ([0.01] * 18 + [0.2] * 2, "Predictions mostly hold"),
        ([0.2] * 20, "Predictions do not hold"),
        ([0.01], "the one network"),
        ([0.01] * 4, "Too few networks to tell whether predictions hold: off by"),
        ([0.01] * 5, "100\u00a0% within 10\u00a0% (95\u00a0% confidence: 57\u00a0% to 100\u00a0%)"),
    ],
)
def test_the_verdict_follows_the_share_within_10_percent(
    folder: Path, errors: list[float], words: str
) -> None:
    for name, rows in zip(("measured.csv", "predicted.csv"), rows_with(errors), strict=True):
        write_rows(folder / name, rows)
    assert words in verdict(gather(folder))


def test_without_a_comparison_the_verdict_tells_what_there_is(folder: Path) -> None:
    (folder / "measured.csv").unlink()
    assert re.match(
        r"The search found a network of Zen-Score .* it was not measured yet\.", verdict(gather(folder))
    )
    (folder / "result.json").unlink()
    assert "40 workloads profiled" in verdict(gather(folder))


def test_the_bins_of_the_errors_hold_every_network() -> None:
    errors = [-0.31, -0.05, -0.049, 0.0, 0.05, 0.1, 0.99]
    agreement = agree(*rows_with(errors))
    chart = error_distribution(LIGHT, agreement)
    assert sum(values(chart, "count")) == len(errors)
    lows, highs = values(chart, "low"), values(chart, "high")
    for error in errors:
        assert any(low - 1e-6 <= 100 * error <= high + 1e-6 for low, high in zip(lows, highs, strict=True))


def test_drift_is_the_reference_against_its_median(folder: Path) -> None:
    drift = read_drift(folder / "table.journal.jsonl", "table.csv")
    rounds = [one.timing for one in read_journal(folder / "table.journal.jsonl").measurements if one.timing]
    assert drift is not None and drift.rounds == len(rounds)
    assert sum(moment.rounds for moment in drift.moments) == drift.rounds
    assert all(moment.low <= moment.drift <= moment.high for moment in drift.moments)
    assert min(m.drift for m in drift.moments) <= 1 <= max(m.drift for m in drift.moments)


def test_a_pause_between_sittings_takes_no_room(folder: Path) -> None:
    path = folder / "table.journal.jsonl"
    lines = path.read_text("utf-8").splitlines()
    for number in range(len(lines) // 2, len(lines)):
        data = json.loads(lines[number])
        if "time" in data:
            data["time"] = "2031" + data["time"][4:]
            lines[number] = json.dumps(data)
    path.write_text("\n".join(lines) + "\n")
    drift = read_drift(path, "table.csv")
    assert drift is not None and len(drift.pauses) == 1
    assert drift.moments[-1].minutes < 60


@pytest.mark.parametrize("least, most, kind", [(1.0, 3.9, "linear"), (1.0, 90.0, "log"), (1e-3, 1e4, "log")])
def test_wide_spreads_are_drawn_on_logarithmic_axes(least: float, most: float, kind: str) -> None:
    scale, look = spread_scale(least, most)
    assert scale["type"] == kind and scale["domain"] == [least, most]
    if kind == "log":
        assert 2 <= len(look["values"]) <= 10 and all(least <= tick <= most for tick in look["values"])


def test_only_measured_blocks_look_measured() -> None:
    workloads = parse_text(PLAIN_WITH_END, 16, 10).workloads()
    sources = ("fitted", "measured", "learned")
    blocks = [
        BlockLatency(workload, 1, 1.0, 0.1, 0.3, one)
        for workload, one in zip(workloads, sources, strict=False)
    ]
    scale = latency_by_block(LIGHT, Blocks("d", "s", tuple(blocks)))["layer"][0]["encoding"]["color"]["scale"]
    colours = dict(zip(scale["domain"], scale["range"], strict=True))
    assert colours == {"fitted": LIGHT.fair, "measured": LIGHT.good, "learned": LIGHT.fair}


def test_many_marks_are_small_and_few_are_not() -> None:
    def size(count: int) -> float:
        agreement = agree(*rows_with([0.01 * (number % 20) for number in range(count)]))
        (dots,) = (
            layer
            for layer in measured_against_predicted(LIGHT, agreement, None)["layer"]
            if "tooltip" in layer["encoding"]
        )
        found: float = dots["mark"]["size"]
        return found

    assert size(3) == size(100) > size(200) > size(700) >= 12


def test_networks_are_counted_in_round_numbers() -> None:
    chart = error_distribution(LIGHT, agree(*rows_with([0.001 * (number % 60) for number in range(1000)])))
    svg, _ = chart_svg(chart, 700)
    counts = [int(text) for text in re.findall(r">(\d{2,})</text>", svg)]
    assert counts and all(count % 10 == 0 for count in counts)
