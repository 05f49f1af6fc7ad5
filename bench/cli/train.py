"""`zenbench train`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout

from ...atomic import make_folder
from ...errors import UserError
from ...quantities import count_of
from ...zen.network import Network
from ..data_sets.data_set import DataSet
from ..data_sets.reading import FORMS, open_data
from ..networks.reading import networks_only, read
from ..searching.run_folder import RUNS
from ..training.card import CARD, WEIGHTS
from .shared.options import FOLDER, format_option, seed_option
from .shared.output import Column, answer, label, say
from .shared.progress import progress

COLUMNS = (
    Column("label", "network", right=False),
    Column("epochs", "epochs"),
    Column("top1", "top-1", lambda v: f"{v:.1%}"),
    Column("standard_error", "+-", lambda v: f"{v:.1%}"),
    Column("top5", "top-5", lambda v: f"{v:.1%}"),
    Column("seconds", "seconds", lambda v: f"{v:.0f}"),
    Column("weights", "weights", right=False),
)


@click.command("train")
@click.argument("network")
@click.option("--data", required=True, help=f"Labelled images: {FORMS}.")
@click.option("--out", type=FOLDER, help="Folder of the training; default a new one below runs/.")
@click.option(
    "--recipe",
    default="quick",
    show_default=True,
    help="quick, standard, paper, or a .toml file of your own.",
)
@click.option("--epochs", type=int, help="Instead of the recipe's.")
@click.option("--batch", type=int, help="Images a step, over all processes, instead of the recipe's.")
@click.option("--learning-rate", type=float, help="For 256 images a step, instead of the recipe's.")
@click.option(
    "--hold-out",
    type=int,
    metavar="N",
    help="Test on N of the training images, and leave the test images alone.",
)
@seed_option
@click.option(
    "--device", type=click.Choice(("cpu", "cuda")), help="Where to train; default a GPU if there is one."
)
@click.option(
    "--precision",
    type=click.Choice(("fp32", "bf16", "fp16")),
    help="Of convolutions and products; default the narrowest that the device computes in.",
)
@click.option(
    "--resolution", type=click.IntRange(1, 4096), help="Input height and width; default the images'."
)
@click.option("--classes", type=click.IntRange(2), help="Outputs of the classifier; default the data's.")
@format_option
def command(
    network: str,
    data: str,
    out: Path | None,
    recipe: str,
    epochs: int | None,
    batch: int | None,
    learning_rate: float | None,
    hold_out: int | None,
    seed: int,
    device: str | None,
    precision: Any,
    resolution: int | None,
    classes: int | None,
    style: str,
) -> int:
    """Train a network on labelled images, and write its weights.

    An interrupted training goes on when the same command names its --out again. Several processes train
    together where torchrun starts them: torchrun --nproc-per-node 4 --no-python zenbench train ...
    """
    found = open_data(data)
    if hold_out is not None:
        found = found.holding_out(hold_out)
    chosen = _network(network, found, resolution, classes)
    # Torch is loaded only now, so that mistakes are told at once.
    from ..training.group import joined
    from ..training.precision import place
    from ..training.recipe import open_recipe
    from ..training.training import TrainingTask

    where = place(device, precision)
    changes = {"epochs": epochs, "batch": batch, "learning_rate_per_256": learning_rate}
    opened = open_recipe(recipe, chosen.resolution, **changes)
    with joined(where.device) as group:
        task = TrainingTask(chosen, found, opened, seed, where, group)
        folder = out or RUNS / f"{datetime.now():%Y%m%d-%H%M%S}-train"
        card = _trained(task, folder)
    if group.leads:
        answer([_record(card, chosen, folder / WEIGHTS)], COLUMNS, style)
        say(
            f"next: zenbench export {folder / CARD} --onnx {folder}/network.onnx --weights {folder / WEIGHTS}"
        )
    return 0


def _network(text: str, data: DataSet, resolution: int | None, classes: int | None) -> Network:
    """A structure or a name takes the size of the images; a file has its own."""
    size = data.train.size()
    if resolution is None and size is not None and not Path(text).is_file():
        resolution = size[0]
    return networks_only([read(text, resolution, classes or data.classes)], "trained")[0]


def _trained(task: Any, folder: Path) -> dict[str, Any]:
    from ..training.fitting import enough_memory
    from ..training.folder import finish, finished
    from ..training.training import Training

    make_folder(folder)
    lock = FileLock(folder / ".lock")
    try:
        if task.group.leads:
            lock.acquire(timeout=0)
        card = finished(folder, task)
        if card is not None:
            say(f"train: {folder} holds this training already, finished")
            return card
        with enough_memory(task):
            training = Training(task, save_to=folder)
            if task.group.leads:
                _announce(training, folder)
            _run(training)
        return finish(training, folder) if task.group.leads else {}
    except Timeout:
        raise UserError(f"another process trains in {folder}; give another --out") from None
    finally:
        lock.release()


def _announce(training: Any, folder: Path) -> None:
    task, recipe = training.task, training.task.recipe
    images = training.batches.per_epoch * recipe.batch
    say(
        f"train: {task.data.classes} classes, {len(task.data.train.labels):,} images to train on, "
        f"{len(task.data.test.labels):,} to test on; {task.where.precision} on {task.where.device}, "
        f"seed {task.seed}"
    )
    say(
        f"train: {count_of(recipe.epochs, 'epoch')} of {images:,} images in batches of {recipe.batch}, "
        f"recipe {recipe.name}"
    )
    begun = f"going on in epoch {training.epoch + 1}; " if training.steps_done else ""
    say(f"train: {begun}the same command with --out {folder} goes on after an interruption")


def _run(training: Any) -> None:
    if not training.task.group.leads:
        training.run()
        return
    with progress("train", training.steps) as bar:

        def told(training: Any) -> None:
            history = training.history
            right = f", {history[-1].top1:.1%} right" if history else ""
            epoch = min(training.epoch + 1, training.task.recipe.epochs)
            bar(training.steps_done, f"epoch {epoch} of {training.task.recipe.epochs}{right}")

        training.run(told)


def _record(card: dict[str, Any], network: Network, weights: Path) -> dict[str, Any]:
    last, images = card["history"][-1], card["test_images"]
    top1 = last["top1"]
    return {
        "label": label(network),
        **{key: card[key] for key in ("network", "digest", "data", "seed", "precision")},
        "epochs": card["recipe"]["epochs"],
        "top1": top1,
        "standard_error": (top1 * (1 - top1) / images) ** 0.5,
        "top5": last["top5"],
        "seconds": round(sum(record["seconds"] for record in card["history"]), 1),
        "weights": str(weights),
    }
