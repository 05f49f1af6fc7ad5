"""The accuracies by which a search chooses: finalists trained now, or by the search that is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....quantities import count_of
from ....zen.cost import cost
from ....zen.network import Network
from ....zen.search.evaluator import Candidate
from ...data_sets.data_set import DataSet
from ...searching.finalists import varied
from ...searching.result_record import TrainedRecord
from ..shared.output import label, say
from ..shared.progress import duration_text, progress

if TYPE_CHECKING:
    from ...training.halving import HalvingStep, TrainedNetwork

FOLDER = "training"


@dataclass(frozen=True)
class TrainOn:
    """Train so many finalists on the data, for so long together; on a CPU in `processes` side by side.
    `chosen_by`: the search, of which a folder holds one."""

    data: DataSet
    finalists: int
    seconds: float
    seed: int
    processes: int
    chosen_by: str = ""

    def trained(self, candidates: Sequence[Candidate], folder: Path) -> list[TrainedRecord]:
        """What is known of these candidates after their training, the most accurate first."""
        from ...training.halving import Halving, HalvingTask
        from ...training.precision import place

        chosen = [one.network for one in varied(candidates, self.finalists)]
        if not chosen:
            return []
        where = place()
        processes = self.processes if where.device == "cpu" else 1
        task = HalvingTask(
            self.data, self.seconds, self.seed, where, processes, f"{self.chosen_by}/{self.finalists}"
        )
        halving = Halving(task, chosen, folder / FOLDER)
        count = count_of(len(halving.networks), "finalist")
        say(f"train: {count} on {self.data.name} for {duration_text(self.seconds)}")
        found: dict[Network, TrainedRecord] = {}
        with progress("train", self.seconds) as bar:

            def told(step: HalvingStep) -> None:
                where = f"round {step.round} of {step.rounds}, {step.trained} of {step.networks} trained"
                bar(step.share * self.seconds, where)

            for ranked in halving.run(told):
                say(_round_line(ranked))
                found |= {one.network: self._record(one, task.where.precision, folder) for one in ranked}
        for network in halving.diverged:
            say(f"  left out {label(network)}: its loss is no number")
        return sorted(found.values(), key=lambda one: (-one["round"], -one["top1"], one["digest"]))

    def _record(self, one: TrainedNetwork, precision: str, folder: Path) -> TrainedRecord:
        taken = cost(one.network)
        return {
            "network": str(one.network),
            "digest": one.network.digest,
            "layers": taken.layers,
            "params": taken.params,
            "macs": taken.macs,
            "round": one.round,
            "images": one.images,
            "data": self.data.name,
            "seed": one.seed,
            "precision": precision,
            "top1": one.top1,
            "held_out": one.held_out,
            "standard_error": one.standard_error,
            "test_top1": one.test_top1,
            "seconds": one.seconds,
            "folder": one.folder.relative_to(folder).as_posix(),
        }


@dataclass(frozen=True)
class RecordedAccuracies:
    """Those of an earlier search."""

    records: Sequence[TrainedRecord]

    def trained(self, candidates: Sequence[Candidate], folder: Path) -> list[TrainedRecord]:
        known = {one.network.digest for one in candidates}
        return [one for one in self.records if one["digest"] in known]


Accuracies = TrainOn | RecordedAccuracies


def in_order(candidates: Sequence[Candidate], records: Sequence[TrainedRecord]) -> list[Candidate]:
    """The candidates that were trained, in the order of the records."""
    by_digest = {one.network.digest: one for one in candidates}
    return [by_digest[one["digest"]] for one in records if one["digest"] in by_digest]


def _round_line(ranked: Sequence[TrainedNetwork]) -> str:
    best, worst = ranked[0], ranked[-1]
    spread = f"{worst.top1:.1%} to {best.top1:.1%}" if len(ranked) > 1 else f"{best.top1:.1%}"
    said = f"round {best.round}: {count_of(len(ranked), 'network')} trained on {best.images:,} images"
    return f"{said}, {spread} +- {best.standard_error:.1%}"
