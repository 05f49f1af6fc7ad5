"""The loop: it learns, repeats itself, goes on anywhere, and says what is wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_images import CLASSES, toy_data, toy_network
from zenbench.bench.training import training as module
from zenbench.bench.training.precision import Place, place
from zenbench.bench.training.recipe import TrainingRecipe
from zenbench.bench.training.training import Training, TrainingTask
from zenbench.errors import UserError
from zenbench.zen.graph import Conv
from zenbench.zen.network import parse_text

RECIPE = TrainingRecipe("toy", epochs=4, batch=16, learning_rate_per_256=0.8, warmup_epochs=0.5)
FP32 = Place("cpu", "fp32")


def task(recipe: TrainingRecipe = RECIPE, seed: int = 0, where: Place = FP32) -> TrainingTask:
    return TrainingTask(toy_network(), toy_data(), recipe, seed, where)


def weights(training: Training) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in training.module.parameters()])


def test_a_network_learns_what_can_be_learned() -> None:
    training = Training(task(replace(RECIPE, epochs=8)))
    training.run()
    first, last = training.history[0], training.history[-1]
    assert [record.epoch for record in training.history] == list(range(1, 9))
    assert last.loss < first.loss
    assert last.top1 > 2 / CLASSES > 1 / CLASSES
    assert not training.module.training


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    found = []
    for seed in (0, 0, 1):
        training = Training(task(seed=seed))
        training.run()
        found.append(weights(training))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


class KilledError(Exception):
    pass


@pytest.mark.parametrize("step", [1, 4, 6, 15])
def test_a_training_that_was_killed_anywhere_ends_with_the_same_weights(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Training(task(replace(RECIPE, mixup=0.2, erase=0.5)))
    whole.run()
    monkeypatch.setattr(module, "SAVE_EVERY_SECONDS", -1.0)

    def kill(training: Training) -> None:
        if training.steps_done == step:
            raise KilledError

    with pytest.raises(KilledError):
        Training(whole.task, tmp_path).run(kill)
    resumed = Training(whole.task, tmp_path)
    # The checkpoint is written after the step was told, so the last one is lost.
    assert resumed.steps_done == step - 1
    resumed.run()
    assert torch.equal(weights(resumed), weights(whole))
    assert [(one.loss, one.top1) for one in resumed.history] == [
        (one.loss, one.top1) for one in whole.history
    ]


def test_without_a_number_for_a_loss_it_stops_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    training = Training(task(replace(RECIPE, batch=8)), tmp_path)
    end_of_epoch = training.batches.per_epoch

    def spoil(training: Training) -> None:
        if training.steps_done == end_of_epoch + 1:
            with torch.no_grad():
                next(training.module.parameters()).fill_(float("nan"))

    with pytest.raises(
        UserError, match=r"no longer a number in epoch 2 of 4; give a --learning-rate below 0.8"
    ):
        training.run(spoil)
    assert Training(training.task, tmp_path).steps_done == end_of_epoch


def test_long_gradients_are_shortened() -> None:
    limited = Training(task(replace(RECIPE, gradient_norm=1e-6, momentum=0.0, weight_decay=0.0)))
    before = weights(limited).clone()
    limited.try_step()
    limited.try_step()  # the rate of the first step is 0
    assert 0 < float((weights(limited) - before).norm()) < 1e-6


def test_biases_and_batch_norm_do_not_decay() -> None:
    optimiser = Training(task())._optimiser
    decaying, others = optimiser.param_groups
    assert all(one.dim() > 1 for one in decaying["params"]) and decaying["weight_decay"] == 5e-4
    assert all(one.dim() == 1 for one in others["params"]) and not others.get("weight_decay")


def test_the_accuracy_is_that_of_the_images_asked_for() -> None:
    training = Training(task(replace(RECIPE, epochs=8)))
    training.run()
    assert training.accuracy(training.task.data.test).top1 == training.history[-1].top1
    assert training.accuracy(training.task.data.train).images == 64


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda one: replace(one, network=toy_network(3)),
            "toy has 4 classes, but the network tells 3 apart",
        ),
        (
            lambda one: replace(one, network=replace(one.network, resolution=32)),
            "the images of toy are 16 x 16, but the network takes 32 x 32; give --resolution 16",
        ),
        (
            lambda one: replace(one, recipe=replace(RECIPE, batch=65)),
            "an epoch has 64 images of toy, fewer than a batch of 65; give --batch 64 or less",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(change: object, sentence: str) -> None:
    assert callable(change)
    with pytest.raises(UserError, match=sentence):
        Training(change(task()))


def test_the_place_is_this_cpu_and_its_narrowest_type_unless_asked() -> None:
    if not torch.cuda.is_available():
        assert place().device == "cpu" and place().precision in ("fp32", "bf16")
        with pytest.raises(UserError, match="no CUDA GPU here"):
            place("cuda")
    assert place("cpu", "fp32") == FP32
    with pytest.raises(UserError, match="fp32 or bf16"):
        place("cpu", "fp16")


def test_in_bf16_strided_depthwise_convolutions_keep_fp32() -> None:
    network = parse_text(
        "SuperConvK3BNRELU(3,8,1,1)SuperResIDWE2K3(8,16,2,8,1)SuperConvK1BNRELU(16,32,1,1)", 16, CLASSES
    )
    training = Training(replace(task(where=Place("cpu", "bf16")), network=network))
    strided = {
        op.name for op in network.graph().ops if isinstance(op, Conv) and op.groups > 1 and op.stride > 1
    }
    seen: dict[str, torch.dtype] = {}
    for name, layer in training.module.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, given, out, name=name: seen.update({name: out.dtype}))
    training.try_step()
    assert strided
    assert {name for name, kind in seen.items() if kind == torch.float32} == strided
