"""A profile that stops by itself, judged on networks that nothing was learned from."""

from pathlib import Path

from zenbench.bench.target import verdict
from zenbench.latency_tables.table import LatencyTable


def test_a_profile_ends_when_its_judges_are_predicted_well_enough(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = (
        "profile",
        "--device",
        "simulated",
        "--space",
        "mobilenet",
        "--resolution",
        "32",
        "--table",
        "t.csv",
    )
    done = run(*small, "--target-error", "20%")
    assert done.code == 0 and "24 networks that nothing was learned from: mean error" in done.err
    table = LatencyTable.load(tmp_path / "t.csv")
    assert len(table.judges) == 24 and not table.judges.keys() & table.networks.keys()
    found = verdict(table)
    assert found is not None and found.mape < found.bound <= 0.2
    missed = run(*small, "--target-error", "0.1%", "--blocks", str(len(table.rows) + 4))
    assert missed.code == 1 and "below 0.1% is not shown yet" in missed.err


def test_a_table_without_judges_has_no_verdict(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("profile", "--device", "simulated", "--blocks", "20", "--table", "t.csv")
    assert done.code == 0 and "nothing was learned" not in done.err
    assert verdict(LatencyTable.load(tmp_path / "t.csv")) is None
