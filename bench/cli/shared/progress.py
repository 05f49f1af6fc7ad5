"""How far a long job is: a bar with time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

import click

LINE_EVERY_SECONDS = 10.0
EARLY_SHARE = 0.05


class ProgressBar(Protocol):
    """Called with how much is done (in the unit of the total) and a word on what."""

    def __call__(self, done: float, note: str = "") -> None: ...


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
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(title, total=total, note="")

        def update(done: float, note: str = "") -> None:
            display.update(task, completed=min(done, total), note=note)

        yield update


class _Lines:
    def __init__(self, title: str, total: float) -> None:
        self._title, self._total = title, total
        self._started = self._last = monotonic()

    def __call__(self, done: float, note: str = "") -> None:
        now = monotonic()
        if now - self._last < LINE_EVERY_SECONDS:
            return
        self._last = now
        share = min(1.0, done / self._total) if self._total else 1.0
        # Opening comes before the first unit of work, so an early rate says little.
        known = share >= EARLY_SHARE
        left = f"about {(now - self._started) * (1 - share) / share:.0f} s left, " if known else ""
        click.echo(f"{self._title}: {share:.0%}, {left}{note}", err=True)
