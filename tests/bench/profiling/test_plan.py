"""What a profile measures next: drawn at first, then mostly chosen."""

from itertools import chain, islice
from pathlib import Path
from statistics import mean

from toys import TINY_SPACE
from zenbench.bench.measuring.journal import History, Journal
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.subjects import subject_of
from zenbench.bench.profiling.plan import (
    DRAWN_EVERY,
    NETWORK_EVERY,
    plan,
    random_networks,
    sources,
    stratified_workloads,
)
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.simulated import SimulatedDevice
from zenbench.latency_tables.measured.fill_in import FillIn
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.measured.next_workloads import most_informative
from zenbench.zen.cost import workload_counts
from zenbench.zen.families import zoo
from zenbench.zen.graph_network import GraphNetwork
from zenbench.zen.importing.read_graph import ReadGraph
from zenbench.zen.network import Network
from zenbench.zen.space import parse_space, spaces
from zenbench.zen.workload import Workload

RECIPE = Recipe(rounds=3, round_ms=1.0, min_runs=3, max_runs=5, window=4)
SPACE = sources(spaces()["mobilenet"])


def test_most_of_a_plan_is_chosen_once_something_is_known(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    device = SimulatedDevice(cards()["simulated"])
    with Journal(path) as journal:
        items = plan(SPACE, [32], 0, journal.history)
        profile(device, device.setting(SettingRequest()), items, journal, RECIPE, Limits(workloads=36))
        begun = {one.subject for one in journal.history.measurements}
        items = plan(SPACE, [32], 0, journal.history)
        planned = [item for item in islice(items, 80) if isinstance(item, Workload)]
    new = [workload for workload in planned if str(workload) not in begun]
    assert len(set(planned)) == len(planned)
    drawn = set(islice(stratified_workloads(SPACE, [32], 0), 100))
    # Every fourth is the next one drawn; a chosen one may happen to be among those drawn later.
    assert all(workload in drawn for workload in new[DRAWN_EVERY - 1 : 16 : DRAWN_EVERY])
    assert sum(workload not in drawn for workload in new[:16]) >= 8


def test_chosen_workloads_tell_more_of_networks_than_drawn_ones() -> None:
    wholes = [network.workloads() for network in islice(random_networks(SPACE, [32], 5), 30)]
    units = list(dict.fromkeys(chain(*wholes)))
    rates = [1e-7 * max(workload_counts(workload)[0], 1e5) for workload in units]
    known, candidates = units[:24], units[24:]
    fill_in = FillIn(known, rates[:24])

    def left(more: list[Workload]) -> float:
        """Relative variance of the networks' predictions."""
        learned = [*known, *more]
        again = FillIn(learned, [rates[units.index(workload)] for workload in learned])
        again.noise = fill_in.noise
        parts = [[again.predict(unit) for unit in whole] for whole in wholes]
        return mean(sum(v for _, v in whole) / sum(ms for ms, _ in whole) ** 2 for whole in parts)

    chosen = most_informative(fill_in, known, candidates, wholes, 16)
    assert len(set(chosen)) == 16 and set(chosen) <= set(candidates)
    assert left(chosen) < left(candidates[:16])


def test_another_seed_adds_networks_only_as_it_adds_workloads(tmp_path: Path) -> None:
    device = SimulatedDevice(cards()["simulated"])
    with Journal(tmp_path / "j.jsonl") as journal:
        items = plan(SPACE, [32], 0, journal.history)
        profile(device, device.setting(SettingRequest()), items, journal, RECIPE, Limits(workloads=36))
        begun = {one.subject for one in journal.history.measurements}
        planned = list(islice(plan(SPACE, [32], 1, journal.history), 36 + 3 + 2 * NETWORK_EVERY))
    new = [item for item in planned if subject_of(item).key not in begun]
    assert sum(isinstance(item, Network) for item in new) <= 2 and isinstance(new[0], Workload)


def test_a_space_that_has_no_more_ends_its_plan(tmp_path: Path) -> None:
    space = parse_space(TINY_SPACE, "tiny.toml")
    first = list(plan(sources(space), [32], 0, History()))
    workloads = [item for item in first if isinstance(item, Workload)]
    assert 3 <= len(workloads) == len(set(workloads)) < 24 and len(workloads) < len(first)
    device = SimulatedDevice(cards()["simulated"])
    with Journal(tmp_path / "j.jsonl") as journal:
        items = plan(sources(space), [32], 0, journal.history)
        profile(device, device.setting(SettingRequest()), items, journal, RECIPE, Limits(workloads=500))
        assert {str(workload) for workload in workloads} <= {
            one.subject for one in journal.history.measurements
        }
        again = list(plan(sources(space), [32], 1, journal.history))
    assert {item for item in again if isinstance(item, Workload)} == set(workloads)


def test_without_a_space_relatives_of_known_networks_are_drawn_too() -> None:
    kinds = {
        workload.unit.kind
        for network in islice(random_networks(sources(), [64], 5), 60)
        for workload in network.workloads()
    }
    assert {"residual", "inverted", "resnet"} <= kinds
    one = {
        workload.unit.kind
        for network in islice(random_networks(SPACE, [64], 5), 20)
        for workload in network.workloads()
    }
    assert one == {"conv", "residual", "head"}


def test_the_workloads_of_wanted_networks_come_first(tmp_path: Path) -> None:
    wanted = [GraphNetwork(name, ReadGraph(zoo(name).graph(), {})) for name in ("resnet-18", "densenet-121")]
    units = set(chain.from_iterable(network.workloads() for network in wanted))
    first = [one for one in islice(plan(SPACE, [32], 0, History(), wanted), 26) if isinstance(one, Workload)]
    assert set(first[: len(units)]) == units
    device = SimulatedDevice(cards()["simulated"])
    with Journal(tmp_path / "j.jsonl") as journal:
        items = plan(SPACE, [32], 0, journal.history, wanted)
        profile(device, device.setting(SettingRequest()), items, journal, RECIPE, Limits(workloads=30))
        model = TableModel(build_table(journal.history))
    assert model.estimate(wanted[0]).coverage == 1
