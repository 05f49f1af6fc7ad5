"""The units of the known networks, computed word by word."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from zenbench.errors import NetworkError
from zenbench.zen.module import GraphModule, initialise
from zenbench.zen.units import unit_from_text
from zenbench.zen.units.base import Unit
from zenbench.zen.units.dense import DenseTransitionUnit, DenseUnit, NormUnit
from zenbench.zen.units.mobile import InvertedUnit
from zenbench.zen.units.pools import MaxPoolUnit, PooledConvUnit
from zenbench.zen.units.resnet import ResNetUnit
from zenbench.zen.units.split_attention import SplitAttentionUnit
from zenbench.zen.units.tinynas import TinyNasUnit
from zenbench.zen.workload import Workload

SIZE = 8


class Run:
    """A unit's module, its input and output, and its layers as functions of (tensor, number)."""

    def __init__(self, unit: Unit) -> None:
        self.module: GraphModule = initialise(Workload(unit, SIZE).graph(), seed=3)
        self.state = self.module.state_dict()
        self.x = torch.randn(2, unit.in_channels, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            self.y = self.module(self.x)

    def conv(self, x: Tensor, number: int, stride: int = 1, groups: int = 1) -> Tensor:
        weight, bias = self.state[f"conv{number}.weight"], self.state.get(f"conv{number}.bias")
        return functional.conv2d(x, weight, bias, stride, weight.shape[-1] // 2, groups=groups)

    def norm(self, x: Tensor, number: int) -> Tensor:
        weight, bias, mean, variance = (
            self.state[f"bn{number}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-5)

    def conv_norm(self, x: Tensor, number: int, stride: int = 1, groups: int = 1) -> Tensor:
        return self.norm(self.conv(x, number, stride, groups), number)


def mean(x: Tensor) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True)


def test_a_grouped_gated_bottleneck() -> None:
    run = Run(ResNetUnit("bottleneck", 6, 8, 12, 2, True, groups=4, squeezed_channels=3))
    y = run.conv_norm(run.conv_norm(run.x, 1).relu(), 2, stride=2, groups=4).relu()
    y = y * run.conv(run.conv(mean(y), 3).relu(), 4).sigmoid()
    shortcut = run.norm(run.conv(run.x, 6, stride=2), 4)
    torch.testing.assert_close(run.y, (run.norm(run.conv(y, 5), 3) + shortcut).relu())


def test_a_basic_unit_adds_its_input() -> None:
    run = Run(ResNetUnit("basic", 6, 8, 6, 1, False))
    y = run.conv_norm(run.conv_norm(run.x, 1).relu(), 2)
    torch.testing.assert_close(run.y, (y + run.x).relu())


def test_an_inverted_unit_ends_linear() -> None:
    run = Run(InvertedUnit(5, 4, 12, 4, 1, "hard-swish", squeezed_channels=8, gate="hard-sigmoid"))
    y = functional.hardswish(run.conv_norm(run.x, 1))
    y = functional.hardswish(run.conv_norm(y, 2, groups=12))
    y = y * functional.hardsigmoid(run.conv(run.conv(mean(y), 3).relu(), 4))
    torch.testing.assert_close(run.y, run.norm(run.conv(y, 5), 3) + run.x)


def test_an_inverted_unit_widens_only_to_another_width() -> None:
    run = Run(InvertedUnit(3, 4, 4, 6, 2, "relu6"))
    y = functional.relu6(run.conv_norm(run.x, 1, stride=2, groups=4))
    torch.testing.assert_close(run.y, run.conv_norm(y, 2))


def test_a_dense_unit_appends_to_its_input() -> None:
    run = Run(DenseUnit(6, 8, 4))
    y = run.norm(run.conv(run.norm(run.x, 1).relu(), 1), 2).relu()
    torch.testing.assert_close(run.y, torch.cat([run.x, run.conv(y, 2)], dim=1))


def test_a_transition_halves_the_map_and_a_norm_keeps_it() -> None:
    run = Run(DenseTransitionUnit(6, 4))
    torch.testing.assert_close(run.y, functional.avg_pool2d(run.conv(run.norm(run.x, 1).relu(), 1), 2))
    run = Run(NormUnit(6))
    torch.testing.assert_close(run.y, run.norm(run.x, 1).relu())


def test_split_attention_weighs_two_copies() -> None:
    run = Run(SplitAttentionUnit(6, 4, 12, 2, projection=True))
    copies = run.conv_norm(run.conv_norm(run.x, 1).relu(), 2, groups=2).relu()
    first, second = copies.chunk(2, dim=1)
    shares = run.conv(run.norm(run.conv(mean(first + second), 3), 3).relu(), 4)
    share = (shares[:, :4] - shares[:, 4:]).sigmoid()  # a softmax of two
    y = functional.avg_pool2d(
        first * share + second * (1 - share), 3, stride=2, padding=1, count_include_pad=False
    )
    shortcut = run.norm(run.conv(functional.avg_pool2d(run.x, 2), 6), 5)
    torch.testing.assert_close(run.y, (run.norm(run.conv(y, 5), 4) + shortcut).relu())


def test_a_tinynas_bottleneck_averages_its_shortcut() -> None:
    run = Run(TinyNasUnit("k1kxk1", 5, 6, 4, 10, 2, "projection"))
    y = run.conv_norm(run.conv_norm(run.x, 1).relu(), 2, stride=2).relu()
    shortcut = run.conv_norm(functional.avg_pool2d(run.x, 2), 4)
    torch.testing.assert_close(run.y, (run.conv_norm(y, 3) + shortcut).relu())


def test_tinynas_units_of_two_convolutions_stride_in_the_second() -> None:
    run = Run(TinyNasUnit("kxkx", 3, 6, 4, 6, 2, "identity"))
    y = run.conv_norm(run.conv_norm(run.x, 1).relu(), 2, stride=2)
    torch.testing.assert_close(run.y, (y + functional.avg_pool2d(run.x, 2)).relu())
    run = Run(TinyNasUnit("k1kx", 3, 6, 4, 8, 1, "projection", "swish"))
    y = run.conv_norm(functional.silu(run.conv_norm(run.x, 1)), 2)
    assert run.state["conv1.weight"].shape[-1] == 1
    torch.testing.assert_close(run.y, functional.silu(y + run.conv_norm(run.x, 3)))


def test_a_tinynas_gate_has_norms() -> None:
    run = Run(TinyNasUnit("k1dwk1", 3, 6, 16, 8, 1, "none", "swish", squeezed_channels=8))
    y = functional.silu(run.conv_norm(run.x, 1))
    y = functional.silu(run.conv_norm(y, 2, groups=16))
    y = y * run.conv_norm(functional.silu(run.conv_norm(mean(y), 3)), 4).sigmoid()
    torch.testing.assert_close(run.y, functional.silu(run.conv_norm(y, 5)))


def test_pools() -> None:
    run = Run(MaxPoolUnit(3, 4, 2))
    torch.testing.assert_close(run.y, functional.max_pool2d(run.x, 3, stride=2, padding=1))
    run = Run(PooledConvUnit(4, 6, "hard-swish"))
    torch.testing.assert_close(run.y, functional.hardswish(run.conv(mean(run.x), 1)))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "resnet(style=basic,in_channels=4,hidden_channels=4,out_channels=8,stride=1,projection=0)",
            "the shortcut changes its shape and needs projection=1",
        ),
        (
            "resnet(style=bottleneck,in_channels=4,hidden_channels=6,out_channels=4,stride=1,projection=0,"
            "groups=4)",
            "groups must divide hidden_channels",
        ),
        (
            "split_attention(in_channels=4,hidden_channels=4,out_channels=4,stride=2,projection=0)",
            "the shortcut changes its shape and needs projection=1",
        ),
        (
            "tinynas(style=kxkx,kernel=3,in_channels=4,hidden_channels=4,out_channels=8,stride=1,"
            "shortcut=identity)",
            "the shortcut changes its width and needs shortcut=projection",
        ),
        (
            "tinynas(style=kxkx,kernel=3,in_channels=4,hidden_channels=4,out_channels=4,stride=1,"
            "shortcut=identity,squeezed_channels=8)",
            "a gate needs a 1x1 convolution behind it",
        ),
        ("max_pool(kernel=2,in_channels=4,stride=2)", "the kernel must be odd"),
        (
            "inverted(kernel=3,in_channels=4,hidden_channels=8,out_channels=4,stride=1,activation=gelu)",
            "unknown activation 'gelu'",
        ),
    ],
)
def test_senseless_units_are_refused(text: str, fault: str) -> None:
    with pytest.raises(NetworkError, match=fault):
        unit_from_text(text)
