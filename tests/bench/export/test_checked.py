"""ONNX files: every block kind computes what torch computes, at any batch, with any weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from operation_graphs import GRAPHS, drawn
from zenbench.bench.export.checked import export_onnx
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.parity import LIMITS, Parity, check_onnx, compare, gaussian
from zenbench.bench.export.weights import state_arrays
from zenbench.errors import UserError
from zenbench.zen.families import zoo
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import build_module, initialise
from zenbench.zen.network import Network, parse_text

BLOCKS = [
    *(f"SuperResK{k}K{k}(8,16,{s},8,2)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResK1K{k}K1(8,16,{s},8,1)" for k in (3, 5, 7) for s in (1, 2)),
    *(f"SuperResIDWE{e}K{k}(8,24,2,16,1)" for e in (1, 2, 4, 6) for k in (3, 5, 7)),
    *(f"SuperConvK{k}BNRELU(8,16,2,2)" for k in (1, 3, 5, 7)),
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("squeeze_excite", [False, True])
def test_every_block_kind_agrees_with_torch(tmp_path: Path, block: str, squeeze_excite: bool) -> None:
    if squeeze_excite and block.startswith("SuperConv"):
        squeeze_excite = False
    network = Network(parse_text(f"SuperConvK3BNRELU(3,8,1,1){block}").blocks, 17, 10, squeeze_excite)
    _, parity = export_onnx(network, tmp_path / "n.onnx")
    assert parity.relative_error < 1e-5
    assert parity.max_error > 0 or parity.relative_error == 0


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("name", GRAPHS)
def test_every_operation_agrees_with_torch(tmp_path: Path, name: str, size: int) -> None:
    builder = GraphBuilder((3, size, size))
    GRAPHS[name](builder)
    graph = builder.graph()
    module = drawn(graph)
    artifact = write_onnx(graph, state_arrays(module), tmp_path / "g.onnx", batch=2)
    onnx.checker.check_model(onnx.load(str(tmp_path / "g.onnx")), full_check=True)
    parity = check_onnx(artifact, module, gaussian((2, 3, size, size)))
    assert parity.relative_error < 1e-5
    with torch.no_grad():
        assert module(torch.zeros(2, 3, size, size)).shape == (2, *graph.output_shape)


def test_whole_network_and_batch(tmp_path: Path) -> None:
    artifact, parity = export_onnx(zoo("zennet-cifar-0.5m"), tmp_path / "n.onnx", batch=3)
    assert parity.holds
    assert artifact.inputs[0].shape == (3, 3, 32, 32)
    onnx.checker.check_model(onnx.load(str(artifact.path)), full_check=True)


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
    artifact, parity = export_onnx(replace(zoo(name), resolution=33), tmp_path / "n.onnx")
    assert parity.relative_error < 5e-5
    onnx.checker.check_model(str(artifact.path))


def test_same_network_same_file(tmp_path: Path) -> None:
    network = parse_text("SuperConvK3BNRELU(3,8,1,1)", 8, 10)
    assert (
        export_onnx(network, tmp_path / "a.onnx")[0].sha256
        == export_onnx(network, tmp_path / "b.onnx")[0].sha256
    )


def test_given_weights_are_the_ones_exported(tmp_path: Path) -> None:
    network = parse_text("SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,8,1,8,1)", 8, 10)
    module = initialise(build_module(network.graph()), seed=7)
    torch.save(module.state_dict(), tmp_path / "w.pt")
    export_onnx(network, tmp_path / "n.onnx", tmp_path / "w.pt")
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), dtype=np.float32)
    y = onnxruntime.InferenceSession(str(tmp_path / "n.onnx")).run(None, {"input": x})[0]
    with torch.no_grad():
        assert np.allclose(y, module(torch.from_numpy(x)).numpy(), atol=1e-5)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    small, large = (parse_text(f"SuperConvK3BNRELU(3,{width},1,1)", 8, 10) for width in (8, 16))
    torch.save(build_module(small.graph()).state_dict(), tmp_path / "w.pt")
    with pytest.raises(UserError, match="is 8 x 3 x 3 x 3"):
        export_onnx(large, tmp_path / "n.onnx", tmp_path / "w.pt")
    assert not (tmp_path / "n.onnx").exists()
    with pytest.raises(UserError, match="hold no"):
        write_onnx(large.graph(), {}, tmp_path / "n.onnx")


def test_parity_sees_a_wrong_file() -> None:
    module = initialise(build_module(parse_text("SuperConvK3BNRELU(3,8,1,1)", 8, 10).graph()))
    parity = compare(lambda x: np.zeros((1, 10), np.float32), module, gaussian((1, 3, 8, 8)))
    assert isinstance(parity, Parity) and not parity.holds
    assert parity.relative_error == pytest.approx(1.0)


def test_a_network_that_amplifies_rounding_is_held_to_what_torch_itself_reaches(tmp_path: Path) -> None:
    text = (
        "SuperConvK3BNRELU(3,40,1,1)SuperResIDWE6K3(40,24,1,8,2)SuperResIDWE2K3(24,48,2,16,4)"
        "SuperResIDWE2K5(48,16,2,96,7)SuperResIDWE6K5(16,160,2,48,3)SuperConvK1BNRELU(160,264,1,1)"
    )
    _, parity = export_onnx(parse_text(text, 32, 10), tmp_path / "n.onnx")
    assert parity.torch_error > 5e-5 and parity.limit > LIMITS["fp32"] and parity.holds


def test_exported_weights_keep_activations_near_unit_normal() -> None:
    module = build_module(zoo("zennet-cifar-2m").graph())
    initialise(module, 0)
    with torch.no_grad():
        assert module(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))).abs().max() < 50
