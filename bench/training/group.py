"""The processes that train one network together, started by `torchrun`; alone without it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class ProcessGroup:
    """Which process of how many this is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """Over all processes."""
        if self.size == 1:
            return list(values)
        on = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        tensor = torch.tensor(values, dtype=torch.float64, device=on)
        distributed.all_reduce(tensor)
        return [float(value) for value in tensor]

    def averaging(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes; batch norm takes its statistics from the
        images of its own process."""
        if self.size == 1:
            return module
        wrapped: nn.Module = nn.parallel.DistributedDataParallel(module)
        return wrapped


@contextmanager
def joined(device: str) -> Iterator[ProcessGroup]:
    """The group that torchrun's environment names, for the length of a training on cpu or cuda."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
