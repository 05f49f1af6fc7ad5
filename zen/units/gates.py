"""Squeeze-and-excite with biases and without batch norm, as RegNet and the MobileNet line use it."""

from __future__ import annotations

from ..graph import PlainFunction
from ..graph_builder import GraphBuilder


def squeeze_excite(
    builder: GraphBuilder, x: str, squeezed_channels: int, inner: PlainFunction, gate: PlainFunction
) -> str:
    """`x` times a gate of its channels: pool, 1x1 to `squeezed_channels`, `inner`, 1x1 back, `gate`.

    Source: Squeeze-and-Excitation Networks (arXiv 1709.01507), equation 3.
    """
    y = builder.conv(builder.global_average_pool(x), squeezed_channels, 1, bias=True)
    y = builder.conv(builder.activation(y, inner), builder.shape(x)[0], 1, bias=True)
    return builder.multiply(x, builder.activation(y, gate))
