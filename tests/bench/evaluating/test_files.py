"""Files of other programs: whatever their layout and batch, and what is no classifier of images."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from toy_images import CLASSES, COLOURS, SIZE, images
from zenbench.bench.data_sets.statistics import ChannelStatistics
from zenbench.bench.evaluating.accuracy import subject_accuracy
from zenbench.bench.evaluating.files import evaluated_file
from zenbench.bench.evaluating.subjects import statistics_of
from zenbench.bench.export.tflite_file import Model, Operator, Tensor, model_bytes
from zenbench.errors import DeviceError, UserError

TRAIN, TEST = images(256, 0), images(64, 1)
STATISTICS = ChannelStatistics.of(TRAIN, SIZE)
# The nearest colour: score_k = c_k x - |c_k|^2 / 2, where x is the mean of an image's pixels.
WEIGHT = np.ascontiguousarray(
    STATISTICS.normalised(COLOURS[:, None, None, :].astype(np.uint8))[:, :, 0, 0], np.float32
)
BIAS = (-(WEIGHT**2).sum(1) / 2).astype(np.float32)
FIRST, LAST = (2, 3), (1, 2)
"""The axes of height and width, with channels first and last."""


def onnx_file(
    path: Path,
    shape: tuple[int | str, ...],
    axes: tuple[int, int] = FIRST,
    kind: int = onnx.TensorProto.FLOAT,
    answer: str = "scores",
) -> Path:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["scores"], transB=1),
        helper.make_node("ArgMax", ["scores"], ["class"], axis=1, keepdims=0),
    ]
    kinds = {"scores": (kind, [shape[0], CLASSES]), "class": (onnx.TensorProto.INT64, [shape[0]])}
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, *kinds[name]) for name in answer.split()],
        [
            numpy_helper.from_array(WEIGHT.astype(dtype), "weight"),
            numpy_helper.from_array(BIAS.astype(dtype), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def tflite_file(path: Path, shape: tuple[int, ...], axes: tuple[int, int]) -> Path:
    model = Model("x", "scores")
    model.tensors = {
        "x": Tensor(shape),
        "axes": Tensor((2,), "int32", np.array(axes, np.int32)),
        "weight": Tensor(WEIGHT.shape, values=WEIGHT),
        "bias": Tensor(BIAS.shape, values=BIAS),
        "mean": Tensor((shape[0], 3)),
        "scores": Tensor((shape[0], CLASSES)),
    }
    model.operators = [
        Operator("MEAN", ("x", "axes"), "mean", "ReducerOptions", {"KeepDims": False}),
        Operator("FULLY_CONNECTED", ("mean", "weight", "bias"), "scores", "FullyConnectedOptions"),
    ]
    path.write_bytes(model_bytes(model))
    return path


def top1(path: Path) -> float:
    return subject_accuracy(evaluated_file(path).subject, STATISTICS, TEST).top1


@pytest.mark.parametrize("batch", [1, 5, "n"])
@pytest.mark.parametrize("axes", [FIRST, LAST])
def test_onnx_files_of_any_layout_and_batch(tmp_path: Path, batch: int | str, axes: tuple[int, int]) -> None:
    shape = (batch, 3, SIZE, SIZE) if axes == FIRST else (batch, SIZE, SIZE, 3)
    path = onnx_file(tmp_path / "net.onnx", shape, axes)
    file = evaluated_file(path)
    assert (file.network, file.weights, file.recorded, file.subject.statistics) == (None, None, False, None)
    assert (file.subject.classes, file.subject.resolution) == (CLASSES, SIZE)
    assert file.subject.batch == (1 if batch == "n" else batch)
    assert top1(path) == 1


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("axes", [FIRST, LAST])
def test_tflite_files_of_any_layout_and_batch(tmp_path: Path, batch: int, axes: tuple[int, int]) -> None:
    shape = (batch, 3, SIZE, SIZE) if axes == FIRST else (batch, SIZE, SIZE, 3)
    assert top1(tflite_file(tmp_path / "net.tflite", shape, axes)) == 1


def test_half_precision_is_fed_as_such(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "net.onnx", (1, 3, SIZE, SIZE), kind=onnx.TensorProto.FLOAT16)
    assert evaluated_file(path).subject.precision == "fp16" and top1(path) == 1


@pytest.mark.parametrize(
    ("shape", "options", "fault"),
    [
        ((1, 1, SIZE, SIZE), {}, "takes 1x1x16x16; what is evaluated takes square images of three channels"),
        ((1, 3, SIZE, 2 * SIZE), {}, "takes 1x3x16x32; what is evaluated"),
        ((1, 3, "height", "width"), {}, "takes 1x3xheightxwidth; what is evaluated"),
        ((1, 3, SIZE, SIZE), {"answer": "class"}, "gives 1 for batch 1, not a score a class"),
        (
            (1, 3, SIZE, SIZE),
            {"answer": "scores class"},
            "1 input and 2 outputs; give a file with one of each",
        ),
        ((1, 3, SIZE, SIZE), {"kind": onnx.TensorProto.DOUBLE}, r"takes tensor\(double\); give a file"),
    ],
)
def test_what_is_no_classifier_of_images_is_refused(
    tmp_path: Path, shape: tuple[int | str, ...], options: dict[str, object], fault: str
) -> None:
    path = onnx_file(tmp_path / "net.onnx", shape, **options)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=fault):
        evaluated_file(path)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_damaged_and_missing_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(UserError, match="cannot be read: No such file"):
        evaluated_file(path)
    if name == "net.onnx":
        onnx_file(path, (1, 3, SIZE, SIZE))
    else:
        tflite_file(path, (1, 3, SIZE, SIZE), FIRST)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=name):
        evaluated_file(path)


def test_what_a_runtime_cannot_run_is_its_refusal(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "net.onnx", (1, 3, SIZE, SIZE))
    model = onnx.load(path)
    model.graph.node[0].op_type = "Mystery"
    onnx.save(model, path)
    with pytest.raises(DeviceError, match=r"onnxruntime refused .*net\.onnx"):
        evaluated_file(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"sha256": "of another", "mean": [0, 0, 0]})])
def test_the_record_of_another_file_is_not_believed(tmp_path: Path, text: str) -> None:
    path = onnx_file(tmp_path / "net.onnx", (1, 3, SIZE, SIZE))
    (tmp_path / "net.onnx.json").write_text(text)
    assert not evaluated_file(path).recorded


@pytest.mark.parametrize(
    "card",
    [None, {}, {"mean": [0.5] * 3}, {"mean": "abc", "std": [1] * 3}, {"mean": [0.5] * 3, "std": [0, 1, 1]}],
)
def test_statistics_that_are_none_are_not_used(card: dict[str, object] | None) -> None:
    assert statistics_of(card) is None
    assert statistics_of({"mean": [0.5] * 3, "std": [1] * 3}) == ChannelStatistics([0.5] * 3, [1] * 3)
