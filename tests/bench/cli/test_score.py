"""`zenbench score`: many networks, foreign files, and what has no score."""

import json
from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from toys import STRIDED
from zenbench.bench.cli.main import main
from zenbench.bench.export.checked import export_onnx
from zenbench.errors import NetworkError, UserError
from zenbench.zen.families import zoo
from zenbench.zen.module import build_module
from zenbench.zen.network import parse_text
from zenbench.zen.proxies import PROXIES, score, score_module


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["score", "--resolution", "32", *arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return int(caught.value.code or 0), captured.out, captured.err


def test_a_network_without_a_score_leaves_the_others_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, STRIDED, "zoo:densenet-121", "--format", "json")
    scored, refused = json.loads(out)
    assert code == 1
    assert scored["value"] > 0 and "reason" not in scored
    assert refused["value"] is None and "no closed form" in refused["reason"]
    assert err.count("use --proxy zen") == 1


def test_where_none_has_a_score_the_reason_is_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "zoo:densenet-121")
    assert (code, out) == (2, "") and "no closed form" in err


@pytest.mark.parametrize("proxy", PROXIES)
def test_every_proxy_answers(proxy: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{STRIDED}SuperResK3K3(16,16,2,8,1)SuperResK3K3(16,16,2,8,1)SuperResK3K3(16,16,2,8,1)"
    code, out, _ = run(
        capsys, text, "--resolution", "64", "--proxy", proxy, "--format", "json", "--batch", "4"
    )
    (record,) = json.loads(out)
    assert code == 0 and isinstance(record["value"], float) and record["proxy"] == proxy
    assert ("reading" in record) == proxy.startswith("zen")


class Own(nn.Module):
    """A residual network as a user writes it."""

    def __init__(self, sibling: bool = False, norm: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, padding=1, bias=False)]
        self.stem = nn.Sequential(*layers, nn.BatchNorm2d(8) if norm else nn.Identity(), nn.ReLU())
        self.one = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.other = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.sibling = sibling

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        shortcut = self.other(x) if self.sibling else x
        return torch.relu(self.one(x) + shortcut).mean((2, 3))


def test_a_module_scores_as_the_network_it_is() -> None:
    network = parse_text("SuperConvK3BNRELU(3,8,1,2)", 16)
    own = score_module(Own(), (3, 16, 16), "zen-closed")
    assert own.value == pytest.approx(score(network, "zen-closed").value)
    whole = build_module(zoo("zennet-cifar-1m").graph())
    expected = score(zoo("zennet-cifar-1m"), "zen-closed").value
    assert score_module(whole, (3, 32, 32), "zen-closed").value == pytest.approx(expected)


def test_branches_that_count_alike_are_scored_by_passes_and_have_no_closed_form() -> None:
    assert score_module(Own(sibling=True), (3, 16, 16), batch=4).value > 0
    with pytest.raises(NetworkError, match="joins or splits branches; use --proxy zen"):
        score_module(Own(sibling=True), (3, 16, 16), "zen-closed")


def test_a_module_without_batch_norm_is_for_other_proxies() -> None:
    with pytest.raises(NetworkError, match="the module has no Zen-Score: 1 of its 2 convolutions"):
        score_module(Own(norm=False), (3, 16, 16))
    assert score_module(Own(norm=False), (3, 16, 16), "naswot", batch=4).value > 0


def test_a_foreign_file_is_scored_as_it_computes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.onnx"
    state = {
        "w": torch.ones(8, 3, 3, 3),
        **{name: torch.ones(8) for name in ("scale", "shift", "mean", "var")},
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["b"]),
        helper.make_node("Relu", ["b"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "own",
        [value("x", onnx.TensorProto.FLOAT, [1, 3, 32, 32])],
        [value("y", onnx.TensorProto.FLOAT, [1, 8, 1, 1])],
        [numpy_helper.from_array(tensor.numpy(), name) for name, tensor in state.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    code, out, _ = run(capsys, str(path), "--format", "json")
    (record,) = json.loads(out)
    network = parse_text("SuperConvK3BNRELU(3,8,1,1)", 32)
    assert code == 0 and record["value"] == pytest.approx(score(network, "zen-closed").value)
    assert record["network"] == str(path) and record["digest"].startswith("file:")


def test_a_file_that_zenbench_wrote_keeps_its_score_though_its_norms_are_folded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = parse_text(STRIDED, 32)
    export_onnx(network, tmp_path / "n.onnx")
    _, out, _ = run(capsys, str(tmp_path / "n.onnx"), "--format", "json")
    assert json.loads(out)[0]["value"] == score(network, "zen-closed").value


def test_a_file_with_folded_norms_has_no_zen_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_onnx(parse_text(STRIDED, 32), tmp_path / "n.onnx")
    model = onnx.load(tmp_path / "n.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    code, _, err = run(capsys, str(tmp_path / "bare.onnx"))
    assert code == 2 and "have no batch norm after them" in err and "phi" in err
    assert run(capsys, str(tmp_path / "bare.onnx"), "--proxy", "phi", "--batch", "4")[0] == 0


def test_an_unknown_proxy_is_refused() -> None:
    with pytest.raises(UserError, match="there is no proxy 'magic'"):
        score(parse_text(STRIDED, 32), "magic")


@pytest.mark.parametrize("style", ["table", "json"])
def test_a_score_beyond_floating_point_is_refused(run, style: str) -> None:  # type: ignore[no-untyped-def]
    deep = "".join(f"SuperResK1K7K1(2048,2048,1,2048,{layers})" for layers in (250, 250, 250, 200))
    refused = run("score", f"SuperConvK3BNRELU(3,2048,1,1){deep}", "--resolution", "64", "--format", style)
    assert (
        refused.code == 2 and "more than floating point holds; give a network of fewer layers" in refused.err
    )
