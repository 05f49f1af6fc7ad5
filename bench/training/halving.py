"""Halving: some networks trained in rounds, the more accurate half of each going on to a longer one.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943). Every round has an equal share of the time, in
which all its networks see the same number of images. Each starts anew, for a learning rate that has decayed
to 0 cannot go on. Accuracies are of training images that are held out: the test images choose nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from ...atomic import make_folder, write_json
from ...errors import NetworkError, UserError
from ...zen.network import Network, from_json
from ...zen.threads import few_threads
from ..data_sets.data_set import DataSet
from ..export.weights_file import read_weights
from .card import WEIGHTS
from .fitting import enough_memory
from .precision import Place
from .recipe import TrainingRecipe, open_recipe
from .side_by_side import TrainingJob, train_all
from .training import DivergedError, Training, TrainingTask

PLAN = "plan.json"
RECIPE = "quick"
LAST_ROUND = 2
"""Networks that reach it."""
HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 5000
EPOCHS = 4
"""Of a training, each with a look at the held-out images; more where an epoch would exceed the data."""
_LEAST_STEPS = 20
"""Of an epoch, however little time there is."""
_TIMED_STEPS = 5
_MOST_SECONDS = 1e3
"""That an image can take."""
_TOO_LARGE = "take smaller networks, fewer --workers or a larger machine"
_BY_HAND = "train one by hand, with zenbench train NETWORK --learning-rate 0.1"
_PASS = 1 / 3
"""Of what an image takes in training, what it takes to be classified."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network after its training of a round: `images` seen, `top1` of so many `held_out`, and `test_top1`
    of the test images in the last round. `folder` holds the card and the weights."""

    network: Network
    round: int
    images: int
    seed: int
    top1: float
    held_out: int
    test_top1: float | None
    seconds: float
    folder: Path

    @property
    def standard_error(self) -> float:
        """Of `top1`, from the number of images (binomial)."""
        return float((self.top1 * (1 - self.top1) / self.held_out) ** 0.5)


@dataclass(frozen=True)
class HalvingTask:
    """All that fixes what is trained, but for the speed of the machine. `seconds`: of all rounds; `processes`
    train side by side, each a network; `chosen_by`: what chose the networks, of which one plan is."""

    data: DataSet
    seconds: float
    seed: int
    where: Place
    processes: int = 1
    chosen_by: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "data": self.data.name,
            "seconds": self.seconds,
            "seed": self.seed,
            "precision": self.where.precision,
            "chosen_by": self.chosen_by,
        }


@dataclass(frozen=True)
class HalvingStep:
    """How far it is: `share` of all the time, and so many of the round's networks."""

    share: float
    round: int
    rounds: int
    trained: int
    networks: int


def round_sizes(count: int) -> list[int]:
    """Networks of every round: 8, 4, 2."""
    sizes = [count]
    while sizes[-1] > LAST_ROUND:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def _last_ends(seconds: Sequence[float], processes: int) -> float:
    """When the last of some trainings ends that so many processes take in turn."""
    free = [0.0] * processes
    for one in seconds:
        free[free.index(min(free))] += one
    return max(free)


