"""Workers: whoever runs the islands, and whoever dies meanwhile, a task has one result."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from zenbench.errors import UserError
from zenbench.zen.search.budget import Budget, LatencyLimit
from zenbench.zen.search.run import SearchResult, SearchState, search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.search.workers import processes
from zenbench.zen.search.workers.pool import MOST_LOSSES, WorkerPoolLost
from zenbench.zen.search.workers.processes import ProcessWorkers
from zenbench.zen.space import spaces

TASK = SearchTask(
    spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18), evaluations=1_200, population=64
)


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 200)


def assert_same(found: SearchResult, wanted: SearchResult) -> None:
    assert found.best == wanted.best
    assert found.history == wanted.history
    assert found.rejected == wanted.rejected
    assert found.evaluated == wanted.evaluated


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_any_number_of_processes_finds_the_same(workers: int) -> None:
    seen: list[int] = []
    found = search(
        TASK,
        workers=ProcessWorkers(TASK, workers),
        progress=lambda now: seen.append(len(active_children())),
    )
    assert_same(found, search(TASK))
    assert seen == [min(workers, TASK.islands)] * 6
    assert not active_children()


def interfere(monkeypatch: pytest.MonkeyPatch, doomed: Callable[[int], bool], signals: list[int]) -> None:
    """Stops the chosen epochs' processes before their work is there to do, so that none can finish it, and
    then sends them these signals.
    """
    begin, calls = processes._Process.begin, count()

    def begin_and_die(self: Any, *work: Any) -> None:
        chosen = doomed(next(calls))
        if chosen:
            os.kill(self._process.pid, signal.SIGSTOP)
        begin(self, *work)
        if chosen:
            for number in signals:
                os.kill(self._process.pid, number)

    monkeypatch.setattr(processes._Process, "begin", begin_and_die)


@pytest.mark.parametrize("doomed", [{0}, {3}, {4, 5, 8}])
def test_a_killed_worker_changes_nothing(doomed: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    interfere(monkeypatch, doomed.__contains__, [signal.SIGKILL])
    assert_same(search(TASK, workers=ProcessWorkers(TASK, 2)), search(TASK))


def test_a_silent_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    interfere(monkeypatch, {2}.__contains__, [])
    monkeypatch.setattr(processes, "DEADLINE_SECONDS", 2.0)
    assert_same(search(TASK, workers=ProcessWorkers(TASK, 2)), search(TASK))


def test_workers_that_die_again_and_again_end_the_search_which_can_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states: list[SearchState] = []
    with monkeypatch.context() as patch:
        interfere(patch, lambda call: call >= 4, [signal.SIGKILL])
        with pytest.raises(WorkerPoolLost, match=f"{MOST_LOSSES} times in a row .* killed by signal 9"):
            search(TASK, workers=ProcessWorkers(TASK, 2), progress=states.append)
    assert [state.evaluated for state in states] == [200, 400]
    assert not active_children()
    saved = SearchState.from_json(json.loads(json.dumps(states[-1].to_json())))
    assert_same(search(TASK, workers=ProcessWorkers(TASK, 2), state=saved), search(TASK))


MODEL = """
from multiprocessing import parent_process
from zenbench.errors import UserError
from zenbench.zen.latency import Estimate, Part

class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

class Model:
    device = setting = "toy"
    def __init__(self, failure):
        self.failure = failure
    def block(self, workload):
        if parent_process() is not None:
            raise {"user": UserError("no row"), "odd": Odd(1, 2), "memory": MemoryError()}[self.failure]
        return Part(1.0)
    def total(self, whole, network):
        return Estimate(whole.ms, 0.0, 0.0, whole.ms)
"""


@pytest.mark.parametrize(
    ("failure", "raised", "said"),
    [
        ("user", UserError, "^no row$"),
        ("odd", RuntimeError, "Odd: 1 and 2"),
        ("memory", WorkerPoolLost, "code 0"),
    ],
)
def test_a_failure_in_a_worker_is_raised_here(
    failure: str, raised: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_model", raising=False)
    limit = LatencyLimit(1e6, import_module("toy_model").Model(failure))
    task = SearchTask(spaces()["resnet"], 32, 100, Budget(layers=18, latencies=(limit,)))
    with pytest.raises(raised, match=said) as caught:
        search(task, workers=ProcessWorkers(task, 2))
    if raised is not WorkerPoolLost:
        assert "toy_model.py" in str(caught.value.__cause__)  # where it came from
    assert not active_children()


def test_a_model_that_cannot_travel_is_refused() -> None:
    class Hidden:
        device = setting = "toy"

    budget = Budget(latencies=(LatencyLimit(1.0, Hidden()),))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"cannot be sent to other processes .*Hidden"):
        ProcessWorkers(SearchTask(spaces()["resnet"], 32, 100, budget), 2)


SCRIPT = """
from zenbench.zen.search.budget import Budget
from zenbench.zen.search.workers.processes import ProcessWorkers
from zenbench.zen.search import search
from zenbench.zen.space import spaces
from zenbench.zen.search.task import SearchTask

def main():
    task = SearchTask(spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18), evaluations=10**9)
    try:
        search(task, workers=ProcessWorkers(task, 2), progress=lambda now: print("epoch", flush=True))
    except KeyboardInterrupt:
        print("interrupted")

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_quietly_with_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None and parent.stdout.readline() == "epoch\n"
    if number == signal.SIGINT:
        os.killpg(parent.pid, number)  # to all, as a terminal does
    else:
        os.kill(parent.pid, number)
    # Ends only when the last process that has the outputs is gone.
    out, err = parent.communicate(timeout=60)
    assert err == ""
    assert out.endswith("interrupted\n") == (number == signal.SIGINT)


def test_a_script_without_a_guard_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace('if __name__ == "__main__":\n    main()', "main()"))
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1 and "epoch" not in done.stdout
    assert 'below `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]


def test_a_worker_loads_nothing_heavy() -> None:
    code = "import sys, zenbench.zen.search.workers.processes\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "onnx", "pandas", "numpy", "ray"} & set(done.stdout.split())


def test_the_collector_of_cycles_rests_during_a_search_only() -> None:
    resting = []
    search(TASK, progress=lambda state: resting.append(not gc.isenabled()))
    assert resting and all(resting) and gc.isenabled()
