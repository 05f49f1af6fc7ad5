"""In which precision a network is trained, where, and which of its layers keep fp32."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ...errors import UserError

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Place:
    """A torch device and the precision of convolutions and matrix products on it; weights stay fp32."""

    device: str
    precision: Precision

    def autocast(self) -> AbstractContextManager[None]:
        kind = torch.float16 if self.precision == "fp16" else torch.bfloat16
        context: AbstractContextManager[None] = torch.autocast(
            self.device, kind, enabled=self.precision != "fp32"
        )
        return context


def place(device: str | None = None, precision: Precision | None = None) -> Place:
    """What was asked for, else the first CUDA GPU or this CPU, in the narrowest type that it computes in:
    bf16 where there is hardware for it, then fp16 on a GPU and fp32 on a CPU.

    Raises UserError where there is no such device or precision.
    """
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("torch finds no CUDA GPU here; leave out --device cuda")
    if precision is None:
        precision = _narrowest(device)
    if device == "cpu" and precision == "fp16":
        raise UserError("a CPU trains in fp32 or bf16, not in fp16")
    return Place(device, precision)


def _narrowest(device: str) -> Precision:
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported() else "fp32"


def keep_slow_layers_in_fp32(module: nn.Module, where: Place) -> None:
    """Strided depthwise convolutions on a CPU: oneDNN has no fast bf16 kernel for their gradients (torch
    2.13: 97 ms instead of 12 for 64 images of 96 channels at 32 x 32)."""
    if where != Place("cpu", "bf16"):
        return
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.groups > 1 and layer.stride != (1, 1):
            layer.__class__ = _Fp32Conv


class _Fp32Conv(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is torch's
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())