class Halving:
    """Rounds of training in a folder, where interrupted ones go on with the networks that they began with.

    Raises UserError where the data do not fit, or the folder holds the rounds of another task.
    """

    def __init__(self, task: HalvingTask, networks: Sequence[Network], folder: Path) -> None:
        self._task, self._folder = task, folder
        held_out = min(MOST_HELD_OUT, int(HELD_OUT_SHARE * len(task.data.train.labels)))
        self._data = task.data.holding_out(held_out)
        self._seconds_an_image = self._planned(networks)
        self.diverged: list[Network] = []
        """Those whose loss is no number."""

    @property
    def networks(self) -> list[Network]:
        """All that are trained."""
        return list(self._seconds_an_image)

    def images(self, networks: Sequence[Network]) -> int:
        """That each of these networks may see in a round."""
        rounds = len(round_sizes(len(self.networks)))
        each = [self._seconds_an_image[network] for network in networks]
        longest = _last_ends(each, self._task.processes)
        looks = EPOCHS * len(self._data.test.labels) * _PASS
        return max(0, int(self._task.seconds / rounds / longest - looks))

    def run(
        self, report: Callable[[HalvingStep], None] = lambda step: None
    ) -> Iterator[list[TrainedNetwork]]:
        """After every round its networks, the most accurate first.

        Raises UserError where none is left.
        """
        left, sizes = self.networks, round_sizes(len(self.networks))
        for number, size in enumerate(sizes, 1):
            found = self._round(number, len(sizes), left[:size], report)
            left = [one.network for one in found]
            yield found

    def _round(
        self, number: int, rounds: int, networks: Sequence[Network], report: Callable[[HalvingStep], None]
    ) -> list[TrainedNetwork]:
        recipe = self._recipe(networks)
        folders = [self._folder / f"round-{number}" / network.digest for network in networks]
        shares = [0.0] * len(networks)

        def told(at: int, share: float) -> None:
            shares[at] = share
            done = (number - 1 + sum(shares) / len(shares)) / rounds
            report(HalvingStep(done, number, rounds, shares.count(1.0), len(shares)))

        jobs = [
            TrainingJob(self._of(network, recipe), folder, _TOO_LARGE)
            for network, folder in zip(networks, folders, strict=True)
        ]
        cards = train_all(jobs, min(self._task.processes, len(jobs)), told)
        self.diverged += [network for network, card in zip(networks, cards, strict=True) if card is None]
        found = [
            self._record(job, card, number) for job, card in zip(jobs, cards, strict=True) if card is not None
        ]
        if not found:
            raise UserError(f"the loss of every finalist is no number; {_BY_HAND}")
        found.sort(key=lambda one: (-one.top1, one.network.digest))
        if number < rounds:
            return found
        return [replace(one, test_top1=self._test_top1(one, recipe)) for one in found]

    def _record(self, job: TrainingJob, card: dict[str, Any], number: int) -> TrainedNetwork:
        history, recipe = card["history"], job.task.recipe
        return TrainedNetwork(
            network=job.task.network,
            round=number,
            images=recipe.epochs * recipe.images_per_epoch,
            seed=self._task.seed,
            top1=history[-1]["top1"],
            held_out=card["test_images"],
            test_top1=None,
            seconds=sum(epoch["seconds"] for epoch in history),
            folder=job.folder,
        )

    def _test_top1(self, trained: TrainedNetwork, recipe: TrainingRecipe) -> float:
        training = Training(self._of(trained.network, recipe))
        try:
            training.module.load_state_dict(read_weights(trained.folder / WEIGHTS)[0])
        except (UserError, RuntimeError):
            raise UserError(
                f"{trained.folder / WEIGHTS} is damaged; delete {trained.folder} to train that network again"
            ) from None
        with few_threads():
            return training.accuracy(self._task.data.test).top1

    def _of(self, network: Network, recipe: TrainingRecipe) -> TrainingTask:
        return TrainingTask(network, self._data, recipe, self._task.seed, self._task.where)

    def _recipe(self, networks: Sequence[Network]) -> TrainingRecipe:
        """That of a round: the quick one with as many images as there is time for."""
        recipe, total = self._quick(networks[0]), len(self._data.train.labels)
        batch = recipe.batch
        images = max(self.images(networks), EPOCHS * _LEAST_STEPS * batch)
        epochs = max(EPOCHS, -(-images // total))
        return replace(
            recipe,
            epochs=epochs,
            images_per_epoch=min(images // epochs, total) // batch * batch,
            warmup_epochs=recipe.warmup_epochs * epochs / recipe.epochs,
        )

    def _quick(self, network: Network) -> TrainingRecipe:
        recipe = open_recipe(RECIPE, network.resolution)
        return replace(recipe, batch=min(recipe.batch, len(self._data.train.labels)))

    def _planned(self, networks: Sequence[Network]) -> dict[Network, float]:
        """The networks of the folder's plan, or of a new one, and the seconds that an image takes each."""
        path = self._folder / PLAN
        if path.exists():
            return self._read(path)
        make_folder(self._folder)
        recipe = self._quick(networks[0])
        seconds = {network: self._timed(self._of(network, recipe)) for network in networks}
        plan = [{**one.to_json(), "seconds_an_image": seconds[one]} for one in networks]
        write_json(path, {**self._task.to_json(), "networks": plan})
        return seconds

    def _read(self, path: Path) -> dict[Network, float]:
        try:
            plan = json.loads(path.read_text("utf-8"))
            same = all(plan[name] == value for name, value in self._task.to_json().items())
            found = {from_json(one): float(one["seconds_an_image"]) for one in plan["networks"]}
            damaged = not all(0 < seconds < _MOST_SECONDS for seconds in found.values())
        except (OSError, ValueError, RecursionError, LookupError, TypeError, NetworkError):
            damaged = True
        if damaged:
            raise UserError(f"{path} is damaged; delete {self._folder} to train from the start")
        if not same or not found:
            raise UserError(
                f"{self._folder} holds finalists of another search, or trained on other data or for another "
                "time; give the same options, or another --out"
            )
        return found

    @staticmethod
    @few_threads()
    def _timed(task: TrainingTask) -> float:
        with enough_memory(task, _TOO_LARGE):
            training, seconds = Training(task), []
            for _ in range(1 + _TIMED_STEPS):  # the first prepares
                training.step = 0  # an epoch may have fewer
                began = perf_counter()
                with suppress(DivergedError):  # its own training will say so
                    training.try_step()
                seconds.append(perf_counter() - began)
        return median(seconds[1:]) / task.recipe.batch
