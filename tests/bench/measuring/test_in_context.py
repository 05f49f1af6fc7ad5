"""Units in their contexts: the graphs, and the differences that become rows."""

from dataclasses import replace

import pytest
from toys import row
from zenbench.bench.measuring.contexts import END_CHANNELS, Ends, context_graph, ends_of
from zenbench.bench.measuring.in_context import UnitRows, difference
from zenbench.bench.measuring.subjects import alone_key
from zenbench.latency_tables.row import Row
from zenbench.zen.cost import graph_cost
from zenbench.zen.families import zoo
from zenbench.zen.graph import Add
from zenbench.zen.workload import Workload

UNIT = Workload.parse(
    "residual(style=basic,kernel=3,in_channels=32,hidden_channels=24,out_channels=48,stride=2,projection=1)@16"
)
BEFORE, BEHIND = Ends(32, 16), Ends(48, 8)


@pytest.mark.parametrize("name", ["resnet-18", "densenet-121", "mobilenetv2-1.0", "regnety-400mf"])
def test_a_context_is_the_unit_and_half_of_its_ends(name: str) -> None:
    """In MACs, as in latency: over a network the ends cancel out."""
    for workload in zoo(name).workloads():
        ends = [graph_cost(end.graph()).macs for end in ends_of(workload)]
        whole = graph_cost(context_graph(workload)).macs
        assert whole - sum(ends) / 2 == graph_cost(workload.graph()).macs


def test_the_image_has_no_stem_and_the_head_no_tail() -> None:
    first, *_, last = zoo("resnet-18").workloads()
    assert ends_of(first) == (Ends(64, 112),)
    assert context_graph(first).input_shape == (3, 224, 224)
    assert ends_of(last) == (Ends(512, 7),)
    assert context_graph(last).output_shape == (1000,)
    assert ends_of(UNIT) == (BEFORE, BEHIND)


def test_the_shortcut_is_computed_inside_the_graph() -> None:
    identity = zoo("resnet-18").workloads()[2]
    graph = context_graph(identity)
    (added,) = (op for op in graph.ops if isinstance(op, Add))
    assert graph.input_shape[0] == END_CHANNELS
    assert graph.input_shape != graph.shape_of(added.inputs[1])
    assert added.inputs[1].startswith("stem_")


def test_a_difference_has_the_errors_of_all_that_was_timed() -> None:
    whole, ends = row(1.0, spread=0.02), [row(0.2, spread=0.05), row(0.4, spread=0.01)]
    found = difference(whole, ends)
    assert found is not None
    assert found.latency_ms == pytest.approx(1.0 - 0.1 - 0.2)
    expected = (whole.std_ms**2 + (0.5 * ends[0].std_ms) ** 2 + (0.5 * ends[1].std_ms) ** 2) ** 0.5
    assert found.std_ms == pytest.approx(expected)
    assert (found.rounds, found.runs) == (whole.rounds, whole.runs)


def test_the_worst_verdict_is_the_difference_s() -> None:
    found = difference(row(1.0), [row(0.2, verdict="throttled"), row(0.2, verdict="noisy")])
    assert found is not None and found.verdict == "throttled"


def test_what_is_less_than_its_error_is_no_row() -> None:
    assert difference(row(1.0, spread=0.02), [row(1.0), row(0.99)]) is None
    assert difference(row(1.0), [row(1.5), row(1.5)]) is None, "nor is a negative one"


def cold(ms: float, cold_ms: float | None) -> Row:
    return replace(row(ms), cold_ms=cold_ms)


def test_cold_runs_are_subtracted_from_cold_runs() -> None:
    found = difference(cold(1.0, 1.5), [cold(0.2, 0.4), cold(0.2, 0.4)])
    assert found is not None and found.cold_ms == pytest.approx(1.1)
    colder_ends = difference(cold(1.0, 1.1), [cold(0.2, 0.8), cold(0.2, 0.8)])
    assert colder_ends is not None and colder_ends.cold_ms == colder_ends.latency_ms, "never faster than warm"
    unknown = difference(cold(1.0, 1.5), [cold(0.2, None), cold(0.2, 0.4)])
    assert unknown is not None and unknown.cold_ms is None


def test_rows_are_in_context_or_alone_where_that_could_not_be() -> None:
    too_quick, lonely, unfinished = (replace(UNIT, size=size) for size in (12, 20, 24))
    rows = {
        **{str(one): row(1.0) for one in (UNIT, too_quick, unfinished)},
        **{alone_key(str(one)): row(0.7) for one in (too_quick, lonely)},
        BEFORE.key: row(0.2),
        BEHIND.key: row(0.2),
        **{end.key: row(1.1) for end in ends_of(too_quick)},
    }
    found = UnitRows(rows)
    assert found.is_lost(too_quick) and not found.is_lost(UNIT) and not found.is_lost(unfinished)
    units = found.units()
    assert set(units) == {UNIT, too_quick, lonely}
    assert units[UNIT].basis is None and units[UNIT].latency_ms == pytest.approx(0.8)
    assert units[lonely].basis == units[too_quick].basis == "alone"
    assert units[too_quick].latency_ms == 0.7


def test_of_a_journal_of_blocks_alone_rows_are_what_was_timed() -> None:
    assert UnitRows({str(UNIT): row(1.0)}, "alone").units() == {UNIT: row(1.0)}


def test_a_difference_of_rounding_is_no_row() -> None:
    """Readings that are all alike have no error, and still end in a digit."""
    assert (
        difference(row(0.005, spread=0.0), [row(0.001, spread=0.0), row(0.009 - 1e-18, spread=0.0)]) is None
    )


def test_a_difference_as_uncertain_as_a_noisy_row_says_so() -> None:
    found = difference(row(1.0, spread=0.02), [row(0.9), row(0.9)])
    assert found is not None and found.verdict == "noisy"
