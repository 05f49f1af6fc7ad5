"""The candidate rules of ranking: written down before the first network was trained.

A rule gives a network a number, higher is better. Those with a limit put networks beyond it behind all
others, the further beyond, the further behind.

Sources: Zen-Score, arXiv 2102.01063; DeepMAD, arXiv 2303.02165 (depth over width at most 0.3 to 0.5 and
stages weighted 1, 1, 1, 1, 8 in the authors' configurations, uniform depths weighted 10); multi-scale
entropy, arXiv 2111.13336; ZiCo, arXiv 2301.11300; NASWOT, arXiv 2006.04647; SynFlow, arXiv 2006.05467. The
proxies that need forward passes are judged beside the others, but no search can use them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import exp, log
from statistics import pvariance

from zenbench.zen.blocks import Block
from zenbench.zen.cost import Cost, cost
from zenbench.zen.graph import Conv, GlobalAveragePool
from zenbench.zen.network import Network
from zenbench.zen.proxies import score, zen_closed
from zenbench.zen.search.shape_limits import block_depth, depth_to_width, narrowest

Rule = Callable[[Network], float]
FAR = 1e6


@dataclass(frozen=True)
class Shape:
    """What the rules read: `rho` is the depth over the width, `bottleneck` the least ratio of a block's inner
    width to its outer one."""

    cost: Cost
    convolutions: int
    mean_width: float
    least_width: int
    bottleneck: float
    rho: float


@lru_cache(maxsize=1024)
def shape(network: Network) -> Shape:
    blocks = [block for block in network.blocks if isinstance(block, Block)]
    depths, size = [], network.resolution
    for block in blocks:
        depths.append(block_depth(block, size))
        size = block.output_size(size)
    convolutions = sum(depth.convolutions for depth in depths)
    return Shape(
        cost(network),
        convolutions,
        exp(sum(depth.log_widths for depth in depths) / convolutions),
        narrowest(blocks),
        min((block.bottleneck / block.out_channels for block in blocks if block.bottleneck), default=1.0),
        depth_to_width(depths),
    )


def zen(network: Network) -> float:
    return zen_closed(network, "paper")


def deepmad(network: Network) -> float:
    """The sum of the weighted entropies of the stages, the last one weighted 8, and 10 for uniform depths:
    H_i = log(r^2 c) times the sum of log(k^2 c / g) up to the end of stage i, on the trunk."""
    log_volume, depths, ends = 0.0, [], []
    trunk = [op for op in network.graph().trunk().ops if not isinstance(op, GlobalAveragePool)]
    convs = [op for op in trunk if isinstance(op, Conv)]
    for _, stage in groupby(convs, key=lambda op: op.shape[1]):
        ops = list(stage)
        log_volume += sum(log(op.kernel**2 * op.in_channels / op.groups) for op in ops)
        channels, height, width = ops[-1].shape
        ends.append(log(height * width * channels) * log_volume)
        depths.append(len(ops))
    weights = [1.0] * (len(ends) - 1) + [8.0]
    return sum(weight * end for weight, end in zip(weights, ends, strict=True)) + 10 * exp(-pvariance(depths))


def entropy(network: Network) -> float:
    """Multi-scale entropy with the weights 1, 1, 6 on the maps of the last three sizes."""
    log_std, ends = 0.0, []
    convs = [op for op in network.graph().trunk().ops if isinstance(op, Conv)]
    for _, stage in groupby(convs, key=lambda op: op.shape[1]):
        ops = list(stage)
        log_std += sum(0.5 * log(op.kernel**2 * op.in_channels / op.groups) for op in ops)
        ends.append(log(ops[-1].shape[0]) + log_std)
    return sum(weight * end for weight, end in zip((6.0, 1.0, 1.0), reversed(ends), strict=False))


def proxy(name: str) -> Rule:
    return lambda network: score(network, name, seed=0).value


def within(rule: Rule, excess: Callable[[Shape], float]) -> Rule:
    """The rule where nothing exceeds the limit."""

    def limited(network: Network) -> float:
        beyond = excess(shape(network))
        return rule(network) if beyond <= 0 else -FAR * (1 + beyond)

    return limited


def log_macs(network: Network) -> float:
    return log(shape(network).cost.macs)


RULES: dict[str, Rule] = {
    "zen": zen,
    "macs": log_macs,
    "params": lambda network: log(shape(network).cost.params),
    "macs x params": lambda network: log(shape(network).cost.macs) + log(shape(network).cost.params),
    "least width": lambda network: shape(network).least_width,
    "mean width": lambda network: shape(network).mean_width,
    "bottleneck ratio": lambda network: shape(network).bottleneck,
    "shallow": lambda network: -shape(network).convolutions,
    "depth over width": lambda network: -shape(network).rho,
    "entropy": entropy,
    "deepmad": deepmad,
    **{name: proxy(name) for name in ("zico", "naswot", "synflow")},
    "zen / convolutions": lambda network: zen(network) / shape(network).convolutions,
    "zen / root of convolutions": lambda network: zen(network) / shape(network).convolutions ** 0.5,
    **{
        f"{name} within rho {limit:g}": within(rule, lambda found, limit=limit: found.rho - limit)
        for name, rule in (("zen", zen), ("deepmad", deepmad), ("macs", log_macs))
        for limit in (0.3, 0.5, 1.0, 2.0)
    },
    **{
        f"{name} with width {least} or more": within(
            rule, lambda found, least=least: (least - found.least_width) / least
        )
        for name, rule in (("zen", zen), ("macs", log_macs))
        for least in (16, 24)
    },
    **{
        f"zen - {weight} rho": lambda network, weight=weight: zen(network) - weight * shape(network).rho
        for weight in (10, 30, 100)
    },
    **{
        f"zen + {weight} log least width": lambda network, weight=weight: (
            zen(network) + weight * log(shape(network).least_width)
        )
        for weight in (10, 20, 40)
    },
    **{
        f"log macs + {weight} log mean width": lambda network, weight=weight: (
            log_macs(network) + weight * log(shape(network).mean_width)
        )
        for weight in (0.25, 0.5, 1.0)
    },
    **{
        f"log macs - {weight} log convolutions": lambda network, weight=weight: (
            log_macs(network) - weight * log(shape(network).convolutions)
        )
        for weight in (0.25, 0.5, 1.0)
    },
}
