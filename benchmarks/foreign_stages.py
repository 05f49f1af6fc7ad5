"""What foreign.py does with a network: each stage builds it anew, and gives a few columns of its row."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxscript  # noqa: F401 - loaded once here, and not in every process
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode
from zenbench.bench.networks.onnx_graph import graph_of_onnx
from zenbench.errors import NetworkError, first_line
from zenbench.zen.cost import graph_cost
from zenbench.zen.graph import Graph
from zenbench.zen.importing.torch_module import graph_of_module
from zenbench.zen.module import build_module

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
    return _read("module", lambda: graph_of_module(built(network), image_shape(network)))


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
    module = built(network)
    difference = _difference(module, graph_of_module(module, image_shape(network)))
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


class _Weights(TorchFunctionMode):
    """The weights of every convolution, norm, linear layer and learned scale or shift of a run, in their
    order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = dict(enumerate(args)) | kwargs
        weight, bias = given.get("weight", given.get(1)), given.get("bias", given.get(2))
        if func in (torch.conv2d, functional.linear):
            self.calls.append((weight, bias))
        elif func is functional.batch_norm:
            names = ("running_mean", "running_var", "weight", "bias")
            mean, variance, weight, bias = (given.get(n, given.get(i + 1)) for i, n in enumerate(names))
            self.calls.append((weight, bias, mean, variance, given.get("eps", given.get(7, 1e-5))))
        elif func in (functional.layer_norm, functional.group_norm):
            eps = given.get("eps", given.get(4, 1e-5))
            self.calls.append((given.get("weight", given.get(2)), given.get("bias", given.get(3)), eps))
        elif func.__name__ in _ELEMENTWISE and any(constants := [_is_learned(x) for x in args[:2]]):
            constant = args[constants.index(True)]
            self.calls.append((constant, None) if "mul" in func.__name__ else (None, constant))
        return func(*args, **kwargs)


_ELEMENTWISE = ("mul", "mul_", "__mul__", "__rmul__", "add", "add_", "__add__", "__radd__")


def _is_learned(x: Any) -> bool:
    """A parameter, also a reshaped one."""
    return isinstance(x, nn.Parameter) or isinstance(getattr(x, "_base", None), nn.Parameter)


def _has_weights(layer: nn.Module) -> bool:
    """A layer with parameters of its own."""
    return any(True for _ in layer.parameters(recurse=False))


@torch.no_grad()
def _difference(module: nn.Module, graph: Graph) -> float:
    """The largest difference of the graph's outputs from the module's, as a share of the largest output."""
    generator = torch.Generator().manual_seed(1)
    module = module.double()
    for name, tensor in module.state_dict().items():
        # Fresh norms, biases and scales are zeros and ones, which hide mistakes.
        if tensor.dim() == 1 and tensor.is_floating_point():
            least = -0.5 if name.endswith(("bias", "running_mean")) else 0.5
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.double) + least)
    image = torch.randn(2, *graph.input_shape, generator=generator, dtype=torch.double)
    with _Weights() as weights:
        wanted = module(image)
    copy = build_module(graph).double().eval()
    layers = [x for x in copy.modules() if _has_weights(x)]
    if len(layers) != len(weights.calls):
        raise ValueError(f"{len(layers)} layers have weights where the module calls {len(weights.calls)}")
    for layer, (weight, bias, *statistics) in zip(layers, weights.calls, strict=True):
        for own, given in ((getattr(layer, "weight", None), weight), (getattr(layer, "bias", None), bias)):
            if given is not None:
                own.copy_(given.reshape(own.shape))
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.copy_(statistics[0])
            layer.running_var.copy_(statistics[1])
            layer.eps = statistics[2]
    found = copy(image).reshape(wanted.shape)  # a flattening behind the last convolution is not in the graph
    return float((found - wanted).abs().max() / wanted.abs().max())


STAGES: dict[str, Callable[[Row], Row]] = {
    "counted": counted,
    "module": as_module,
    "priced": priced,
    "outputs": outputs,
    "torchscript": by_torchscript,
    "dynamo": by_dynamo,
}
