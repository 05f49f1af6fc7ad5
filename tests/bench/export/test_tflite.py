"""TFLite files: every block kind and operation computes what torch computes, in few operators."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from operation_graphs import BLOCKS, GRAPHS, TINY, build, drawn, two_linear
from zenbench.bench.export.checked import export_tflite
from zenbench.bench.export.parity import check_tflite, gaussian
from zenbench.bench.export.running import tflite_runner
from zenbench.bench.export.tflite import lower, write_tflite
from zenbench.bench.export.tflite_file import model_bytes, read_contents, schema
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.bench.export.weights import state_arrays
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import initialise
from zenbench.zen.network import Network, parse_text


def operators(path: Path) -> Counter[str]:
    return Counter(read_contents(path.read_bytes()).operators)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("squeeze_excite", [False, True])
@pytest.mark.parametrize("resolution", [16, 17])
def test_every_block_kind_agrees_with_torch(
    tmp_path: Path, block: str, squeeze_excite: bool, resolution: int
) -> None:
    if squeeze_excite and block.startswith("SuperConv"):
        squeeze_excite = False
    network = Network(parse_text(f"SuperConvK3BNRELU(3,8,1,1){block}").blocks, resolution, 10, squeeze_excite)
    artifact, parity = export_tflite(network, tmp_path / "n.tflite")
    assert parity.relative_error < 1e-5
    assert artifact.inputs[0].shape == (1, resolution, resolution, 3)
    found = operators(artifact.path)
    assert not found.keys() & {"TRANSPOSE", "RESHAPE", "RELU", "RELU6"}


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_agrees_with_torch(tmp_path: Path, name: str, size: int) -> None:
    graph = build(GRAPHS[name], size).graph()
    module = drawn(graph)
    artifact = write_tflite(graph, state_arrays(module), tmp_path / "g.tflite", batch=2)
    x = gaussian((2, 3, size, size))
    assert check_tflite(artifact.path, module, x, "fp32").relative_error < 1e-5
    assert tflite_runner(artifact.path)(x).shape == (2, *graph.output_shape)
    assert ("TRANSPOSE" in operators(artifact.path)) == (name == "shuffle")


def test_average_pools_leave_the_padding_out_at_every_size(tmp_path: Path) -> None:
    for size in range(1, 10):
        graph = build(lambda b: b.pool(INPUT, "average", 3, 2), size).graph()
        path = write_tflite(graph, {}, tmp_path / "g.tflite").path
        ones = tflite_runner(path)(np.ones((1, 3, size, size), np.float32))
        assert np.allclose(ones, 1), size


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (GRAPHS["relu"], {"CONV_2D": 1}),
        (GRAPHS["relu6"], {"CONV_2D": 1}),
        (GRAPHS["hard-swish"], {"CONV_2D": 1, "HARD_SWISH": 1}),
        (lambda b: b.activation(b.add(b.conv(INPUT, 3, 1), INPUT), "relu"), {"CONV_2D": 1, "ADD": 1}),
        (lambda b: b.activation(b.batch_norm(INPUT), "relu"), {"DEPTHWISE_CONV_2D": 1}),
        (two_linear, {"CONV_2D": 1, "FULLY_CONNECTED": 2}),
        # The sum reads the convolution before the activation, so nothing may be fused into it.
        (
            lambda b: b.add(b.activation(x := b.conv(INPUT, 3, 1), "relu"), x),
            {"CONV_2D": 1, "RELU": 1, "ADD": 1},
        ),
        (
            lambda b: b.activation(b.concat([INPUT, b.conv(INPUT, 3, 1)]), "relu"),
            {"CONV_2D": 1, "CONCATENATION": 1, "RELU": 1},
        ),
    ],
)
def test_activations_are_fused_where_nothing_else_reads_the_tensor(
    tmp_path: Path, make: Callable[[GraphBuilder], str], expected: dict[str, int]
) -> None:
    graph = build(make).graph()
    module = initialise(graph)
    path = write_tflite(graph, state_arrays(module), tmp_path / "g.tflite").path
    assert operators(path) == expected
    assert check_tflite(path, module, gaussian((1, 3, 8, 8)), "fp32").relative_error < 1e-5


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_a_pad_stands_only_where_an_even_size_is_halved(tmp_path: Path, kernel: int, size: int) -> None:
    for stride in (1, 2):
        graph = build(lambda b, s=stride: b.conv(INPUT, 4, kernel, s), size).graph()  # type: ignore[misc]
        path = write_tflite(graph, timing_weights(graph), tmp_path / "g.tflite").path
        assert ("PAD" in operators(path)) == (stride == 2 and size % 2 == 0 and kernel > 1)


@pytest.mark.parametrize(
    "name",
    [
        "resnet-50",
        "densenet-121",
        "resnest-50",
        "mobilenetv2-0.5",
        "mnasnet-1.0",
        "efficientnet-b0",
        "regnety-400mf",
        "ofanet-595m",
        "dfnet-2a",
        "dnanet-a",
    ],
)
def test_every_family_agrees_with_torch(tmp_path: Path, name: str) -> None:
    artifact, parity = export_tflite(replace(zoo(name), resolution=33), tmp_path / "n.tflite")
    assert parity.relative_error < 5e-5
    assert not operators(artifact.path).keys() & {"TRANSPOSE", "RESHAPE"}


def test_a_cell_agrees_with_torch(tmp_path: Path) -> None:
    from zenbench.bench.networks.reading import networks_only, read

    cell = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    (network,) = networks_only([read(cell)], "exported")
    assert export_tflite(network, tmp_path / "n.tflite")[1].relative_error < 5e-5


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_same_network_same_file(tmp_path: Path, precision: str) -> None:
    files = [export_tflite(TINY, tmp_path / f"{n}.tflite", precision=precision)[0] for n in "ab"]
    assert files[0].sha256 == files[1].sha256
    assert files[0].path.read_bytes() == files[1].path.read_bytes()


def test_constants_lie_where_vectors_can_be_loaded(tmp_path: Path) -> None:
    data = export_tflite(TINY, tmp_path / "n.tflite")[0].path.read_bytes()
    model = schema().Model.GetRootAs(data)
    whole = np.frombuffer(data, np.uint8)
    held = [
        model.Buffers(n).DataAsNumpy() for n in range(model.BuffersLength()) if model.Buffers(n).DataLength()
    ]
    assert len(held) > 5
    for values in held:
        assert (values.ctypes.data - whole.ctypes.data) % 16 == 0


def test_the_signature_names_input_and_output(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(export_tflite(TINY, tmp_path / "n.tflite", batch=3)[0].path))
    assert runner.get_signature_list() == {"serving_default": {"inputs": ["input"], "outputs": ["output"]}}
    given, result = runner.get_input_details(), runner.get_output_details()
    assert [tuple(one["shape"]) for one in (*given, *result)] == [(3, 16, 16, 3), (3, 10)]


def test_given_weights_are_the_ones_exported(tmp_path: Path) -> None:
    module = initialise(TINY.graph(), seed=7)
    torch.save(module.state_dict(), tmp_path / "w.pt")
    path = export_tflite(TINY, tmp_path / "n.tflite", tmp_path / "w.pt")[0].path
    x = gaussian((1, 3, 16, 16))
    with torch.no_grad():
        assert np.allclose(tflite_runner(path)(x), module(torch.from_numpy(x)).numpy(), atol=1e-5)


def test_weights_past_two_gib_are_refused_before_they_are_written() -> None:
    class Huge(np.ndarray):  # type: ignore[type-arg]
        nbytes = 3 * 2**30  # type: ignore[assignment]

    model = lower(TINY.graph(), timing_weights(TINY.graph()), 1)
    name = next(name for name, tensor in model.tensors.items() if tensor.values is not None)
    values = np.zeros(3, np.float32).view(Huge)
    model.tensors[name] = replace(model.tensors[name], values=values)
    with pytest.raises(UserError, match="less than 2 GiB"):
        model_bytes(model)
