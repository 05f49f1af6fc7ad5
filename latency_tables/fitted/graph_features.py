"""GraphFeatures: what the latency of a network of any operations is explained by."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from ...errors import TableError
from ...zen.blocks import Block, BlockKind
from ...zen.graph_network import AnyNetwork
from ...zen.units.piece import PieceUnit
from ...zen.units.plain import HeadUnit
from ...zen.workload import Workload
from ..op_features import TimedOp, timed_ops

_KINDS = ("image", "dense", "pointwise", "depthwise", "linear")
_SIZED_KINDS = _KINDS[1:4]
_SIZES = tuple(2**octave for octave in range(9))
_KERNELS = (5, 7)
_GRANULES = (32, 128)
"""Channels in which machines may work: registers of a CPU, tiles of a GPU. A fit that weighs MACs of plain
and of rounded channels finds what its machine does in between."""
_ROUNDED_KINDS = ("dense", "pointwise")
_CARRIERS = (
    *(f"{kind} 10M MACs" for kind in _KINDS),
    *(f"{kind} 10M MACs, channels by {granule}" for kind in _ROUNDED_KINDS for granule in _GRANULES),
    "100 kB of activations",
    "100 kB of weights",
    "operations",
    "networks",
)
_NAMES = (
    *_CARRIERS,
    *(f"{kind} 10M MACs, size {size}" for kind in _SIZED_KINDS for size in _SIZES),
    *(f"{kind} 10M MACs, {kernel}x{kernel}" for kind in ("dense", "depthwise") for kernel in _KERNELS),
    *(f"100 kB of activations, size {size}" for size in _SIZES),
)
_PLACE = {name: place for place, name in enumerate(_NAMES)}
_FEW_CHANNELS = 4
_FUSED = ("swish", "hard-swish")
"""Activations count as a part of what they follow: few tables of whole networks hold enough to tell them."""


class GraphFeatures:
    """MACs by kind of operation, bytes, and a fixed time an operation and a network; corrected by the
    octave of the size, and by kernel. `kinds`: the super blocks of the space, None for any unit at all."""

    reading = "converted"
    carriers = len(_CARRIERS)
    names = _NAMES

    def __init__(self, space: str, kinds: Sequence[BlockKind] | None) -> None:
        self.space, self._kinds = space, kinds

    def check(self, network: AnyNetwork) -> None:
        if self._kinds is None:
            return
        for block in network.blocks:
            if not isinstance(block, Block) or block.kind not in ("conv", *self._kinds):
                what = block if isinstance(block, Block) else block.label
                raise TableError(f"the block {what} is none of the space {self.space}")

    def unit(self, workload: Workload) -> Sequence[float]:
        found = [0.0] * len(_NAMES)
        if isinstance(workload.unit, HeadUnit | PieceUnit) and len(workload.graph().output_shape) == 1:
            found[_PLACE["networks"]] = 1.0
        for op in timed_ops(workload):
            if op.form in _FUSED:
                continue
            for name, amount in _amounts(op):
                if name in _PLACE:
                    found[_PLACE[name]] += amount
        return found

    def beside(self, network: AnyNetwork) -> None:
        """Nothing runs beside the units."""


def _amounts(op: TimedOp) -> Sequence[tuple[str, float]]:
    """What an operation adds to features by name, among them some that are none."""
    size = _SIZES[min(round(log2(op.size)), len(_SIZES) - 1)]
    activations = 4e-5 * (op.channels_in * op.size_in**2 + op.channels_out * op.size**2)
    amounts = [
        ("operations", 1.0),
        ("100 kB of activations", activations),
        (f"100 kB of activations, size {size}", activations),
    ]
    if op.form not in ("conv", "linear"):
        return amounts
    weights = op.channels_out * op.channels_in // op.groups * op.kernel**2
    macs, work = weights * op.size**2 / 1e7, f"{_kind(op)} 10M MACs"
    return [
        *amounts,
        ("100 kB of weights", 4e-5 * weights),
        (work, macs),
        (f"{work}, size {size}", macs),
        (f"{work}, {op.kernel}x{op.kernel}", macs),
        *((f"{work}, channels by {granule}", macs * _rounding(op, granule)) for granule in _GRANULES),
    ]


def _rounding(op: TimedOp, granule: int) -> float:
    """Product of rounded channels over that of the channels."""
    rounded = [-(-channels // granule) * granule for channels in (op.channels_in, op.channels_out)]
    return rounded[0] * rounded[1] / (op.channels_in * op.channels_out)


def _kind(op: TimedOp) -> str:
    if op.form == "linear":
        return "linear"
    if op.groups == op.channels_in > 1:
        return "depthwise"
    if op.channels_in <= _FEW_CHANNELS:
        return "image"
    return "pointwise" if op.kernel == 1 else "dense"
