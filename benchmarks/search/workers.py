"""How much sooner two workers are done than one: `python benchmarks/search/workers.py [EVALUATIONS]`.

The search of the CIFAR task for 10 seeds, in this process, in two processes, and in two actors of a Ray of
this machine. All find the same, so the same quality takes the same evaluations. Every search starts in a
process that has computed nothing yet, and the three take turns. `cores` is CPU seconds a second: where the
machine leaves two workers much less than 2, the ratio is the machine's and not theirs. Ray's own start,
about 5 s, is not in its time, nor is the CPU time of its actors known.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from statistics import median

from zenbench.zen.search.budget import Budget
from zenbench.zen.search.run import search
from zenbench.zen.search.task import SearchTask
from zenbench.zen.search.workers.local import LocalWorkers, Workers
from zenbench.zen.search.workers.processes import ProcessWorkers
from zenbench.zen.search.workers.ray import RayWorkers
from zenbench.zen.space import spaces

SEEDS = range(10)
HIRING: dict[str, Callable[[SearchTask], Workers]] = {
    "one": LocalWorkers,
    "two": lambda task: ProcessWorkers(task, 2),
    "ray": lambda task: RayWorkers(task, "local", 2),
}


def run_once(kind: str, seed: int, evaluations: int) -> dict[str, float]:
    """Seconds, CPU seconds of this process and its children, and the score of one search."""
    task = SearchTask(
        spaces()["resnet"], 32, 100, Budget(params=10**6, layers=18), evaluations=evaluations, seed=seed
    )
    result = search(task, workers=HIRING[kind](task))
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return {"seconds": result.seconds, "cpu_seconds": cpu_seconds, "score": result.best[0].score}


def compare(evaluations: int) -> None:
    ratios: dict[str, list[float]] = {"two": [], "ray": []}
    for seed in SEEDS:
        found = {}
        for kind in HIRING:
            arguments = [sys.executable, __file__, "once", kind, str(seed), str(evaluations)]
            found[kind] = json.loads(subprocess.run(arguments, capture_output=True, check=True).stdout)  # noqa: S603
        assert len({run["score"] for run in found.values()}) == 1  # noqa: S101
        for kind, known in ratios.items():
            known.append(found["one"]["seconds"] / found[kind]["seconds"])
        seconds = ", ".join(f"{kind} {run['seconds']:.1f} s" for kind, run in found.items())
        one, two = found["one"], found["two"]
        cores = [run["cpu_seconds"] / run["seconds"] for run in (one, two)]
        work = two["cpu_seconds"] / one["cpu_seconds"]
        print(
            f"seed {seed}: score {one['score']:.2f}; {seconds}; cores {cores[0]:.2f} and {cores[1]:.2f}; "
            f"two work {work:.2f} times as much",
            flush=True,
        )
    for kind, known in ratios.items():
        print(f"{kind}: {median(known):.2f} times sooner (median; {min(known):.2f} to {max(known):.2f})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["once"]:
        print(json.dumps(run_once(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        compare(int(sys.argv[1]) if len(sys.argv) > 1 else 96_000)
