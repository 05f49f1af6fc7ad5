"""The figure of docs/closed_form.md.

python benchmarks/zen/closed_form_figure.py docs/figures/closed_form.png

Left: the share of the squared mean that heavy tails leave, layer by layer, measured and from the state that
the closed form carries. Right: the error of the score against forward passes, without and with tails and
padding. Takes a minute and needs matplotlib.
"""

import sys
from math import log, pi, sqrt
from pathlib import Path
from statistics import fmean

import torch
from closed_form import FILE, read
from matplotlib.figure import Figure
from torch.nn import functional
from zenbench.zen.families import zoo
from zenbench.zen.graph import Activation, BatchNorm, Conv, GlobalAveragePool, Graph
from zenbench.zen.network import parse_text
from zenbench.zen.proxies.chain import chain_of
from zenbench.zen.proxies.closed_form import layer_transfers, through, zen_closed
from zenbench.zen.proxies.conv_variance import conv_gain

REPEATS, BATCH = 8, 16
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#888888"


def measured_shares(graph: Graph, seed: int) -> list[float]:
    """2 pi (mean of a rectified channel)^2 behind every batch norm, one pass: 1 for a normal channel."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, *graph.input_shape, generator=generator)
    shares = []
    for op in graph.trunk().ops:
        match op:
            case Conv():
                kernel = (op.out_channels, op.in_channels // op.groups, op.kernel, op.kernel)
                weight = torch.randn(kernel, generator=generator)
                x = functional.conv2d(x, weight, None, op.stride, op.padding[:2], groups=op.groups)
            case BatchNorm():
                x = functional.batch_norm(x, None, None, training=True)
            case Activation():
                x = x.relu()
                shares.append(2 * pi * x.mean(dim=(0, 2, 3)).square().mean().item())
            case GlobalAveragePool():
                break
    return shares


def carried_shares(graph: Graph) -> list[float]:
    """The same from the state of the closed form."""
    transfers = list(layer_transfers(chain_of(graph), "paper"))
    states = [through(transfers[: depth + 1]) for depth in range(len(transfers))]
    return [1 - (state.lasting + state.recent) / state.scale for state in states]


def without_tails_and_padding(graph: Graph) -> float:
    """The score if every batch norm's input were normal and equally strong everywhere."""
    chain = chain_of(graph)
    gains = [conv_gain(x.kernel, x.size, x.stride, x.source, padded_before=False) for x in chain.layers]
    total = sum(
        0.5 * log(x.channels_per_group * gain.variance) for x, gain in zip(chain.layers, gains, strict=True)
    )
    angle = through(layer_transfers(chain, "paper"))
    return total + log(chain.values * angle.angle / angle.reach / sqrt(pi))


def main(path: Path) -> None:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    depth, error = figure.subplots(1, 2)
    for name, colour in (("zennet-cifar-1m", BLUE), ("zennet-cifar-0.5m", ORANGE)):
        graph = zoo(name).graph()
        runs = [measured_shares(graph, seed) for seed in range(REPEATS)]
        layers = range(1, len(runs[0]) + 1)
        depth.plot(layers, [fmean(values) for values in zip(*runs, strict=True)], ".", color=colour, ms=4)
        depth.plot(layers, carried_shares(graph), color=colour, label=name)
    depth.set(xlabel="convolution", ylabel="squared mean, share of a normal's", ylim=(0.5, 1.03))
    depth.set_title("dots: forward passes, lines: the state carried", fontsize=10)
    depth.legend(frameon=False, loc="lower left")
    rows = read(FILE)
    networks = [parse_text(row["structure"], int(row["resolution"])) for row in rows]
    forward = [float(row["paper_mean"]) for row in rows]
    for scores, colour, name in (
        ([without_tails_and_padding(n.graph()) for n in networks], GREY, "without tails and padding"),
        ([zen_closed(n) for n in networks], BLUE, "closed form"),
    ):
        errors = [100 * (score / truth - 1) for score, truth in zip(scores, forward, strict=True)]
        error.plot(forward, errors, ".", color=colour, ms=4, label=name)
    error.axhline(0, color="black", lw=0.8)
    error.set(xlabel="Zen-Score by forward passes (16 repeats)", ylabel="error of the closed form, %")
    error.set_title(f"{len(rows)} networks of both spaces, 32 to 224 pixels", fontsize=10)
    error.set_ylim(-4.6, 1.2)
    error.legend(frameon=False, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
