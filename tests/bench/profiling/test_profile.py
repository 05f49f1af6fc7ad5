"""Profiling on the simulated device: resumes, records failures, builds tables that predict."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from toys import SIMULATED
from zenbench.bench.measuring.contexts import END_CHANNELS, ends_of
from zenbench.bench.measuring.journal import History, Journal, journal_path, read
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.subjects import (
    AloneSubject,
    EndsSubject,
    Subject,
    WorkloadSubject,
    is_workload_key,
)
from zenbench.bench.measuring.whole_networks import judged
from zenbench.bench.profiling.plan import (
    NETWORK_EVERY,
    plan,
    random_networks,
    sources,
    stratified_workloads,
    stratum,
)
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import HOLD_OUT_VISITS, Limits, Progress
from zenbench.bench.tables.from_journal import build_table
from zenbench.devices.base import Artifact, Device, Setting, SettingRequest
from zenbench.devices.card import cards
from zenbench.devices.simulated import SimulatedDevice, SimulatedSession, true_ms
from zenbench.errors import DeviceError, TableError
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.space import spaces
from zenbench.zen.workload import Workload

RECIPE = Recipe(rounds=3, round_ms=1.0, min_runs=3, max_runs=5, window=4)
SPACE = sources(spaces()["mobilenet"])


def items(journal: Journal | None = None) -> Iterator[Workload | Network]:
    return plan(SPACE, [32], 0, journal.history if journal else History())


def run(path: Path, blocks: int, device: Device | None = None, **options: object) -> list[Progress]:
    device = device or SimulatedDevice(cards()["simulated"])
    seen: list[Progress] = []
    with Journal(path) as journal:
        setting = device.setting(options.pop("asked", SettingRequest()))  # type: ignore[arg-type]
        profile(device, setting, items(journal), journal, RECIPE, Limits(workloads=blocks), seen.append)
    return seen


def rounds_by_subject(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for measurement in read(path).measurements:
        counts[measurement.subject] = counts.get(measurement.subject, 0) + 1
    return counts


def test_plan_is_seeded_endless_and_mixes_in_networks() -> None:
    first = list(islice(items(), 60))
    assert first == list(islice(items(), 60))
    assert [isinstance(item, Network) for item in first[:NETWORK_EVERY]] == [False] * (NETWORK_EVERY - 1) + [
        True
    ]
    assert first != list(islice(plan(SPACE, [32], 1, History()), 60))


def test_plan_takes_no_workload_twice_and_covers_every_stratum_early() -> None:
    workloads = list(islice(stratified_workloads(sources(), [224, 32], 0), 400))
    assert len(set(workloads)) == 400
    strata = [stratum(workload) for workload in workloads]
    assert len(set(strata[:100])) > 90
    known = {"dense", "max_pool", "split_attention", "resnet bottleneck"}
    assert {name[0] for name in strata} > {"conv", "head", "basic", "bottleneck", "inverted"} | known
    assert {name[2] for name in strata} == {1, 2}
    assert {name[1] for name in strata} >= {1, 3, 5, 7}


def test_every_unit_of_a_known_network_has_its_stratum() -> None:
    def strata(name: str) -> list[tuple[str | int, ...]]:
        return [stratum(workload) for workload in zoo(name).workloads()]

    assert strata("resnet-18")[:3] == [
        ("conv", 7, 2, 8, 6),
        ("max_pool", 1, 2, 7, 6),
        ("resnet basic", 3, 1, 6, 6),
    ]
    assert strata("densenet-121")[-2:] == [("norm", 1, 1, 3, 10), ("head", 1, 1, 3, 10)]
    assert strata("mobilenetv2-1.0")[2] == ("inverted", 3, 2, 7, 7)


def test_every_workload_once_with_all_its_rounds(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    seen = run(path, 20)
    counts = rounds_by_subject(path)
    assert set(counts.values()) == {RECIPE.rounds}
    assert seen[-1].workloads == 20
    assert sum(map(is_workload_key, counts)) == 20


def test_rounds_of_a_window_are_interleaved(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run(path, RECIPE.window)
    subjects = [measurement.subject for measurement in read(path).measurements]
    window = list(dict.fromkeys(subjects))
    assert sum(map(is_workload_key, window)) == RECIPE.window
    assert {end.key for key in window if is_workload_key(key) for end in ends_of(Workload.parse(key))} <= {
        *window
    }
    assert subjects == window * RECIPE.rounds


class StopHereError(Exception):
    pass


def test_an_interrupted_profile_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole.jsonl", tmp_path / "pieces.jsonl"
    run(whole, 20)
    for stop_after in (5, 17, 1):
        device = SimulatedDevice(cards()["simulated"])
        count = 0

        def stop(progress: Progress, stop_after: int = stop_after) -> None:
            nonlocal count
            count += 1
            if count == stop_after:
                raise StopHereError

        with pytest.raises(StopHereError), Journal(pieces) as journal:
            profile(
                device,
                device.setting(SettingRequest()),
                items(journal),
                journal,
                RECIPE,
                Limits(workloads=20),
                stop,
            )
    run(pieces, 20)
    # A round may be taken again; what was timed is the same.
    assert rounds_by_subject(pieces).keys() == rounds_by_subject(whole).keys()
    assert min(rounds_by_subject(pieces).values()) == RECIPE.rounds


def test_a_finished_profile_does_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run(path, 10)
    before = path.read_bytes()
    assert run(path, 10) == []
    assert path.read_bytes() == before


def test_a_unit_whose_context_fails_is_measured_alone(tmp_path: Path) -> None:
    """As where the context does not fit the memory."""
    refused: list[int] = []

    def refuse(artifact: Artifact) -> str | None:
        channels = artifact.inputs[0].shape[1]
        if len(refused) < 2 and channels == END_CHANNELS:
            refused.append(channels)
            return "made to fail"
        return None

    path = tmp_path / "j.jsonl"
    seen = run(path, 12, SimulatedDevice(cards()["simulated"], refuse=refuse))
    errors = [one for one in read(path).measurements if one.error is not None]
    assert [one.error for one in errors] == ["made to fail"] * 2
    assert seen[-1].failed == 0 and seen[-1].workloads == 12
    rows = build_table(read(path)).rows
    assert len(rows) == 12
    assert {row.basis for row in rows.values()} == {None, "alone"}


def test_a_unit_without_its_ends_is_not_done(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run(path, 8)
    lines = path.read_text().splitlines()
    kept = [line for line in lines if '"subject":"ends:' not in line]
    path.write_text("\n".join(kept) + "\n")
    assert run(path, 8)[-1].workloads >= 8
    assert len(build_table(read(path)).rows) >= 8


def test_a_unit_that_cannot_be_told_from_its_ends_is_measured_alone(tmp_path: Path) -> None:
    class SlowCalls(SimulatedDevice):
        """Every run takes 50 ms more, whose noise hides most units."""

        def open(self, artifact: Artifact, setting: Setting) -> SimulatedSession:
            return SimulatedSession(self, true_ms(artifact, setting) + 50.0)

    path = tmp_path / "j.jsonl"
    seen = run(path, 10, SlowCalls(cards()["simulated"]))
    rows = build_table(read(path)).rows
    assert len(rows) == seen[-1].workloads >= 10
    assert "alone" in {row.basis for row in rows.values()}
    assert all(row.latency_ms > 0 for row in rows.values())


def test_a_measurement_of_no_workload_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run(path, 4)
    lines = path.read_text().splitlines()
    lines.append(lines[-1].replace('"subject":"', '"subject":"alone:', 1))
    lines[-1] = lines[-1].replace("@", "@@", 1)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(TableError, match="is no workload; delete their lines"):
        build_table(read(path))


def test_failures_are_recorded_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    graphs = list(map(sha256_of, islice((one for one in items() if isinstance(one, Workload)), 3, 5)))

    def refuse(artifact: Artifact) -> str | None:
        return "made to fail" if artifact.sha256 in chain(*graphs) else None

    path = tmp_path / "j.jsonl"
    seen = run(path, 12, SimulatedDevice(cards()["simulated"], refuse=refuse))
    errors = [one for one in read(path).measurements if one.error is not None]
    assert [one.error for one in errors] == ["made to fail"] * 4, "in its context, and alone"
    assert (seen[-1].workloads, seen[-1].failed) == (10, 2)
    assert len(build_table(read(path)).rows) == 10


def sha256_of(workload: Workload) -> tuple[str, str]:
    """Of its file in its context and alone."""
    with TemporaryDirectory() as folder:
        subjects = (WorkloadSubject(workload), AloneSubject(workload))
        first, second = (one.artifact(Path(folder), SIMULATED, "onnx").sha256 for one in subjects)
    return first, second


def test_where_everything_fails_the_reason_is_given(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    reference = True

    def refuse(artifact: Artifact) -> str | None:
        nonlocal reference
        reason, reference = (None, False) if reference else ("out of order", False)
        return reason

    run(path, 5, SimulatedDevice(cards()["simulated"], refuse=refuse))
    with pytest.raises(DeviceError, match="out of order"):
        build_table(read(path))


def test_a_journal_holds_one_setting_of_one_machine(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run(path, 4)
    with pytest.raises(TableError, match="one table holds one setting"):
        run(path, 8, asked=SettingRequest(threads=2))

    class OtherMachine(SimulatedDevice):
        def identity(self) -> dict[str, str]:
            return {"cpu": "another"}

    with pytest.raises(TableError, match="another machine"):
        run(path, 8, OtherMachine(cards()["simulated"]))


def test_table_holds_the_truth_and_predicts_networks(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    run(journal_path(path), 120)
    table = build_table(read(journal_path(path)))
    table.save(path)
    assert LatencyTable.load(path).rows.keys() == table.rows.keys()
    setting = SimulatedDevice(cards()["simulated"]).setting(SettingRequest())

    def truth_ms(subject: Subject) -> float:
        return true_ms(subject.artifact(tmp_path, setting, "onnx"), setting)

    for workload, row in list(table.rows.items())[:25]:
        ends = sum(truth_ms(EndsSubject(one)) for one in ends_of(workload))
        assert row.latency_ms == pytest.approx(truth_ms(WorkloadSubject(workload)) - 0.5 * ends, rel=0.15)
    assert len(table.networks) >= 8
    model = TableModel(table)
    # What a unit adds in its context is what it adds to its network.
    assert model.calibration.bias_of_sum == pytest.approx(0, abs=0.02)


HOLD_OUT_NETWORKS = list(islice(random_networks(SPACE, [32], seed=99), 5))


def judge(path: Path, blocks: int, stop_after: int | None = None) -> list[Progress]:
    device, seen = SimulatedDevice(cards()["simulated"]), []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == stop_after:
            raise StopHereError

    with Journal(path) as journal:
        setting = device.setting(SettingRequest())
        profile(
            device,
            setting,
            items(journal),
            journal,
            RECIPE,
            Limits(workloads=blocks),
            report,
            HOLD_OUT_NETWORKS,
        )
    return seen


def test_judging_networks_are_visited_several_times_far_apart_and_never_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    assert judge(path, 40)[-1].hold_out == len(HOLD_OUT_NETWORKS)
    history = read(path)
    subjects = [measurement.subject for measurement in history.measurements]
    assert min(subjects.count(key) for key in history.hold_out) == HOLD_OUT_VISITS * RECIPE.rounds
    for key in history.hold_out:
        places = [place for place, subject in enumerate(subjects) if subject == key]
        assert places[-1] - places[0] > len(subjects) / 4
    table = build_table(history)
    assert set(table.hold_out) == set(HOLD_OUT_NETWORKS)
    assert not set(table.networks) & set(HOLD_OUT_NETWORKS)
    model = TableModel(table)
    assert model.calibration.left_out and model.calibration.left_out.networks == len(table.networks)
    rows = judged(history, table.card.reference_ms)
    assert [row.latency_ms for row in rows] == pytest.approx(
        [row.latency_ms for row in table.hold_out.values()]
    )
    assert all(row.half_a_ms and row.half_b_ms for row in rows)
    # A later profile without hold-out networks leaves them what they are.
    run(path, 44)
    assert set(build_table(read(path)).hold_out) == set(HOLD_OUT_NETWORKS)


def test_an_interrupted_judging_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    for stop_after in (30, 50):
        with pytest.raises(StopHereError):
            judge(path, 24, stop_after)
    judge(path, 24)
    history, counts = read(path), rounds_by_subject(path)
    assert {counts[key] for key in history.hold_out} == {HOLD_OUT_VISITS * RECIPE.rounds}
    assert len(history.hold_out) == len(HOLD_OUT_NETWORKS)
    assert judge(path, 24) == []


def test_what_was_learned_from_cannot_judge(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    run(path, 30)
    learned = list(build_table(read(path)).networks)
    device = SimulatedDevice(cards()["simulated"])
    with Journal(path) as journal:
        setting = device.setting(SettingRequest())
        profile(device, setting, items(journal), journal, RECIPE, Limits(workloads=30), hold_out=learned)
    assert not read(path).hold_out


def test_time_is_told_apart_by_role(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    judge(path, 24)
    history = read(path)
    assert history.seconds("judging") > 0
    assert history.seconds("calibrating") > 0
    history.hold_out.clear()
    assert history.seconds("judging") == 0


def test_a_table_without_its_journal_is_not_overwritten(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    profile = ("profile", "--device", "simulated", "--table", "t.csv", "--resolution", "32")
    assert run(*profile, "--blocks", "12").code == 0
    held = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.journal.jsonl").unlink()
    refused = run(*profile, "--blocks", "3")
    assert refused.code == 2 and "t.csv holds a table without the journal" in refused.err
    assert (tmp_path / "t.csv").read_text() == held
    assert not (tmp_path / "t.journal.jsonl").exists()


def test_a_journal_without_its_first_line_is_refused(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    profile = ("profile", "--device", "simulated", "--table", "t.csv", "--resolution", "32")
    assert run(*profile, "--blocks", "12").code == 0
    journal = tmp_path / "t.journal.jsonl"
    journal.write_text(journal.read_text().partition("\n")[2])
    refused = run(*profile, "--blocks", "3")
    assert refused.code == 2 and "does not begin with the head of a sitting" in refused.err
