"""The batch that fits into memory, where the asked one does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from ...errors import UserError
from .training import Training, TrainingTask

_SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


@contextmanager
def enough_memory(task: TrainingTask, advice: str | None = None) -> Iterator[None]:
    """Raises UserError where a training runs out of memory, with the batch that fits unless there is other
    advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
    else:
        return
    # Out of the handler: its traceback keeps the tensors alive.
    if advice is None:
        batch = _fitting(task)
        advice = f"give --batch {batch}" if batch else "take a smaller network or a larger machine"
    raise UserError(f"a batch of {task.recipe.batch} images does not fit into memory; {advice}")


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS)


def _fitting(task: TrainingTask) -> int | None:
    """The largest half of the batch, or half of that, for which a step fits."""
    batch = task.recipe.batch // 2
    while batch >= 2 * task.group.size:
        if task.where.device == "cuda":
            torch.cuda.empty_cache()
        recipe = replace(task.recipe, batch=batch)
        try:
            Training(replace(task, recipe=recipe)).try_step()
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
        else:
            return batch
        batch //= 2
    return None
