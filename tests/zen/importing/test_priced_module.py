"""What cannot be read has a price: torch's own count of MACs and all parameters, whatever the module does."""

from collections.abc import Callable

import pytest
import torch
from operation_graphs import GRAPHS, build
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from zenbench.zen.cost import graph_cost
from zenbench.zen.graph import Graph, Priced
from zenbench.zen.importing.priced_module import price_module
from zenbench.zen.importing.torch_module import graph_of_module, read_module
from zenbench.zen.module import initialise


def priced(module: nn.Module, *shape: int) -> Graph:
    """The graph, once its counts are torch's."""
    graph = graph_of_module(module, shape, prices=True)
    module = module.to("meta").eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, *shape, device="meta"))
    found = graph_cost(graph)
    assert found.macs == counter.get_total_flops() // 2
    assert found.params == sum(parameter.numel() for parameter in module.parameters())
    return graph


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.priced]


@pytest.mark.parametrize("name", [name for name in GRAPHS if not name.startswith("average pool")])
def test_what_can_be_read_is_read(name: str) -> None:
    module = initialise(build(GRAPHS[name]).graph(), seed=7)
    found, traced = (read(module, module.graph.input_shape) for read in (price_module, read_module))
    assert found.graph == traced.graph
    state, wanted = found.state(), traced.state()
    assert state.keys() == wanted.keys() and all((state[name] == wanted[name]).all() for name in wanted)


class Attention(nn.Module):
    """A patch stem, tokens with a learned place, one layer of attention and one of features."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.place = nn.Parameter(torch.zeros(1, 16, 8))
        self.norm = nn.LayerNorm(8)
        self.qkv, self.project = nn.Linear(8, 24), nn.Linear(8, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2) + self.place
        batch, places, width = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, places, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.project(y.transpose(1, 2).reshape(batch, places, width))
        found: Tensor = self.head(x.mean(1))
        return found


def test_attention_is_priced_between_what_is_read() -> None:
    graph = priced(Attention(), 3, 16, 16)
    attention = next(op for op in graph.priced if op.kind == "scaled_dot_product_attention")
    assert (attention.shape, attention.macs, attention.params) == ((2, 16, 4), 2 * 2 * 16 * 16 * 4, 0)
    assert [type(op).__name__ for op in graph.ops if not isinstance(op, Priced)] == ["Conv", "Add", "Linear"]
    place = next(op for op in graph.priced if op.kind == "add")
    assert (place.shape, place.params) == ((16, 8), 16 * 8)
    assert len({op.name for op in graph.ops}) == len(graph.ops)


class Calls(nn.Module):
    """A stem, what is in question, and a head that pools all of it."""

    def __init__(self, call: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.call, self.layers = call, nn.ModuleList(layers)
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.call(x)


def _taken_apart(x: Tensor) -> Tensor:
    first, second = x.unbind(3)[:2]
    return torch.stack([first, second.topk(2, dim=1).values.sum(1, keepdim=True) + first], 3)


def _changed_in_part(x: Tensor) -> Tensor:
    x[:, 2:4] += 1
    return x * 2


def _decided(x: Tensor) -> Tensor:
    return x.relu() if x.shape[-1] > 4 and x.mean().dim() == 0 else x


CALLS: dict[str, tuple[Callable[[Tensor], Tensor], list[nn.Module], list[str]]] = {
    "oblong kernel": (torch.relu, [nn.Conv2d(8, 8, (1, 7), padding=(0, 3), groups=8)], ["conv2d"]),
    "transposed": (torch.relu, [nn.ConvTranspose2d(8, 4, 2, 2)], ["conv_transpose2d"]),
    "resized": (lambda x: functional.interpolate(x, scale_factor=2), [], ["interpolate"]),
    "norm of features": (lambda x: x, [nn.Flatten(), nn.BatchNorm1d(512)], ["batch_norm"]),
    "softmax of places": (lambda x: x.flatten(2).softmax(2), [], ["flatten", "softmax"]),
    "two axes": (lambda x: torch.einsum("nchw,ndhw->ncd", x, x), [], ["einsum"]),
    "oblong image": (torch.relu, [nn.AvgPool2d((2, 1)), nn.Conv2d(8, 8, 3)], ["avg_pool2d", "conv2d"]),
    "several": (_taken_apart, [], ["unbind", "unbind", "topk", "sum", "add", "stack"]),
    "in part": (_changed_in_part, [], ["add", "add", "setitem", "setitem", "setitem"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_cannot_be_read_has_a_price(name: str) -> None:
    call, layers, wanted = CALLS[name]
    assert kinds(priced(Calls(call, *layers), 3, 16, 16)) == wanted


def test_control_flow_is_followed() -> None:
    graph = priced(Calls(_decided), 3, 16, 16)
    assert not graph.priced
    assert len(graph.ops) == 2
