"""Halving: the better half of every round goes on, what was interrupted too, and what cannot be is said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toy_images import CLASSES, SIZE, toy_data
from zenbench.bench.training import halving as module
from zenbench.bench.training.halving import (
    PLAN,
    Halving,
    HalvingStep,
    HalvingTask,
    TrainedNetwork,
    round_sizes,
)
from zenbench.bench.training.precision import Place
from zenbench.bench.training.training import DivergedError, Training
from zenbench.errors import UserError
from zenbench.zen.network import Network, parse_text

STRUCTURE = "SuperConvK3BNRELU(3,{width},2,1)SuperConvK1BNRELU({width},32,1,1)"
NETWORKS = [parse_text(STRUCTURE.format(width=width), SIZE, CLASSES) for width in (8, 16, 24, 32)]
TASK = HalvingTask(toy_data(train=160), 0.1, 0, Place("cpu", "fp32"))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a few steps."""
    monkeypatch.setattr(module, "_LEAST_STEPS", 1)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(8, [8, 4, 2]), (5, [5, 3, 2]), (3, [3, 2]), (2, [2]), (1, [1]), (20, [20, 10, 5, 3, 2])],
)
def test_every_round_has_half_of_the_networks_and_the_last_two(count: int, sizes: list[int]) -> None:
    assert round_sizes(count) == sizes


def test_the_more_accurate_half_goes_on_and_the_last_ones_see_the_test_images(tmp_path: Path) -> None:
    steps: list[HalvingStep] = []
    first, last = Halving(TASK, NETWORKS, tmp_path).run(steps.append)
    assert {one.network for one in first} == set(NETWORKS) and [one.round for one in last] == [2, 2]
    assert {one.network for one in last} == {one.network for one in first[:2]}
    for ranked in (first, last):
        assert [one.top1 for one in ranked] == sorted((one.top1 for one in ranked), reverse=True)
        assert len({one.images for one in ranked}) == 1
    assert all(one.test_top1 is None for one in first) and all(one.test_top1 is not None for one in last)
    assert all(one.held_out == 16 and 0 <= one.standard_error < 0.2 for one in last)
    assert all((one.folder / "weights.safetensors").exists() for one in (*first, *last))
    shares = [step.share for step in steps]
    assert shares == sorted(shares) and shares[-1] == 1
    assert (steps[0].round, steps[0].rounds, steps[-1].trained, steps[-1].networks) == (1, 2, 2, 2)


def test_networks_of_a_round_see_as_many_images_as_there_is_time_for(tmp_path: Path) -> None:
    halving = Halving(HalvingTask(toy_data(160), 1e4, 0, Place("cpu", "fp32")), NETWORKS, tmp_path)
    plan = json.loads((tmp_path / PLAN).read_text())["networks"]
    seconds = [one["seconds_an_image"] for one in plan]
    assert halving.images(NETWORKS) * sum(seconds) == pytest.approx(1e4 / 2, rel=0.01)
    assert halving.images(NETWORKS[:2]) > halving.images(NETWORKS)


def test_networks_trained_side_by_side_end_as_those_trained_in_turn(tmp_path: Path) -> None:
    in_turn = list(Halving(TASK, NETWORKS[:3], tmp_path / "in turn").run())
    (tmp_path / "by side").mkdir()
    (tmp_path / "by side" / PLAN).write_text((tmp_path / "in turn" / PLAN).read_text())
    steps: list[HalvingStep] = []
    by_side = list(Halving(replace(TASK, processes=2), NETWORKS[:3], tmp_path / "by side").run(steps.append))
    for ours, theirs in zip(by_side, in_turn, strict=True):
        assert [(one.network, one.top1, one.test_top1) for one in ours] == [
            (one.network, one.top1, one.test_top1) for one in theirs
        ]
    shares = [step.share for step in steps]
    assert shares == sorted(shares) and shares[-1] == 1


