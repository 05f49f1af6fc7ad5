"""Machines as a modelled latency sees them: what an operation asks of which of their limits.

An operation's amounts are of two sorts. Those that a machine works off side by side (arithmetic, memory
traffic) overlap: the longest counts most. The rest comes on top, one after the other (launches, passes over
a map that another runtime might have fused). Every amount belongs to one coefficient of the machine, a rate
or a time that the fit finds; what is fixed here is how much of it an operation needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

from .kernels import RuntimeKernel

MILLISECONDS_PER_UNIT = {"TMAC/s": 1e-9, "GMAC/s": 1e-6, "GB/s": 1e-6, "Gvalue/s": 1e-6, "us": 1e-3}
"""How long one MAC, byte, value or launch takes at a coefficient of one; rates divide, `us` multiplies."""
FEW_CHANNELS = 4
_FP32_BYTES = 4


class Term(NamedTuple):
    """A coefficient: its unit and what it stands for."""

    unit: str
    meaning: str


class Demand(NamedTuple):
    """What one operation asks of each coefficient, in MACs, bytes, values or launches."""

    overlapping: Mapping[str, float]
    serial: Mapping[str, float]


@dataclass(frozen=True)
class GpuModel:
    """A GPU with tensor cores, which multiply tiles of a matrix on many multiprocessors at a time.

    `channel_granule`: channels are padded to a multiple of it. `fuses`: batch norm and ReLU behind a
    convolution, and ReLU behind a sum, cost nothing (an inference compiler), else each is a pass of its own.
    """

    multiprocessors: int
    channel_granule: int
    bytes_per_value: int
    fuses: bool

    KIND: ClassVar[str] = "gpu-roofline"
    TERMS: ClassVar[Mapping[str, Term]] = {
        "dense": Term("TMAC/s", "tensor-core arithmetic of full convolutions and linear layers"),
        "tile": Term("Gvalue/s", "starting and ending a tile, by its outputs"),
        "image": Term("TMAC/s", "arithmetic of the convolution that reads the image"),
        "grouped": Term("TMAC/s", "arithmetic of grouped convolutions"),
        "depthwise_3": Term("TMAC/s", "arithmetic of depthwise convolutions up to 3x3"),
        "depthwise_5": Term("TMAC/s", "arithmetic of depthwise convolutions from 5x5"),
        "memory": Term("GB/s", "memory traffic of convolutions, linear layers, pools and copies"),
        "launch": Term("us", "starting an operation and draining it"),
        "input": Term("GB/s", "fetching the image in fp32 and laying it out"),
        "gate": Term("us", "a squeeze-and-excite's pool and its two small layers, whatever their size"),
        "gate_pool": Term("Gvalue/s", "pooling a map for its gate, values read"),
        "gate_product": Term("Gvalue/s", "multiplying a map by its gate"),
        "smooth": Term("Gvalue/s", "activations that the runtime does not fuse (swish, hard-swish)"),
        "sum": Term("Gvalue/s", "residual sums"),
        "norm": Term("Gvalue/s", "batch norms that stand alone"),
        "relu": Term("Gvalue/s", "ReLUs that stand alone"),
        "copy": Term("Gvalue/s", "concatenation, slicing"),
    }

    def demand(self, kernel: RuntimeKernel, batch: int) -> Demand:
        form, size = kernel.form, kernel.size
        values = batch * kernel.channels_out * size * size
        read = batch * kernel.channels_in * kernel.size_in**2
        traffic = self.bytes_per_value * (kernel.inputs * read + values)
        if form in ("conv", "linear"):
            return self._convolution(kernel, batch, values, traffic)
        if form == "pool":
            return Demand({"memory": traffic}, {"launch": 1})
        if form == "gate pool":
            return Demand({}, {"gate_pool": read, "gate": 1})
        serial = _ON_GPU.get(form, form)
        if size == 1 or (self.fuses and (form == "relu" or kernel.fused)):
            return _NOTHING
        # A compiler adds the shortcut in the convolution before it: another map to read, no launch.
        launches = 0 if form == "sum" and self.fuses else 1
        return Demand({}, {serial: values * max(1, kernel.inputs - 1), "launch": launches})

    def _convolution(self, kernel: RuntimeKernel, batch: int, values: int, traffic: float) -> Demand:
        taps, serial = kernel.kernel**2, {"launch": 1.0}
        per_group = kernel.channels_in // kernel.groups
        traffic += self.bytes_per_value * kernel.channels_out * per_group * taps
        if kernel.groups == kernel.channels_in > 1:
            name = "depthwise_3" if kernel.kernel <= 3 else "depthwise_5"
            return Demand({name: values * taps, "memory": traffic}, serial)
        if kernel.groups > 1:
            return Demand({"grouped": values * (per_group + _GROUP_WASTE) * taps, "memory": traffic}, serial)
        outputs = _tiled(
            batch * kernel.size**2, _padded(kernel.channels_out, self.channel_granule), self.multiprocessors
        )
        if kernel.channels_in <= FEW_CHANNELS:
            image = _FP32_BYTES * batch * kernel.channels_in * kernel.size_in**2
            arithmetic = outputs * FEW_CHANNELS * taps
            return Demand({"image": arithmetic, "memory": traffic}, {**serial, "input": image})
        depth = _padded(kernel.channels_in, self.channel_granule) * taps
        return Demand({"dense": outputs * depth, "tile": outputs, "memory": traffic}, serial)


_ON_GPU = {"hard": "smooth", "product": "gate_product"}
_NOTHING = Demand({}, {})
_GROUP_WASTE = 32
"""Input channels' worth of tensor-core tile that each output of a grouped convolution wastes."""
_TILES = ((256, 128, 1.0), (128, 128, 0.95), (128, 64, 0.85), (64, 64, 0.7))
"""Rows and columns of the matrix tiles that libraries ship, and their efficiency against the largest."""


