"""TFLite files: every block kind computes what torch computes, in few operators, at every precision."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from zenbench.bench.export.export import export_onnx, export_tflite
from zenbench.bench.export.parity import LIMITS, check_tflite, gaussian, run_tflite
from zenbench.bench.export.quantise import gaussian_batches, quantise, read_batches
from zenbench.bench.export.tflite import lower, write_tflite
from zenbench.bench.export.tflite_file import model_bytes, read_contents, schema
from zenbench.bench.subjects import FileSubject, seeded_weights, state_arrays
from zenbench.devices.base import Setting
from zenbench.errors import DeviceError, NetworkError, UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT, Function, GraphBuilder, PoolMode
from zenbench.zen.module import initialise
from zenbench.zen.network import Network, parse_text

BLOCKS = [
    *(f"SuperResK{k}K{k}(8,16,{s},8,2)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResK1K{k}K1(8,16,{s},8,1)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResIDWE{e}K{k}(8,24,2,16,1)" for e in (1, 2, 4, 6) for k in (3, 5, 7)),
    *(f"SuperConvK{k}BNRELU(8,16,2,2)" for k in (1, 3, 5, 7)),
]
TINY = parse_text("SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,1)", 16, 10)


def operators(path: Path) -> Counter[str]:
    return Counter(read_contents(path.read_bytes()).operators)


def build(make: Callable[[GraphBuilder], str], size: int = 8, channels: int = 3) -> GraphBuilder:
    builder = GraphBuilder((channels, size, size))
    make(builder)
    return builder


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


def _pooled(mode: PoolMode, kernel: int, stride: int) -> Callable[[GraphBuilder], str]:
    return lambda b: b.pool(b.conv(INPUT, 8, 3), mode, kernel, stride)


def _activated(function: Function) -> Callable[[GraphBuilder], str]:
    return lambda b: b.activation(b.batch_norm(b.conv(INPUT, 8, 3)), function)


def _branches(builder: GraphBuilder) -> list[str]:
    return [builder.conv(INPUT, 8, kernel, bias=True) for kernel in (1, 3, 5)]


def _split_attention(builder: GraphBuilder) -> str:
    shares = builder.group_softmax(builder.conv(builder.global_average_pool(INPUT), 6, 1, bias=True), 2)
    parts = [builder.multiply(INPUT, builder.slice(shares, start, 3)) for start in (0, 3)]
    return builder.sum(parts)


def _two_linear(builder: GraphBuilder) -> str:
    return builder.linear(builder.activation(builder.linear(builder.conv(INPUT, 4, 3), 6), "relu"), 5)


GRAPHS: dict[str, Callable[[GraphBuilder], str]] = {
    **{function: _activated(function) for function in get_args(Function)},
    **{
        f"{m} pool {k}/{s}": _pooled(m, k, s) for m in get_args(PoolMode) for k, s in ((2, 2), (3, 1), (3, 2))
    },
    "max pool of what is positive": lambda b: b.pool(b.activation(b.conv(INPUT, 8, 3), "relu"), "max", 3, 2),
    "concat": lambda b: b.activation(b.batch_norm(b.concat(_branches(b))), "relu"),
    "sum": lambda b: b.batch_norm(b.sum(_branches(b))),
    "slice": lambda b: b.conv(b.slice(b.conv(INPUT, 8, 1), 3, 4), 5, 1),
    "split attention": _split_attention,
    "softmax of three": lambda b: b.group_softmax(b.conv(INPUT, 6, 1), 3),
    "norm of a tensor read twice": lambda b: b.add(b.batch_norm(x := b.conv(INPUT, 8, 3)), x),
    "grouped convolution": lambda b: b.conv(b.conv(INPUT, 8, 1), 12, 3, 2, groups=4),
    "depthwise, three for one": lambda b: b.conv(b.conv(INPUT, 8, 1), 24, 5, 2, groups=8),
    "depthwise 7x7": lambda b: b.conv(b.conv(INPUT, 8, 1), 8, 7, 1, groups=8),
    "stride 3": lambda b: b.conv(INPUT, 8, 3, 3),
    "linear of a map": lambda b: b.linear(b.conv(INPUT, 8, 3), 5),
    "linear twice": _two_linear,
}


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_agrees_with_torch(tmp_path: Path, name: str, size: int) -> None:
    graph = build(GRAPHS[name], size).graph()
    module = initialise(graph)
    artifact = write_tflite(graph, state_arrays(module), tmp_path / "g.tflite", batch=2)
    x = gaussian((2, 3, size, size))
    assert check_tflite(artifact.path, module, x, "fp32").relative_error < 1e-5
    assert run_tflite(artifact.path, x).shape == (2, *graph.output_shape)
    assert "TRANSPOSE" not in operators(artifact.path)


def test_average_pools_leave_the_padding_out_at_every_size(tmp_path: Path) -> None:
    for size in range(1, 10):
        graph = build(lambda b: b.pool(INPUT, "average", 3, 2), size).graph()
        path = write_tflite(graph, {}, tmp_path / "g.tflite").path
        ones = run_tflite(path, np.ones((1, 3, size, size), np.float32))
        assert np.allclose(ones, 1), size


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_activated("relu"), {"CONV_2D": 1}),
        (_activated("relu6"), {"CONV_2D": 1}),
        (_activated("hard-swish"), {"CONV_2D": 1, "HARD_SWISH": 1}),
        (lambda b: b.activation(b.add(b.conv(INPUT, 3, 1), INPUT), "relu"), {"CONV_2D": 1, "ADD": 1}),
        (lambda b: b.activation(b.batch_norm(INPUT), "relu"), {"DEPTHWISE_CONV_2D": 1}),
        (_two_linear, {"CONV_2D": 1, "FULLY_CONNECTED": 2}),
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
        path = write_tflite(graph, seeded_weights(graph), tmp_path / "g.tflite").path
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
    from zenbench.bench.networks import networks_only, read

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
        assert np.allclose(run_tflite(path, x), module(torch.from_numpy(x)).numpy(), atol=1e-5)


def test_weights_past_two_gib_are_refused_before_they_are_written() -> None:
    class Huge(np.ndarray):  # type: ignore[type-arg]
        nbytes = 3 * 2**30  # type: ignore[assignment]

    model = lower(TINY.graph(), seeded_weights(TINY.graph()), 1)
    name = next(name for name, tensor in model.tensors.items() if tensor.values is not None)
    values = np.zeros(3, np.float32).view(Huge)
    model.tensors[name] = replace(model.tensors[name], values=values)
    with pytest.raises(UserError, match="less than 2 GiB"):
        model_bytes(model)


def test_fp16_halves_the_file_and_keeps_the_answer(tmp_path: Path) -> None:
    network = zoo("zennet-cifar-0.5m")
    whole, _ = export_tflite(network, tmp_path / "32.tflite")
    half, parity = export_tflite(network, tmp_path / "16.tflite", precision="fp16")
    assert 0.5 < half.path.stat().st_size / whole.path.stat().st_size < 0.53
    assert 1e-5 < parity.relative_error < LIMITS["fp16"] and parity.holds
    assert half.inputs[0].dtype == "float32"
    assert FileSubject.read(half.path).precision == "fp16"


def test_int8_quarters_the_file_and_takes_and_gives_bytes(tmp_path: Path) -> None:
    network = zoo("resnet-18")
    whole, exact = export_tflite(replace(network, resolution=64), tmp_path / "32.tflite")
    small, parity = export_tflite(replace(network, resolution=64), tmp_path / "8.tflite", precision="int8")
    assert small.path.stat().st_size < 0.27 * whole.path.stat().st_size
    assert small.inputs[0].dtype == "int8"
    contents = read_contents(small.path.read_bytes())
    assert contents.inputs[0][1].dtype == "int8"
    assert contents.dtypes == {"int8", "int32"}, "nothing is left in fp32"
    assert parity.snr_db is not None and 20 < parity.snr_db < 60
    assert exact.snr_db is not None and exact.snr_db > 100


@pytest.mark.parametrize("block", BLOCKS[::3])
def test_int8_blocks_keep_most_of_the_signal(tmp_path: Path, block: str) -> None:
    network = Network(parse_text(f"SuperConvK3BNRELU(3,8,1,1){block}").blocks, 16, 10, "Conv" not in block)
    _, parity = export_tflite(network, tmp_path / "n.tflite", precision="int8")
    assert parity.holds and parity.snr_db is not None and parity.snr_db > 12


def test_int8_weights_have_a_scale_a_channel() -> None:
    graph = TINY.graph()
    data = quantise(model_bytes(lower(graph, seeded_weights(graph), 1)), gaussian_batches((1, 16, 16, 3)))
    model = schema().Model.GetRootAs(data)
    tensors = [model.Subgraphs(0).Tensors(n) for n in range(model.Subgraphs(0).TensorsLength())]
    weights = [tensor for tensor in tensors if tensor.Name().endswith(b"conv1.weight")]
    assert len(weights) > 1
    for tensor in weights:
        assert tensor.Quantization().ScaleLength() == tensor.Shape(0) > 1


def test_what_the_quantizer_cannot_do_is_told_in_one_line(tmp_path: Path) -> None:
    graph = build(lambda b: b.conv(INPUT, 2100, 1), size=2, channels=4100).graph()  # 34 MB of weights
    with pytest.raises(DeviceError, match=r"^ai-edge-quantizer failed: .*conv1\.weight") as caught:
        write_tflite(graph, seeded_weights(graph), tmp_path / "g.tflite", precision="int8")
    assert "\n" not in str(caught.value)


def test_given_images_set_the_ranges(tmp_path: Path) -> None:
    images = 20 * np.random.default_rng(0).standard_normal((9, 3, 16, 16), dtype=np.float32)
    np.save(tmp_path / "i.npy", images)
    np.savez(tmp_path / "i.npz", images=images)
    narrow = export_tflite(TINY, tmp_path / "n.tflite", precision="int8")[0]
    wide, parity = export_tflite(
        TINY, tmp_path / "w.tflite", precision="int8", batch=2, calibrate=tmp_path / "i.npy"
    )
    again = export_tflite(
        TINY, tmp_path / "z.tflite", precision="int8", batch=2, calibrate=tmp_path / "i.npz"
    )
    assert parity.snr_db is not None and parity.snr_db > 15
    assert again[0].sha256 == wide.sha256
    loud = images[:1]
    with torch.no_grad():
        truth = initialise(TINY.graph())(torch.from_numpy(loud)).numpy()
    error = np.linalg.norm(run_tflite(narrow.path, loud) - truth) / np.linalg.norm(truth)
    assert error > 4 * parity.relative_error, "ranges of N(0,1) cut such images off"


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((4, 16, 16, 3), np.float32), r"\(K, 3, 16, 16\)"),
        (np.zeros((4, 3, 16, 16), np.int64), "holds int64"),
        (np.zeros((1, 3, 16, 16), np.float32), "give at least 2"),
        (np.full((4, 3, 16, 16), np.nan, np.float32), "no numbers"),
        (np.array(None), "cannot be read"),
    ],
)
def test_images_that_will_not_do(tmp_path: Path, images: np.ndarray, sentence: str) -> None:  # type: ignore[type-arg]
    np.save(tmp_path / "i.npy", images, allow_pickle=True)
    with pytest.raises(UserError, match=sentence):
        read_batches(tmp_path / "i.npy", 1, (3, 16, 16))


def test_a_file_can_be_read_back(tmp_path: Path, run: Callable[..., Any]) -> None:
    network = Network(TINY.blocks[:1], 16, 10, squeeze_excite=False)
    for precision in ("fp32", "fp16", "int8"):
        path = export_tflite(network, tmp_path / f"{precision}.tflite", precision=precision)[0].path
        subject = FileSubject.read(path)
        assert subject.network == network and subject.precision == precision
        (row,) = run("cost", str(path), "--format", "json").json()
        assert row["digest"] == network.digest


def test_a_foreign_file_is_no_network(tmp_path: Path, run: Callable[..., Any]) -> None:
    graph = TINY.graph()
    write_tflite(graph, seeded_weights(graph), tmp_path / "f.tflite")
    subject = FileSubject.read(tmp_path / "f.tflite")
    assert subject.network is None and subject.inputs[0].shape == (1, 16, 16, 3)
    for command in ("cost", "score"):
        refused = run(command, "f.tflite")
        assert refused.code == 2 and "was not written by zenbench" in refused.err
        assert refused.err.count("\n") == 1


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
