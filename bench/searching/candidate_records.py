"""The networks that a search kept, as `best.csv` or `front.csv` hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import TableError
from ..csv_file import CsvFile, Record, read_csv


@dataclass(frozen=True)
class CandidateLatency:
    """Latency in one setting, which `label` names; `measured_ms` is None where it was not measured."""

    label: str
    predicted_ms: float
    measured_ms: float | None


@dataclass(frozen=True)
class CandidateRecord:
    """A network that the search kept, or one beside those.

    `cost` is along the search's axis; a latency is the measured one where there is one, else
    `is_cost_predicted`.
    """

    network: str
    digest: str
    score: float
    score_forward: float | None
    score_forward_sem: float | None
    cost: float
    is_cost_predicted: bool


@dataclass(frozen=True)
class KeptCandidate(CandidateRecord):
    """A network that the search kept; `loads`: how often it was measured on every device at least. `top1`: of
    held-out images after its training of that `round`, None where it was not trained."""

    layers: int
    params: int
    macs: int
    latencies: tuple[CandidateLatency, ...]
    loads: int
    top1: float | None = None
    round: int | None = None


_PREDICTED, _MEASURED = "latency_ms", "measured_ms"


def read_candidates(path: Path, axis: str) -> tuple[KeptCandidate, ...]:
    """The rows of the file, in its order; none where there is no such file. Raises TableError."""
    if not path.exists():
        return ()
    file = read_csv(path)
    file.need("network", "digest", "score", "score_forward", "score_forward_sem", "macs", "params", "layers")
    labels = [name.removeprefix(_PREDICTED) for name in file.columns if name.startswith(_PREDICTED)]
    if axis == "latency" and not labels:
        file.need(_PREDICTED)
    return tuple(_candidate(file, record, axis, labels) for record in file.records)


def cell(file: CsvFile, record: Record, column: str) -> float:
    """A number that may not be left out; raises TableError."""
    value = file.number(record, column)
    if value is None:
        raise TableError(f"{file.place(record)} has no {column}")
    return value


def _candidate(file: CsvFile, record: Record, axis: str, labels: list[str]) -> KeptCandidate:
    sizes = {name: _whole(file, record, name) for name in ("layers", "params", "macs")}
    latencies = tuple(_latency(file, record, label) for label in labels)
    measured_ms = latencies[0].measured_ms if axis == "latency" else None
    if axis == "latency":
        cost = latencies[0].predicted_ms if measured_ms is None else measured_ms
    else:
        cost = float(sizes[axis])
    return KeptCandidate(
        network=file.text(record, "network"),
        digest=file.text(record, "digest"),
        score=cell(file, record, "score"),
        score_forward=file.number(record, "score_forward"),
        score_forward_sem=file.number(record, "score_forward_sem"),
        cost=cost,
        is_cost_predicted=axis == "latency" and measured_ms is None,
        **sizes,
        latencies=latencies,
        loads=_loads(file, record),
        top1=file.number(record, "top1"),
        round=file.whole(record, "round"),
    )


def _latency(file: CsvFile, record: Record, label: str) -> CandidateLatency:
    predicted_ms = file.latency_ms(record, _PREDICTED + label, "ms")
    is_measured = bool(file.text(record, _MEASURED + label))
    measured_ms = file.latency_ms(record, _MEASURED + label, "ms") if is_measured else None
    return CandidateLatency(label.strip(), predicted_ms, measured_ms)


def _whole(file: CsvFile, record: Record, column: str) -> int:
    value = file.whole(record, column)
    if value is None:
        raise TableError(f"{file.place(record)} has no {column}")
    return value


def _loads(file: CsvFile, record: Record) -> int:
    """None at all of a network that failed, or was not measured."""
    return 0 if file.text(record, "loads") in ("", "0") else _whole(file, record, "loads")
