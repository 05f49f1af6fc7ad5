"""Hiring: who runs the islands of a search."""

from __future__ import annotations

from collections.abc import Callable

from ...zen.search.task import SearchTask
from ...zen.search.workers.local import LocalWorkers, Workers
from ...zen.search.workers.processes import ProcessWorkers
from ...zen.search.workers.ray import RayWorkers


def hiring(workers: int | None, ray: str | None) -> Callable[[SearchTask], Workers]:
    """Who runs the islands, as `--workers` and `--ray` say."""
    if ray is not None:
        return lambda task: RayWorkers(task, ray, workers)
    if workers is not None and workers > 1:
        return lambda task: ProcessWorkers(task, workers)
    return LocalWorkers
