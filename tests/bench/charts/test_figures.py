"""The figures of `zenbench report` and its verdict: what they draw and claim."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report_charts import values
from toys import PLAIN_WITH_END
from zenbench.bench.charts.accuracy import error_distribution, measured_against_predicted
from zenbench.bench.charts.convergence import convergence
from zenbench.bench.charts.search import latency_by_block, score_against_cost
from zenbench.bench.charts.search_figures import score_figure
from zenbench.bench.charts.style import LIGHT, chart_svg, spread_scale
from zenbench.bench.comparing.agreement import agree
from zenbench.bench.latency_files.latency_rows import LatencyRow, read_rows, write_rows
from zenbench.bench.measuring.drift import read_drift
from zenbench.bench.measuring.journal import read as read_journal
from zenbench.bench.report.choice import choice
from zenbench.bench.report.facts import gather
from zenbench.bench.report.verdict import verdict
from zenbench.bench.searching.reading import read_search
from zenbench.bench.tables.block_latencies import BlockLatency, Blocks
from zenbench.quantities import format_ms
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
    budget, of_predictions = verdict(gather(folder))
    assert budget.startswith("Within budget: measured ") and words in of_predictions


def test_without_a_comparison_the_verdict_tells_what_there_is(folder: Path) -> None:
    (folder / "measured.csv").unlink()
    budget, found = verdict(gather(folder))
    assert re.fullmatch(r"Within budget: measured .* of 300 us \(median of 4 loads\)\.", budget)
    assert found.startswith("The search found a network of Zen-Score ")
    for path in (folder / "result.json", folder / "simulated-simulated-fp32-b1-t1.json"):
        path.unlink()
    (profiled,) = verdict(gather(folder))
    assert "40 workloads profiled" in profiled


@pytest.mark.parametrize(
    "measured_ms, words",
    [
        (None, "The latency is only predicted: "),
        (0.27, "Within budget: measured 270 us of 300 us after the search (measured.csv)."),
        (0.312, "Budget missed by 4.0\u00a0%: measured 312 us of 300 us after the search (measured.csv)."),
    ],
)
def test_of_a_result_without_a_verdict_a_later_measurement_tells(
    unmeasured: Path, measured_ms: float | None, words: str
) -> None:
    rows = read_rows(unmeasured / "measured.csv")
    chosen = json.loads((unmeasured / "result.json").read_text("utf-8"))["digest"]
    others = [row for row in rows if row.digest != chosen]
    (own,) = [row for row in rows if row.digest == chosen]
    again = [] if measured_ms is None else [replace(own, latency_ms=measured_ms)]
    write_rows(unmeasured / "measured.csv", [*again, *others])
    assert verdict(gather(unmeasured))[0].startswith(words)


def test_several_limits_are_judged_one_after_the_other(folder: Path) -> None:
    path = folder / "result.json"
    record = json.loads(path.read_text("utf-8"))
    missed = {
        "text": "budget missed by 4.0%: measured 312 us of 300 us (one load)",
        "limit": "latency on b/t2",
    }
    unknown = {"text": "predicted 1 ms +- 1 us of 2 ms, not measured (it is away)", "measured_ms": None}
    record["verdicts"] += [{**record["verdicts"][0], **more} for more in (missed, unknown)]
    record["latencies"] *= 3
    path.write_text(json.dumps(record))
    assert re.fullmatch(
        r"On simulated, within budget: measured .* loads\)\. "
        "On b/t2, budget missed by 4.0\u00a0%: measured 312 us of 300 us [(]one load[)][.] "
        r"On simulated the latency is only predicted: .* \u00b1 .* of 300 us\.",
        verdict(gather(folder))[0],
    )


def test_networks_stand_at_their_measured_latency(folder: Path) -> None:
    with (folder / "best.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[5:]:
        row.update({"measured_ms simulated": "", "loads": ""})
    with (folder / "best.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    search = read_search(folder)
    measured = {float(row["measured_ms simulated"]) for row in rows if row["measured_ms simulated"]}
    predicted = {float(row["latency_ms simulated"]) for row in rows if not row["measured_ms simulated"]}
    drawn = {}
    for layer in score_against_cost(LIGHT, search, ())["layer"]:
        if layer["mark"]["type"] == "point" and layer["mark"].get("size", 0) < 50:
            drawn[layer["mark"]["filled"]] = {row["cost"] for row in layer["data"]["values"]}
    assert drawn == {True: measured, False: predicted}
    assert [key.text for key in score_figure(search).keys][:2] == ["measured latency", "predicted latency"]


def test_without_measurements_every_network_stands_at_its_prediction(unmeasured: Path) -> None:
    search = read_search(unmeasured)
    assert all(one.is_cost_predicted for one in search.candidates)
    assert score_figure(search).keys[0].text == "predicted latency"
    assert search.rounds == 0 and values(convergence(LIGHT, search), "round") == []


def test_a_best_score_that_falls_is_drawn_falling_where_a_round_ends(folder: Path) -> None:
    search = replace(
        read_search(folder),
        history=((4, 10.0), (300, 12.0), (400, 11.0), (700, 13.0)),
        evaluated=800,
        rounds=2,
    )
    rounds, line, *_ = convergence(LIGHT, search)["layer"]
    assert line["mark"]["interpolate"] == "step-after"
    assert [row["score"] for row in line["data"]["values"]] == [10, 12, 11, 13, 13]
    assert [row["evaluated"] for row in rounds["data"]["values"]] == [400, 500]


def test_the_choice_is_that_of_the_file(folder: Path) -> None:
    with (folder / "best.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    search = read_search(folder)
    found = choice(replace(search, latencies=tuple(replace(one, limit_ms=0.27) for one in search.latencies)))
    assert [row.digest for row in found.rows] == [row["digest"] for row in rows]
    assert [row.is_chosen for row in found.rows] == [row["digest"] == search.network.digest for row in rows]
    for row, given in zip(found.rows, rows, strict=True):
        cells = dict(zip(found.headings, row.cells, strict=True))
        measured = given["measured_ms simulated"]
        assert cells["layers"].text == given["layers"] and cells["loads"].text == given["loads"]
        assert cells["measured"].text == (format_ms(float(measured)) if measured else "")
        assert cells["measured"].is_over == bool(measured and float(measured) > 0.27)
        assert row.widths.split()[-1] == given["network"].rstrip(")").split(",")[-3]
    assert 0 < sum(row.cells[-2].is_over for row in found.rows) < len(rows)


def test_what_was_not_measured_has_no_column(unmeasured: Path) -> None:
    assert not {"measured", "loads"} & set(choice(read_search(unmeasured)).headings)


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
