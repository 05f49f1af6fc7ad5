"""Exported programs: what is read computes and costs the same, in every form that torch writes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from operation_graphs import GRAPHS, build, drawn
from torch import Tensor, nn
from torch.nn import functional
from zenbench.bench.networks.pt2.program import read_exported_program
from zenbench.errors import NetworkError
from zenbench.zen.cost import graph_cost
from zenbench.zen.graph import Graph
from zenbench.zen.importing.torch_module import graph_of_module
from zenbench.zen.module import build_module, load_state

SHAPE = (3, 16, 16)


class Mixed(nn.Module):
    """What torch exports in more than one form: parts, gates, learned constants, channels last, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)
        )
        self.squeeze = nn.Conv2d(8, 8, 1)
        self.scale = nn.Parameter(torch.rand(8))
        self.norm = nn.LayerNorm(8)
        self.places = nn.Linear(8, 12)
        self.group = nn.GroupNorm(2, 12)
        self.last = nn.Conv2d(6, 6, 3, padding="same")
        self.classifier = nn.Linear(6, 5)

    def forward(self, x: Tensor, temperature: float = 1.0) -> Tensor:
        x = functional.max_pool2d(self.stem(x), 3, 1, 1)
        x = functional.hardsigmoid(self.squeeze(x.mean((2, 3), keepdim=True)), inplace=True) * x
        x = x * self.scale.view(1, -1, 1, 1)
        x = self.places(self.norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        left, right = self.group(functional.gelu(x)).chunk(2, 1)
        x = functional.silu(self.last(left) + right) - x[:, 3:9]
        x = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1)), 2, 2)
        x = functional.dropout(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1), 0.1, self.training)
        return functional.softmax(self.classifier(x) / temperature, dim=-1)


def saved(program: Any, folder: Path) -> Path:
    torch.export.save(program, str(folder / "net.pt2"))
    return folder / "net.pt2"


def exported(module: nn.Module, shape: tuple[int, ...] = SHAPE, batch: int = 2, **how: Any) -> Any:
    return torch.export.export(module.eval(), (torch.zeros(batch, *shape),), **how)


def check(module: nn.Module, path: Path, shape: tuple[int, ...] = SHAPE) -> Graph:
    """The graph of a file, which costs what the module's costs and computes, with its weights, the same."""
    read = read_exported_program(path)
    assert graph_cost(read.graph) == graph_cost(graph_of_module(module, shape))
    copy = build_module(read.graph)
    load_state(copy, {name: torch.from_numpy(array) for name, array in read.state().items()}, path)
    images = torch.randn(2, *shape)
    with torch.no_grad():
        wanted = module(images)
        torch.testing.assert_close(copy(images).reshape(wanted.shape), wanted, rtol=1e-5, atol=1e-6)
    return read.graph


@pytest.mark.parametrize("is_decomposed", [False, True])
def test_a_program_costs_and_computes_what_its_module_does(tmp_path: Path, is_decomposed: bool) -> None:
    module = Mixed()
    for tensor in (module.stem[1].running_mean, module.stem[1].running_var, module.norm.weight):
        nn.init.uniform_(tensor, 0.5, 1.5)
    program = exported(module)
    check(module, saved(program.run_decompositions() if is_decomposed else program, tmp_path))


EXPORTED = [name for name in GRAPHS if name not in ("average pool 2/1", "average pool, padded before")][::3]
"""A third of what torch has layers for: an export takes half a second."""


@pytest.mark.parametrize("name", EXPORTED)
def test_operations_are_read_back(name: str, tmp_path: Path) -> None:
    graph = build(GRAPHS[name]).graph()
    module = drawn(graph)
    check(module, saved(exported(module, graph.input_shape), tmp_path), graph.input_shape)


def test_batch_and_size_may_be_free(tmp_path: Path) -> None:
    module, free = Mixed(), torch.export.Dim.AUTO
    path = saved(exported(module, dynamic_shapes=({0: free, 2: free, 3: free},)), tmp_path)
    assert read_exported_program(path, 32).graph == graph_of_module(module, (3, 32, 32))
    with pytest.raises(NetworkError, match="has a free height and width; give --resolution"):
        read_exported_program(path)


def test_a_fixed_size_cannot_be_another(tmp_path: Path) -> None:
    path = saved(exported(nn.Conv2d(3, 4, 3)), tmp_path)
    with pytest.raises(NetworkError, match="has a fixed size of 16 x 16, not 32"):
        read_exported_program(path, 32)


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.relu(), x.sigmoid()


class Upsampled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2.0)


class FromImage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, x[:1].mean((2, 3), keepdim=True))


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Two(), "gives 2 tensors"),
        (Upsampled(), "'upsample_nearest2d', a call of upsample_nearest2d, cannot be read"),
        (FromImage(), "computes its weights from the image"),
    ],
)
def test_what_cannot_be_read_is_named(module: nn.Module, reason: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=reason):
        read_exported_program(saved(exported(module), tmp_path))


def test_a_program_in_training_is_refused(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    program = torch.export.export(module, (torch.zeros(2, *SHAPE),))
    with pytest.raises(NetworkError, match="'batch_norm', a call of batch_norm, is as it is in training"):
        read_exported_program(saved(program, tmp_path))


def test_other_inputs_than_one_image_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="takes a tensor of 2 axes; only images can be read"):
        read_exported_program(saved(exported(nn.Linear(4, 2), (4,)), tmp_path))
    pair = torch.export.export(nn.Bilinear(2, 2, 1), (torch.zeros(1, 2), torch.zeros(1, 2)))
    with pytest.raises(NetworkError, match="takes 2 tensors"):
        read_exported_program(saved(pair, tmp_path))
