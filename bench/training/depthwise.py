"""Depthwise convolutions whose gradients a CPU computes fast.

oneDNN has no fast kernel for two of them (torch 2.13, one thread, 64 images, channels last):

* bf16 gradients of strided ones: 97 ms instead of 12 for 96 channels at 32 x 32, so these stay in fp32;
* weight gradients of kernels of 5 and 7: 20 ms for 16 channels at 32 x 32 and kernel 7 where the forward pass
  takes 1. Columns of 3 of the kernel have a fast one, so the gradient is put together from those: 2.4 ms.
  Tiles of 3 x 3 take 5.2, single columns 5.6, products of shifted maps 276.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

_COLUMNS = 3
_backward = torch.ops.aten.convolution_backward


def speed_up_depthwise(module: nn.Module) -> None:
    """For training on a CPU: exchanges the layers in place, the weights stay."""
    for layer in module.modules():
        # A subclass pads or computes in a way of its own.
        if type(layer) is not nn.Conv2d or layer.groups == 1 or layer.dilation != (1, 1):
            continue
        if not layer.in_channels == layer.out_channels == layer.groups:
            continue
        if layer.stride != (1, 1):
            layer.__class__ = _Fp32Conv
        elif layer.kernel_size[1] > _COLUMNS:
            layer.__class__ = _ConvByColumns


class _Fp32Conv(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


class _ConvByColumns(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        with torch.autocast("cpu", enabled=False):
            found: Tensor = _ByColumns.apply(input.to(kind), self.weight.to(kind), self.padding)  # type: ignore[no-untyped-call]
            return found if self.bias is None else found + self.bias.to(kind).view(-1, 1, 1)


class _ByColumns(torch.autograd.Function):
    """A depthwise convolution of stride 1, its weight gradient taken by columns of the kernel."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.padding = padding
        return torch.nn.functional.conv2d(images, weight, padding=padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        images, weight = ctx.saved_tensors
        (rows, columns), (height, width) = ctx.padding, gradient.shape[2:]
        kernel = weight.shape[-1]

        def of(images: Tensor, weight: Tensor, padding: tuple[int, int], wanted: tuple[bool, bool]) -> Any:
            return _backward(
                gradient,
                images.contiguous(memory_format=torch.channels_last),
                weight.contiguous(memory_format=torch.channels_last),
                *(None, (1, 1), padding, (1, 1), False, (0, 0), len(weight), (*wanted, False)),
            )

        padded = pad(images, (columns, columns, rows, rows))
        of_weight = torch.empty_like(weight)
        for start in range(0, kernel, _COLUMNS):
            end = min(start + _COLUMNS, kernel)
            seen = padded[:, :, : height + kernel - 1, start : end + width - 1]
            of_weight[..., start:end] = of(seen, weight[..., start:end], (0, 0), (False, True))[1]
        of_images = None
        if ctx.needs_input_grad[0]:
            of_images = of(images, weight, ctx.padding, (True, False))[0]
        return of_images, of_weight, None
