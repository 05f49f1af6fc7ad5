"""Commands that measure, on the host through LiteRT: tables, networks and files in their own precision."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zenbench.bench.export.tflite import write_tflite
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.zen.network import parse_text

TEXT = "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE2K7(8,16,2,8,1)"
SMALL = ("--resolution", "32", "--classes", "10")


@pytest.mark.parametrize("runtime", ["litert", "litert-builtin"])
def test_profile_builds_a_table_of_the_runtime(run: Callable[..., Any], tmp_path: Path, runtime: str) -> None:
    done = run("profile", "--runtime", runtime, "--precision", "int8", "--blocks", "12", "--resolution", "32")
    assert done.code == 0, done.err
    assert "INFO" not in done.err
    assert (tmp_path / "home" / "tables" / "host" / f"{runtime}-int8-b1-t1.csv").exists()
    (row,) = run(
        "predict", TEXT, *SMALL, "--runtime", runtime, "--precision", "int8", "--format", "json"
    ).json()
    assert row["setting"].startswith(f"{runtime}/int8/") and row["latency_ms"] > 0
    other = run("predict", TEXT, *SMALL, "--runtime", runtime)
    assert other.code == 2 and f"--runtime {runtime}" in other.err


def test_files_are_measured_as_they_are(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("export", TEXT, *SMALL, "--tflite", "ours.tflite", "--int8").code == 0
    network = parse_text(TEXT, 32, 10)
    graph = network.graph()
    write_tflite(graph, timing_weights(graph), tmp_path / "theirs.tflite", precision="int8")
    done = run(
        "measure",
        "ours.tflite",
        "theirs.tflite",
        "--runtime",
        "litert",
        "--precision",
        "int8",
        "--format",
        "json",
    )
    assert done.code == 0, done.err
    ours, theirs = done.json()
    assert ours["digest"] == network.digest != theirs["digest"]
    assert ours["latency_ms"] > 0 and theirs["latency_ms"] > 0


def test_a_file_for_another_runtime_is_a_row_with_its_reason(run: Callable[..., Any]) -> None:
    assert run("export", TEXT, *SMALL, "--onnx", "n.onnx", "--tflite", "n.tflite").code == 0
    for name, runtime, accepted in (("n.onnx", "litert", "tflite"), ("n.tflite", "onnxruntime", "onnx")):
        done = run("measure", name, "--runtime", runtime, "--format", "json")
        assert done.code == 3
        (row,) = done.json()
        told = f"host through {runtime} takes {accepted} files, not {name[2:]}; give another --runtime"
        assert row["error"].startswith(told)
