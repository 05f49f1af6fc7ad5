"""`zenbench rank`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import click

from ...errors import NetworkError, UserError
from ...zen.graph_network import AnyNetwork
from ...zen.proxies import PROXIES, ZEN, score
from ...zen.proxies.base import Reading
from ..charts.figure_file import check_suffix, write_chart
from ..charts.ranking import proxies_against_column
from ..comparing.ranking import Known, Ranking, UnscoredNetwork, choose, rank, read_known, write_scores
from ..latency_files.columns import Columns, with_options
from ..networks.reading import as_networks
from .shared.options import COLUMNS as FILE_COLUMNS
from .shared.options import FILE, chosen_networks, format_option, network_options, scoring_options
from .shared.output import Column, OutputRecord, answer, label, say
from .shared.progress import progress

DEFAULT = "zen-closed"
FEW = 5
"""So many networks without a closed form tell that others of the file have none."""

COLUMNS = (
    Column("proxy", "proxy", right=False),
    Column("spearman", "Spearman", lambda v: f"{v:.3f}"),
    Column("kendall", "Kendall", lambda v: f"{v:.3f}"),
    Column("used", "networks"),
    Column("tied_scores", "tied scores"),
    Column("tied_values", "tied values"),
    Column("missing_count", "missing"),
)


@click.command("rank")
@network_options
@click.option(
    "--proxies",
    help="Names, with commas between; default zen-closed, or zen where the networks have no closed form.",
)
@click.option("--against", type=FILE, required=True, help="A CSV file with a network and its value a line.")
@click.option("--column", help="The column of values, as in top1; default the latency of --columns.")
@click.option("--network-column", help="The column of networks; default network.")
@click.option(
    "--columns", type=FILE_COLUMNS, help="What the file has where, as in network=arch,latency=lat_us."
)
@scoring_options
@click.option("--out", type=FILE, help="Also write the scores here, a network a line.")
@click.option("--plot", type=FILE, help="Also draw every proxy against the column, as a .png, .svg or .pdf.")
@format_option
def command(
    proxies: str | None,
    against: Path,
    column: str | None,
    network_column: str | None,
    columns: Columns | None,
    reading: Reading,
    batch: int | None,
    repeats: int,
    seed: int,
    out: Path | None,
    plot: Path | None,
    style: str,
    **options: Any,
) -> int:
    """How well proxies order networks of known accuracy.

    Scores every network that the CSV file names, or of them those given, and holds the order against a
    column of accuracies by Spearman's and Kendall's (tau-b) rank correlation. What has no score or no
    value is left out, with the reason. Exit code 1 where a proxy scores none of them.
    """
    names = _proxies(proxies or DEFAULT)
    if plot:
        check_suffix(plot)
    if out and out.resolve() == against.resolve():
        raise UserError(f"--out would overwrite {against}, which --against reads; choose another file")
    if out and plot and out.resolve() == plot.resolve():
        raise UserError(f"--out and --plot are both {out}; give each a file of its own")
    named = with_options(columns, network=network_column)
    column = column or named.names.get("latency")
    if column is None:
        raise UserError("rank needs a column of values; give --column, as in --column top1")
    if out and column in ("network", "digest", *names):
        raise UserError(f"--out has a column '{column}' of its own; rename that column of {against}")
    known, missing = read_known(
        against, column, named.of("network"), options["resolution"], options["classes"]
    )
    if options["networks"] or options["networks_file"]:
        wanted = as_networks(chosen_networks(options))
        known, missing = choose(known, wanted, against)
    if not known:
        raise UserError(f"{against} leaves no network to rank: {missing[0].network}: {missing[0].reason}")
    if proxies is None and (reason := _without_closed_form(known, reading)):
        say(f"these networks have no closed form ({reason}); ranking by zen, which runs forward passes")
        names = ["zen"]
    done = count(1)
    with progress("rank", len(names) * len(known)) as meter:

        def value(proxy: str, network: AnyNetwork) -> float:
            meter(next(done), proxy)
            return score(network, proxy, reading, batch, repeats, seed).value

        rankings = [rank(known, name, partial(value, name)) for name in names]
    if out:
        write_scores(out, column, known, rankings)
        say(f"{out}: scores of {len(known)} networks")
    if plot:
        write_chart(plot, proxies_against_column(column, known, rankings))
        say(f"{plot}: {len(rankings)} proxies against {column}")
    answer([_record(ranking, missing, column, reading) for ranking in rankings], COLUMNS, style)
    for line in _reasons([*missing, *(one for ranking in rankings for one in ranking.missing)]):
        say(line)
    return int(any(ranking.used == 0 for ranking in rankings))


def _without_closed_form(known: Sequence[Known], reading: Reading) -> str | None:
    """Why the first few networks have no score in closed form; None where one of them has."""
    reason = None
    for one in known[:FEW]:
        try:
            score(one.network, DEFAULT, reading)
        except NetworkError as error:
            reason = str(error).partition(";")[0]
        else:
            return None
    return reason


def _proxies(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in PROXIES]
    if unknown or not names:
        raise UserError(f"there is no proxy '{', '.join(unknown)}'; known are {', '.join(PROXIES)}")
    return names


def _record(
    ranking: Ranking, missing: Sequence[UnscoredNetwork], column: str, reading: Reading
) -> OutputRecord:
    left_out = [{"network": one.network, "reason": one.reason} for one in (*missing, *ranking.missing)]
    return {
        "proxy": ranking.proxy,
        **({"reading": reading} if ranking.proxy in ZEN else {}),
        "column": column,
        "spearman": ranking.spearman,
        "kendall": ranking.kendall,
        "used": ranking.used,
        "tied_scores": ranking.tied_scores,
        "tied_values": ranking.tied_values,
        "missing_count": len(left_out),
        "missing": left_out,
    }


def _reasons(missing: Sequence[UnscoredNetwork]) -> list[str]:
    """A line a reason, with the first network that it holds for."""
    networks: dict[str, list[str]] = {}
    for one in missing:
        named = networks.setdefault(one.reason, [])
        if one.network not in named:
            named.append(one.network)
    return [
        f"left out: {label(named[0])}" + f" and {len(named) - 1} more" * (len(named) > 1) + f": {reason}"
        for reason, named in networks.items()
    ]
