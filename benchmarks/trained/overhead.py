"""`zenbench train` beside the same loop written by hand: `python benchmarks/trained/overhead.py DATA`.

DATA is the cifar10.npz of prepare.py. Both take turns of 20 steps on one thread, with the same network,
batch, precision, random crops and mirror images; prints the ratio of their medians and the quartiles of each.
"""

import sys
from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter

import numpy as np
import torch
from networks import network_of
from torch import nn
from zenbench.bench.data_sets.reading import open_data
from zenbench.bench.training.precision import place
from zenbench.bench.training.recipe import open_recipe
from zenbench.bench.training.training import Training, TrainingTask
from zenbench.zen.module import initialise

NETWORKS = {
    "residual": "SuperConvK3BNRELU(3,16,1,1)SuperResK3K3(16,16,2,16,2)SuperResK3K3(16,32,2,32,1)"
    "SuperConvK1BNRELU(32,64,1,1)",
    "inverted": "SuperConvK3BNRELU(3,16,1,1)SuperResIDWE2K3(16,16,2,16,1)SuperResIDWE2K3(16,32,2,16,1)"
    "SuperConvK1BNRELU(32,64,1,1)",
    "inverted, kernels of 7": "SuperConvK3BNRELU(3,16,1,1)SuperResIDWE2K7(16,16,2,16,3)"
    "SuperResIDWE2K7(16,32,2,16,3)SuperConvK1BNRELU(32,64,1,1)",
}
TURNS, STEPS, BATCH = 12, 20, 64


def by_hand(structure: str, pixels: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
    """A step of the usual script: fp32 weights, channels last, autocast in bf16."""
    model = initialise(network_of(structure).graph()).train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2470, 0.2435, 0.2616])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    images = (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    targets, random = torch.from_numpy(labels), torch.Generator().manual_seed(0)

    def step() -> None:
        chosen = torch.randint(len(images), (BATCH,), generator=random)
        padded = nn.functional.pad(images[chosen], (4, 4, 4, 4))
        left, top = (torch.randint(9, (BATCH,), generator=random).tolist() for _ in range(2))
        crops = [one[:, y : y + 32, x : x + 32] for one, x, y in zip(padded, left, top, strict=True)]
        mirrored = [one.flip(2) if torch.rand((), generator=random) < 0.5 else one for one in crops]
        batch = torch.stack(mirrored).contiguous(memory_format=torch.channels_last)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=place("cpu").precision == "bf16"):
            loss = nn.functional.cross_entropy(model(batch), targets[chosen])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()

    return step


def main(name: str) -> None:
    torch.set_num_threads(1)
    data = open_data(f"npz:{name}")
    some = np.arange(10_000)
    pixels, labels = data.train.pixels(some, 32), data.train.labels[some]
    for kind, structure in NETWORKS.items():
        task = TrainingTask(network_of(structure), data, open_recipe("quick", 32), 0, place("cpu"))
        steps = {"zenbench": Training(task).try_step, "by hand": by_hand(structure, pixels, labels)}
        taken: dict[str, list[float]] = {who: [] for who in steps}
        for turn in range(TURNS + 1):
            for who, step in steps.items():
                began = perf_counter()
                for _ in range(STEPS):
                    step()
                if turn:  # the first warms up
                    taken[who].append((perf_counter() - began) / STEPS * 1e3)
        for who, times_ms in taken.items():
            low, _, high = quantiles(times_ms, n=4)
            print(f"{kind}, {who}: {median(times_ms):.1f} ms a step ({low:.1f} to {high:.1f})")
        print(f"{kind}: {median(taken['zenbench']) / median(taken['by hand']):.2f} times the time by hand")


if __name__ == "__main__":
    main(*sys.argv[1:])
