"""RayWorkers: the islands of a search on a Ray cluster, or on a Ray of this machine's own."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ....errors import UserError
from ..island import IslandState
from ..population import Member
from ..task import SearchTask
from .local import LocalWorkers
from .pool import DEADLINE_SECONDS, LostWorker, WorkerPool

LOCAL = "local"
CONNECT_SECONDS = 20.0
STORE_BYTES = 80 * 2**20
"""Ray's least and more than states need; its default is a third of the memory."""


class RayWorkers(WorkerPool):
    """One actor a worker on the Ray cluster at `host:port`, or on a new Ray of this machine for `local`.

    A script that has connected to Ray already keeps its connection and the address is not read. Without a
    count there are as many actors as the cluster has CPUs, at most one an island. Raises UserError where ray
    is missing or nothing answers.
    """

    def __init__(self, task: SearchTask, address: str, count: int | None = None) -> None:
        try:
            self._ray: Any = import_module("ray")
        except ImportError:
            raise UserError("searching on Ray needs ray; pip install 'zenbench[ray]'") from None
        self._task = task
        count = min(count, task.islands) if count else None
        self._connected_here = not self._ray.is_initialized()
        if self._connected_here:
            _connect(self._ray, address, min(count or _cores(), task.islands))
        cpus = int(self._ray.cluster_resources().get("CPU", 0))
        if not cpus or (count or 0) > cpus:
            self._disconnect()
            raise UserError(f"the Ray cluster has {cpus} CPUs for workers, too few for {count or 1}")
        super().__init__(task, count or cpus)

    def start_worker(self, share: range) -> _Actor:
        return _Actor(self._ray, self._task, share)

    def close(self) -> None:
        super().close()
        self._disconnect()

    def _disconnect(self) -> None:
        """Ends what the constructor began: the connection, and with it a Ray of our own."""
        if self._connected_here:
            self._ray.shutdown()
            self._connected_here = False


class _Actor:
    """One worker on the cluster."""

    def __init__(self, ray: Any, task: SearchTask, share: range) -> None:
        self._ray = ray
        self._actor = ray.remote(num_cpus=1)(LocalWorkers).remote(task, share)
        self._answer: Any = None

    def begin(
        self, states: Sequence[IslandState], migrants: Sequence[Sequence[Member]], until: Sequence[int]
    ) -> None:
        self._answer = self._actor.advance.remote(states, migrants, until)

    def finish(self) -> Sequence[IslandState]:
        failures = self._ray.exceptions
        try:
            answer: Sequence[IslandState] = self._ray.get(self._answer, timeout=DEADLINE_SECONDS)
        except failures.RayTaskError as error:
            if isinstance(error.cause, MemoryError):
                raise LostWorker("ran out of memory") from None
            raise error.cause from error
        except failures.RayError as error:
            if missing := re.search(r"No module named '([\w.]+)'", str(error)):
                raise UserError(
                    f"the nodes of the Ray cluster cannot import {missing[1]}; install there what is here"
                ) from None
            raise LostWorker(f"ended with {type(error).__name__}") from None
        return answer

    def stop(self) -> None:
        self._ray.kill(self._actor)


def _connect(ray: Any, address: str, cpus: int) -> None:
    # Ray reports how it is used to its makers unless told otherwise.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    if address != LOCAL:
        _check_answers(address)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(own if address == LOCAL else {}),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"Ray at {address} refuses: {_first_line(str(error))}") from None


def _check_answers(address: str) -> None:
    """Raises UserError unless Ray answers at `host:port` soon: `ray.init` tries for minutes, then exits."""
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[\w.-]+:\d{1,5}", address):
        raise UserError(f"'{address}' is no address of a Ray cluster; give host:port, or local")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
        done = subprocess.run(  # noqa: S603 - our own interpreter; the address is checked above
            check, capture_output=True, text=True, timeout=CONNECT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"what listens at {address} does not answer as a Ray cluster") from None
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}") from None
    if done.returncode:
        reason = _first_line(done.stderr.strip().rpartition("\n")[2])
        raise UserError(f"Ray at {address} refuses: {reason}")


def _first_line(text: str) -> str:
    """The first sentence of Ray's, which may go on for a page."""
    return text.strip().partition("\n")[0].partition(". ")[0]


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
