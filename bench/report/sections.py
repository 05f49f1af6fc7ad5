"""The sections of a report: what each one shows, or the command that would bring it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..charts.accuracy import BEYOND_10, WITHIN_5, WITHIN_10, error_distribution, measured_against_predicted
from ..charts.drift import drift_over_time, temperature_over_time
from ..charts.figure import Figure, Key
from ..charts.search import latency_by_block
from ..charts.search_figures import CHOSEN, convergence_figure, score_figure
from ..charts.training import accuracy_by_epoch
from ..charts.wording import signed_percent
from ..measuring.drift import Drift
from ..searching.reading import BEST, FRONT, HISTORY, Search
from ..tables.block_latencies import Blocks
from .choice import Choice, choice
from .facts import MEASURED, PREDICTED, Facts


@dataclass(frozen=True)
class MissingSection:
    """A figure that is left out, why, and the command that would bring it where there is one."""

    title: str
    text: str
    command: str | None = None


Section = Figure | Choice | MissingSection


def sections(facts: Facts) -> list[Section]:
    """Every section in the order of the page."""
    if facts.has_only_training:
        return _training(facts)
    found: list[Section] = [*_choice(facts), *_accuracy(facts), *_search(facts), *_training(facts)]
    if not facts.drifts:
        command = f"zenbench profile --table {facts.folder}/TABLE.csv"
        return [
            *found,
            MissingSection("Drift and temperature", "there is no profile's journal here; run", command),
        ]
    for number, drift in enumerate(facts.drifts, 1):
        found += _profile(drift, f"-{number}" if len(facts.drifts) > 1 else "")
    return found


def _choice(facts: Facts) -> list[Section]:
    search = facts.search
    if search is None:
        return []
    if not search.candidates:
        title = f"Score against {'latency' if search.axis == 'latency' else 'cost'}"
        name = FRONT if search.is_front else BEST
        return [MissingSection(title, f"the search's {name} is not here, or empty.")]
    return [score_figure(search, facts.others, PREDICTED), choice(search)]


def _accuracy(facts: Facts) -> list[Section]:
    agreement = facts.agreement
    if agreement is None:
        title = "Measured against predicted"
        if facts.disagreement is not None:
            return [MissingSection(title, facts.disagreement)]
        name, command = (PREDICTED, "predict") if facts.has_measured else (MEASURED, "measure")
        command = f"zenbench {command} NETWORK... --out {facts.folder / name}"
        return [MissingSection(title, f"there is no {name} here; run", command)]
    chosen = facts.search.network.digest if facts.search else None
    is_there = any(pair.digest == chosen for pair in agreement.pairs)
    return [
        Figure(
            "measured-against-predicted",
            "Measured against predicted",
            "A mark is a network. The bands reach 5\u00a0% and 10\u00a0% from the line where both are equal.",
            (
                Key("good", "circle", WITHIN_5),
                Key("fair", "diamond", WITHIN_10),
                Key("poor", "triangle", BEYOND_10),
                *((CHOSEN,) if is_there else ()),
            ),
            partial(measured_against_predicted, agreement=agreement, chosen=chosen),
        ),
        Figure(
            "error-distribution",
            "Error distribution",
            "Networks by the error of their prediction: to the right it was too slow, to the left too fast.",
            (Key("ink", "dash", f"mean, {signed_percent(agreement.bias)}"),),
            partial(error_distribution, agreement=agreement),
        ),
    ]


def _training(facts: Facts) -> list[Section]:
    card = facts.training
    if card is None:
        return []
    keys = (Key("good", "line", "test images"), Key("quiet", "dash", "training images, changed at random"))
    text = f"{card.data}, recipe {card.recipe}, seed {card.seed}, {card.precision}."
    draw = partial(accuracy_by_epoch, card=card)
    return [Figure("accuracy-by-epoch", "Accuracy by epoch", text, keys, draw)]


def _search(facts: Facts) -> list[Section]:
    search = facts.search
    if search is None:
        title = "Latency by block, score against latency, convergence"
        command = f"zenbench search --latency 20ms --out {facts.folder}"
        return [MissingSection(title, "no search ended here; run", command)]
    return [_blocks(facts.blocks, search, facts), _convergence(search)]


def _blocks(blocks: Blocks | None, search: Search, facts: Facts) -> Figure | MissingSection:
    title = "Latency by block"
    if blocks is None:
        command = f"zenbench predict {facts.folder}/network.json --by-block --table TABLE.csv"
        why = "no table is here that the search asked" if search.latencies else "the search asked no table"
        return MissingSection(title, f"{why}; run", command)
    sources = {one.source for one in blocks.latencies}
    keys = [Key("good", "square", "measured")] if "measured" in sources else []
    keys += [Key("fair", "square", source) for source in sorted(sources - {"measured"})]
    return Figure(
        "latency-by-block",
        title,
        f"Where the chosen network's time goes on {blocks.device} {blocks.setting}, the first block on top.",
        tuple(keys),
        partial(latency_by_block, blocks=blocks),
    )


def _convergence(search: Search) -> Figure | MissingSection:
    title = "Convergence of the search"
    if search.is_front:
        return MissingSection(
            title, "a search along a front follows no single score; one without --front does"
        )
    if not search.history:
        return MissingSection(title, f"the search's {HISTORY} is not here, or empty.")
    return convergence_figure(search)


def _profile(drift: Drift, suffix: str) -> list[Section]:
    keys = [Key("good", "line", "median"), Key("good", "band", "outer deciles")]
    if drift.pauses:
        keys.append(Key("quiet", "dash", "pause"))
    held = f", {drift.throttled} of them throttled" if drift.throttled else ""
    found: list[Section] = [
        Figure(
            f"drift{suffix}",
            "Drift over the profile",
            f"{drift.table}: the same reference workload beside each of {drift.rounds:,} rounds{held}, "
            "against its median. It is divided out of every reading.",
            tuple(keys),
            partial(drift_over_time, drift=drift),
        )
    ]
    if all(moment.celsius is None for moment in drift.moments):
        return [*found, MissingSection("Temperature over the profile", "this device reports no temperature.")]
    temperature = partial(temperature_over_time, drift=drift)
    text = f"{drift.table}: the hottest sensor that counts."
    return [*found, Figure(f"temperature{suffix}", "Temperature over the profile", text, (), temperature)]
