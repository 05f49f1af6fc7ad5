"""What foreign.py does with a network: each stage builds it anew, and gives a few columns of its row."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxscript  # noqa: F401 - loaded once here, and not in every process
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from zenbench.bench.networks.onnx_graph import graph_of_onnx
from zenbench.errors import NetworkError, first_line
from zenbench.zen.cost import graph_cost
from zenbench.zen.graph import Graph
from zenbench.zen.importing.priced_module import price_module
from zenbench.zen.importing.read_graph import ReadGraph
from zenbench.zen.importing.torch_module import graph_of_module, read_module
from zenbench.zen.module import build_module, load_state

# torchvision does not import beside a CPU build of torch unless its operators are known.
_OPERATORS = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _OPERATORS.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import timm  # noqa: E402 - it imports torchvision
import torchvision  # noqa: E402

Row = dict[str, Any]
TOLERANCE = 1e-5  # of the largest output


def built(network: Row) -> nn.Module:
    torch.manual_seed(0)
    if network["library"] == "torchvision":
        return torchvision.models.get_model(network["constructor"], weights=None).eval()
    return timm.create_model(network["constructor"], pretrained=False).eval()


def image_shape(network: Row) -> tuple[int, int, int]:
    return (3, int(network["resolution"]), int(network["resolution"]))


def counted(network: Row) -> Row:
    """What torch counts."""
    module = _on_meta(network).to("meta").requires_grad_(False)  # the counter follows gradients, and fails
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(1, *image_shape(network), device="meta"))
    params = sum(parameter.numel() for parameter in module.parameters())
    return {"counted": "yes", "macs": counter.get_total_flops() // 2, "params": params}


def as_module(network: Row) -> Row:
    return _read("module", lambda: _whole(built(network), image_shape(network)).graph)


def priced(network: Row) -> Row:
    """The counts where what cannot be read has a price, and how many operations that are."""
    graph = graph_of_module(_on_meta(network), image_shape(network), prices=True)
    cost = graph_cost(graph)
    state = "priced" if graph.priced else "read"
    kinds = " ".join(sorted({op.kind for op in graph.priced}))
    return {"priced": state, "priced_macs": cost.macs, "priced_params": cost.params, "priced_kinds": kinds}


def _on_meta(network: Row) -> nn.Module:
    """The network without its weights, where its constructor computes nothing from them."""
    try:
        with torch.device("meta"):
            return built(network)
    except NotImplementedError:
        return built(network)


def outputs(network: Row) -> Row:
    """Whether the graph computes what the module computes, by the largest difference of an output."""
    difference = _difference(built(network), image_shape(network))
    return {"outputs": "equal" if difference <= TOLERANCE else "differ", "outputs_difference": difference}


def by_dynamo(network: Row) -> Row:
    return _as_file(network, "dynamo", dynamo=True)


def by_torchscript(network: Row) -> Row:
    return _as_file(network, "torchscript", dynamo=False)


def _as_file(network: Row, form: str, dynamo: bool) -> Row:
    module, image = built(network), torch.randn(1, *image_shape(network))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        try:
            torch.onnx.export(module, (image,), str(path), dynamo=dynamo)
        except Exception as error:  # noqa: BLE001 - exporters raise what they like
            while error.__cause__ is not None:
                error = error.__cause__
            reason = first_line(error).split("  [Caused by")[0]  # a value, and where timm is installed
            return {form: "not exported", f"{form}_reason": f"{type(error).__name__}: {reason}"}
        return _read(form, lambda: graph_of_onnx(path))


def _read(form: str, read: Callable[[], Graph]) -> Row:
    """The counts of the graph, or why there is none."""
    try:
        cost = graph_cost(read())
    except NetworkError as error:
        return {form: "refused", f"{form}_reason": first_line(error)}
    return {form: "read", f"{form}_macs": cost.macs, f"{form}_params": cost.params}


def _whole(module: nn.Module, shape: tuple[int, int, int]) -> ReadGraph:
    """What is read of a module, traced or, where that fails, call by call."""
    try:
        return read_module(module, shape)
    except NetworkError:
        called = price_module(module, shape)
        if called.graph.priced:
            raise
        return called


@torch.no_grad()
def _difference(module: nn.Module, shape: tuple[int, int, int]) -> float:
    """The largest difference of the graph's outputs from the module's, as a share of the largest output."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        # Fresh norms, biases and scales are zeros and ones, which hide mistakes.
        if tensor.dim() == 1 and tensor.is_floating_point():
            least = -0.5 if name.endswith(("bias", "running_mean")) else 0.5
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + least)
    read = _whole(module, shape)
    copy = build_module(read.graph)
    load_state(copy, {name: torch.from_numpy(x) for name, x in read.state().items()}, "the module")
    image = torch.randn(2, *shape, generator=generator, dtype=torch.double)
    wanted = module.double()(image)
    found = copy.double()(image).reshape(wanted.shape)  # a last flattening is not in the graph
    return float((found - wanted).abs().max() / wanted.abs().max())


STAGES: dict[str, Callable[[Row], Row]] = {
    "counted": counted,
    "module": as_module,
    "priced": priced,
    "outputs": outputs,
    "torchscript": by_torchscript,
    "dynamo": by_dynamo,
}
