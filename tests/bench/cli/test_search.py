"""`zenbench search`: limits as written, several at once, interruptions, events, pictures, repeats."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate, count
from pathlib import Path
from typing import Any

import pytest
from zenbench.bench.cli.searches import run as command
from zenbench.bench.cli.shared.progress import ProgressBar
from zenbench.bench.searching.latency_limits import WrittenLimit, check_distinct, parse_limit
from zenbench.bench.searching.run_folder import STATE
from zenbench.devices.base import SettingRequest
from zenbench.errors import UserError
from zenbench.zen.network import Network, parse_text
from zenbench.zen.search.rescoring import ForwardScore, passes_work, rescore
from zenbench.zen.search.run import SearchState
from zenbench.zen.search.task import SearchTask
from zenbench.zen.search.workers.pool import WorkerPool, WorkerPoolLost
from zenbench.zen.space import spaces

RESCORE = "zenbench.bench.searching.forward_scores.rescore"
SMALL = ("--resolution", "16", "--classes", "10", "--params", "60k", "--layers", "8")
SEARCH = ("search", *SMALL, "--evaluations", "800", "--population", "32", "--format", "json")


@pytest.mark.parametrize(
    "text, limit",
    [
        ("11ms", WrittenLimit(11.0)),
        ("t4=11ms", WrittenLimit(11.0, "t4")),
        ("t4/int8/b64=11ms", WrittenLimit(11.0, "t4", SettingRequest(precision="int8", batch=64))),
        ("host/litert/t2=0.5s", WrittenLimit(500.0, "host", SettingRequest(runtime="litert", threads=2))),
    ],
)
def test_a_limit_names_its_device_and_setting(text: str, limit: WrittenLimit) -> None:
    assert parse_limit(text) == limit
    assert limit.label == text.rpartition("=")[0]


@pytest.mark.parametrize("text", ["=11ms", "t4/=11ms", "/int8=11ms", "t4=11", "t4=", "t4=0ms"])
def test_a_wrong_limit_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_limit(text)


def test_two_limits_for_one_setting_are_refused() -> None:
    check_distinct([parse_limit("t4=11ms"), parse_limit("t4/int8=11ms")])
    with pytest.raises(UserError, match="two latency limits are for 't4'"):
        check_distinct([parse_limit("t4=11ms"), parse_limit("t4=12ms")])


def test_an_interrupted_search_goes_on_to_the_same_result(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 200)
    (whole,) = run(*SEARCH, "--out", "whole").json()

    real = command.search

    def interrupted(task, **options):  # type: ignore[no-untyped-def]
        def progress(state: SearchState) -> None:
            options["progress"](state)
            if state.evaluated >= 400:
                raise KeyboardInterrupt

        return real(task, **{**options, "progress": progress})

    monkeypatch.setattr(command, "search", interrupted)
    assert run(*SEARCH, "--out", "part").code != 0
    assert (tmp_path / "part" / STATE).exists() and not (tmp_path / "part/result.json").exists()
    other = run(*SEARCH, "--seed", "1", "--out", "part")
    assert other.code == 2 and "another search" in other.err

    monkeypatch.setattr(command, "search", real)
    resumed = run(*SEARCH, "--out", "part")
    assert "going on in part after 400 candidates" in resumed.err
    times = {"seconds": 0, "rescore_seconds": 0, "command": []}
    assert {**resumed.json()[0], **times} == {**whole, **times}
    assert not (tmp_path / "part" / STATE).exists()


def test_the_same_command_without_a_folder_finds_its_interrupted_run(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RESCORE, refused)
        assert run(*SEARCH).code != 0
    resumed = run(*SEARCH)
    assert resumed.code == 0 and "after 800 candidates" in resumed.err
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert run(*SEARCH, "--rescore", "none").code == 0, "what is finished is searched anew"
    assert len(list((tmp_path / "runs").iterdir())) == 2


def interrupted_after(count: int) -> Callable[..., ForwardScore]:
    """In place of `rescore`: so many networks are scored before Ctrl-C."""
    calls = iter(range(count))

    def scored(network: Network, task: SearchTask) -> ForwardScore:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return rescore(network, task)

    return scored


@pytest.mark.parametrize("more", [(), ("--front", "params")])
def test_results_are_there_before_all_scores_and_scoring_goes_on(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    search, table = (*SEARCH, "--rescore", "4", *more), f"{'front' if more else 'best'}.csv"
    assert run(*search, "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(RESCORE, interrupted_after(0))
        assert run(*search, "--out", "part").code == 130
        bare = json.loads(Path("part/result.json").read_text())
        assert bare["score_forward"] is None and bare["score_forward_sem"] is None
        assert bare["rescore_seconds"] == 0 and bare["score"] > 0
        patch.setattr(RESCORE, interrupted_after(2))
        assert run(*search, "--out", "part").code == 130
    known = json.loads(Path("part/result.json").read_text())
    whole = json.loads(Path("whole/result.json").read_text())
    assert known["digest"] == bare["digest"] == whole["digest"]
    assert known["score_forward"] == whole["score_forward"] and known["rescore_seconds"] > 0
    with Path("part", table).open() as file:
        assert sum(bool(row["score_forward"]) for row in csv.DictReader(file)) == 2
    assert run("export", "part/result.json", "--onnx", "n.onnx").code == 0
    assert run("report", "part").code == 0

    lines = Path("part/rescored.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["digest"] == whole["digest"], "the winner comes first"
    assert run(*search, "--out", "part").code == 0
    assert Path("part/rescored.jsonl").read_text().splitlines()[:2] == lines
    assert Path("part", table).read_bytes() == Path("whole", table).read_bytes()
    assert run(*search, "--out", "part").code == 2, "nothing is left to do there"


@pytest.mark.parametrize("more", [(), ("--front", "params")])
def test_so_many_finalists_are_scored_again_as_asked(run, more: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    search = (*SEARCH[:-2], *more)
    shown = run(*search, "--rescore", "none", "--out", "none")
    rows = shown.out.splitlines()[2:]
    assert (len(rows) > 8 if more else len(rows) == 1) and all("not computed" in row for row in rows)
    assert not Path("none/rescored.jsonl").exists() and not Path("none", STATE).exists()
    assert run("report", "none").code == 0
    page = Path("none/report.html").read_text()
    assert "not computed by forward passes" in page and "the winner by forward passes" not in page

    run(*search, "--rescore", "3", "--out", "three")
    digests = [json.loads(line)["digest"] for line in Path("three/rescored.jsonl").read_text().splitlines()]
    assert len(digests) == 3
    repeated = run(
        "search", "--repeat", "three/result.json", "--rescore", "1", "--out", "one", "--format", "csv"
    )
    first = list(csv.DictReader(repeated.out.splitlines()))[-1]  # of a front the dearest
    assert first["digest"] == digests[0] and first["score_forward"]
    assert run("compare", "three/result.json", "one/result.json").code == 2, "these are no measurements"


def test_work_and_not_the_count_is_what_progress_is_told(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, list[float]] = {}

    @contextmanager
    def progress(title: str, total: float) -> Iterator[ProgressBar]:
        told[title] = [total]
        yield lambda done, note="": told[title].append(done)

    monkeypatch.setattr(command, "progress", progress)
    assert run(*SEARCH, "--front", "params", "--rescore", "4", "--out", "r").code == 0
    with Path("r/front.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["score_forward"]][::-1]
    works = [passes_work(parse_text(row["network"], 16, 10)) for row in rows]
    assert told["forward passes"] == pytest.approx([sum(works), *accumulate(works)])


def test_a_finalist_without_a_score_is_left_without_one(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> ForwardScore:
        raise UserError("it does not fit in memory")

    monkeypatch.setattr(RESCORE, refused)
    done = run(*SEARCH, "--rescore", "2", "--out", "r")
    assert done.code == 0 and "2 networks not scored again: it does not fit in memory" in done.err
    assert done.json()[0]["score_forward"] is None


@pytest.mark.parametrize("value", ["0", "-1", "21", "all", "1.5", "", "\u0663"])
def test_a_wrong_number_of_finalists_is_refused(run, value: str) -> None:  # type: ignore[no-untyped-def]
    refused = run(*SEARCH, "--rescore", value)
    assert refused.code == 2 and "is no number of finalists; give 1 to 20, or none" in refused.err


def test_a_damaged_state_is_named(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / STATE).write_text('{"task": 1')
    refused = run(*SEARCH, "--out", "r")
    assert refused.code == 2 and STATE in refused.err


def test_files_of_a_search(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (result,) = run(*SEARCH, "--out", "r", "--events", "log/events.jsonl").json()
    events = [json.loads(line) for line in (tmp_path / "log/events.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "start" and events[-1]["event"] == "done"
    assert events[-1]["network"] == result["network"]
    assert [event["evaluated"] for event in events if event["event"] == "progress"][-1] == 800
    assert (tmp_path / "r/convergence.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "r/best.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({(row["layers"], row["params"]) for row in rows}) == len(rows) > 4  # they differ


def test_several_devices_at_once(run) -> None:  # type: ignore[no-untyped-def]
    profile = ("profile", "--device", "simulated", "--blocks", "40", "--resolution", "16")
    assert run(*profile).code == 0
    assert run(*profile, "--batch", "4").code == 0
    limits = ("--latency", "simulated=2ms", "--latency", "simulated/b4=4ms", "--confidence", "90%")
    shown = run(*SEARCH[:-2], *limits, "--out", "r")
    assert "latency on simulated/b4" in shown.out
    result = json.loads(Path("r/result.json").read_text())
    assert [latency["limit_ms"] for latency in result["latencies"]] == [2.0, 4.0]
    for latency in result["latencies"]:
        assert latency["latency_ms"] + 1.28 * latency["std_ms"] <= latency["limit_ms"]
    assert "latency_ms simulated/b4" in Path("r/best.csv").read_text().splitlines()[0]


def test_a_front_is_shown_written_measurable_and_repeated(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run("profile", "--device", "simulated", "--blocks", "40", "--resolution", "16").code == 0
    limits = ("--latency", "simulated=2ms", "--front", "latency")
    points = run(*SEARCH, *limits, "--out", "r").json()
    assert 8 <= len(points) <= 13
    result = json.loads(Path("r/result.json").read_text())
    assert result["front"] == {"axis": "latency", "points": points}
    assert result["digest"] == points[-1]["digest"]
    with Path("r/front.csv").open() as file:
        rows = list(csv.DictReader(file))
    costs = [float(row["latency_ms simulated"]) for row in rows]
    assert costs == sorted(costs) and costs[-1] <= 2.0 and costs[0] <= 2.0 / 8
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores) and len(set(scores)) == len(rows) > len(points)
    again = [row["digest"] for row in rows if row["score_forward"]]
    assert again == [point["digest"] for point in points]
    assert Path("r/front.png").read_bytes().startswith(b"\x89PNG")

    shown = run("search", "--repeat", "r/result.json", "--out", "s").out.splitlines()
    assert shown[0].startswith("latency on simulated") and len(shown) == 2 + len(points)
    assert Path("s/front.csv").read_bytes() == Path("r/front.csv").read_bytes()
    costed = run("cost", "--networks", "r/front.csv", "--format", "json").json()
    assert [(str(one["params"]), str(one["macs"])) for one in costed] == [
        (row["params"], row["macs"]) for row in rows
    ]


def test_an_interrupted_front_goes_on(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 200)
    front = (*SEARCH, "--front", "params")
    assert run(*front, "--out", "whole").code == 0

    def refused(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RESCORE, refused)
        assert run(*front, "--out", "part").code != 0
    other = run(*SEARCH, "--out", "part")
    assert other.code == 2 and "another search" in other.err
    assert run(*front, "--out", "part").code == 0
    assert Path("part/front.csv").read_bytes() == Path("whole/front.csv").read_bytes()


@pytest.mark.parametrize(
    "arguments, named",
    [
        (("--front", "macs"), "a front along macs needs the limit where it ends: give --macs"),
        (("--front", "params", "--algorithm", "paper"), "--front has an algorithm of its own"),
        (("--latency", "nokia=1ms"), "no device is called 'nokia'"),
        (
            ("--latency", "t4=11ms", "--precision", "fp16"),
            "--precision is for a latency limit that names no device",
        ),
        (("--latency", "t4=11ms", "--device", "pixel2"), "as in t4/int8/b64=11ms"),
        (("--latency", "simulated=1ms", "--latency", "simulated=2ms"), "two latency limits"),
        (("--confidence", "0.9"), "--confidence is about latency limits"),
        (("--latency", "simulated=1ms", "--confidence", "0.4"), "must be from 0.5 to less than 1"),
        (
            ("--latency", "simulated=1ms", "--latency", "host=2ms", "--table", "t.csv"),
            "--table answers for one",
        ),
        (("--space", "vit"), "no space is called 'vit'"),
        (("--max-stage-share", "0.05"), "nearest budget that can be met: --max-stage-share"),
        (("--min-width", "512"), "--params"),
        (("--repeat", "nothing.json"), "nothing.json is no result.json"),
    ],
)
def test_bad_options_get_one_sentence(run, arguments: tuple[str, ...], named: str) -> None:  # type: ignore[no-untyped-def]
    refused = run(*SEARCH, *arguments, "--out", "r")
    assert refused.code == 2 and named in refused.err
    assert len(refused.err.strip().splitlines()) == 1


def test_any_number_of_workers_goes_on_to_the_same_result(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zenbench.zen.search.run.EPOCH", 200)
    profile = ("profile", "--device", "simulated", "--blocks", "40", "--resolution", "16")
    assert run(*profile).code == 0
    asked = (*SEARCH, "--latency", "simulated=2ms", "--no-measure")
    (whole,) = run(*asked, "--out", "whole").json()

    advance, calls = WorkerPool.advance, count()

    def lost_after_two(*work: Any) -> Any:
        if next(calls) == 2:
            raise WorkerPoolLost("workers of the search were lost")
        return advance(*work)

    with monkeypatch.context() as patch:
        patch.setattr(WorkerPool, "advance", lost_after_two)
        assert run(*asked, "--workers", "2", "--out", "part").code == 2
    resumed = run(*asked, "--workers", "3", "--out", "part")
    assert "going on in part after 400 candidates" in resumed.err
    times = {"seconds": 0, "rescore_seconds": 0, "command": []}
    assert {**resumed.json()[0], **times} == {**whole, **times}


def test_more_workers_than_islands_make_as_many_islands(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    islands = {
        asked: run(*SEARCH, "--workers", asked, "--out", asked).json()[0]["task"]["islands"] for asked in "46"
    }
    assert islands == {"4": 4, "6": 6}
    repeated = run(
        "search", "--repeat", "4/result.json", "--workers", "6", "--format", "json", "--out", "again"
    )
    assert repeated.json()[0]["task"]["islands"] == 4


@pytest.mark.parametrize(
    "name, value, sentence",
    [
        ("islands", 0, "'islands' of the search to repeat must be a whole number from 1"),
        ("islands", 10**6, "asks for 1000000 islands"),
        ("evaluations", -5, "must be a whole number from 1"),
        ("seed", 10**30, "'seed' of the search to repeat"),
        ("algorithm", {}, "the algorithm '{}'"),
        ("budget", {"params": 0}, "'params' of the search to repeat"),
        ("budget", {"max_stage_share": float("nan")}, "must be a number above 0"),
        ("budget", {"max_stage_share": 10**400}, "must be a number above 0"),
        ("budget", {"latencies": [3]}, "its task is malformed"),
        ("budget", None, "its task is malformed"),
    ],
)
def test_an_edited_result_is_refused_in_one_sentence(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, name: str, value: Any, sentence: str
) -> None:
    task = {
        **{"space": spaces()["resnet"].to_json(), "resolution": 16, "classes": 10, "evaluations": 20},
        **{"population": 8, "seed": 0, "islands": 1, "reading": "paper", "algorithm": "steps"},
        "front": None,
        "budget": {
            **dict.fromkeys(("macs", "layers", "peak_activation_bytes", "min_width", "max_stage_share")),
            **{"params": 60_000, "max_depth_to_width": None, "latencies": []},
        },
    }
    edited = {**task["budget"], **value} if name == "budget" and value else value  # type: ignore[dict-item]
    (tmp_path / "edited.json").write_text(json.dumps({"task": {**task, name: edited}}))
    answer = run("search", "--repeat", "edited.json", "--out", "again")
    assert answer.code == 2 and sentence in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize(
    "path, value",
    [
        (("format",), "another/1"),
        (("state", "islands"), []),
        (("state", "seconds"), None),
        (("state", "islands", 0, "random_state"), [3, [1, 2], None]),
        (("state", "islands", 0, "members"), []),
        (("state", "islands", 0, "rejected"), {"params": "x"}),
        (("state", "islands", 0, "history"), []),
    ],
)
def test_a_damaged_state_is_refused(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: tuple[Any, ...], value: Any
) -> None:
    def interrupted(*arguments, **options):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    monkeypatch.setattr(RESCORE, interrupted)
    assert run(*SEARCH, "--evaluations", "20", "--out", "part").code == 130
    state = json.loads((tmp_path / "part" / STATE).read_text())
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (tmp_path / "part" / STATE).write_text(json.dumps(state))
    answer = run(*SEARCH, "--evaluations", "20", "--out", "part")
    assert answer.code == 2 and "holds no search that could go on" in answer.err


def test_a_figure_that_fails_costs_no_search(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    small = (
        "--layers",
        "8",
        "--resolution",
        "16",
        "--classes",
        "10",
        "--evaluations",
        "400",
        "--macs",
        "20M",
    )

    def full_disk(figure: object) -> bytes:
        raise UserError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("zenbench.bench.cli.searches.run.figure_png", full_disk)
        assert run("search", *small, "--out", "r").code == 2
    assert (tmp_path / "r/result.json").exists(), "it does not wait for the figure"
    again = run("search", *small, "--out", "r")
    assert again.code == 0 and "going on in r after 400" in again.err
    assert {"result.json", "convergence.png"} <= {path.name for path in (tmp_path / "r").iterdir()}


GUARDED = ("search", *SMALL[:-2], "--evaluations", "100", "--population", "32", "--format", "json")


def test_default_limits_are_said_recorded_and_repeated(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = run(*GUARDED, "--out", "a")
    said = [line for line in found.err.splitlines() if "shape" in line or line.startswith("  --")]
    assert said == [
        "shape limits, from zennet-cifar-0.5m to resnet-110 ('none' lifts one):",
        "  --layers 70 --min-width 16 --max-stage-share 65% --max-depth-to-width 1.113",
    ]
    assert all(len(line) <= 80 for line in said)
    budget = found.json()[0]["task"]["budget"]
    assert (budget["layers"], budget["min_width"], budget["max_stage_share"]) == (70, 16, 0.65)
    (again,) = run("search", "--repeat", "a/result.json", "--format", "json", "--out", "b").json()
    assert again["task"]["budget"] == budget and again["network"] == found.json()[0]["network"]


def test_each_default_limit_is_lifted_by_none(run) -> None:  # type: ignore[no-untyped-def]
    options = ("--layers", "--min-width", "--max-stage-share", "--max-depth-to-width")
    for option in options:
        found = run(*GUARDED, option, "none", "--out", option[2:])
        assert found.json()[0]["task"]["budget"][option[2:].replace("-", "_")] is None
        assert option not in found.err and all(other in found.err for other in options if other != option)
    free = run(*GUARDED, *(word for option in options for word in (option, "none")), "--out", "free")
    assert "published" not in free.err


@pytest.mark.parametrize(
    "option, value, sentence",
    [
        ("--layers", "many", "'many' is not a valid integer range; none lifts the limit"),
        ("--layers", "0", "0 is not in the range"),
        ("--min-width", "4", "4 is not in the range"),
        ("--max-stage-share", "half", "'half' is not a share"),
        ("--max-depth-to-width", "-1", "-1"),
    ],
)
def test_a_wrong_limit_on_the_shape_is_refused(run, option: str, value: str, sentence: str) -> None:  # type: ignore[no-untyped-def]
    refused = run(*GUARDED, option, value, "--out", "r")
    assert refused.code == 2 and sentence in refused.err and "Traceback" not in refused.err
    assert sum(option in line for line in refused.err.splitlines()) == 1
