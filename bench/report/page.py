"""The page of a report: one HTML text with its scripts, styles and figures inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...latency_tables.card import basis_text
from ...latency_tables.table import LatencyTable
from ...quantities import count_of, format_count, format_ms
from ..charts.accuracy import WITHIN_5, WITHIN_10
from ..charts.figure import Figure
from ..charts.style import DARK, FONT, LIGHT, PAGE
from ..charts.templates import render
from ..charts.wording import percent, signed_percent
from ..comparing.agreement import Agreement
from ..searching.reading import LimitedLatency, Search
from ..searching.result_record import GivenRecord
from ..training.card import TrainingCard
from .choice import SHOWN, Choice
from .facts import Facts, NamedTable
from .sections import Section
from .verdict import verdict


@dataclass(frozen=True)
class TableFacts:
    """A table as the page shows it: where it comes from, in pairs of a heading and its text."""

    name: str
    summary: str
    facts: tuple[tuple[str, str], ...]


def page(facts: Facts, sections: Sequence[Section]) -> str:
    """The whole page; everything from files is escaped."""
    from vl_convert import javascript_bundle

    figures = [section for section in sections if isinstance(section, Figure)]
    return render(
        "page.html.jinja",
        package=__package__,
        title=facts.folder.resolve().name,
        verdict=verdict(facts),
        tiles=_tiles(facts),
        sections=[(_kind(section), section) for section in sections],
        shown=SHOWN,
        specs={figure.name: figure.draw(PAGE) for figure in figures},
        chosen=_chosen(facts),
        tables=[_provenance(one) for one in facts.tables],
        unknown=facts.unknown_tables,
        folder=facts.folder,
        only_training=facts.has_only_training,
        light=asdict(LIGHT),
        dark=asdict(DARK),
        font=FONT,
        # What closes a script may not stand inside one; as a JavaScript string it means the same.
        library=javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script"),
    )


def _kind(section: Section) -> str:
    if isinstance(section, Choice):
        return "choice"
    return "figure" if isinstance(section, Figure) else "missing"


def _tiles(facts: Facts) -> list[tuple[str, list[tuple[str, str]]]]:
    """The few numbers under the verdict, in rows, by what they are about."""
    rows = []
    if facts.search is not None:
        rows.append(("search", _search_tiles(facts.search)))
    if facts.agreement is not None:
        rows.append(("agreement", _agreement_tiles(facts.agreement)))
    if facts.training is not None:
        rows.append(("training", _training_tiles(facts.training)))
    return rows


def _search_tiles(search: Search) -> list[tuple[str, str]]:
    tiles = [("score, closed form", f"{search.score:.1f}")]
    if search.score_forward is not None:
        tiles = [("score, forward passes", f"{search.score_forward:.1f}")]
    for one in search.latencies:
        tiles.append((f"predicted, {one.label}", _deviating(one.latency_ms, one.std_ms)))
        if one.measured_ms is not None:
            tiles.append((f"measured, {one.label}", _deviating(one.measured_ms, one.measured_std_ms)))
    return tiles


def _deviating(ms: float, std_ms: float | None) -> str:
    return format_ms(ms) if std_ms is None else f"{format_ms(ms)} ± {format_ms(std_ms)}"


def _agreement_tiles(agreement: Agreement) -> list[tuple[str, str]]:
    def known(value: float | None) -> str | None:
        return None if value is None else percent(value)

    tiles = [
        ("mean error", percent(agreement.mape)),
        ("bias", signed_percent(agreement.bias)),
        (WITHIN_5, percent(agreement.within_5, 0)),
        (WITHIN_10, percent(agreement.within_10, 0)),
        ("noise ceiling", known(agreement.noise_ceiling)),
        ("Kendall", None if agreement.kendall is None else f"{agreement.kendall:.3f}"),
    ]
    return [(name, value) for name, value in tiles if value is not None]


def _training_tiles(card: TrainingCard) -> list[tuple[str, str]]:
    return [
        ("top-1", percent(card.top1[-1])),
        ("top-5", percent(card.top5)),
        ("epochs", str(len(card.top1))),
        ("time", f"{card.seconds / 60:.1f} min"),
    ]


def _trained(card: TrainingCard) -> list[tuple[str, str]]:
    return [
        ("structure", card.network),
        ("input", f"{card.resolution} pixels, {card.classes} classes"),
        ("trained on", f"{card.training_images:,} images of {card.data}"),
        ("tested on", f"{card.test_images:,} images"),
    ]


def _chosen(facts: Facts) -> list[tuple[str, str]]:
    """The chosen network in pairs of a heading and its text; empty where nothing was searched."""
    search = facts.search
    if search is None:
        return [] if facts.training is None else _trained(facts.training)
    network, forward = search.network, "not computed by forward passes"
    if search.score_forward is not None:
        forward = f"{search.score_forward:.2f} ± {search.score_forward_sem:.2f} by forward passes"
    pairs = [
        ("structure", str(network)),
        ("input", f"{network.resolution} pixels, {network.classes} classes"),
        ("score", f"{forward}, {search.score:.2f} in closed form"),
    ]
    for one in search.latencies:
        pairs += _latency(one)
    pair = facts.chosen_pair
    if pair is not None and not any(one.measured_ms for one in search.latencies):
        said = f"{format_ms(pair.measured_ms)}, the prediction is off by {signed_percent(pair.error)}"
        pairs.append(("measured", said))
    if search.given is not None:
        pairs.append(("to better", _given(search.given)))
    return [*pairs, ("found by", search.command)]


def _given(given: GivenRecord) -> str:
    """The network that a search was to better, in the figures of the chosen one."""
    score = "no score" if given["score"] is None else f"score {given['score']:.2f} in closed form"
    counts = f"{given['layers']} layers, {format_count(given['params'])} parameters"
    taken = [
        f"{format_ms(ms)} ± {format_ms(given['std_ms'][limit])} predicted{limit.removeprefix('latency')}"
        for limit, ms in given["latency_ms"].items()
    ]
    told = [score, counts, f"{format_count(given['macs'])} MACs", *taken]
    return f"{given['network']}: {', '.join(told)}"


def _latency(latency: LimitedLatency) -> list[tuple[str, str]]:
    """What was predicted, and measured by the search itself."""
    place, limit = f"on {latency.device} {latency.setting}", format_ms(latency.limit_ms)
    said = _deviating(latency.latency_ms, latency.std_ms)
    pairs = [("predicted", f"{said} {place}, where {limit} were allowed")]
    if latency.measured_ms is not None:
        error = signed_percent(latency.latency_ms / latency.measured_ms - 1)
        loads = f"median of {latency.loads} loads" if latency.loads > 1 else "one load"
        said = _deviating(latency.measured_ms, latency.measured_std_ms)
        pairs.append(("measured", f"{said} {place}, {loads}; the prediction is off by {error}"))
    return pairs


def _provenance(named: NamedTable) -> TableFacts:
    table, card = named.table, named.table.card
    facts: list[tuple[str, Any]] = [
        ("device", card.setting.device),
        ("setting", str(card.setting)),
        ("machine", _words(card.identity)),
        ("versions", _words(card.versions)),
        ("rows", _rows(table)),
        ("recipe", _words(card.recipe)),
        ("reference", f"{card.reference}, {format_ms(card.reference_ms)}" if card.reference_ms else None),
        ("source", card.source),
        ("last sitting" if card.model is None else "made", card.created),
    ]
    return TableFacts(
        named.name,
        f"{card.provenance}, {card.setting.device}",
        tuple((key, text) for key, text in facts if text),
    )


def _rows(table: LatencyTable) -> str:
    """What was measured for it; empty where it has only a model."""
    noisy = sum(row.verdict != "quiet" for row in table.rows.values())
    count = f"{count_of(len(table.rows), 'workload')} timed {basis_text(table.card)}"
    rows = f"{count}, {noisy} of them not quiet" if table.rows else ""
    networks = count_of(len(table.networks), "whole network") if table.networks else ""
    return "; ".join(filter(None, (rows, networks)))


def _words(values: Any) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in values.items())
