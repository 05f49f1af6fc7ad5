"""TFLite files as a user meets them: exported, read back, measured, refused."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from operation_graphs import TINY
from zenbench.bench.export.checked import export_onnx, export_tflite
from zenbench.bench.export.tflite import write_tflite
from zenbench.bench.export.tflite_file import schema
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.bench.networks.model_file import FileSubject
from zenbench.devices.base import Setting
from zenbench.errors import NetworkError, UserError
from zenbench.zen.cost import graph_cost
from zenbench.zen.network import Network


def test_a_file_can_be_read_back(tmp_path: Path, run: Callable[..., Any]) -> None:
    network = Network(TINY.blocks[:1], 16, 10, squeeze_excite=False)
    for precision in ("fp32", "fp16", "int8"):
        path = export_tflite(network, tmp_path / f"{precision}.tflite", precision=precision)[0].path
        subject = FileSubject.read(path)
        assert subject.network == network and subject.precision == precision
        (row,) = run("cost", str(path), "--format", "json").json()
        assert row["digest"] == network.digest


def test_a_foreign_file_is_read_from_its_operators(tmp_path: Path, run: Callable[..., Any]) -> None:
    graph = TINY.graph()
    write_tflite(graph, timing_weights(graph), tmp_path / "f.tflite")
    subject = FileSubject.read(tmp_path / "f.tflite")
    assert subject.network is None and subject.inputs[0].extents == (1, 16, 16, 3)
    (record,) = run("score", "f.tflite", "--proxy", "flops", "--format", "json").json()
    assert record["value"] == graph_cost(graph).macs


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x1c\0\0\0TFL3" + b"\xff" * 64, b"\x40\0\0\0TFL3"])
def test_files_that_are_no_tflite(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tflite").write_bytes(content)
    with pytest.raises(NetworkError, match=r"x\.tflite is (not|a damaged) "):
        FileSubject.read(tmp_path / "x.tflite")


def test_a_file_is_measured_in_its_own_precision_and_batch(tmp_path: Path) -> None:
    path = export_tflite(TINY, tmp_path / "n.tflite", precision="int8", batch=2)[0].path
    subject = FileSubject.read(path)
    setting = Setting("host", "litert", "int8", batch=2)
    assert subject.artifact(tmp_path, setting, "tflite").inputs[0].dtype == "int8"
    with pytest.raises(UserError, match="is int8, the setting asks for fp32"):
        subject.artifact(tmp_path, replace(setting, precision="fp32"), "tflite")
    with pytest.raises(UserError, match="--batch"):
        subject.artifact(tmp_path, replace(setting, batch=1), "tflite")


def test_export_writes_both_files_and_keeps_their_checks(tmp_path: Path, run: Callable[..., Any]) -> None:
    done = run(
        "export",
        "zoo:zennet-cifar-0.5m",
        "--onnx",
        "n.onnx",
        "--tflite",
        "n.tflite",
        "--int8",
        "--format",
        "json",
    )
    assert done.code == 0
    onnx, tflite = done.json()
    assert (onnx["precision"], tflite["precision"]) == ("int8", "int8")
    kept = json.loads((tmp_path / "n.tflite.json").read_text())
    assert kept == tflite and kept["snr_db"] > 10
    shown = run("export", "zoo:zennet-cifar-0.5m", "--tflite", "n.tflite", "--int8")
    assert " dB" in shown.out and "int8" in shown.out and shown.err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--onnx FILE, --tflite FILE or both"),
        (("--tflite", "n.onnx"), "should end in .tflite"),
        (("--onnx", "n.onnx", "--fp16", "--int8"), "not both"),
        (("--tflite", "n.tflite", "--calibrate", "i.npy"), "give --int8 too"),
        (
            ("--onnx", "n.onnx", "--int8", "--calibrate", "i.npy"),
            "i.npy cannot be read: No such",
        ),
    ],
)
def test_options_that_do_not_go_together(
    run: Callable[..., Any], arguments: tuple[str, ...], sentence: str
) -> None:
    refused = run("export", "zoo:zennet-cifar-0.5m", *arguments)
    assert refused.code == 2 and sentence in refused.err


def test_without_its_packages_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ai_edge_litert", None)
        with pytest.raises(UserError, match="pip install ai-edge-litert"):
            export_tflite(TINY, tmp_path / "n.tflite")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ai_edge_quantizer", None)
        with pytest.raises(UserError, match="pip install ai-edge-quantizer"):
            export_tflite(TINY, tmp_path / "n.tflite", precision="int8")
    assert export_onnx(TINY, tmp_path / "n.onnx")[1].holds
