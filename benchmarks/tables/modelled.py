"""Refits the modelled tables to the published figures and writes them, and the page docs/modelled.md.

`python benchmarks/tables/modelled.py 2026-11-25 > docs/modelled.md` (the date goes into the cards; 30 s)
"""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from zenbench.latency_tables.model_statistics import ErrorStatistics
from zenbench.latency_tables.modelled.model import ModelledTable
from zenbench.latency_tables.modelled.published import (
    OTHER_SOURCES,
    PUBLICATIONS,
    Publication,
    family,
    modelled_table,
    read_network,
    read_source,
)
from zenbench.latency_tables.modelled.roofline_fit import Fit
from zenbench.latency_tables.op_features import Vector
from zenbench.zen.cost import cost

TABLES = Path(__file__).parents[2] / "latency_tables" / "data"
FORMS = {"added (power 1)": 1, "power 2": 2, "power 4": 4, "power 16, nearly the longest": 16}
PAGE = Path(__file__).with_name("modelled.md")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("date", type=iso_date, help="of the fit, as in 2026-11-25")
    created = parser.parse_args(arguments).date
    sections, models = [], {}
    for publication in PUBLICATIONS:
        table = modelled_table(publication, created)
        setting = publication.setting
        table.save(TABLES / setting.device / f"{setting.file_stem}.csv")
        models[setting.device, setting.precision, setting.batch] = ModelledTable(table)
        sections.append(section(publication, ModelledTable(table)))
    page = PAGE.read_text("utf-8")
    print(page.rstrip(), *sections, checks(models), sep="\n\n")


def iso_date(text: str) -> str:
    """The date as it was given; raises ValueError, which argparse tells, for what is none."""
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError
    return text


def section(publication: Publication, model: ModelledTable) -> str:
    setting, fit = publication.setting, publication.fit()
    by_family = fit.left_out(family)[0]
    macs = np.array([float(cost(one.network).macs) for one in fit.observations])
    record = model.record
    left_out = np.array([one.left_out_ms for one in record.trained_on])
    lines = [
        f"## {setting.device}: {setting}",
        "",
        f"Source: {publication.source}.",
        "",
        "| predicted by | median error | mean error | Spearman |",
        "|---|---|---|---|",
        statistics("MACs alone, at the best single rate", by_macs(macs, fit), fit),
        statistics("the prior alone, no network seen", fit.prior_ms, fit),
        statistics("the fit, on its own networks", fit.predicted_ms, fit),
        statistics("**each network left out**", left_out, fit),
        statistics("**each family left out**", by_family, fit),
        *(
            statistics(f"each network left out, {name}", left_out_with(publication, power), fit)
            for name, power in FORMS.items()
        ),
        "",
        f"A prediction's standard deviation rests on {record.roofline.noise:.0%} around the model "
        "and on what the coefficients leave open.",
        "",
        "| network | published ms | fitted | left out | error | family left out | error |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one, other in zip(publication.names, record.trained_on, by_family, strict=True):
        lines.append(
            f"| {name.removeprefix('zoo:')} | {one.latency_ms:.2f} | {one.predicted_ms:.2f} | "
            f"{one.left_out_ms:.2f} | {one.left_out_ms / one.latency_ms - 1:+.0%} | "
            f"{other:.2f} | {other / one.latency_ms - 1:+.0%} |"
        )
    lines += ["", "| coefficient | prior | fitted | sure to | what it is |", "|---|---|---|---|---|"]
    for name, term in fit.machine.TERMS.items():
        value, _ = publication.hardware.beliefs[name]
        sure = np.exp(np.sqrt(record.roofline.covariance.diagonal()[list(fit.machine.TERMS).index(name)]))
        lines.append(
            f"| `{name}` | {value:.4g} {term.unit} | {record.roofline.coefficients[name]:.4g} | "
            f"x {sure:.2f} | {term.meaning} |"
        )
    return "\n".join(lines)


def by_macs(macs: Vector, fit: Fit) -> Vector:
    return np.asarray(macs * np.median(fit.observed_ms / macs))


def left_out_with(publication: Publication, power: float) -> Vector:
    hardware = publication.hardware
    fit = Fit(
        hardware.machine,
        publication.setting.batch,
        hardware.prior(),
        publication.observations,
        sharpness=power,
    )
    return fit.left_out()[0]


def statistics(what: str, predicted: Vector, fit: Fit) -> str:
    error = ErrorStatistics.of(predicted, fit.observed_ms)
    return f"| {what} | {error.median:.1%} | {error.mean:.1%} | {error.spearman:.3f} |"


def checks(models: dict[tuple[str, str, int], ModelledTable]) -> str:
    """Figures of other sources, which no fit has seen."""
    lines = [
        "## Other sources, in no fit",
        "",
        "| setting | network | their stack | theirs, ms | modelled | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in read_source("genet_t4.csv"):
        model = models["t4", "int8", 64]
        modelled = model.estimate(read_network(row)).ms
        theirs = 64 * float(row["t4_int8_ms_per_image"])
        lines.append(check("t4 int8 b64", row["name"], "GENet's table, INT8", theirs, modelled))
    for row in read_source(OTHER_SOURCES):
        device, precision, batch = row["device"], row["precision"], int(row["batch"])
        modelled = models[device, precision, batch].estimate(read_network(row)).ms
        name = row["network"].removeprefix("zoo:")
        setting = f"{device} {precision} b{batch}"
        lines.append(check(setting, name, row["stack"], float(row["latency_ms"]), modelled))
    return "\n".join(lines)


def check(setting: str, network: str, stack: str, theirs: float, modelled: float) -> str:
    return f"| {setting} | {network} | {stack} | {theirs:.1f} | {modelled:.1f} | {modelled / theirs:.2f} |"


if __name__ == "__main__":
    main()
