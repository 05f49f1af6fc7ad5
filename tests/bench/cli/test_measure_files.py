"""`zenbench measure` and `score` of ONNX files of other tools: free axes, states, precisions, sizes."""

import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from places import DATA


@pytest.fixture
def files(run: Any, tmp_path: Path) -> Any:
    """The command, in a folder with the files."""
    for path in (DATA / "onnx").glob("*.onnx"):
        shutil.copy(path, tmp_path)
    return run


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        (("dynamic_batch.onnx",), "onnxruntime/fp32/b1/"),
        (("dynamic_batch.onnx", "--batch", "4"), "onnxruntime/fp32/b4/"),
        (("dynamic_height_width.onnx", "--resolution", "64"), "onnxruntime/fp32/b1/"),
        (("recurrent_state.onnx",), "onnxruntime/fp32/b1/"),
        (("int8_qdq.onnx",), "onnxruntime/int8/b1/"),
        (("plain_64.onnx", "--resolution", "64"), "onnxruntime/fp32/b1/"),
    ],
)
def test_files_are_measured_at_the_shapes_that_fit(
    files: Any, arguments: tuple[str, ...], setting: str
) -> None:
    done = files("measure", *arguments, "--format", "json")
    assert done.code == 0, done.err
    (record,) = done.json()
    assert record["setting"].startswith(setting) and record["latency_ms"] > 0


@pytest.fixture
def indexed(run: Any, tmp_path: Path) -> Any:
    """The command, in a folder with a file whose scalar input says which of four values it reads."""
    values = helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, 4])
    place = helper.make_tensor_value_info("place", TensorProto.INT64, [])
    found = helper.make_tensor_value_info("found", TensorProto.FLOAT, None)
    node = helper.make_node("Gather", ["values", "place"], ["found"], axis=1)
    graph = helper.make_graph([node], "indexed", [values, place], [found])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "indexed.onnx")
    return run


def test_a_number_fills_an_input(indexed: Any) -> None:
    done = indexed("measure", "indexed.onnx", "--input", "place=3", "--format", "json")
    assert done.code == 0 and done.json()[0]["latency_ms"] > 0, done.err
    beyond = indexed("measure", "indexed.onnx", "--input", "place=4", "--format", "json")
    assert beyond.code == 3 and "out of data bounds" in beyond.json()[0]["error"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (("place=2.5",), "takes its input 'place' as int64, which does not hold 2.5"),
        (("place=1e30",), "does not hold 1e+30"),
        (("place=three",), "write one as NAME=16000"),
        (("place=nan",), "write one as NAME=16000"),
        (("places=1",), "no file has an input 'places' for --input; they have place, values"),
        (("place=1", "place=2"), "--input names an input twice"),
    ],
)
def test_a_number_that_does_not_fit_is_one_sentence(
    indexed: Any, values: tuple[str, ...], fault: str
) -> None:
    options = [part for value in values for part in ("--input", value)]
    refused = indexed("measure", "indexed.onnx", *options)
    assert refused.code == 2 and fault in refused.err


@pytest.mark.parametrize(
    ("arguments", "macs"),
    [
        (("two_linear_silu.onnx",), 443_200),
        (("dynamic_batch.onnx",), 442_528),
        (("dynamic_height_width.onnx", "--resolution", "64"), 442_528),
        (("dynamic_height_width.onnx", "--resolution", "128"), 16 * 27 * 128 * 128 // 4 + 160),
    ],
)
def test_files_are_counted_at_the_shapes_that_fit(files: Any, arguments: tuple[str, ...], macs: int) -> None:
    (record,) = files("score", *arguments, "--proxy", "flops", "--format", "json").json()
    assert record["value"] == macs


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("measure", "dynamic_height_width.onnx"), "give --resolution, as in 224"),
        (("score", "dynamic_height_width.onnx"), "give --resolution, as in 224"),
        (("measure", "plain_64.onnx", "--resolution", "128"), "a fixed size of 64 x 64, not 128"),
        (("score", "plain_64.onnx", "--resolution", "128"), "a fixed size of 64 x 64, not 128"),
        (("measure", "plain_64.onnx", "--batch", "2"), "written for batch 1, the setting asks for 2"),
        (("measure", "int8_qdq.onnx", "--precision", "fp32"), "is int8, the setting asks for fp32"),
        (("measure", "recurrent_state.onnx", "--shape", "state=3x1x32"), "as 2x1x32, not 3x1x32"),
        (
            ("measure", "plain_64.onnx", "--shape", "y=1x3"),
            "no file has an input 'y' for --shape; they have x",
        ),
        (("measure", "plain_64.onnx", "--shape", "x=1xthree"), "write one as NAME=1x3x224x224"),
        (
            ("measure", "plain_64.onnx", "--shape", "x=1x3x64x64", "--shape", "x=1x3x32x32"),
            "--shape names an input twice",
        ),
        (("measure", "plain_64.onnx", "--shape", "x=" + "9" * 5000), "write one as NAME=1x3x224x224"),
    ],
)
def test_what_does_not_fit_is_one_sentence(files: Any, arguments: tuple[str, ...], fault: str) -> None:
    refused = files(*arguments)
    assert refused.code == 2 and fault in refused.err
    assert not list(Path().glob("*.jsonl"))
