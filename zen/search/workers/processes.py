"""ProcessWorkers: the islands of a search in processes of this machine."""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection

from ....errors import UserError
from ..island import IslandState
from ..population import Member
from ..task import SearchTask
from .local import LocalWorkers
from .pool import DEADLINE_SECONDS, LostWorker, WorkerPool

END_SECONDS = 10.0
"""Far more than a killed process needs to be gone."""
COULD_NOT_START = 1
"""Exit code of a process that fails before `_serve`, which itself never exits with it."""


class ProcessWorkers(WorkerPool):
    """`count` processes that share out a task's islands; the task's latency models must be picklable."""

    def __init__(self, task: SearchTask, count: int) -> None:
        super().__init__(task, count)
        try:
            self._task = pickle.dumps(task)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UserError(
                f"the task cannot be sent to other processes ({error}); define its latency model's class at "
                "the top of a module, or search with one worker"
            ) from None

    def start_worker(self, share: range) -> _Process:
        return _Process(self._task, share)


class WorkerTraceback(Exception):  # noqa: N818 - a cause, never raised by itself
    """Where in a worker process an exception came from."""

    def __str__(self) -> str:
        return f"in a worker process:\n{self.args[0]}"


class _Process:
    """One worker; the two ends of the pipe are all that connects it with this process."""

    def __init__(self, task: bytes, share: range) -> None:
        # Spawned, not forked: a copy of this process could hold a lock that another thread had taken.
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._first: tuple[bytes, range] | None = (task, share)
        with interrupts_blocked():
            self._process.start()
        theirs.close()

    def begin(
        self, states: Sequence[IslandState], migrants: Sequence[Sequence[Member]], until: Sequence[int]
    ) -> None:
        try:
            if self._first is not None:
                self._pipe.send(self._first)
                self._first = None
            self._pipe.send((states, migrants, until))
        except OSError:
            raise self._loss() from None

    def finish(self) -> Sequence[IslandState]:
        if not self._pipe.poll(DEADLINE_SECONDS):
            raise LostWorker(f"was silent for {DEADLINE_SECONDS:.0f} s")
        try:
            answer: Sequence[IslandState] | tuple[Exception, str] = self._pipe.recv()
        except (EOFError, OSError):
            raise self._loss() from None
        if isinstance(answer, tuple):
            error, where = answer
            raise error from WorkerTraceback(where)
        return answer

    def stop(self) -> None:
        # It holds nothing that its last states do not, so there is nothing to say goodbye for.
        self._pipe.close()
        self._process.kill()
        self._process.join(END_SECONDS)

    def _loss(self) -> Exception:
        self._process.join(END_SECONDS)
        code = self._process.exitcode
        if code == COULD_NOT_START:
            return UserError(
                "a worker process could not start, as said above; a script that searches with processes "
                'must do so below `if __name__ == "__main__":`'
            )
        return LostWorker(f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}")


def _serve(pipe: Connection) -> None:
    """What a worker process does: epochs as they come in, until its parent's end of the pipe is closed."""
    try:
        task, share = pipe.recv()
        workers = LocalWorkers(pickle.loads(task), share)  # noqa: S301 - from our parent
        while True:
            pipe.send(workers.advance(*pipe.recv()))
    except (EOFError, OSError, MemoryError):
        # The parent has gone, or asks for a replacement, which starts with less in memory.
        return
    except Exception as error:  # noqa: BLE001 - raised again by the parent
        pipe.send((_portable(error), traceback.format_exc()))


def _portable(error: Exception) -> Exception:
    """The error, or its text where it does not survive a pipe."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001 - whatever its constructor raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """What starts in here never sees Ctrl-C, which a terminal sends to all: the parent alone decides."""
    resource_tracker.ensure_running()  # unblocks the signal when it starts, so it must have started before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
