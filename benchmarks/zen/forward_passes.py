"""Forward passes here against the straightforward way: `python benchmarks/zen/forward_passes.py [REPEATS]`.

Straightforward: a torch.nn.Sequential in training mode with fresh weights, called on the images and again
on the perturbed ones. Both run on one core, or on the GPU where there is one, in turn; prints medians and
their ratio. Both draw other weights, so their scores agree within their spread only.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from math import exp, log
from statistics import fmean, median
from time import perf_counter

import torch
from torch import nn
from zenbench.zen.families import zoo
from zenbench.zen.graph import Activation, BatchNorm, Conv, GlobalAveragePool, Graph
from zenbench.zen.network import Network
from zenbench.zen.proxies.base import GAMMA
from zenbench.zen.proxies.zen_score import zen_samples

BATCH = 16
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NETWORKS: tuple[Network, ...] = (
    zoo("zennet-cifar-0.5m"),
    zoo("zennet-cifar-1m"),
    zoo("zennet-cifar-2m"),
    replace(zoo("zennet-400m-se"), resolution=64),
    replace(zoo("zennet-0.1ms"), resolution=64),
    replace(zoo("resnet-18"), resolution=64),
    replace(zoo("resnet-50"), resolution=64),
    zoo("zennet-400m-se"),
    zoo("mobilenetv2-1.0"),
    zoo("zennet-0.1ms"),
    zoo("resnet-18"),
)


def straightforward(graph: Graph) -> Callable[[], float]:
    layers: list[nn.Module] = []
    for op in graph.trunk().ops:
        match op:
            case Conv():
                ends = (op.in_channels, op.out_channels, op.kernel, op.stride, op.padding[:2])
                layers.append(nn.Conv2d(*ends, groups=op.groups, bias=False))
            case BatchNorm():
                layers.append(nn.BatchNorm2d(op.shape[0]))
            case Activation():
                layers.append({"relu": nn.ReLU, "relu6": nn.ReLU6}[op.function](inplace=True))
            case GlobalAveragePool():
                break
            case _:
                layers.append(nn.MaxPool2d(3, 2, 1))
    model = nn.Sequential(*layers).to(DEVICE).train()

    @torch.no_grad()
    def one_score() -> float:
        for layer in model:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.reset_running_stats()
        images = torch.randn(BATCH, *graph.input_shape, device=DEVICE)
        change = GAMMA * torch.randn_like(images)
        difference = model(images) - model(images + change)
        score = difference.abs().sum(dim=(1, 2, 3)).mean().log()
        for layer in model:
            if isinstance(layer, nn.BatchNorm2d):
                score = score + 0.5 * layer.running_var.mean().log()
        return score.item()

    return one_score


def main(repeats: int) -> None:
    torch.set_num_threads(1)
    print(f"{DEVICE}, batch {BATCH}, medians of {repeats}, `running` reading")
    ratios = []
    for network in NETWORKS:
        graph = network.graph()
        plain = straightforward(graph)
        seconds: dict[str, list[float]] = {"plain": [], "ours": []}
        scores: dict[str, list[float]] = {"plain": [], "ours": []}
        for seed in range(repeats + 1):
            for name, work in (
                ("plain", plain),
                ("ours", lambda graph=graph, seed=seed: zen_samples(graph, BATCH, seed=seed).running[0]),
            ):
                started = perf_counter()
                score = work()
                if seed:  # the first of each warms up
                    seconds[name].append(perf_counter() - started)
                    scores[name].append(score)
        ratios.append(median(seconds["plain"]) / median(seconds["ours"]))
        print(
            f"{network.name or '':22}{network.resolution:4}"
            f"  {median(seconds['plain']):8.4f} s  {median(seconds['ours']):8.4f} s  {ratios[-1]:5.2f} x"
            f"  scores {fmean(scores['plain']):8.2f} {fmean(scores['ours']):8.2f}",
            flush=True,
        )
    print(f"geometric mean {exp(fmean(map(log, ratios))):.2f} x, median {median(ratios):.2f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
