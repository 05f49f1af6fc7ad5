"""Modules of one's own: what is traced computes and costs the same, and the rest is refused."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import pytest
import torch
from operation_graphs import GRAPHS, build, drawn
from places import ROOT
from torch import Tensor, fx, nn
from torch.nn import functional
from zenbench.errors import NetworkError
from zenbench.zen.cost import graph_cost
from zenbench.zen.families import zoo
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.graph import Activation, Add, Conv, Graph, Multiply
from zenbench.zen.importing.batch_norms import convolutions_without_norm, require_batch_norm
from zenbench.zen.importing.torch_module import graph_of_module, read_module
from zenbench.zen.module import build_module, initialise, load_state
from zenbench.zen.network import parse_text

NETWORKS = [
    parse_text("SuperConvK3BNRELU(3,8,2,1)SuperResK3K3(8,16,2,8,2)SuperResIDWE2K5(16,8,1,16,1)", 32, 10),
    replace(zoo("zennet-400m-se"), resolution=32),
]


class Block(nn.Module):
    """Inverted residual with a gate, in the functions that networks for phones use."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.SiLU()
        )
        self.depth = nn.Conv2d(hidden, hidden, 5, padding=2, groups=hidden, bias=False)
        self.norm = nn.BatchNorm2d(hidden)
        self.squeeze = nn.Conv2d(hidden, 4, 1)
        self.excite = nn.Conv2d(4, hidden, 1)
        self.project = nn.Sequential(nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self.norm(self.depth(self.expand(x))))
        gate = self.squeeze(y.mean((2, 3), keepdim=True)).relu()
        y = torch.sigmoid(self.excite(gate)) * y
        return x + functional.dropout(self.project(y), 0.2, self.training)


