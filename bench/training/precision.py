"""In which precision a network is trained, and where."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

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
