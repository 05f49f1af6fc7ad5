"""A profile that stops by itself, judged on networks that nothing was learned from."""

from pathlib import Path

import numpy as np
import pytest
from toys import TINY_SPACE
from zenbench.bench.measuring.subjects import NetworkSubject
from zenbench.bench.profiling.stopping import LEAST_HOLD_OUT, upper_bound, verdict
from zenbench.errors import DeviceError
from zenbench.latency_tables.measured.model import TableModel
from zenbench.latency_tables.table import LatencyTable

SMALL = ("profile", "--device", "simulated", "--resolution", "32", "--table", "t.csv")


def test_a_profile_ends_when_its_judges_are_predicted_well_enough(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = (*SMALL, "--space", "mobilenet")
    done = run(*small, "--target-error", "20%")
    assert done.code == 0 and "24 networks that nothing was learned from: mean error" in done.err
    table = LatencyTable.load(tmp_path / "t.csv")
    assert len(table.hold_out) == 24 and not table.hold_out.keys() & table.networks.keys()
    found = verdict(TableModel(table))
    assert found is not None and found.mape < found.bound <= 0.2
    journal = (tmp_path / "t.journal.jsonl").read_bytes()
    assert run(*small, "--target-error", "20%").code == 0
    assert (tmp_path / "t.journal.jsonl").read_bytes() == journal, "nothing is left to measure"
    missed = run(*small, "--target-error", "0.1%", "--blocks", str(len(table.rows) + 4))
    assert missed.code == 1 and "below 0.1% is not shown yet" in missed.err
    assert "run this again to go on" in missed.err


def test_a_table_without_judges_has_no_verdict(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("profile", "--device", "simulated", "--blocks", "20", "--table", "t.csv")
    assert done.code == 0 and "nothing was learned" not in done.err
    assert verdict(TableModel(LatencyTable.load(tmp_path / "t.csv"))) is None


def test_judges_that_all_fail_are_told_and_take_nothing_from_the_blocks(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise DeviceError("it does not fit")

    monkeypatch.setattr(NetworkSubject, "artifact", fail)
    done = run(*SMALL, "--space", "mobilenet", "--target-error", "20%", "--blocks", "30")
    assert done.code == 1 and "0 measured networks can judge, of at least 8" in done.err
    assert len(LatencyTable.load(tmp_path / "t.csv").rows) == 30


def test_a_space_without_more_to_measure_ends_the_profile(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "tiny.toml").write_text(TINY_SPACE)
    for _ in range(2):
        done = run(*SMALL, "--space", "tiny.toml", "--target-error", "0.001%")
        assert done.code == 1 and "there is no more to measure here" in done.err


def test_a_bound_holds_for_nine_tables_in_ten() -> None:
    for hold_out in (LEAST_HOLD_OUT, 24):
        sizes = np.abs(np.random.default_rng(0).standard_normal((2000, hold_out)))
        held = np.mean([upper_bound(list(errors)) >= np.sqrt(2 / np.pi) for errors in sizes])
        assert 0.89 < held < 0.95