class Everything(nn.Module):
    """Every layer, function and method that can be read, at least in one form."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.norm = nn.BatchNorm2d(8)
        self.block = Block(8, 16)
        self.left = nn.Conv2d(8, 6, 3, padding="same")
        self.right = nn.Conv2d(8, 10, 1)
        self.after = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.shrink = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.hidden = nn.Linear(16 * 16, 12)
        self.last = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.stem(x))
        x = x * torch.sigmoid(x)
        x = self.pool(self.block(x))
        x = functional.hardswish(self.after(torch.cat([self.left(x), self.right(x)], dim=1)))
        x = self.shrink(functional.max_pool2d(x, kernel_size=2)) + functional.avg_pool2d(x, 2)
        x = x.view(x.size(0), -1)
        found: Tensor = self.last(functional.dropout(functional.relu(self.hidden(x)), 0.2, self.training))
        return found


@torch.no_grad()
def same_result(module: nn.Module, graph: Graph) -> None:
    """The graph's module, given the weights that were read, computes what the module computes."""
    generator = torch.Generator().manual_seed(3)
    for layer in module.eval().modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            layer.running_mean.normal_(generator=generator)
    read, copy = read_module(module, graph.input_shape), build_module(graph)
    assert read.graph == graph
    load_state(copy, {name: torch.from_numpy(x) for name, x in read.state().items()}, "the module")
    x = torch.randn(2, *graph.input_shape, generator=generator)
    found, expected = copy(x), module(x)
    assert (found - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("network", NETWORKS, ids=["small", "se"])
def test_our_own_modules_give_their_graph_back(network: Any) -> None:
    graph = network.graph()
    module = initialise(graph)
    traced = graph_of_module(module, graph.input_shape)
    assert [replace(op, name="", inputs=()) for op in traced.ops] == [
        replace(op, name="", inputs=()) for op in graph.ops
    ]
    assert graph_cost(traced) == graph_cost(graph)
    assert len(traced.trunk().ops) == len(graph.trunk().ops)
    same_result(module, traced)


@pytest.mark.parametrize("name", ["resnet-18", "densenet-121", "efficientnet-b0", "ofanet-595m"])
def test_known_networks_are_traced_whole(name: str) -> None:
    graph = replace(zoo(name), resolution=64).graph()
    traced = graph_of_module(build_module(graph), graph.input_shape)
    assert graph_cost(traced) == graph_cost(graph)
    assert [op.shape for op in traced.trunk().ops] == [op.shape for op in graph.trunk().ops]
    assert not convolutions_without_norm(traced)


def test_the_page_on_reading_shows_what_happens(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/reading.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    exec(code, {})  # noqa: S102 - our own page
    assert capsys.readouterr().out.strip() == code.strip().rsplit("# ", 1)[1]


def test_a_cell_is_traced() -> None:
    cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|"
    graph = cell_network(cell, resolution=8).graph()
    module = initialise(graph)
    traced = graph_of_module(module, graph.input_shape)
    found, wanted = graph_cost(traced), graph_cost(graph)
    assert (found.macs, found.params) == (wanted.macs, wanted.params)
    same_result(module, traced)


def test_a_module_of_one_s_own_computes_and_costs_the_same() -> None:
    module = Everything()
    graph = graph_of_module(module, (3, 32, 32))
    assert graph_cost(graph).params == sum(parameter.numel() for parameter in module.parameters())
    functions = [op.function for op in graph.ops if isinstance(op, Activation)]
    assert functions == ["swish", "swish", "relu6", "relu", "sigmoid", "hard-swish", "relu"]
    assert [op.residual for op in graph.ops if isinstance(op, Add)] == [True, False]
    same_result(module, graph)


class Windows(nn.Module):
    """Convolutions and pools in every way to pad that can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.unpadded = nn.Conv2d(8, 8, 3)
        self.same = nn.Conv2d(8, 8, 4, padding="same")
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.strided = nn.Conv2d(8, 8, 3, 2)
        self.around = nn.ZeroPad2d((0, 1, 0, 1))
        self.ceil = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.shrink = nn.AvgPool2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.ceil(self.dilated(self.same(self.unpadded(self.patches(x)))))
        x = self.shrink(self.strided(self.around(x)))
        x = functional.max_pool2d(functional.pad(x.relu(), (1, 0, 1, 0)), 2, 1)
        return functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, 1)


def test_every_padding_is_read() -> None:
    module = Windows()
    graph = graph_of_module(module, (3, 67, 67))
    assert [op.shape[1] for op in graph.ops] == [16, 14, 14, 14, 7, 3, 2, 2, 2, 2]
    same_result(module, graph)


UNREAD = ("average pool 2/1", "average pool, padded before")
"""What torch has no layer for: ours divides by the places that are inside."""


@pytest.mark.parametrize("size", [8, 7])
@pytest.mark.parametrize("name", [name for name in GRAPHS if name not in UNREAD])
def test_every_operation_of_ours_is_traced(name: str, size: int) -> None:
    graph = build(GRAPHS[name], size).graph()
    module = drawn(graph)
    traced = graph_of_module(module, graph.input_shape)
    found, wanted = graph_cost(traced), graph_cost(graph)
    assert (found.macs, found.params) == (wanted.macs, wanted.params)
    same_result(module, traced)


class Times(nn.Module):
    """A product with learned constants."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.3, 0.7, prod(shape)).reshape(shape))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight.reshape(1, -1, 1, 1) * x


class Parts(nn.Module):
    """Channels taken apart and put together again, sums that begin with 0, gates of every form."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.branches = nn.ModuleList(nn.Conv2d(8, 8, kernel, padding="same") for kernel in (1, 3))
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.squeeze = nn.Linear(16, 4)
        self.excite = nn.Linear(4, 16)
        self.shuffle = nn.ChannelShuffle(4)
        self.place = nn.Conv2d(16, 1, 1)
        self.gain = Times(1)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.stem(x).chunk(2, 1)
        total: Any = 0
        for branch in self.branches:
            total = total + branch(a)
        x = torch.cat([total, b + self.depthwise(b)], 1)
        y = self.squeeze(x.mean((2, 3))).relu()
        x = x * self.excite(y).sigmoid().view(x.size(0), -1, 1, 1).expand_as(x)
        x = self.shuffle(x) * self.place(x).sigmoid()
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        x = x[:, 4:12] * x.narrow(1, 0, 8) - x[:, :-8]
        return -functional.hardtanh(self.gain(1 - x / 2), 0, 6) * functional.relu6(x + 3) / 6


class ConvNext(nn.Module):
    """A block of arXiv 2201.03545 with its norms, channels last in the middle, behind a stem of patches."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Linear(width, 4 * width)
        self.project = nn.Linear(4 * width, width)
        self.scale = Times(width)
        self.groups = nn.GroupNorm(2, width)
        self.last_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.project(functional.gelu(self.expand(y))).permute(0, 3, 1, 2)
        x = self.groups(x + self.scale(y))
        return self.head(self.last_norm(x.mean([-2, -1]))).softmax(-1)


@pytest.mark.parametrize("make", [Parts, ConvNext])
def test_modules_of_many_forms_are_read(make: Callable[[], nn.Module]) -> None:
    module = make()
    graph = graph_of_module(module, (3, 16, 16))
    assert graph_cost(graph).params == sum(parameter.numel() for parameter in module.parameters())
    same_result(module, graph)


def test_a_hard_swish_that_is_spelled_out_is_one() -> None:
    class Spelled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * (functional.relu6(x + 3) / 6) + x * functional.relu6(x + 3.0) / 6.0

    graph = graph_of_module(Spelled(), (3, 8, 8))
    assert [op.function for op in graph.ops if isinstance(op, Activation)] == ["hard-swish", "hard-swish"]
    same_result(Spelled(), graph)


def test_weights_that_come_from_the_image_are_refused() -> None:
    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 16, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            _, b = y.split(8, 1)
            return functional.conv2d(y, b.mean((0, 2, 3)).view(8, 1, 1, 1).expand(8, 16, 1, 1))

    with pytest.raises(NetworkError, match="'conv2d', a call of conv2d, computes its weights from the image"):
        graph_of_module(Dynamic(), (3, 32, 32))


@fx.wrap
def stochastic_depth(x: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """As torchvision has it, in eval mode."""
    assert not training
    return x


def test_what_does_nothing_in_eval_mode_and_defaults_are_passed_through() -> None:
    class Passing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(8)
            self.act = nn.Hardtanh(0, 6)

        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            if mask is not None:
                x = x * mask
            return self.act(self.pool(stochastic_depth(x, 0.2, "row", self.training)))

    (only,) = graph_of_module(Passing(), (3, 8, 8)).ops
    assert isinstance(only, Activation) and only.function == "relu6"


def test_a_module_of_two_inputs_is_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(NetworkError, match="missing 1 required positional argument: 'y'"):
        graph_of_module(Two(), (3, 8, 8))


def test_tracing_leaves_the_module_as_it_was() -> None:
    module = Everything().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    graph_of_module(module, (3, 32, 32))
    assert module.training and next(module.parameters()).device.type == "cpu"
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_the_branch_with_more_convolutions_is_the_trunk() -> None:
    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.long = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 1))
            self.short = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.short(x) + self.long(x)
            return found

    graph = graph_of_module(Shortcut(), (3, 8, 8))
    (total,) = (op for op in graph.ops if isinstance(op, Add))
    assert total.residual
    assert [op.kernel for op in graph.trunk().ops if isinstance(op, Conv)] == [3, 1]


def test_a_gate_is_second_whatever_the_order() -> None:
    graph = graph_of_module(Block(8, 16), (8, 8, 8))
    (gated,) = (op for op in graph.ops if isinstance(op, Multiply))
    assert graph.shape_of(gated.inputs[0]) == (16, 8, 8)
    assert graph.shape_of(gated.inputs[1]) == (16, 1, 1)


def test_missing_batch_norms_are_counted() -> None:
    assert not convolutions_without_norm(NETWORKS[0].graph())
    require_batch_norm(NETWORKS[0].graph(), "it")
    graph = graph_of_module(Everything(), (3, 32, 32))
    assert not convolutions_without_norm(graph), (
        "a gate's convolutions and those before a joint norm do not count"
    )
    bare = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU())
    with pytest.raises(NetworkError, match=r"m has no Zen-Score: 1 of its 2 convolutions .* proxy phi"):
        require_batch_norm(graph_of_module(bare, (3, 8, 8)), "m")


