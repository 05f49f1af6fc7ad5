"""A small graph for every operation: what every reader of graphs has to get right."""

from collections.abc import Callable
from typing import get_args

from zenbench.zen.graph import INPUT, Function, GraphBuilder, PoolMode
from zenbench.zen.windows import Padding

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
    return lambda b: b.activation(b.batch_norm(b.conv(INPUT, 8, 3)), function)


def _branches(builder: GraphBuilder) -> list[str]:
    return [builder.conv(INPUT, 8, kernel, bias=True) for kernel in (1, 3, 5)]


def _split_attention(builder: GraphBuilder) -> str:
    shares = builder.group_softmax(builder.conv(builder.global_average_pool(INPUT), 6, 1, bias=True), 2)
    parts = [builder.multiply(INPUT, builder.slice(shares, start, 3)) for start in (0, 3)]
    return builder.sum(parts)


def two_linear(builder: GraphBuilder) -> str:
    return builder.linear(builder.activation(builder.linear(builder.conv(INPUT, 4, 3), 6), "relu"), 5)


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
    "linear of a map": lambda b: b.linear(b.conv(INPUT, 8, 3), 5),
    "linear twice": two_linear,
}
