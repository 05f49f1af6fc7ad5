"""Ranking: how well proxies order networks of known accuracy."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...atomic import write_text
from ...errors import TableError, UserError, ZenbenchError
from ...zen.graph_network import AnyNetwork
from ..csv_file import CsvFile, Record, read_csv
from ..networks.reading import as_networks, read
from .rank_correlation import rank_correlations


@dataclass(frozen=True, slots=True)
class UnscoredNetwork:
    """A network that a ranking leaves out, and why."""

    network: str
    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """A network with its value in the column that proxies are held against."""

    network: AnyNetwork
    value: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """One proxy against the column; correlations are None where there is too little to tell.

    `scores` holds one score a network in the order given, None for those in `missing`.
    `tied_scores`, `tied_values`: networks used that share their score, or their value, with another.
    """

    proxy: str
    spearman: float | None
    kendall: float | None
    used: int
    tied_scores: int
    tied_values: int
    scores: tuple[float | None, ...]
    missing: tuple[UnscoredNetwork, ...]


def read_known(
    path: Path,
    column: str,
    network_column: str = "network",
    resolution: int | None = None,
    classes: int | None = None,
) -> tuple[list[Known], list[UnscoredNetwork]]:
    """The networks of a CSV file with their values, and those that cannot be read or have no number.

    Columns `resolution` and `classes` count where the file has them and no other is asked for.

    Raises TableError where the file or a column is missing, or a network stands there twice.
    """
    known: dict[tuple[str, str], Known] = {}
    names: dict[tuple[str, str], str] = {}
    missing = []
    file = read_csv(path)
    file.need(network_column, column)
    if not file.records:
        raise TableError(f"{path} holds no networks; it needs a line of names and a line a network")
    for record in file.records:
        text = file.text(record, network_column)
        try:
            sizes = (resolution or file.whole(record, "resolution"), classes or file.whole(record, "classes"))
            (network,) = as_networks([read(text, *sizes)])
            value = _value(file, record, column)
        except UserError as error:
            missing.append(UnscoredNetwork(text, str(error)))
            continue
        key = _key(network)
        if names.get(key) == text:
            raise TableError(f"{file.place(record)} holds {text} twice; keep one of its rows")
        if key in known:
            missing.append(UnscoredNetwork(text, f"it is the same network as {names[key]}"))
            continue
        known[key], names[key] = Known(network, value), text
    return list(known.values()), missing


def choose(
    known: Sequence[Known], networks: Sequence[AnyNetwork], path: Path
) -> tuple[list[Known], list[UnscoredNetwork]]:
    """Of the known networks those asked for, and what of these the file does not hold."""
    index = {_key(one.network): one for one in known}
    found = [index[_key(network)] for network in networks if _key(network) in index]
    reason = f"{path} has no value for it"
    return found, [
        UnscoredNetwork(str(network), reason) for network in networks if _key(network) not in index
    ]


def rank(known: Sequence[Known], proxy: str, score: Callable[[AnyNetwork], float]) -> Ranking:
    """Scores the networks and holds the order against their values; a failing score is left out."""
    scores: list[float | None] = []
    missing: list[UnscoredNetwork] = []
    for one in known:
        try:
            scores.append(score(one.network))
        except ZenbenchError as error:
            scores.append(None)
            missing.append(UnscoredNetwork(str(one.network), str(error)))
    pairs = [(value, one.value) for value, one in zip(scores, known, strict=True) if value is not None]
    ours, theirs = [value for value, _ in pairs], [value for _, value in pairs]
    spearman, kendall = rank_correlations(ours, theirs)
    return Ranking(
        proxy, spearman, kendall, len(pairs), _tied(ours), _tied(theirs), tuple(scores), tuple(missing)
    )


def write_scores(path: Path, column: str, known: Sequence[Known], rankings: Sequence[Ranking]) -> None:
    """A CSV file with a row a network: its value in the column and every proxy's score."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["network", "digest", column, *(ranking.proxy for ranking in rankings)])
    for index, one in enumerate(known):
        scores = (ranking.scores[index] for ranking in rankings)
        cells = ("" if score is None else f"{score:.9g}" for score in scores)
        writer.writerow([str(one.network), one.network.digest, f"{one.value:.9g}", *cells])
    write_text(path, buffer.getvalue())


def _value(file: CsvFile, record: Record, column: str) -> float:
    try:
        value = file.number(record, column)
    except TableError:  # without the line: rows left out for one reason are told in one sentence
        cell = file.text(record, column)
        raise UserError(f"its value in the column '{column}' is '{cell}', no number") from None
    if value is None:
        raise UserError(f"it has no value in the column '{column}'")
    return value


def _key(network: AnyNetwork) -> tuple[str, str]:
    # Two cells of NAS-Bench-201 can build the same network, each with an accuracy of its own.
    return network.digest, str(network)


def _tied(values: Sequence[float]) -> int:
    return sum(count for count in Counter(values).values() if count > 1)