FORWARDS: dict[str, Callable[[Tensor], Any]] = {
    "a call of softplus, cannot be read": functional.softplus,
    r"puts the axes \(3, 9, 9\) in the order \(0, 2, 1\)": lambda x: x.transpose(2, 3),
    "moves? the batch|works along the batch": lambda x: x.transpose(0, 1),
    "reads a tensor that is channels last": lambda x: functional.max_pool2d(x.permute(0, 2, 3, 1), 3),
    "counts its padding but not what lies beyond it": lambda x: functional.avg_pool2d(x, 3, 3, 1, True),
    "only convolutions can have one": lambda x: functional.max_pool2d(x, 3, 1, 1, 2),
    "pads with 'reflect'; only constants": lambda x: functional.pad(x, (1, 1, 1, 1), "reflect"),
    "pads channels or images": lambda x: functional.pad(x, (0, 0, 0, 0, 1, 1)),
    "only padding that adds": lambda x: functional.pad(x, (-1, -1)),
    "reads a padded map; only conv": lambda x: functional.pad(x, (1, 1, 1, 1)).relu(),
    "reads a padded map; only conv.*": lambda x: functional.pad(x, (1, 1, 1, 1)),
    "maximum over a map padded by 0": lambda x: functional.max_pool2d(functional.pad(x, (1, 1, 1, 1)), 3),
    "averages over a map padded twice": lambda x: functional.avg_pool2d(
        functional.pad(x, (1, 1, 1, 1)), 3, 1, 1
    ),
    "pools a map of 9 to 2, which does not divide it": lambda x: functional.adaptive_avg_pool2d(x, 2),
    "pools to 3 x 1; only square": lambda x: functional.adaptive_avg_pool2d(x, (3, 1)),
    "only a maximum over the whole map": lambda x: functional.adaptive_max_pool2d(x, 3),
    "a constant tensor that is no parameter": lambda x: x + torch.zeros(9, device=x.device),
    "divides by a tensor": lambda x: x / x,
    "one must be a gate": lambda x: x[:, :1] * functional.avg_pool2d(x, 9),
    "only a run of channels": lambda x: x[:, ::2],
    r"only a run of channels.*": lambda x: x[:, :, 2:],
    "works along axis 2; only the channels": lambda x: x.chunk(3, 2)[0],
    "clips to 0 and 1; only": lambda x: x.clamp(0, 1),
    r"softmax over axis 1 of \(3, 9, 9\); only over channels": lambda x: x.softmax(2),
    r"normalises over \(9,\) of \(3, 9, 9\)": lambda x: functional.layer_norm(
        x, (9,), torch.ones(9, device="meta"), torch.ones(9, device="meta")
    ),
    "adds tensors of different shapes": lambda x: x + x.mean((2, 3), keepdim=True),
    "only over height and width together": lambda x: x.mean(1),
    "only the channels, axis 1": lambda x: torch.cat([x, x], dim=2),
    "only flattening, groups of channels": lambda x: x.reshape(x.shape[0], 9, 3, 9),
    "cannot be traced .* control flow": lambda x: x.relu() if x.sum() > 0 else x,
    "cannot be traced .* no attribute 'nonsense'": lambda x: x.nonsense(),  # type: ignore[attr-defined]
    "computes its weights": lambda x: functional.linear(x.flatten(1), x.flatten(1)),
    "joins a constant": lambda x: torch.cat([x, torch.zeros(3, 1, 9, 9, device=x.device)], 1),
    "arguments that cannot be read: .* 'dtype'": lambda x: torch.mean(x, (2, 3), dtype=torch.float32),
    "gives no single tensor; let": lambda x: [x.relu(), x],
    "no single tensor": lambda x: (x.relu(), x),
    "hands its input on": lambda x: x,
}


