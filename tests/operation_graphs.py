"""A small graph for every operation, and blocks of every kind: what readers of graphs have to get right."""

from collections.abc import Callable
from typing import get_args

import torch
from torch import nn
from toys import STRIDED
from zenbench.zen.graph import INPUT, Function, Graph, PoolMode
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import GraphModule, initialise
from zenbench.zen.network import parse_text
from zenbench.zen.windows import Padding

BLOCKS = [
    *(f"SuperResK{k}K{k}(8,16,{s},8,2)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResK1K{k}K1(8,16,{s},8,1)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResIDWE{e}K{k}(8,24,2,16,1)" for e in (1, 2, 4, 6) for k in (3, 5, 7)),
    *(f"SuperConvK{k}BNRELU(8,16,2,2)" for k in (1, 3, 5, 7)),
]
TINY = parse_text(STRIDED, 16, 10)

Make = Callable[[GraphBuilder], str]


def _pooled(mode: PoolMode, kernel: int, stride: int) -> Make:
    return lambda b: b.pool(b.conv(INPUT, 8, 3), mode, kernel, stride)


def _padded_pool(
    mode: PoolMode, kernel: int, stride: int, padding: Padding, counts_padding: bool = False
) -> Make:
    return lambda b: b.pool(b.conv(INPUT, 8, 3), mode, kernel, stride, padding, counts_padding)


def _convolved(kernel: int, stride: int, padding: Padding | None = None, dilation: int = 1) -> Make:
    return lambda b: b.conv(INPUT, 8, kernel, stride, padding=padding, dilation=dilation)


def _depthwise(kernel: int, stride: int, padding: Padding | None, dilation: int = 1) -> Make:
    return lambda b: b.conv(b.conv(INPUT, 8, 1), 8, kernel, stride, 8, padding=padding, dilation=dilation)


def _activated(function: Function) -> Make:
    slope = 0.1 if function == "leaky-relu" else 0.0
    return lambda b: b.activation(b.batch_norm(b.conv(INPUT, 8, 3)), function, slope)


def _branches(builder: GraphBuilder) -> list[str]:
    return [builder.conv(INPUT, 8, kernel, bias=True) for kernel in (1, 3, 5)]


def _split_attention(builder: GraphBuilder) -> str:
    shares = builder.group_softmax(builder.conv(builder.global_average_pool(INPUT), 6, 1, bias=True), 2)
    parts = [builder.multiply(INPUT, builder.slice(shares, start, 3)) for start in (0, 3)]
    return builder.sum(parts)


def two_linear(builder: GraphBuilder) -> str:
    return builder.linear(builder.activation(builder.linear(builder.conv(INPUT, 4, 3), 6), "relu"), 5)


def _features(builder: GraphBuilder) -> str:
    return builder.linear(builder.conv(INPUT, 4, 3), 6)


def _gated_by_linear(builder: GraphBuilder) -> str:
    x = builder.conv(INPUT, 8, 3)
    gate = builder.activation(builder.linear(builder.global_average_pool(x), 8), "sigmoid")
    return builder.multiply(x, builder.unflatten(gate))


MODES = get_args(PoolMode)

