"""The networks that a search kept, as a table to choose from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...quantities import format_count, format_ms
from ..charts.wording import percent
from ..searching.candidate_records import KeptCandidate
from ..searching.reading import Search

SHOWN = 10
"""Rows that are shown at once; the others on demand."""
_WIDTH = re.compile(r"\(\d+,(\d+)")
"""The second number of a block."""


@dataclass(frozen=True)
class ChoiceCell:
    """A cell of the table; `is_over`: more than a limit allows."""

    text: str
    is_over: bool = False


@dataclass(frozen=True)
class ChoiceRow:
    """A network: `widths` stand for its `structure`."""

    widths: str
    structure: str
    digest: str
    is_chosen: bool
    cells: tuple[ChoiceCell, ...]


@dataclass(frozen=True)
class Choice:
    """The table: the order of its rows, the headings after that of the networks, the rows."""

    order: str
    headings: tuple[str, ...]
    rows: tuple[ChoiceRow, ...]

    @property
    def has_chosen(self) -> bool:
        return any(row.is_chosen for row in self.rows)

    @property
    def has_over(self) -> bool:
        return any(cell.is_over for row in self.rows for cell in row.cells)


def choice(search: Search) -> Choice:
    """The table of what a search kept, of one network at least."""
    kept = search.candidates
    has_forward = any(one.score_forward is not None for one in kept)
    limits = list(enumerate(search.latencies[: len(kept[0].latencies)]))
    measured = {at for at, _ in limits if any(one.latencies[at].measured_ms is not None for one in kept)}
    headings = ["layers", "params", "MACs", "score", *["forward passes"] * has_forward]
    for at, limit in limits:
        where = f", {limit.label}" if len(limits) > 1 else ""
        headings += [f"predicted{where}", *[f"measured{where}"] * (at in measured)]
    headings += ["loads"] * bool(measured)
    has_trained = any(one.top1 is not None for one in kept)
    headings += ["accuracy", "round"] * has_trained

    def row(one: KeptCandidate) -> ChoiceRow:
        texts = [str(one.layers), format_count(one.params), format_count(one.macs), f"{one.score:.2f}"]
        if has_forward:
            texts.append("" if one.score_forward is None else f"{one.score_forward:.2f}")
        cells = [ChoiceCell(text) for text in texts]
        for at, limit in limits:
            latency = one.latencies[at]
            cells.append(_latency(latency.predicted_ms, limit.limit_ms))
            if at in measured:
                cells.append(_latency(latency.measured_ms, limit.limit_ms))
        if measured:
            cells.append(ChoiceCell(str(one.loads) if one.loads else ""))
        if has_trained:
            cells.append(ChoiceCell("" if one.top1 is None else percent(one.top1)))
            cells.append(ChoiceCell("" if one.round is None else str(one.round)))
        return ChoiceRow(
            widths=" ".join(_WIDTH.findall(one.network)) or one.network,
            structure=one.network,
            digest=one.digest,
            is_chosen=one.digest == search.network.digest,
            cells=tuple(cells),
        )

    # A front's file begins with the cheapest.
    found = tuple(map(row, reversed(kept) if search.is_front else kept))
    return Choice(_order(search, bool(measured), has_trained), tuple(headings), found)


def _order(search: Search, is_measured: bool, is_trained: bool) -> str:
    if search.is_front:
        return "the best first, then ever cheaper ones"
    if is_trained:
        return (
            "the most accurate first, by the last round that each was trained in (accuracy on held-out "
            "training images), the rest by score"
        )
    if is_measured:
        return "best first: the chosen one, others confirmed by measurements, the rest by score"
    return "best first"


def _latency(ms: float | None, limit_ms: float) -> ChoiceCell:
    return ChoiceCell("") if ms is None else ChoiceCell(format_ms(ms), ms > limit_ms)