@pytest.mark.parametrize("fault", FORWARDS)
def test_what_cannot_be_read_is_named_with_what_would_help(fault: str) -> None:
    class Made(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return FORWARDS[fault](x)

    with pytest.raises(NetworkError, match=fault) as caught:
        graph_of_module(Made(), (3, 9, 9))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "fault"),
    [
        (nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), "pads with 'reflect'"),
        (nn.BatchNorm2d(3, affine=False), "learns no scale"),
        (nn.Conv2d(3, 3, 3, (2, 1), 1), "stride 2 x 1; make it the same"),
        (nn.Conv2d(3, 3, (3, 1), padding=(1, 0)), "kernel 3 x 1; make it the same"),
        (nn.Conv2d(3, 3, 3, padding=(1, 0)), "padding 1 x 0 x 1 x 0; make it the same on both axes"),
        (nn.Linear(9, 4), "flatten it before"),
        (nn.Softplus(), "cannot be read; express it by what"),
        (nn.ELU(2.0), "alpha 2; only 1 can be read"),
        (nn.LayerNorm(9, bias=False), "learns no scale or no shift"),
    ],
)
def test_a_layer_that_cannot_be_read_is_named(layer: nn.Module, fault: str) -> None:
    with pytest.raises(NetworkError, match=f"'1', a {type(layer).__name__}, .*{fault}"):
        graph_of_module(nn.Sequential(nn.ReLU(), layer), (3, 9, 9))


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_weights_that_two_layers_share_are_refused(part: str) -> None:
    layers = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1))
    setattr(layers[2], part, getattr(layers[0], part))
    with pytest.raises(NetworkError, match="'2', a Conv2d, uses its weights a second time"):
        graph_of_module(layers, (3, 9, 9))


