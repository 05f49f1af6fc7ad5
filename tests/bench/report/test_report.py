"""`zenbench report`: what is on the page, what is left out and why, what is refused."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_charts import values
from toys import PLAIN_WITH_END
from zenbench.bench.charts.style import Chart
from zenbench.bench.latency_files.latency_rows import LatencyRow, read_rows, write_rows
from zenbench.bench.report.choice import choice
from zenbench.bench.report.facts import gather
from zenbench.bench.report.verdict import verdict
from zenbench.bench.searching.reading import read_search
from zenbench.latency_tables.store import all_paths
from zenbench.latency_tables.table_files import card_path

LIMITS = (
    "--layers",
    "none",
    "--min-width",
    "none",
    "--max-stage-share",
    "none",
    "--max-depth-to-width",
    "none",
)
COPY = "simulated-simulated-fp32-b1-t1"
"""Of the table, as the search asked it."""
FIGURES = [
    "measured-against-predicted",
    "error-distribution",
    "latency-by-block",
    "score-against-latency",
    "convergence",
    "drift",
    "temperature",
]


class Page(HTMLParser):
    """The parts of a page that tests ask for."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.missing: list[str] = []
        self.tags: list[str] = []
        self.texts: dict[str, str] = {}
        self._open: str | None = None
        self._in_missing = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.ids += [values["id"]] if values.get("id") else []
        self.links += [str(values[name]) for name in ("href", "src") if name in values]
        self._open = values.get("id") or self._open
        self._in_missing = self._in_missing or values.get("class") == "missing"
        if values.get("class") == "missing":
            self.missing.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_missing = self._in_missing and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data
        if self._in_missing:
            self.missing[-1] += data

    @property
    def charts(self) -> dict[str, Chart]:
        found: dict[str, Chart] = json.loads(self.texts["figures"].partition("\n")[0])
        return found