GRAPHS: dict[str, Make] = {
    **{function: _activated(function) for function in get_args(Function)},
    **{f"{m} pool {k}/{s}": _pooled(m, k, s) for m in MODES for k, s in ((2, 2), (2, 1), (3, 1), (3, 2))},
    **{f"{m} pool, unpadded": _padded_pool(m, 3, 2, (0, 0, 0, 0)) for m in MODES},
    **{f"{m} pool, last window cut": _padded_pool(m, 3, 2, (0, 0, 1, 1)) for m in MODES},
    **{f"{m} pool, padded before": _padded_pool(m, 3, 1, (2, 2, 0, 0)) for m in MODES},
    "average that counts its padding": _padded_pool("average", 3, 2, (1, 1, 1, 1), True),
    "average that counts uneven padding": _padded_pool("average", 3, 1, (0, 0, 2, 2), True),
    "max pool of what is positive": lambda b: b.pool(b.activation(b.conv(INPUT, 8, 3), "relu"), "max", 3, 2),
    "patches": _convolved(4, 4, (0, 0, 0, 0)),
    "even kernel": _convolved(2, 1),
    "unpadded": _convolved(3, 2, (0, 0, 0, 0)),
    "padded behind": _convolved(3, 2, (0, 0, 1, 1)),
    "padded before": _convolved(3, 1, (1, 1, 0, 0)),
    "padded much": _convolved(1, 1, (2, 2, 2, 2)),
    "dilated": _convolved(3, 1, dilation=2),
    "dilated, unpadded": _convolved(3, 1, (0, 0, 0, 0), 2),
    "depthwise, dilated": _depthwise(3, 1, None, 2),
    "depthwise, unpadded": _depthwise(3, 2, (0, 0, 0, 0)),
    "depthwise, padded behind": _depthwise(5, 2, (1, 1, 2, 2)),
    "concat": lambda b: b.activation(b.batch_norm(b.concat(_branches(b))), "relu"),
    "sum": lambda b: b.batch_norm(b.sum(_branches(b))),
    "slice": lambda b: b.conv(b.slice(b.conv(INPUT, 8, 1), 3, 4), 5, 1),
    "split attention": _split_attention,
    "softmax of three": lambda b: b.group_softmax(b.conv(INPUT, 6, 1), 3),
    "norm of a tensor read twice": lambda b: b.add(b.batch_norm(x := b.conv(INPUT, 8, 3)), x),
    "grouped convolution": lambda b: b.conv(b.conv(INPUT, 8, 1), 12, 3, 2, groups=4),
    "depthwise, three for one": lambda b: b.conv(b.conv(INPUT, 8, 1), 24, 5, 2, groups=8),
    "depthwise 7x7": lambda b: b.conv(b.conv(INPUT, 8, 1), 8, 7, 1, groups=8),
    "stride 3": _convolved(3, 3),
    "layer norm": lambda b: b.layer_norm(b.conv(INPUT, 8, 3), 1e-6),
    "layer norm of features": lambda b: b.layer_norm(_features(b)),
    "group norm": lambda b: b.group_norm(b.conv(INPUT, 8, 3), 4),
    "norm of all channels": lambda b: b.activation(b.group_norm(b.conv(INPUT, 8, 3), 1), "relu"),
    "another epsilon": lambda b: b.batch_norm(b.conv(INPUT, 8, 3), 0.1),
    "layer scale": lambda b: b.add(b.channel_scale(b.conv(INPUT, 3, 3)), INPUT),
    "single scale": lambda b: b.channel_scale(b.conv(INPUT, 8, 3), is_single=True),
    "shift": lambda b: b.activation(b.channel_shift(b.conv(INPUT, 8, 3)), "relu"),
    "constants of features": lambda b: b.channel_shift(b.channel_scale(_features(b))),
    "affine": lambda b: b.affine(b.conv(INPUT, 8, 3), 1.5, -0.25),
    "factor": lambda b: b.affine(b.conv(INPUT, 8, 3), 1.5),
    "product": lambda b: b.multiply(b.conv(INPUT, 8, 3), b.conv(INPUT, 8, 1)),
    "gate of places": lambda b: b.multiply(b.conv(INPUT, 8, 3), b.activation(b.conv(INPUT, 1, 1), "sigmoid")),
    "gate of linear layers": _gated_by_linear,
    "shuffle": lambda b: b.channel_shuffle(b.conv(INPUT, 12, 3), 3),
    "softmax of channels": lambda b: b.group_softmax(b.conv(INPUT, 6, 1), 6),
    "softmax of features": lambda b: b.group_softmax(_features(b), 6),
    "linear without bias": lambda b: b.linear(b.conv(INPUT, 4, 3), 6, bias=False),
    "linear of a map": lambda b: b.linear(b.conv(INPUT, 8, 3), 5),
    "linear twice": two_linear,
}


def drawn(graph: Graph) -> GraphModule:
    """The graph's module with no weight at 1 or 0, where it would hide a fault."""
    module, generator = initialise(graph), torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            layer = module.get_submodule(name.split(".")[0])
            if name.endswith("bias") or not isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                parameter.normal_(generator=generator)
    return module


def build(make: Callable[[GraphBuilder], str], size: int = 8, channels: int = 3) -> GraphBuilder:
    builder = GraphBuilder((channels, size, size))
    make(builder)
    return builder
