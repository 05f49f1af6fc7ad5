"""ONNX files in fp16 and int8: computed as in fp32 but for their noise, and built as TensorRT wants them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, numpy_helper
from zenbench.bench.export.activation_ranges import ranges
from zenbench.bench.export.checked import export_onnx
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.parity import check_onnx, gaussian
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.bench.networks.model_file import FileSubject
from zenbench.devices.base import Artifact, Setting
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT, Graph
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import initialise
from zenbench.zen.network import Network, parse_text
from zenbench.zen.workload import Workload

BLOCKS = (
    "SuperResK3K3(8,16,2,8,2)",
    "SuperResK5K5(8,16,1,8,1)",
    "SuperResK1K3K1(8,16,1,8,2)",
    "SuperResK1K7K1(8,16,2,8,1)",
    "SuperResIDWE1K3(8,24,2,16,1)",
    "SuperResIDWE6K5(8,24,1,16,2)",
    "SuperConvK1BNRELU(8,16,1,1)",
    "SuperConvK3BNRELU(8,16,2,2)",
)
NOISE = {"fp16": 5e-3, "int8": 0.12}


def small(block: str, squeeze_excite: bool = False) -> Network:
    return Network(parse_text(f"SuperConvK3BNRELU(3,8,1,1){block}").blocks, 17, 10, squeeze_excite)


def model_of(artifact: Artifact) -> Any:
    model = onnx.load(str(artifact.path))
    onnx.checker.check_model(model, full_check=True)
    return model


def graph_of(build: Callable[[GraphBuilder], str], size: int = 9) -> Graph:
    builder = GraphBuilder((3, size, size))
    build(builder)
    return builder.graph()


def written(graph: Graph, path: Path, precision: str) -> tuple[Artifact, float]:
    module = initialise(graph)
    artifact = write_onnx(graph, state_arrays(module), path, 2, precision=precision)
    return artifact, check_onnx(artifact, module, gaussian((8, *graph.input_shape))).relative_error


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("squeeze_excite", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_kind_is_as_in_torch_but_for_noise(
    tmp_path: Path, block: str, squeeze_excite: bool, precision: str
) -> None:
    network = small(block, squeeze_excite and not block.startswith("SuperConv"))
    artifact, parity = export_onnx(network, tmp_path / "n.onnx", precision=precision)
    assert 1e-6 < parity.relative_error < NOISE[precision]
    model_of(artifact)


def split_attention(b: GraphBuilder) -> str:
    shares = b.group_softmax(b.conv(b.global_average_pool(INPUT), 6, 1, bias=True), 2)
    return b.sum([b.multiply(INPUT, b.slice(shares, start, 3)) for start in (0, 3)])


GRAPHS: dict[str, Callable[[GraphBuilder], str]] = {
    **{
        function: lambda b, function=function: b.activation(b.batch_norm(b.conv(INPUT, 8, 3)), function)
        for function in ("relu6", "swish", "hard-swish", "sigmoid", "hard-sigmoid")
    },
    "max pool": lambda b: b.pool(b.conv(INPUT, 8, 3), "max", 3, 2),
    "average pool": lambda b: b.pool(b.conv(INPUT, 8, 3), "average", 2, 2),
    "concat": lambda b: b.concat([b.conv(INPUT, 8, 1), b.conv(INPUT, 4, 3), INPUT]),
    "sum of three": lambda b: b.sum([b.conv(INPUT, 8, k, bias=True) for k in (1, 3, 5)]),
    "norm of its own": lambda b: b.batch_norm(b.concat([b.conv(INPUT, 8, 1), INPUT])),
    "split attention": split_attention,
    "grouped": lambda b: b.conv(b.conv(INPUT, 8, 1), 12, 3, 2, groups=4),
    "linear over a map": lambda b: b.linear(b.activation(b.conv(INPUT, 4, 3), "relu"), 5),
}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_is_as_in_torch_but_for_noise(tmp_path: Path, name: str, precision: str) -> None:
    artifact, error = written(graph_of(GRAPHS[name]), tmp_path / "g.onnx", precision)
    assert error < NOISE[precision]
    model_of(artifact)


@pytest.mark.parametrize(
    ("name", "least_db"),
    [
        ("resnet-18", 24),
        ("zennet-cifar-0.5m", 10),
        ("mobilenetv2-0.5", 10),
        ("efficientnet-b0", 10),
        ("regnety-400mf", 14),
        ("densenet-121", 10),
    ],
)
def test_whole_networks_keep_their_signal(tmp_path: Path, name: str, least_db: float) -> None:
    network = replace(zoo(name), resolution=64)
    noises = {p: export_onnx(network, tmp_path / f"{p}.onnx", precision=p)[1].snr_db for p in NOISE}
    assert noises["int8"] > least_db
    assert noises["fp16"] > 35


@pytest.mark.parametrize("name", ["resnet-18", "mobilenetv2-0.5", "resnest-50", "efficientnet-b0"])
def test_fp16_files_hold_nothing_wider(tmp_path: Path, name: str) -> None:
    graph = replace(zoo(name), resolution=33).graph()
    model = model_of(
        write_onnx(graph, state_arrays(initialise(graph)), tmp_path / "n.onnx", precision="fp16")
    )
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {v.type.tensor_type.elem_type for v in (*inferred.input, *inferred.output, *inferred.value_info)}
    types |= {tensor.data_type for tensor in inferred.initializer}
    assert types <= {TensorProto.FLOAT16, TensorProto.INT64}, "INT64: bounds of slices and shapes"


@pytest.fixture(params=["resnet-18", "mobilenetv2-0.5", "efficientnet-b0", "densenet-121", "resnest-50"])
def int8_model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    graph = replace(zoo(request.param), resolution=33).graph()
    path = tmp_path / "n.onnx"
    return model_of(write_onnx(graph, state_arrays(initialise(graph)), path, precision="int8"))


class Wiring:
    """Who writes and who reads each tensor of a model."""

    def __init__(self, model: Any) -> None:
        self.nodes: list[NodeProto] = list(model.graph.node)
        self.writer = {name: node for node in self.nodes for name in node.output}
        self.readers = Counter(name for node in self.nodes for name in node.input)
        self.arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    def of(self, *kinds: str) -> list[NodeProto]:
        return [node for node in self.nodes if node.op_type in kinds]

    def kind_before(self, name: str) -> str | None:
        return self.writer[name].op_type if name in self.writer else None


def test_weights_have_a_scale_a_channel_and_biases_none(int8_model: Any) -> None:
    wiring = Wiring(int8_model)
    for node in wiring.of("Conv", "Gemm"):
        dequantise = wiring.writer[node.input[1]]
        quantise = wiring.writer[dequantise.input[0]]
        assert (dequantise.op_type, quantise.op_type) == ("DequantizeLinear", "QuantizeLinear")
        weight, scale, zero = (wiring.arrays[name] for name in quantise.input)
        assert list(dequantise.input[1:]) == list(quantise.input[1:])
        assert {attribute.name: attribute.i for attribute in quantise.attribute} == {"axis": 0}
        assert weight.dtype == np.float32 and scale.shape == zero.shape == (len(weight),)
        assert zero.dtype == np.int8 and not zero.any() and (scale > 0).all()
        reached = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        assert np.allclose(reached / scale, 127)
        assert wiring.arrays[node.input[2]].dtype == np.float32


def test_activations_have_one_scale_and_zero_point_nought(int8_model: Any) -> None:
    wiring = Wiring(int8_model)
    for node in wiring.of("QuantizeLinear", "DequantizeLinear"):
        scale, zero = wiring.arrays[node.input[1]], wiring.arrays[node.input[2]]
        assert zero.dtype == np.int8 and not zero.any(), "a zero point left out would be one of uint8"
        assert scale.dtype == np.float32 and (scale > 0).all()
        if node.input[0] not in wiring.arrays and ".weight" not in node.input[0]:
            assert scale.shape == () and not node.attribute


def test_a_tensor_is_quantised_once_and_dequantised_for_each_reader(int8_model: Any) -> None:
    wiring = Wiring(int8_model)
    for node in wiring.of("DequantizeLinear"):
        assert wiring.readers[node.output[0]] == 1
    quantised = [node.input[0] for node in wiring.of("QuantizeLinear")]
    assert len(quantised) == len(set(quantised))


def test_what_computes_in_int8_reads_pairs(int8_model: Any) -> None:
    wiring = Wiring(int8_model)
    for node in wiring.of("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "Flatten"):
        assert wiring.kind_before(node.input[0]) == "DequantizeLinear"
    for node in wiring.of("Relu", "Clip", "Concat", "Softmax", "Sigmoid"):
        assert all(wiring.kind_before(name) != "DequantizeLinear" for name in node.input if name != "input")


@pytest.mark.parametrize("block", ["SuperResK3K3(8,8,1,8,1)", "SuperResK3K3(8,16,2,8,1)"])
def test_a_sum_has_pairs_but_on_the_convolution_it_fuses_into(tmp_path: Path, block: str) -> None:
    artifact, _ = export_onnx(small(block), tmp_path / "n.onnx", precision="int8")
    wiring = Wiring(model_of(artifact))
    (node,) = wiring.of("Add")
    assert [wiring.kind_before(name) for name in node.input] == ["Conv", "DequantizeLinear"]


def test_a_convolution_read_twice_keeps_its_pair_before_a_sum(tmp_path: Path) -> None:
    graph = graph_of(lambda b: b.add(b.activation(x := b.conv(INPUT, 3, 3), "relu"), x))
    wiring = Wiring(model_of(written(graph, tmp_path / "g.onnx", "int8")[0]))
    (node,) = wiring.of("Add")
    assert [wiring.kind_before(name) for name in node.input] == ["DequantizeLinear"] * 2


def test_both_ends_are_int8_and_their_scales_are_told(tmp_path: Path) -> None:
    network = small("SuperResK1K3K1(8,16,1,8,1)")
    artifact, _ = export_onnx(network, tmp_path / "n.onnx", batch=3, precision="int8")
    model = model_of(artifact)
    (given,), (result,) = model.graph.input, model.graph.output
    assert {end.type.tensor_type.elem_type for end in (given, result)} == {TensorProto.INT8}
    assert [e.dim_value for e in given.type.tensor_type.shape.dim] == [3, 3, 17, 17]
    assert list(artifact.scales) == [given.name, result.name] and min(artifact.scales.values()) > 0
    assert (artifact.precision, artifact.inputs[0].dtype) == ("int8", "int8")
    assert "scales" in (tmp_path / "n.onnx").read_bytes().decode("latin-1")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_file_suits_tensorrt_from_8_6(tmp_path: Path, precision: str) -> None:
    model = model_of(export_onnx(small(BLOCKS[4], True), tmp_path / "n.onnx", precision=precision)[0])
    assert [entry.version for entry in model.opset_import] == [17]
    assert not [node.op_type for node in model.graph.node if node.domain]


def test_a_file_is_measured_in_its_precision_alone(tmp_path: Path) -> None:
    network = small(BLOCKS[0])
    path = export_onnx(network, tmp_path / "n.onnx", precision="int8")[0].path
    subject = FileSubject.read(path)
    assert subject.network == network and subject.inputs[0].dtype == "int8"
    setting = Setting("t4", "tensorrt", "int8", 1)
    assert subject.artifact(tmp_path, setting, "onnx").precision == "int8"
    with pytest.raises(UserError, match="is int8, the setting asks for fp16"):
        subject.artifact(tmp_path, replace(setting, precision="fp16"), "onnx")


def test_a_subject_is_written_in_the_precision_of_the_setting(tmp_path: Path) -> None:
    subject = WorkloadSubject(Workload.parse("conv(kernel=3,in_channels=3,out_channels=8,stride=2)@16"))
    files = [subject.artifact(tmp_path, Setting("t4", "tensorrt", p, 4), "onnx") for p in ("fp16", "int8")]
    assert [one.inputs[0].dtype for one in files] == ["float16", "int8"]


def test_ranges_come_from_the_images_given(tmp_path: Path) -> None:
    graph = small(BLOCKS[0]).graph()
    state = state_arrays(initialise(graph))
    batch = gaussian((4, *graph.input_shape))
    quiet, loud = ranges(graph, state, [batch]), ranges(graph, state, [batch, 10 * batch])
    assert loud[INPUT] == pytest.approx(10 * quiet[INPUT])
    assert all(loud[name] >= quiet[name] > 0 for name in quiet)
    assert ranges(graph, state) == ranges(graph, state), "Gaussian images are seeded"


def test_images_are_calibrated_on_and_one_batch_is_kept_for_the_check(tmp_path: Path) -> None:
    network = small(BLOCKS[0])
    images = 50 * gaussian((6, 3, 17, 17))
    narrow = export_onnx(network, tmp_path / "a.onnx", precision="int8")[0]
    wide, parity = export_onnx(network, tmp_path / "b.onnx", precision="int8", images=np.split(images, 6))
    assert wide.scales[INPUT] > 20 * narrow.scales[INPUT]
    module = initialise(network.graph())
    assert check_onnx(narrow, module, images[5:]).relative_error > 2 * parity.relative_error


def test_dead_tensors_and_weights_give_no_nan(tmp_path: Path) -> None:
    graph = small(BLOCKS[0]).graph()
    module = initialise(graph)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    artifact = write_onnx(graph, state_arrays(module), tmp_path / "n.onnx", precision="int8")
    assert check_onnx(artifact, module, gaussian((1, *graph.input_shape))).max_error == 0
