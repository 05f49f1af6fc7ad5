"""Breakdown: what kind a network is of, and errors by kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from ...zen.blocks import Block
from ...zen.families import FAMILIES, PREFIX
from ...zen.graph import Conv
from ...zen.network import Network
from ...zen.space import spaces
from ...zen.units.cell import CellStemUnit
from ...zen.workload import Workload
from ..latency_files.latency_rows import LatencyRow
from ..networks.reading import read_network

UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Kind:
    """`family`: the space or the published family that a network is of. `kernels`: the mix of its kernels."""

    family: str
    kernels: str


@dataclass(frozen=True, slots=True)
class Group:
    """The networks of one kind: how many, and their errors as an `Agreement` has them."""

    name: str
    count: int
    mape: float
    bias: float
    within_5: float
    within_10: float


def network_of(row: LatencyRow) -> Network | None:
    """The network that a row's text spells; None where the text, alone, does not make its digest."""
    network = read_network(row.network, row.resolution, row.classes)
    return network if network is not None and network.digest == row.digest else None


def kind_of(row: LatencyRow) -> Kind:
    """The kind of a row's network."""
    network = network_of(row)
    return Kind(UNKNOWN, UNKNOWN) if network is None else Kind(family(network), kernel_mix(network))


def family(network: Network) -> str:
    """The space whose blocks a network is made of, else the published family that it is named after."""
    if isinstance(network.blocks[0], CellStemUnit):
        return "nasbench201"
    if network.is_plain:
        kinds = {block.kind for block in network.blocks if isinstance(block, Block)} - {"conv"}
        names = [name for name, space in spaces().items() if kinds and kinds <= set(space.kinds)]
        return names[0] if names else " and ".join(sorted(kinds)) or "convolutions"
    short = (network.name or "").removeprefix(PREFIX)
    for module in FAMILIES:
        if short in module.names():
            return module.__name__.rpartition(".")[2]
    return "others"


def kernel_mix(network: Network) -> str:
    """The largest kernel of each sort of convolution: runtimes treat them apart."""
    found = [_largest_kernels(workload) for workload in network.workloads()]
    depthwise, dense = (max(sizes) for sizes in zip(*found, strict=True))
    if depthwise:
        return f"depthwise up to {depthwise}x{depthwise}, dense up to {dense}x{dense}"
    return f"dense up to {dense}x{dense}"


@lru_cache(maxsize=16_384)
def _largest_kernels(workload: Workload) -> tuple[int, int]:
    """Of depthwise and of other convolutions; 0 where there are none."""
    sizes = [0], [0]
    for op in workload.graph().ops:
        if isinstance(op, Conv):
            sizes[op.groups != op.in_channels or op.groups == 1].append(op.kernel)
    return max(sizes[0]), max(sizes[1])


def group(errors: Iterable[tuple[str, float]]) -> tuple[Group, ...]:
    """Errors, each with the name of its kind, by kind, the most frequent first."""
    by_name: dict[str, list[float]] = {}
    for name, error in errors:
        by_name.setdefault(name, []).append(error)
    groups = [_group(name, found) for name, found in by_name.items()]
    return tuple(sorted(groups, key=lambda one: (-one.count, one.name)))


def _group(name: str, errors: Sequence[float]) -> Group:
    return Group(
        name=name,
        count=len(errors),
        mape=fmean(map(abs, errors)),
        bias=fmean(errors),
        within_5=fmean(abs(error) <= 0.05 for error in errors),
        within_10=fmean(abs(error) <= 0.10 for error in errors),
    )
