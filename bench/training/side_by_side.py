"""Several trainings side by side, each in a process of its own, or one after the other in this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ...atomic import make_folder
from ...errors import UserError
from ...zen.search.workers.processes import interrupts_blocked
from .fitting import enough_memory
from .folder import finish, finished
from .training import DivergedError, Training, TrainingTask

END_SECONDS = 10.0
"""Far more than a killed process needs to be gone."""


@dataclass(frozen=True)
class TrainingJob:
    """A training, the folder where it goes on and ends, and what to do where it is too large for the
    memory."""

    task: TrainingTask
    folder: Path
    too_large: str


Report = Callable[[int, float], None]
"""Told which of the jobs is trained to what share."""


def train_all(jobs: Sequence[TrainingJob], processes: int, report: Report) -> list[dict[str, Any] | None]:
    """The cards of all, None where the loss is no number; at most so many processes at a time.

    Raises UserError as a training does, and where a process is lost.
    """
    if processes == 1:
        return [_train(job, lambda share, at=at: report(at, share)) for at, job in enumerate(jobs)]  # type: ignore[misc]
    found: list[dict[str, Any] | None] = [None] * len(jobs)
    waiting = list(enumerate(jobs))[::-1]
    running: dict[Connection, tuple[int, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                at, job = waiting.pop()
                pipe, process = _started(job)
                running[pipe] = at, process
            ready = wait(list(running))
            for pipe in [pipe for pipe in running if pipe in ready]:
                at, _ = running[pipe]
                answer = _received(pipe)
                if isinstance(answer, float):
                    report(at, answer)
                    continue
                pipe.close()
                running.pop(pipe)[1].join(END_SECONDS)
                if isinstance(answer, UserError):
                    raise answer
                found[at] = answer
    finally:
        for pipe, (_, process) in running.items():
            pipe.close()
            process.kill()
            process.join(END_SECONDS)
    return found


def _train(job: TrainingJob, report: Callable[[float], None]) -> dict[str, Any] | None:
    make_folder(job.folder)
    card = finished(job.folder, job.task)
    if card is not None:
        return card
    try:
        with enough_memory(job.task, job.too_large):
            training = Training(job.task, save_to=job.folder)
            training.run(lambda now: report(now.steps_done / now.steps))
    except DivergedError:
        return None
    return finish(training, job.folder)


def _started(job: TrainingJob) -> tuple[Connection, BaseProcess]:
    # Spawned, not forked: torch's threads do not survive a fork.
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, job), daemon=True)
    with interrupts_blocked():
        process.start()
    theirs.close()
    return ours, process


def _received(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return UserError(
            "a process that trained a network was killed, perhaps for want of memory; run the command again "
            "with fewer --workers to go on"
        )


def _serve(pipe: Connection, job: TrainingJob) -> None:
    """What such a process does; without its parent the next report ends it."""
    try:
        pipe.send(_train(job, pipe.send))
    except UserError as error:
        pipe.send(error)
    except BrokenPipeError:
        return
