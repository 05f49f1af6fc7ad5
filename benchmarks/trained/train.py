"""Trains the networks of the evidence: `python benchmarks/trained/train.py DATA STAGE`.

DATA is the cifar10.npz of prepare.py. Stages: `networks` (all of networks.csv, seed 0), `longer` (ten of
them, five times as long), `latency` (latency_networks.csv), `bars` (bars.csv, seeds 1 to 3). Each training is
one line of trained.csv, appended when it ends; those that are there are left out, and an interrupted training
goes on from its checkpoint, so the command can be run again until nothing is left. Several processes share
the work.

All by the recipe `quick`, on one thread. `held_out` is the accuracy on 5,000 training images that were not
trained on, by which rules and networks are selected; `test` that on the 10,000 test images.
"""

import csv
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from networks import FOLDER, network_of
from zenbench.bench.data_sets.data_set import DataSet
from zenbench.bench.data_sets.reading import open_data
from zenbench.bench.training.checkpoint import discard
from zenbench.bench.training.precision import place
from zenbench.bench.training.recipe import open_recipe
from zenbench.bench.training.training import Training, TrainingTask

HELD_OUT = 5000
LONGER = 5
TRAINED = FOLDER / "trained.csv"
COLUMNS = [
    *("stage", "budget", "origin", "source", "half", "seed", "epochs", "precision", "train_top1"),
    *("held_out", "test", "seconds", "held_out_by_epoch", "resolution", "classes", "network"),
]


@dataclass(frozen=True)
class Job:
    stage: str
    row: dict[str, str]
    seed: int
    epochs: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.stage, self.row["budget"], self.row["network"], self.seed


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def jobs(stage: str) -> Iterator[Job]:
    epochs = open_recipe("quick", 32).epochs
    networks = rows("networks.csv")
    if stage == "networks":
        # Both budgets and all origins side by side, so that the first half of the work is a sample of all.
        yield from (Job(stage, row, 0, epochs) for start in range(5) for row in networks[start::5])
    elif stage == "longer":
        budget = [row for row in networks if row["budget"] == "10M"]
        yield from (Job(stage, row, 0, LONGER * epochs) for row in budget[:: len(budget) // 10][:10])
    elif stage == "latency":
        yield from (Job(stage, row, 0, epochs) for row in rows("latency_networks.csv"))
    elif stage == "bars":
        yield from (Job(stage, row, seed, epochs) for seed in (1, 2, 3) for row in rows("bars.csv"))
    else:
        sys.exit(f"there is no stage {stage}")


def done() -> set[tuple[str, str, str, int]]:
    if not TRAINED.exists():
        return set()
    return {(row["stage"], row["budget"], row["network"], int(row["seed"])) for row in rows(TRAINED.name)}


def checkpoints(job: Job) -> Path:
    digest = network_of(job.row["network"]).digest
    name = "-".join((job.stage, job.row["budget"], digest, str(job.seed)))
    folder = Path(os.environ.get("CHECKPOINTS", tempfile.gettempdir())) / "trained" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def train(job: Job, data: DataSet, test: DataSet, folder: Path) -> dict[str, object]:
    recipe = replace(open_recipe("quick", 32), epochs=job.epochs)
    task = TrainingTask(network_of(job.row["network"]), data, recipe, job.seed, place("cpu"))
    training = Training(task, save_to=folder)
    training.run()
    last = training.history[-1]
    return {
        **{name: job.row[name] for name in ("budget", "origin", "source", "half", "network")},
        "stage": job.stage,
        "resolution": task.network.resolution,
        "classes": task.network.classes,
        "seed": job.seed,
        "epochs": job.epochs,
        "precision": task.where.precision,
        "train_top1": round(last.train_top1, 4),
        "held_out": last.top1,
        "test": training.accuracy(test.test).top1,
        "seconds": round(sum(epoch.seconds for epoch in training.history), 1),
        "held_out_by_epoch": " ".join(f"{epoch.top1:.4f}" for epoch in training.history),
    }


def append(row: dict[str, object]) -> None:
    with FileLock(FOLDER / ".trained.lock"):
        new = not TRAINED.exists()
        with TRAINED.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)


def main(name: str, stage: str) -> None:
    torch.set_num_threads(1)
    test = open_data(f"npz:{name}")
    data = test.holding_out(HELD_OUT)
    for job in jobs(stage):
        folder = checkpoints(job)
        with suppress(Timeout), FileLock(folder / ".lock", timeout=0):  # else another process has it
            if job.key not in done():
                row = train(job, data, test, folder)
                append(row)
                discard(folder)
                print(
                    f"{row['budget']} {row['source']}: {row['held_out']:.1%} in {row['seconds']} s",
                    flush=True,
                )


if __name__ == "__main__":
    main(*sys.argv[1:])