def test_a_full_run_shows_everything(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    result = run("report", str(folder))
    assert result.code == 0 and "run/report.html" in result.err and "7 figures" in result.err
    page = Page(folder / "report.html")
    assert sorted(page.charts) == sorted(FIGURES)
    assert page.missing == [] and page.links == []
    assert all(f"chart-{name}" in page.ids for name in FIGURES)
    assert (folder / "report.html").stat().st_size < 5e6
    measured = read_rows(folder / "measured.csv")
    names = values(page.charts["measured-against-predicted"], "network")
    assert all(any(name.endswith(row.network) for name in names) for row in measured)
    assert "simulated/fp32/b1/t1/free" in page.texts["tables"] and "measured" in page.texts["tables"]


def test_the_figures_are_files_too(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    run("report", str(folder))
    files = sorted(path.name for path in (folder / "figures").iterdir())
    assert files == sorted(f"{name}.svg" for name in FIGURES)
    for name in files:
        text = (folder / "figures" / name).read_text("utf-8")
        assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314
        assert "var(--" not in text


def test_the_same_run_gives_the_same_files(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    def written() -> dict[str, bytes]:
        assert run("report", str(folder)).code == 0
        paths = [folder / "report.html", *(folder / "figures").iterdir()]
        return {path.name: path.read_bytes() for path in paths}

    assert written() == written()


def test_the_blocks_add_up_to_the_prediction(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    run("report", str(folder))
    chart = Page(folder / "report.html").charts["latency-by-block"]
    table = folder / f"{COPY}.csv"
    run("predict", str(folder / "network.json"), "--table", str(table), "--out", "again.csv")
    (row,) = read_rows(Path("again.csv"))
    assert sum(values(chart, "ms")) == pytest.approx(row.sum_ms, rel=1e-6)


@pytest.mark.parametrize(
    "names, left_out, command",
    [
        (["measured.csv"], ["measured-against-predicted", "error-distribution"], "zenbench measure"),
        (["predicted.csv"], ["measured-against-predicted", "error-distribution"], "zenbench predict"),
        (["table.journal.jsonl"], ["drift", "temperature"], "zenbench profile"),
        (
            ["result.json"],
            ["latency-by-block", "score-against-latency", "convergence"],
            "zenbench search",
        ),
        (["table.json", f"{COPY}.json"], ["latency-by-block", "drift", "temperature"], "--by-block"),
    ],
)
def test_what_is_missing_is_left_out_and_its_command_named(  # type: ignore[no-untyped-def]
    run, folder: Path, names: list[str], left_out: list[str], command: str
) -> None:
    for name in names:
        (folder / name).unlink()
    assert run("report", str(folder)).code == 0
    page = Page(folder / "report.html")
    assert set(page.charts) == set(FIGURES) - set(left_out)
    assert any(command in line for line in page.missing)


def test_a_table_elsewhere_that_the_search_asked_is_found(run, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    home = tmp_path / "home/tables/simulated"
    home.mkdir(parents=True)
    (folder / "table.json").unlink()
    for end in (".csv", ".json", ".networks.csv"):
        shutil.move(folder / f"{COPY}{end}", home / f"table{end}")
    facts = gather(folder)
    assert facts.blocks is not None and [one.name for one in facts.tables] == ["simulated/table.csv"]
    assert facts.unknown_tables == ()


def test_a_front_is_drawn(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = ("--resolution", "16", "--classes", "10", "--layers", "8", "--evaluations", "600")
    assert run("search", *small, "--front", "params", "--params", "60k", "--out", "front").code == 0
    assert run("report", "front").code == 0
    page = Page(tmp_path / "front/report.html")
    assert list(page.charts) == ["score-against-cost"]
    with (tmp_path / "front/front.csv").open() as file:
        costs = {float(row["params"]) for row in csv.DictReader(file)}
    assert costs <= set(values(page.charts["score-against-cost"], "cost"))
    rows = choice(read_search(tmp_path / "front")).rows
    assert len(rows) == len(costs) and rows[0].is_chosen


def test_the_page_begins_with_the_budget_and_offers_a_choice(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("report", str(folder)).code == 0
    page = Page(folder / "report.html")
    assert page.texts["verdict"].startswith("Within budget: measured ")
    assert "predicted, simulated" in page.texts["verdict"] and "measured, simulated" in page.texts["verdict"]
    assert "median of 4 loads; the prediction is off by" in page.texts["chosen"]
    with (folder / "best.csv").open() as file:
        structures = [row["network"] for row in csv.DictReader(file)]
    text = (folder / "report.html").read_text("utf-8")
    assert all(f"<code>{structure}</code>" in text for structure in structures)


def test_the_network_to_better_stands_beside_the_chosen_one(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = ("--resolution", "16", "--classes", "10", "--evaluations", "300", "--rescore", "none")
    assert run("search", "--like", PLAIN_WITH_END, *small, *LIMITS, "--out", "r").code == 0
    assert run("report", "r").code == 0
    given = json.loads((tmp_path / "r/result.json").read_text())["like"]
    text = Page(tmp_path / "r/report.html").texts["chosen"]
    assert f"to better{PLAIN_WITH_END}: score {given['score']:.2f}" in text.replace("\n", "")
    assert f"{given['layers']} layers" in text


def test_text_from_files_stays_text(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\x01\x1b[31m"
    for name in ("measured.csv", "predicted.csv"):
        path = folder / name
        row = LatencyRow(evil, "0" * 16, "simulated", "simulated/fp32/b1/t1/free", latency_ms=1.0)
        write_rows(path, [*read_rows(path), row])
    card = json.loads((folder / "table.json").read_text("utf-8"))
    card["source"] = evil
    (folder / "table.json").write_text(json.dumps(card))
    assert run("report", str(folder)).code == 0
    page = Page(folder / "report.html")
    assert page.tags.count("script") == 3 and "img" not in page.tags
    assert evil in values(page.charts["measured-against-predicted"], "network")
    for path in (folder / "figures").glob("*.svg"):
        assert "<script" not in path.read_text("utf-8")
        ElementTree.fromstring(path.read_text("utf-8"))  # noqa: S314


def test_what_is_no_run_is_refused_in_one_sentence(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign/data.csv").write_text("a,b\n1,2\n")
    (tmp_path / "foreign/data.json").write_text('{"schema": "another"}')
    for name, reason in (("empty", "nothing that zenbench"), ("foreign", "nothing"), ("none", "no folder")):
        result = run("report", name)
        assert result.code == 2 and reason in result.err and result.err.count("\n") == 1
        assert not (tmp_path / name / "report.html").exists()


@pytest.mark.parametrize(
    "name, column", [("best.csv", 2), ("best.csv", 5), ("best.csv", 8), ("history.csv", 1)]
)
@pytest.mark.parametrize("cell", ["nan", "inf", "", "x"])
def test_a_number_that_is_none_is_refused(  # type: ignore[no-untyped-def]
    run, folder: Path, name: str, column: int, cell: str
) -> None:
    with (folder / name).open(newline="") as file:
        header, first, *rest = csv.reader(file)
    first[column] = cell
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([header, first, *rest])
    result = run("report", str(folder))
    assert result.code == 2 and result.err.count("\n") == 1
    assert not (folder / "report.html").exists()


def test_every_profile_in_the_folder_has_its_drift(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    for suffix in (".csv", ".json", ".networks.csv", ".journal.jsonl"):
        shutil.copy(folder / f"table{suffix}", folder / f"again{suffix}")
    assert run("report", str(folder)).code == 0
    page = Page(folder / "report.html")
    assert {"drift-1", "drift-2", "temperature-1", "temperature-2"} <= set(page.charts)
    assert "again.csv" in page.texts["tables"] and "table.csv" in page.texts["tables"]


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"task": {"budget": {"latencies": [1]}}}'])
def test_a_damaged_result_is_refused(run, folder: Path, content: str) -> None:  # type: ignore[no-untyped-def]
    (folder / "result.json").write_text(content)
    result = run("report", str(folder))
    assert result.code == 2 and result.err.count("\n") == 1 and "result.json" in result.err


@pytest.mark.parametrize(
    "keys, value",
    [
        (("evaluated",), 0),
        (("evaluated",), float("inf")),
        (("task", "front"), "depth"),
        (("task", "budget", "params"), "many"),
        (("latencies", 0, "limit_ms"), 0),
        (("latencies",), []),
        (("latencies",), "none"),
        (("latencies",), [[]]),
        (("evaluated",), 10**400),
        (("evaluated",), -1),
        (("score",), 10**400),
        (("seconds",), float("nan")),
        (("task", "budget", "macs"), 1e308),
        (("rejected",), []),
        (("command",), ["\ud800"]),
        (("versions",), {"zenbench": 3}),
        (("verdicts", 0, "measured_ms"), 0),
        (("verdicts", 0, "text"), None),
        (("verdicts", 0, "loads"), "four"),
        (("loads", 0, "round"), "first"),
    ],
)
def test_a_result_with_an_impossible_value_is_refused(  # type: ignore[no-untyped-def]
    run, folder: Path, keys: tuple[str | int, ...], value: object
) -> None:
    record = json.loads((folder / "result.json").read_text("utf-8"))
    if value == []:
        record["task"]["front"] = "latency"
    place = record
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (folder / "result.json").write_text(json.dumps(record))
    result = run("report", str(folder))
    assert result.code == 2 and result.err.count("\n") == 1
    # Where the entry alone is wrong, it is named; an empty list of latencies contradicts the task.
    assert value == [] or f"'{next(key for key in reversed(keys) if isinstance(key, str))}'" in result.err


def test_files_that_cannot_be_compared_say_why(run, folder: Path) -> None:  # type: ignore[no-untyped-def]
    path = folder / "measured.csv"
    path.write_text(path.read_text("utf-8").replace("fp32/b1/t1", "fp32/b1/t2"))
    assert run("report", str(folder)).code == 0
    assert any("two settings are not comparable" in line for line in Page(folder / "report.html").missing)


@pytest.mark.parametrize(
    "name, figure", [("best.csv", "score-against-latency"), ("history.csv", "convergence")]
)
@pytest.mark.parametrize("rows", [0, None])
def test_a_file_of_the_search_that_is_gone_is_named(  # type: ignore[no-untyped-def]
    run, folder: Path, name: str, figure: str, rows: int | None
) -> None:
    if rows is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text((folder / name).read_text("utf-8").splitlines()[0] + "\n")
    assert run("report", str(folder)).code == 0
    page = Page(folder / "report.html")
    assert set(page.charts) == set(FIGURES) - {figure}
    (line,) = page.missing
    assert f"the search's {name} is not here, or empty" in line


@pytest.mark.parametrize(
    "name, old, new, reason",
    [
        ("best.csv", "latency_ms", "ms", "best.csv lacks the column latency_ms"),
        ("best.csv", "\n", ",1\n", "best.csv, line"),
        ("best.csv", "measured_ms simulated", "latency_ms simulated", "latency_ms simulated more than once"),
        ("best.csv", ",4\n", ",4.5\n", "loads is '4.5', not a whole number"),
        ("measured.csv", "digest", "hash", "measured.csv lacks the column digest"),
        ("table.journal.jsonl", '"time":"', '"time":"long ago ', "holds a time that is none"),
        (
            "table.journal.jsonl",
            '"temperature_celsius":',
            '"temperature_celsius":NaN,"load_1min":',
            "damaged at line",
        ),
    ],
)
def test_damaged_files_are_refused_in_one_sentence(  # type: ignore[no-untyped-def]
    run, folder: Path, name: str, old: str, new: str, reason: str
) -> None:
    lines = (folder / name).read_text("utf-8").splitlines(keepends=True)
    if old == "\n":
        lines[1] = lines[1].replace(old, new)
    else:
        lines = [line.replace(old, new) for line in lines]
    (folder / name).write_text("".join(lines))
    result = run("report", str(folder))
    assert result.code == 2 and reason in result.err and result.err.count("\n") == 1


def test_a_table_without_rows_claims_none(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shipped = next(path for path in all_paths() if path.parent.name == "t4")
    (tmp_path / "run").mkdir()
    for path in (shipped, card_path(shipped), shipped.with_suffix(".networks.csv")):
        shutil.copy(path, tmp_path / "run" / path.name)
    assert run("report", "run").code == 0
    page = Page(tmp_path / "run/report.html")
    assert page.texts["verdict"].startswith("Nothing was compared yet")
    assert "modelled" in page.texts["tables"]
    assert not re.search("workload|not quiet|sitting", page.texts["tables"])


def test_a_measured_network_is_not_called_unmeasured(folder: Path) -> None:
    (folder / "predicted.csv").unlink()
    assert verdict(gather(folder))[0].startswith("Within budget: measured ")
