"""Layer norm and group norm as TFLite operators, of which there is none for either."""

from __future__ import annotations

from ...zen.graph import GroupNorm, LayerNorm, Shape
from .tflite_emitter import Emitter


def layer_norm(out: Emitter, op: LayerNorm) -> None:
    """The channels lie last, so that a mean over the last axis is one over the channels of a place."""
    statistics = (1, *op.shape[1:])
    normed = _normed(out, op, op.inputs[0], op.shape, statistics, [len(op.shape)])
    _scaled(out, op, normed)


def group_norm(out: Emitter, op: GroupNorm) -> None:
    """As (N, places, groups, channels of one), with means over places and channels."""
    channels, height, width = op.shape
    shape = (channels // op.groups, height * width, op.groups)
    parts = out.reshape(op.inputs[0], f"{op.name}.parts", shape)
    normed = _normed(out, op, parts, shape, (1, 1, op.groups), [1, 3])
    _scaled(out, op, out.reshape(normed, f"{op.name}.whole", op.shape))


def _normed(
    out: Emitter, op: LayerNorm | GroupNorm, x: str, shape: Shape, statistics: Shape, axes: list[int]
) -> str:
    """x less its mean, over its deviation; `shape` and `statistics`: of x and of its means."""
    over, epsilon = (
        out.constant(f"{op.name}.axes", axes, "int32"),
        out.constant(f"{op.name}.epsilon", op.epsilon),
    )

    def mean(of: str, name: str) -> str:
        return out.emit(
            "MEAN", (of, over), f"{op.name}.{name}", "ReducerOptions", statistics, {"KeepDims": True}
        )

    gap = out.emit("SUB", (x, mean(x, "mean")), f"{op.name}.gap", "SubOptions", shape)
    square = out.emit("MUL", (gap, gap), f"{op.name}.square", "MulOptions", shape)
    variance = mean(square, "variance")
    raised = out.emit("ADD", (variance, epsilon), f"{op.name}.raised", "AddOptions", statistics)
    inverse = out.emit("RSQRT", (raised,), f"{op.name}.inverse", shape=statistics)
    return out.emit("MUL", (gap, inverse), f"{op.name}.normed", "MulOptions", shape)


def _scaled(out: Emitter, op: LayerNorm | GroupNorm, x: str) -> None:
    weights = out.scales[op.name]
    scale, shift = (
        out.constant(f"{op.name}.{name}", values.ravel())
        for name, values in (("scale", weights.scale), ("shift", weights.shift))
    )
    scaled = out.emit("MUL", (x, scale), f"{op.name}.scaled", "MulOptions", op.shape)
    out.emit("ADD", (scaled, shift), op.name, "AddOptions")
