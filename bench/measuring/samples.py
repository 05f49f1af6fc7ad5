"""Samples: readings of a clock, packed: a profile holds a few hundred thousand."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from ...devices.base import Sample


class Samples:
    """An immutable row of samples; equal to any other row of the same ones."""

    __slots__ = ("_inner_runs", "ms")

    def __init__(self, samples: Iterable[Sample]) -> None:
        given = tuple(samples)
        self.ms = array("d", [sample.ms for sample in given])
        """What they say, without the runs that each is the mean of."""
        runs = array("q", [sample.inner_runs for sample in given])
        self._inner_runs = runs if any(count != 1 for count in runs) else None

    @property
    def runs(self) -> int:
        return len(self.ms) if self._inner_runs is None else sum(self._inner_runs)

    def __len__(self) -> int:
        return len(self.ms)

    def __getitem__(self, place: int) -> Sample:
        return Sample(self.ms[place], 1 if self._inner_runs is None else self._inner_runs[place])

    def __iter__(self) -> Iterator[Sample]:
        return map(Sample, self.ms, self._inner_runs or [1] * len(self.ms))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Samples | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Samples({list(self)!r})"
