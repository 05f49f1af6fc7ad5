"""The training form of re-parameterised networks: told from all others that sum branches."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.families.nas_bench_201 import cell_network
from zenbench.zen.importing.torch_module import graph_of_module
from zenbench.zen.importing.training_form import training_form


def conv_norm(width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width))


class Parallel(nn.Module):
    """Branches of one tensor, summed one after the other, beginning with 0 as MobileOne does."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor | int = 0
        for branch in self.branches:
            y = y + branch(x)
        return functional.relu(torch.as_tensor(y) if isinstance(y, int) else y)


TRAINED = {
    "RepVGG": Parallel(conv_norm(8, 3), conv_norm(8, 1), nn.BatchNorm2d(8)),
    "RepVGG, stride": Parallel(conv_norm(8, 3, 2), conv_norm(8, 1, 2)),
    "MobileOne": Parallel(nn.BatchNorm2d(8), conv_norm(8, 1, 1, 8), *(conv_norm(8, 3, 1, 8) for _ in "abcd")),
    "norm beside one": Parallel(nn.BatchNorm2d(8), conv_norm(8, 3)),
    "RepViT": Parallel(conv_norm(8, 3, 1, 8), nn.Conv2d(8, 8, 1, groups=8), nn.Identity()),
}
OTHERS = {
    "residual": Parallel(nn.Sequential(conv_norm(8, 3), nn.ReLU(), conv_norm(8, 3)), nn.Identity()),
    "projected": Parallel(nn.Sequential(conv_norm(8, 1), nn.ReLU(), conv_norm(8, 3, 2)), conv_norm(8, 1, 2)),
    "one convolution": Parallel(conv_norm(8, 3), nn.Identity()),
    "pre-activated": Parallel(
        nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)), nn.Identity()
    ),
    "pooled": Parallel(conv_norm(8, 3), nn.AvgPool2d(3, 1, 1)),
}


@pytest.mark.parametrize("prices", [False, True])
@pytest.mark.parametrize("name", TRAINED)
def test_parallel_branches_are_a_training_form(name: str, prices: bool) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), TRAINED[name], nn.Conv2d(8, 4, 1))
    said = training_form(graph_of_module(module, (3, 18, 18), prices))
    assert said is not None
    assert "timm.utils.reparameterize_model(module)" in said


@pytest.mark.parametrize("name", OTHERS)
def test_other_sums_are_none(name: str) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), OTHERS[name], nn.Conv2d(8, 4, 1))
    assert training_form(graph_of_module(module, (3, 18, 18))) is None


@pytest.mark.parametrize("name", zoo_names())
def test_known_networks_are_none(name: str) -> None:
    assert training_form(zoo(name).graph()) is None


@pytest.mark.parametrize("second", ["nor_conv_3x3", "skip_connect", "avg_pool_3x3"])
@pytest.mark.parametrize("first", ["nor_conv_1x1", "skip_connect", "none"])
def test_shared_cells_are_none(first: str, second: str) -> None:
    cell = f"|{first}~0|+|{second}~0|skip_connect~1|+|skip_connect~0|{second}~1|skip_connect~2|"
    assert training_form(cell_network(cell, 8, 10).graph()) is None
