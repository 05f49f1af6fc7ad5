"""Training of a network: seeded, resumable at any step, the same in one run or in ten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
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
from ..data_sets.data_set import DataSet, ImagePart, Images, Pixels
from ..evaluating.accuracy import Accuracy, Scores, accuracy
from . import checkpoint
from .batches import Batches
from .depthwise import speed_up_depthwise
from .group import ProcessGroup
from .precision import Place
from .recipe import TrainingRecipe

SAVE_EVERY_SECONDS = 60.0


class DivergedError(UserError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class EpochRecord:
    """`loss` and `train_top1` are means over the epoch's augmented batches; `top1` and `top5` are of the test
    images."""

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
    recipe: TrainingRecipe
    seed: int
    where: Place
    group: ProcessGroup = field(default_factory=ProcessGroup)

    def to_json(self) -> dict[str, Any]:
        return {
            "network": str(self.network),
            "digest": self.network.digest,
            "resolution": self.network.resolution,
            "classes": self.network.classes,
            "data": self.data.name,
            "training_images": len(self.data.train.labels),
            "test_images": len(self.data.test.labels),
            "recipe": self.recipe.to_json(),
            "seed": self.seed,
            "precision": self.where.precision,
            "processes": self.group.size,
        }


class Training:
    """A training under way. `save_to`: the folder of its checkpoint.

    Raises UserError where the data do not fit the network, or the folder holds another training.
    """

    def __init__(self, task: TrainingTask, save_to: Path | None = None) -> None:
        self.task, self._folder = task, save_to
        recipe, where = task.recipe, task.where
        self.batches = Batches(task.data, task.network, recipe, task.seed, where.device, task.group)
        self.module = self._prepared()
        self._averaging = task.group.averaging(self.module)
        self._optimiser = self._optimiser_of(self.module)
        self._scaler = torch.amp.GradScaler(where.device, enabled=where.precision == "fp16")
        self.epoch = self.step = 0
        self.history: list[EpochRecord] = []
        self._sums = [0.0, 0.0, 0.0]
        """Of the epoch under way: loss times images, images told right, images."""
        self._seconds = 0.0
        if save_to is not None and (state := checkpoint.resume(save_to, task.to_json())) is not None:
            self._load(state)

    @property
    def steps(self) -> int:
        return self.task.recipe.epochs * self.batches.per_epoch

    @property
    def steps_done(self) -> int:
        return self.epoch * self.batches.per_epoch + self.step

    @few_threads()
    def run(self, progress: Callable[[Training], None] = lambda training: None) -> None:
        """Trains to the end and leaves the module in eval mode; `progress` is told after every step.

        Raises DivergedError.
        """
        task, saved = self.task, monotonic()
        while self.epoch < task.recipe.epochs:
            began = perf_counter()
            self._take_step()
            if self.step == self.batches.per_epoch:
                self._end_epoch(began)
            else:
                self._seconds += perf_counter() - began
            progress(self)
            # Several processes save between epochs alone, where each knows what all have seen.
            due = task.group.size == 1 and monotonic() - saved > SAVE_EVERY_SECONDS
            if self.step == 0 or due:
                self._save()
                saved = monotonic()
        self.module.eval()

    def try_step(self) -> None:
        """Takes one step, to see whether it fits into memory, or how long it takes."""
        self._take_step()

    @torch.no_grad()
    def accuracy(self, images: Images) -> Accuracy:
        """Of the network as it stands."""
        task = self.task
        self.module.eval()

        def scores(pixels: Pixels) -> Scores:
            with task.where.autocast():
                found: Scores = self.module(self.batches.normalised(pixels)).float().cpu().numpy()
            return found

        own = ImagePart(images, np.arange(task.group.rank, len(images.labels), task.group.size))
        found = accuracy(scores, own, task.network.resolution)
        counts = task.group.sums([found.images, found.images * found.top1, found.images * found.top5])
        self.module.train()
        return Accuracy(round(counts[0]), counts[1] / counts[0], counts[2] / counts[0])

    def _prepared(self) -> GraphModule:
        module = initialise(self.task.network.graph(), self.task.seed)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = self.task.recipe.batch_norm_momentum
        if self.task.where.device == "cpu":
            speed_up_depthwise(module)
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
        task = self.task
        batch = self.batches.batch(self.epoch, self.step)
        rate = task.recipe.learning_rate(self.epoch + self.step / self.batches.per_epoch)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        with task.where.autocast():
            scores = self._averaging(batch.images).float()
            loss = batch.share * self._loss(scores, batch.labels)
            if batch.share < 1:
                loss = loss + (1 - batch.share) * self._loss(scores, batch.labels[batch.others])
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if task.recipe.gradient_norm:
            self._scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(self.module.parameters(), task.recipe.gradient_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        value, images = float(loss.detach()), len(batch.labels)
        if not isfinite(value):
            raise DivergedError(
                f"the loss is no longer a number in epoch {self.epoch + 1} of {task.recipe.epochs}; "
                f"give a --learning-rate below {task.recipe.learning_rate_per_256:g}"
            )
        right = int((scores.argmax(1) == batch.labels).sum())
        self._sums = [old + new for old, new in zip(self._sums, (value * images, right, images), strict=True)]
        self.step += 1

    def _loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, labels, label_smoothing=self.task.recipe.label_smoothing)

    def _end_epoch(self, began: float) -> None:
        found = self.accuracy(self.task.data.test)
        loss, right, images = self.task.group.sums(self._sums)
        self.history.append(
            EpochRecord(
                epoch=self.epoch + 1,
                learning_rate=self.task.recipe.learning_rate(self.epoch + 1),
                loss=loss / images,
                train_top1=right / images,
                top1=found.top1,
                top5=found.top5,
                seconds=round(self._seconds + perf_counter() - began, 3),
            )
        )
        self.epoch, self.step, self._sums, self._seconds = self.epoch + 1, 0, [0.0, 0.0, 0.0], 0.0

    def _save(self) -> None:
        if self._folder is None or not self.task.group.leads:
            return
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "sums": self._sums,
            "seconds": self._seconds,
            "history": [asdict(record) for record in self.history],
            "module": self.module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        checkpoint.save(self._folder, self.task.to_json(), state)

    def _load(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        self.epoch, self.step, self._seconds = state["epoch"], state["step"], state["seconds"]
        self._sums = state["sums"]
        self.history = [EpochRecord(**record) for record in state["history"]]
