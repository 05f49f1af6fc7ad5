"""`zenbench search --ray`: the same result on a Ray of its own and on a cluster, which it leaves running."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

# Before anything of Ray's is loaded. Clusters ask for a token: ours is nobody else's.
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32), RAY_USAGE_STATS_ENABLED="0")

from zenbench.bench.cli.main import main
from zenbench.errors import UserError
from zenbench.zen.latency import Estimate, Part
from zenbench.zen.network import Network
from zenbench.zen.search.budget import Budget, LatencyLimit
from zenbench.zen.search.run import search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.search.workers import ray as ray_workers
from zenbench.zen.search.workers.pool import WorkerPoolLost
from zenbench.zen.search.workers.ray import RayWorkers
from zenbench.zen.space import spaces
from zenbench.zen.workload import Workload

TASK = SearchTask(
    spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18), evaluations=1_200, population=64
)
HEAD = """
import logging, sys, ray
ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False,
         logging_level=logging.ERROR)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with two CPUs that another process started; it lives until its input ends."""
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert head.stdin is not None and head.stdout is not None
    yield head.stdout.readline().strip()
    head.stdin.close()
    head.wait(60)
    head.stdout.close()


@pytest.fixture
def connected(cluster: str) -> Iterator[str]:
    """A script's own connection to the cluster."""
    import ray

    ray.init(cluster, log_to_driver=False)
    yield cluster
    assert ray.is_initialized()  # the workers leave what they did not open
    ray.shutdown()


def interfere(monkeypatch: pytest.MonkeyPatch, doomed: Callable[[int], bool]) -> None:
    """Kills the chosen epochs' actors while they have work to do."""
    import ray

    begin, calls = ray_workers._Actor.begin, count()

    def begin_and_die(self: Any, *work: Any) -> None:
        begin(self, *work)
        if doomed(next(calls)):
            ray.kill(self._actor)

    monkeypatch.setattr(ray_workers._Actor, "begin", begin_and_die)


def test_killed_actors_change_nothing_until_they_are_too_many(
    connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 200)
    whole = search(TASK)
    for doomed in ({0}, {3, 5}):
        with monkeypatch.context() as patch:
            interfere(patch, doomed.__contains__)
            found = search(TASK, workers=RayWorkers(TASK, connected))
        assert (found.best, found.history, found.rejected) == (whole.best, whole.history, whole.rejected)
    interfere(monkeypatch, lambda call: call > 3)
    with pytest.raises(WorkerPoolLost, match="ended with ActorDiedError"):
        search(TASK, workers=RayWorkers(TASK, connected))


class FailingModel:
    """A latency model that works in the process that made it only."""

    device = setting = "toy"

    def __init__(self) -> None:
        self.home = os.getpid()

    def block(self, workload: Workload) -> Part:
        if os.getpid() != self.home:
            raise UserError("no such row")
        return Part(1.0)

    def total(self, whole: Part, network: Callable[[], Network]) -> Estimate:
        return Estimate(whole.ms, 0.0, 0.0, whole.ms)


def test_failures_on_the_cluster_are_raised_here(
    connected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_value: Any = import_module("ray").cloudpickle

    def refused(model: Any) -> UserError:
        budget = Budget(layers=18, latencies=(LatencyLimit(1e6, model),))
        task = SearchTask(spaces()["resnet"], 32, 100, budget)
        with pytest.raises(UserError) as caught:
            search(task, workers=RayWorkers(task, connected))
        return caught.value

    by_value.register_pickle_by_value(sys.modules[__name__])
    assert str(refused(FailingModel())) == "no such row"
    by_value.unregister_pickle_by_value(sys.modules[__name__])

    (tmp_path / "only_here.py").write_text(
        "class Model:\n"
        "    device = setting = 'toy'\n"
        "    def block(self, workload):\n"
        "        from zenbench.zen.latency import Part\n"
        "        return Part(1.0)\n"
        "    def total(self, whole, network):\n"
        "        from zenbench.zen.latency import Estimate\n"
        "        return Estimate(1.0, 0.0, 0.0, 1.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    model = import_module("only_here").Model()
    assert "cannot import only_here; install there" in str(refused(model))


SEARCH = ("search", "--resolution", "16", "--classes", "10", "--params", "60k", "--layers", "8")
SMALL = (*SEARCH, "--evaluations", "800", "--population", "32", "--format", "json")


def test_the_command_finds_the_same_anywhere_and_leaves_the_cluster(cluster: str, run: Any) -> None:
    runs = {"here": (), "cluster": ("--ray", cluster), "again": ("--ray", cluster, "--workers", "1")}
    (here, on_cluster, again) = (run(*SMALL, *given, "--out", out) for out, given in runs.items())
    assert on_cluster.code == 0, on_cluster.err
    for other in (on_cluster, again):
        times = {"seconds": 0, "rescore_seconds": 0, "command": []}
        assert {**other.json()[0], **times} == {**here.json()[0], **times}
    refused = run(*SMALL, "--ray", cluster, "--workers", "3", "--out", "more")
    assert refused.code == 2 and "has 2 CPUs for workers, too few for 3" in refused.err


def test_a_ray_of_its_own_ends_with_the_command_and_says_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"from {main.__module__} import main; main()", *SMALL]
    # Ends only when the last process that has the outputs is gone: Ray's too.
    done = subprocess.run(
        [*command, "--ray", "local", "--workers", "1"],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout)[0]["evaluated"] == 800
    assert all(
        line.startswith(("search: ", "forward passes: ", "shape limits", "  --", "runs/"))
        for line in done.stderr.splitlines()
    )


def test_a_bad_address_gets_one_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "CONNECT_SECONDS", 4.0)
    with socket.create_server(("127.0.0.1", 0)) as mute, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for address, said in {
            "nonsense": "give host:port, or local",
            f"127.0.0.1:{closed.getsockname()[1]}": "no Ray cluster answers",
            "127.0.0.1:99999": "no Ray cluster answers",
            f"127.0.0.1:{mute.getsockname()[1]}": "does not answer as a Ray cluster",
        }.items():
            refused = run(*SMALL, "--ray", address)
            assert refused.code == 2 and said in refused.err
            assert len(refused.err.strip().splitlines()) == 1


def test_without_ray_one_is_told_what_to_install(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    refused = run(*SMALL, "--ray", "local")
    assert refused.code == 2 and "pip install 'zenbench[ray]'" in refused.err