def test_two_processes_see_up_to_twice_the_images(tmp_path: Path) -> None:
    task = HalvingTask(toy_data(160), 1e4, 0, Place("cpu", "fp32"))
    one = Halving(task, NETWORKS, tmp_path)
    two = Halving(replace(task, processes=2), NETWORKS, tmp_path)
    assert 1.2 < two.images(NETWORKS) / one.images(NETWORKS) <= 2.001
    assert two.images(NETWORKS[:1]) == one.images(NETWORKS[:1])


def test_an_interrupted_one_goes_on_with_its_networks_and_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def killed(step: HalvingStep) -> None:
        if step.round == 2:
            raise KilledError

    rounds = Halving(TASK, NETWORKS, tmp_path).run(killed)
    before = next(rounds)
    with pytest.raises(KilledError):
        next(rounds)
    begun: list[Network] = []
    run = Training.run
    monkeypatch.setattr(
        Training, "run", lambda self, told: (begun.append(self.task.network), run(self, told))[1]
    )
    # The search that goes on may offer others.
    first, last = Halving(TASK, NETWORKS[:1], tmp_path).run()
    assert first == before and set(begun) == {one.network for one in last}


def test_another_task_and_a_damaged_plan_are_refused(tmp_path: Path) -> None:
    Halving(TASK, NETWORKS, tmp_path)
    with pytest.raises(UserError, match="other data or for another time"):
        Halving(HalvingTask(TASK.data, 5.0, 0, TASK.where), NETWORKS, tmp_path)
    with pytest.raises(UserError, match="finalists of another search"):
        Halving(replace(TASK, chosen_by="other limits"), NETWORKS, tmp_path)
    plan = json.loads((tmp_path / PLAN).read_text())
    odd = [
        json.dumps({**plan, "networks": [{**plan["networks"][0], "seconds_an_image": seconds}]})
        for seconds in (0, -1, 1e300, "soon", float("nan"))
    ]
    for content in ("{}", "[", '{"networks": 3}', json.dumps({**TASK.to_json(), "networks": [{}]}), *odd):
        (tmp_path / PLAN).write_text(content)
        with pytest.raises(UserError, match="is damaged; delete"):
            Halving(TASK, NETWORKS, tmp_path)


def test_a_network_whose_loss_is_no_number_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Training.run

    def diverging(self: Training, told: object) -> None:
        if self.task.network in lost:
            raise DivergedError("no number")
        run(self, told)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "run", diverging)
    lost = NETWORKS[:1]
    halving = Halving(TASK, NETWORKS, tmp_path / "some")
    rounds = list(halving.run())
    assert halving.diverged == lost and lost[0] not in {one.network for one in rounds[0]}
    lost = NETWORKS
    with pytest.raises(UserError, match="loss of every finalist is no number; train one by hand"):
        list(Halving(TASK, NETWORKS, tmp_path / "all").run())


def test_what_a_round_lacks_is_trained_again(tmp_path: Path) -> None:
    before = list(Halving(TASK, NETWORKS, tmp_path).run())
    first, second, last, _ = [one.folder for ranked in before for one in ranked][-4:]
    (first / "weights.safetensors").unlink()
    for folder, history in ((second, []), (last, [{"top1": 7.0, "seconds": 1.0}])):
        card = json.loads((folder / "training.json").read_text())
        (folder / "training.json").write_text(json.dumps({**card, "history": history}))

    def known(rounds: list[list[TrainedNetwork]]) -> list[tuple[Network, float, float | None]]:
        return [(one.network, one.top1, one.test_top1) for ranked in rounds for one in ranked]

    assert known(list(Halving(TASK, NETWORKS, tmp_path).run())) == known(before)


def test_damaged_weights_of_the_last_round_are_told_with_their_folder(tmp_path: Path) -> None:
    folder = list(Halving(TASK, NETWORKS, tmp_path).run())[-1][0].folder
    (folder / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(UserError, match=f"is damaged; delete {folder}"):
        list(Halving(TASK, NETWORKS, tmp_path).run())