def test_weights_that_are_computed_twice_of_the_same_are_refused() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 3, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.weight - self.weight.mean())

    layer = Centred()
    assert graph_cost(graph_of_module(layer, (3, 9, 9))).params == 9
    with pytest.raises(NetworkError, match="uses its weights a second time"):
        graph_of_module(nn.Sequential(layer, nn.ReLU(), layer), (3, 9, 9))


def test_a_bias_of_the_image_is_refused() -> None:
    class Biased(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.conv2d(x, self.weight[:, :, None, None], x.mean((0, 2, 3)))

    with pytest.raises(NetworkError, match=r"from the image|along the batch"):
        graph_of_module(Biased(3, 3, bias=False), (3, 9, 9))


def test_a_layer_used_twice_is_refused() -> None:
    conv = nn.Conv2d(3, 3, 1)
    with pytest.raises(NetworkError, match="uses its weights a second time"):
        graph_of_module(nn.Sequential(conv, nn.ReLU(), conv), (3, 8, 8))


def test_a_tensor_changed_in_place_may_not_be_read_again() -> None:
    class Twice(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU(in_place)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return torch.cat([self.relu(x), x], 1)

    assert graph_of_module(Twice(False), (3, 8, 8)).output_shape == (6, 8, 8)
    with pytest.raises(NetworkError, match="'relu', a ReLU, changes in place what is read again later"):
        graph_of_module(Twice(True), (3, 8, 8))


@pytest.mark.parametrize("shape", [(3, 8, 16), (3, 8)])
def test_an_input_that_is_no_square_map_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="channels x height x width, and square"):
        graph_of_module(nn.ReLU(), shape)


class ScaledWeights(nn.Module):
    """A convolution whose weights are standardised, and scaled by gains where there are some."""

    def __init__(self, has_gains: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.gains = nn.Parameter(torch.ones(8, 1, 1, 1)) if has_gains else 1.0

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(x, self.gains * weight, padding=1)


def test_weights_made_of_more_parameters_than_they_are_would_be_counted_wrong() -> None:
    with pytest.raises(
        NetworkError, match=r"computes its 216 weights from 224 parameters; compute them once"
    ):
        graph_of_module(ScaledWeights(has_gains=True), (3, 8, 8))
    assert graph_cost(graph_of_module(ScaledWeights(has_gains=False), (3, 8, 8))).params == 216
