"""Where a profile's time goes, and its memory: `python benchmarks/tables/time_shares.py RUNTIME [BLOCKS]`.

A new table of this machine, one thread, in a temporary folder: for 3 minutes, or until it holds so many
blocks. Prints the share of wall time that each step takes by itself (what it calls is counted apart), the
share of a core, and the resident memory every 250 blocks.
"""

import functools
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zenbench.bench.cli.main import main as zenbench
from zenbench.bench.measuring import meter, rounds, subjects
from zenbench.bench.measuring.journal import Journal
from zenbench.bench.profiling import plan
from zenbench.bench.profiling.progress import RoundCounts
from zenbench.devices.base import Session

MEASURING = ("timed runs", "warm-up", "behind a flush")
BLOCKS = 250

spent: Counter[str] = Counter()
_inner = [0.0]


def timed(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        _inner.append(0.0)
        try:
            return function(*arguments, **named)
        finally:
            seconds = time.perf_counter() - started
            spent[step] += seconds - _inner.pop()
            _inner[-1] += seconds

    return wrapper


class _Flush:
    """The session that flushes, its runs counted apart from those of the subject behind it."""

    def __init__(self, session: Session) -> None:
        self.time = timed("flushing", session.time)


def watch() -> None:
    """Wraps the steps of a profile."""
    cold = timed("behind a flush", rounds.time_cold)
    steps: list[tuple[str, Any, str]] = [
        ("timed runs", rounds, "time_hot"),
        ("warm-up", rounds, "warm_up"),
        ("loading", rounds._CallByCall, "_opened"),
        ("writing files", subjects, "written"),
        ("writing files", meter, "flush_artifact"),
        ("choosing what is next", plan, "most_informative"),
        ("choosing what is next", plan, "FillIn"),
        ("journal", Journal, "append"),
    ]
    for step, owner, name in steps:
        setattr(owner, name, timed(step, getattr(owner, name)))
    setattr(rounds, "time_cold", lambda session, flush, runs: cold(session, _Flush(flush), runs))  # noqa: B010
    ended, printed = RoundCounts.window_ended, [0]

    def window_ended(self: RoundCounts, *arguments: Any) -> None:
        ended(self, *arguments)
        done = self.progress().workloads
        if done >= printed[0] + BLOCKS:
            printed[0] = done
            print(f"{done} blocks: {resident_mb():.0f} MB", flush=True)

    setattr(RoundCounts, "window_ended", window_ended)  # noqa: B010


def resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found is not None else 0.0


def main(runtime: str, blocks: str | None = None) -> None:
    watch()
    limit = ["--blocks", blocks, "--time", "1h"] if blocks else ["--time", "3m"]
    started, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        table = str(Path(folder) / "table.csv")
        try:
            zenbench(["profile", "--runtime", runtime, "--threads", "1", *limit, "--table", table])
        except SystemExit as error:
            if error.code:
                raise
    total, core = time.perf_counter() - started, time.process_time() - cpu
    for step, seconds in spent.most_common():
        print(f"{step:24}{seconds / total:6.1%}")
    print(f"{'anything else':24}{1 - spent.total() / total:6.1%}")
    print(f"measuring: {sum(spent[step] for step in MEASURING) / total:.1%} of {total:.0f} s; ", end="")
    print(f"{core / total:.2f} of a core was busy")


if __name__ == "__main__":
    main(*sys.argv[1:])
