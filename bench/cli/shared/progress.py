"""How far a long job is: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

import click

LINE_EVERY_SECONDS = 10.0
_MINUTES_FROM_SECONDS = 180.0


class ProgressBar(Protocol):
    """Called with how much is done (in the unit of the total) and a word on what."""

    def __call__(self, done: float, note: str = "") -> None: ...


class Pace:
    """How fast a job goes, from its first report on: before that it opens, or takes up earlier work."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._first: tuple[float, float] | None = None

    def seconds_left(self, done: float, now: float) -> float | None:
        """What the rest takes at the pace so far, told at every report; None while there is no pace."""
        if self._first is None:
            self._first = (done, now)
        first_done, started = self._first
        if done <= first_done:
            return None
        return max(0.0, self._total - done) * (now - started) / (done - first_done)


@contextmanager
def progress(title: str, total: float) -> Iterator[ProgressBar]:
    """A progress display on standard error for a job of size `total`."""
    if sys.stderr.isatty():
        with _bar(title, total) as meter:
            yield meter
    else:
        yield _Lines(title, total)


@contextmanager
def _bar(title: str, total: float) -> Iterator[ProgressBar]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}", style="progress.remaining"),
        TextColumn("{task.fields[note]}"),
    )
    pace = Pace(total)
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(title, total=total, note="", left="")

        def update(done: float, note: str = "") -> None:
            left = _said(pace.seconds_left(done, monotonic()))
            display.update(task, completed=min(done, total), note=note, left=left)

        yield update


class _Lines:
    def __init__(self, title: str, total: float) -> None:
        self._title, self._total, self._pace = title, total, Pace(total)
        self._last = monotonic()

    def __call__(self, done: float, note: str = "") -> None:
        now = monotonic()
        left = _said(self._pace.seconds_left(done, now))
        if now - self._last < LINE_EVERY_SECONDS:
            return
        self._last = now
        share = min(1.0, done / self._total) if self._total else 1.0
        click.echo(", ".join(filter(None, (f"{self._title}: {share:.0%}", left, note))), err=True)


def _said(seconds_left: float | None) -> str:
    return "" if seconds_left is None else f"{duration_text(seconds_left)} left"


def duration_text(seconds: float) -> str:
    """Roughly: `about 40 s`, `about 12 min`."""
    in_minutes = seconds >= _MINUTES_FROM_SECONDS
    return f"about {seconds / 60:.0f} min" if in_minutes else f"about {seconds:.0f} s"
