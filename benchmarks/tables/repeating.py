"""How well a latency repeats itself, by how it is read off the rounds.

`python benchmarks/tables/repeating.py JOURNAL...`. JOURNAL is a profile's .journal.jsonl with hold-out
networks, as `make accuracy` leaves: each was loaded several times, minutes apart. Prints by how much any two
of its visits differ, mean and median over all, for the way that rows are made and for others.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean, median

from zenbench.bench.measuring.aggregation import TimedRound, by_visit, rounds_by_subject
from zenbench.bench.measuring.journal import read

Way = Callable[[Sequence[TimedRound]], float]


def fastest(rounds: Sequence[TimedRound]) -> float:
    return min(one.timing.fastest_ms / (one.clock_ms or 1.0) for one in rounds)


def fastest_as_it_was(rounds: Sequence[TimedRound]) -> float:
    return min(one.timing.fastest_ms for one in rounds)


def median_of_ratios(rounds: Sequence[TimedRound]) -> float:
    return median(one.timing.median_ms / (one.timing.reference_ms or 1.0) for one in rounds)


def median_as_it_was(rounds: Sequence[TimedRound]) -> float:
    return median(one.timing.median_ms for one in rounds)


WAYS: dict[str, Way] = {
    "fastest run, over the reference's fastest around it (rows)": fastest,
    "fastest run": fastest_as_it_was,
    "median of rounds, each over its own reference": median_of_ratios,
    "median of rounds": median_as_it_was,
}


def main(paths: Sequence[str]) -> None:
    for path in paths:
        history = read(Path(path))
        subjects = rounds_by_subject(history.by_session())
        hold_out = [by_visit(subjects[key]) for key in history.hold_out if key in subjects]
        print(f"{path}: {len(hold_out)} networks")
        for name, way in WAYS.items():
            found = [
                abs(a / b - 1) for visits in hold_out for a, b in combinations(list(map(way, visits)), 2)
            ]
            print(f"  {name}: mean {fmean(found):.1%}, median {median(found):.1%}")


if __name__ == "__main__":
    main(sys.argv[1:])
