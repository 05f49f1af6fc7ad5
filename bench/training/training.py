"""Training of a network: seeded, resumable at any step, the same in one run or in ten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import UserError
from ...zen.module import GraphModule, initialise
from ...zen.network import Network
from ...zen.threads import few_threads
from ..data_sets.data_set import DataSet, Labels, Pixels, check_size
from ..evaluating.accuracy import Accuracy, Scores, accuracy
from . import checkpoint
from .augmenting import channel_statistics, erase, mixed, moved, normalised
from .precision import Place, keep_slow_layers_in_fp32
from .recipe import Recipe

SAVE_EVERY_SECONDS = 60.0
_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class EpochRecord:
    """`loss` and `train_top1` are means over the epoch's augmented batches; `top1` and `top5` are of the
    test images."""

    epoch: int
    learning_rate: float
    loss: float
    train_top1: float
    top1: float
    top5: float
    seconds: float


@dataclass(frozen=True)
class TrainingTask:
    """All that fixes a training."""

    network: Network
    data: DataSet
    recipe: Recipe
    seed: int
    where: Place

    def to_json(self) -> dict[str, Any]:
        return {
            "network": str(self.network),
            "digest": self.network.digest,
            "data": self.data.name,
            "training_images": len(self.data.train.labels),
            "recipe": self.recipe.to_json(),
            "seed": self.seed,
            "precision": self.where.precision,
        }


@dataclass(frozen=True)
class Trained:
    """The module in eval mode, with the statistics that its images are normalised by."""

    module: GraphModule
    mean: list[float]
    std: list[float]
    history: list[EpochRecord]


class Training:
    """A training under way. `save_to`: the folder of its checkpoint."""

    def __init__(self, task: TrainingTask, save_to: Path | None = None) -> None:
        self.task, self._folder = task, save_to
        data, recipe, network = task.data, task.recipe, task.network
        check_size(data.train, network.resolution, data.name)
        if data.classes > network.classes:
            raise UserError(
                f"{data.name} has {data.classes} classes, but the network tells {network.classes} apart; "
                f"give --classes {data.classes}"
            )
        images = len(data.train.labels)
        self._images = min(recipe.images_per_epoch or images, images)
        self.steps_per_epoch = self._images // recipe.batch
        if not self.steps_per_epoch:
            raise UserError(
                f"{data.name} has {images} training images, fewer than a batch of {recipe.batch}; "
                f"give --batch {images // 2 * 2 or 2} or less"
            )
        mean, std = channel_statistics(data.train, network.resolution)
        self._statistics = mean, std
        self._mean, self._std = (torch.tensor(one).view(3, 1, 1).to(task.where.device) for one in (mean, std))
        self._module = self._prepared()
        self._optimiser = self._optimiser_of(self._module)
        self._scaler = torch.amp.GradScaler(task.where.device, enabled=task.where.precision == "fp16")
        self.epoch = self.step = 0
        self.history: list[EpochRecord] = []
        self._sums = [0.0, 0.0, 0.0]
        """Of the epoch under way: loss times images, images told right, seconds."""
        self._ordered: tuple[int, Labels] | None = None
        if save_to is not None and (state := checkpoint.resume(save_to, task.to_json())) is not None:
            self._load(state)

    @property
    def steps(self) -> int:
        return self.task.recipe.epochs * self.steps_per_epoch

    @property
    def steps_done(self) -> int:
        return self.epoch * self.steps_per_epoch + self.step

    @few_threads()
    def run(self, progress: Callable[[Training], None] = lambda training: None) -> Trained:
        """Trains to the end; `progress` is told after every step.

        Raises UserError where the loss is no longer a number.
        """
        saved = monotonic()
        while self.epoch < self.task.recipe.epochs:
            began = perf_counter()
            self._take_step()
            self._sums[2] += perf_counter() - began
            if self.step == self.steps_per_epoch:
                self._end_epoch()
            progress(self)
            if self._folder is not None and (self.step == 0 or monotonic() - saved > SAVE_EVERY_SECONDS):
                checkpoint.save(self._folder, self.task.to_json(), self._state())
                saved = monotonic()
        return Trained(self._module.eval(), *self._statistics, self.history)

    @torch.no_grad()
    def accuracy(self, images: Any) -> Accuracy:
        """Of the network as it stands."""
        module, task = self._module.eval(), self.task

        def scores(pixels: Pixels) -> Scores:
            with task.where.autocast():
                answer: Scores = module(normalised(pixels, self._mean, self._std)).float().cpu().numpy()
            return answer

        found = accuracy(scores, images, task.network.resolution, _EVALUATION_BATCH)
        module.train()
        return found

    def _prepared(self) -> GraphModule:
        module = initialise(self.task.network.graph(), self.task.seed)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = self.task.recipe.batch_norm_momentum
        keep_slow_layers_in_fp32(module, self.task.where)
        module.to(device=self.task.where.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.train()

    def _optimiser_of(self, module: nn.Module) -> torch.optim.SGD:
        decaying = [one for one in module.parameters() if one.dim() > 1]
        others = [one for one in module.parameters() if one.dim() <= 1]
        recipe = self.task.recipe
        groups: list[dict[str, Any]] = [
            {"params": decaying, "weight_decay": recipe.weight_decay},
            {"params": others},
        ]
        return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)

    def _take_step(self) -> None:
        task, recipe = self.task, self.task.recipe
        numbers = self._order()[self.step * recipe.batch : (self.step + 1) * recipe.batch]
        random = np.random.default_rng([task.seed, self.epoch, self.step])
        pixels = moved(task.data.train.pixels(numbers, task.network.resolution), recipe, random)
        images = normalised(pixels, self._mean, self._std)
        if recipe.erase:
            erase(images, recipe.erase, random)
        labels = torch.from_numpy(task.data.train.labels[numbers]).to(task.where.device)
        images, others, share = mixed(images, recipe, random)
        rate = recipe.learning_rate(self.epoch + self.step / self.steps_per_epoch)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        with task.where.autocast():
            scores = self._module(images).float()
            loss = share * self._loss(scores, labels)
            if share < 1:
                loss = loss + (1 - share) * self._loss(scores, labels[others])
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimiser)
        self._scaler.update()
        value = float(loss.detach())
        if not isfinite(value):
            raise UserError(
                f"the loss is no longer a number in epoch {self.epoch + 1}; try a lower --learning-rate than "
                f"{recipe.learning_rate_per_256:g}"
            )
        self._sums[0] += value * len(numbers)
        self._sums[1] += int((scores.argmax(1) == labels).sum())
        self.step += 1

    def _order(self) -> Labels:
        """The numbers of the epoch's images."""
        if self._ordered is None or self._ordered[0] != self.epoch:
            order = np.random.default_rng([self.task.seed, self.epoch]).permutation(
                len(self.task.data.train.labels)
            )
            self._ordered = self.epoch, order[: self._images]
        return self._ordered[1]

    def _loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, labels, label_smoothing=self.task.recipe.label_smoothing)

    def _end_epoch(self) -> None:
        began = perf_counter()
        found = self.accuracy(self.task.data.test)
        loss, right, seconds = self._sums
        images = self.steps_per_epoch * self.task.recipe.batch
        rate = self.task.recipe.learning_rate(self.epoch + 1)
        seconds += perf_counter() - began
        self.history.append(
            EpochRecord(
                self.epoch + 1, rate, loss / images, right / images, found.top1, found.top5, round(seconds, 3)
            )
        )
        self.epoch, self.step, self._sums = self.epoch + 1, 0, [0.0, 0.0, 0.0]

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "step": self.step,
            "sums": self._sums,
            "history": [asdict(record) for record in self.history],
            "module": self._module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }

    def _load(self, state: dict[str, Any]) -> None:
        self._module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        self.epoch, self.step, self._sums = state["epoch"], state["step"], state["sums"]
        self.history = [EpochRecord(**record) for record in state["history"]]