@lru_cache(maxsize=65_536)
def _tiled(rows: int, columns: int, multiprocessors: int) -> float:
    """Outputs of a matrix product as the machine pays for them: whole tiles in whole waves, best tile."""
    return min(
        -(-(-(-rows // height) * -(-columns // width)) // multiprocessors)
        * multiprocessors
        * height
        * width
        / efficiency
        for height, width, efficiency in _TILES
    )


@dataclass(frozen=True)
class CpuModel:
    """One core with vector units, running a library that multiplies matrices of image patches.

    `vector_lanes`: fp32 values in a register; `channel_granule`: output channels of one inner kernel.
    """

    vector_lanes: int
    channel_granule: int

    KIND: ClassVar[str] = "cpu-roofline"
    TERMS: ClassVar[Mapping[str, Term]] = {
        "dense": Term("GMAC/s", "arithmetic of full and grouped convolutions from 3x3"),
        "pointwise": Term("GMAC/s", "arithmetic of 1x1 convolutions and linear layers"),
        "patches": Term("Gvalue/s", "laying out the patches that a convolution from 3x3 reads"),
        "depthwise_3": Term("GMAC/s", "arithmetic of depthwise convolutions up to 3x3"),
        "depthwise_5": Term("GMAC/s", "arithmetic of depthwise convolutions of 5x5"),
        "depthwise_7": Term("GMAC/s", "arithmetic of depthwise convolutions from 7x7"),
        "memory": Term("GB/s", "memory traffic of convolutions and linear layers"),
        "launch": Term("us", "starting an operation"),
        "group": Term("us", "one group of a grouped convolution, which runs as one convolution a group"),
        "pass": Term("Gvalue/s", "passes over a map: sums, gates, pools, lone batch norms, copies"),
        "smooth": Term("Gvalue/s", "activations with an exponential"),
    }

    def demand(self, kernel: RuntimeKernel, batch: int) -> Demand:
        form, size = kernel.form, kernel.size
        values = batch * kernel.channels_out * size * size
        read = batch * kernel.channels_in * kernel.size_in**2
        if form in ("conv", "linear"):
            return self._convolution(kernel, batch, read, values)
        if form == "relu" or kernel.fused:
            return _NOTHING
        if form == "smooth":
            return Demand({}, {"smooth": values, "launch": 1})
        if form in ("pool", "gate pool"):
            return Demand({}, {"pass": max(read, values * kernel.kernel**2), "launch": 1})
        return Demand({}, {"pass": kernel.inputs * read + values, "launch": 1})

    def _convolution(self, kernel: RuntimeKernel, batch: int, read: int, values: int) -> Demand:
        taps, groups = kernel.kernel**2, kernel.groups
        places = batch * kernel.size**2
        per_group = kernel.channels_in // groups
        weights = kernel.channels_out * per_group * taps
        memory = {"memory": _FP32_BYTES * (read + values + weights)}
        if groups == kernel.channels_in > 1:
            name = f"depthwise_{min(max(kernel.kernel, 3), 7)}"
            arithmetic = places * taps * _padded(kernel.channels_out, self.vector_lanes)
            return Demand(memory, {name: arithmetic, "launch": 1})
        columns = groups * _padded(kernel.channels_out // groups, self.channel_granule)
        arithmetic = places * columns * per_group * taps
        if kernel.kernel == 1 and groups == 1:
            return Demand(memory, {"pointwise": arithmetic, "launch": 1})
        serial = {"dense": arithmetic, "patches": places * kernel.channels_in * taps, "launch": 1.0}
        if groups > 1:
            serial |= {"pass": read + values, "group": groups}
        return Demand(memory, serial)


def _padded(channels: int, granule: int) -> int:
    return -(-channels // granule) * granule


Machine = GpuModel | CpuModel
"""A kind of machine, with the numbers that its data sheet gives."""
MACHINES: Mapping[str, type[Machine]] = {machine.KIND: machine for machine in (GpuModel, CpuModel)}
