"""Forms of ONNX files: nodes in any order, weights in other files, quantised, of old exporters."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from operation_graphs import TINY, build, drawn
from places import DATA
from zenbench.bench.export.checked import export_onnx
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.networks.model_file import FileSubject
from zenbench.bench.networks.onnx_graph import graph_of_onnx, read_onnx
from zenbench.errors import NetworkError
from zenbench.zen.cost import graph_cost
from zenbench.zen.graph import Graph
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.importing.read_graph import ReadGraph
from zenbench.zen.module import build_module, load_state


def _network(builder: GraphBuilder) -> str:
    x = builder.activation(builder.conv("input", 8, 3, 2, bias=True), "relu")
    gate = builder.activation(builder.conv(builder.global_average_pool(x), 8, 1, bias=True), "sigmoid")
    x = builder.add(builder.conv(builder.multiply(x, gate), 8, 3, groups=8, bias=True), x)
    x = builder.concat([x, builder.pool(x, "average", 3, 1, (1, 1, 1, 1), True)])
    return builder.linear(builder.global_average_pool(x), 5)


GRAPH = build(_network, 16).graph()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of a convolution, a gate, a sum, a join, a pool and a linear layer."""
    return write_onnx(GRAPH, state_arrays(drawn(GRAPH)), tmp_path / "n.onnx").path


def image(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((1, 3, 16, 16), dtype=np.float32)


def difference(path: Path, read: ReadGraph) -> float:
    """Of the outputs of onnxruntime and of what was read, relative to the former."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: image()})[0]
    module = build_module(read.graph)
    load_state(module, {name: torch.from_numpy(x) for name, x in read.state().items()}, "the file")
    with torch.no_grad():
        found = module(torch.from_numpy(image())).numpy()
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def unordered(model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)
    random.Random(1).shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def with_weights_as_inputs(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def with_constant_nodes(model: onnx.ModelProto) -> None:
    nodes = [helper.make_node("Constant", [], [one.name], value=one) for one in model.graph.initializer]
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend(nodes)


@pytest.mark.parametrize("change", [unordered, with_weights_as_inputs, with_constant_nodes])
def test_the_same_network_in_another_form_is_read_the_same(
    change: Callable[[onnx.ModelProto], None], path: Path
) -> None:
    expected = graph_of_onnx(path)
    model = onnx.load(str(path))
    change(model)
    onnx.save(model, path)
    read = read_onnx(path)
    assert graph_cost(read.graph) == graph_cost(expected)
    assert difference(path, read) < 1e-5


def test_nodes_in_a_circle_are_one_sentence(path: Path) -> None:
    model = onnx.load(str(path))
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]
    onnx.save(model, path)
    with pytest.raises(NetworkError, match="the ONNX file is not valid") as error:
        graph_of_onnx(path)
    assert "\n" not in str(error.value)


def moved(path: Path, location: str = "weights.bin", change: Any = None) -> None:
    """The file with its constants in another one."""
    model = onnx.load(str(path))
    onnx.external_data_helper.convert_model_to_external_data(model, location=location, size_threshold=0)
    if change is not None:
        change(model)
    onnx.save(model, path)


@pytest.mark.parametrize("change", [None, unordered])
def test_constants_beside_the_file_are_found_from_anywhere(
    change: Any, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = graph_of_onnx(path)
    moved(path, change=change)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "weights.bin").write_bytes(bytes((tmp_path / "weights.bin").stat().st_size))
    for folder, name in ((elsewhere, path), (tmp_path, Path(path.name))):
        monkeypatch.chdir(folder)
        read = read_onnx(name)
        assert graph_cost(read.graph) == graph_cost(expected)
        assert difference(name, read) < 1e-5


def test_a_file_with_its_weights_elsewhere_is_measured_from_anywhere(
    path: Path, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved(path)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = run("measure", str(path), "--format", "json")
    assert done.code == 0 and done.json()[0]["latency_ms"] > 0, done.err


@pytest.mark.parametrize("change", [None, unordered])
@pytest.mark.parametrize("location", ["../outside.bin", "/etc/hostname", "link.bin", "none.bin"])
def test_constants_outside_the_folder_are_never_read(
    location: str, change: Any, path: Path, tmp_path: Path
) -> None:
    moved(path, change=change)
    folder = tmp_path / "inside"
    folder.mkdir()
    path = path.rename(folder / path.name)
    (tmp_path / "weights.bin").rename(tmp_path / "outside.bin")
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    model = onnx.load(str(path), load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = location
    onnx.save(model, path)
    with pytest.raises(NetworkError) as error:
        read_onnx(path).state()
    assert "\n" not in str(error.value)


def test_a_cut_file_of_weights_is_one_sentence(path: Path, tmp_path: Path) -> None:
    moved(path)
    data = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(data[:10])
    with pytest.raises(NetworkError, match="beside the model") as error:
        read_onnx(path).state()
    assert "\n" not in str(error.value)


class Images(CalibrationDataReader):
    def __init__(self, name: str) -> None:
        self.left = [{name: image(seed)} for seed in range(4)]

    def get_next(self) -> Any:
        return self.left.pop() if self.left else None


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_quantised_files_are_read_as_what_they_quantise(
    form: QuantFormat, per_channel: bool, path: Path, tmp_path: Path
) -> None:
    expected = graph_of_onnx(path)
    name = onnx.load(str(path)).graph.input[0].name
    narrow = tmp_path / "int8.onnx"
    quantize_static(
        path,
        narrow,
        Images(name),
        quant_format=form,
        per_channel=per_channel,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    subject = FileSubject.read(narrow)
    read = subject.read_graph()
    assert subject.precision == "int8"
    assert graph_cost(read.graph).macs == graph_cost(expected).macs
    assert graph_cost(read.graph).params == graph_cost(expected).params
    assert 0 < difference(path, read) < 0.05


def test_our_own_int8_files_are_read_without_their_network(tmp_path: Path) -> None:
    path = export_onnx(TINY, tmp_path / "n.onnx", precision="int8")[0].path
    wide = export_onnx(TINY, tmp_path / "w.onnx")[0].path
    assert graph_cost(graph_of_onnx(path)) == graph_cost(graph_of_onnx(wide))
    assert difference(wide, read_onnx(path)) < 0.1


def test_a_public_file_of_pairs_is_counted() -> None:
    graph: Graph = graph_of_onnx(DATA / "onnx/int8_qdq.onnx")
    assert (graph_cost(graph).macs, graph_cost(graph).params) == (442_528, 602)


def test_scales_that_fit_no_axis_are_one_sentence(tmp_path: Path) -> None:
    model = onnx.load(str(DATA / "onnx/int8_qdq.onnx"))
    for tensor in model.graph.initializer:
        if tensor.name in ("wsc", "wzp"):
            numbers = np.ones(5, np.float32 if tensor.name == "wsc" else np.int8)
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    with pytest.raises(NetworkError, match="it has 5 scales for 3 places"):
        graph_of_onnx(model)
