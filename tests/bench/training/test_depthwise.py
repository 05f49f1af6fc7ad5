"""Depthwise layers that were exchanged compute what they computed before."""

import pytest
import torch
from torch import nn
from zenbench.bench.training.depthwise import speed_up_depthwise


def run(model: nn.Sequential, images: torch.Tensor) -> list[torch.Tensor]:
    images = images.clone().requires_grad_()
    model.zero_grad()
    found = model(images)
    (found**2).sum().backward()
    return [found, images.grad, *(one.grad for one in model.parameters())]


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_outputs_and_gradients_are_those_of_torch(kernel: int, stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=bias),
        nn.Conv2d(6, 6, kernel, stride, kernel // 2, groups=6, bias=bias),
    ]
    model = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    images = torch.randn(3, 6, 9, 11)
    before = run(model, images)
    speed_up_depthwise(model)
    assert (type(layers[0]) is nn.Conv2d) == (kernel == 3 and stride == 1)
    for old, new in zip(before, run(model, images), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-4, atol=1e-3)


def test_in_bf16_the_gradients_of_weights_are_as_near_as_torchs() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 8, 7, padding=3, groups=8, bias=False)
    model = nn.Sequential(layer)
    images = torch.randn(4, 8, 16, 16)
    exact = run(model, images)[2].clone()
    errors = []
    for exchange in (False, True):
        if exchange:
            speed_up_depthwise(model)
        with torch.autocast("cpu", torch.bfloat16):
            errors.append(float((run(model, images)[2] - exact).norm() / exact.norm()))
    assert errors[1] < 1.5 * errors[0] + 1e-6


def test_other_layers_stay() -> None:
    layers = [
        nn.Conv2d(8, 8, 5),
        nn.Conv2d(8, 16, 5, groups=8),
        nn.Conv2d(8, 8, 5, groups=2),
        nn.Conv2d(8, 8, 5, groups=8, dilation=2),
    ]
    speed_up_depthwise(nn.Sequential(*layers))
    assert all(type(layer) is nn.Conv2d for layer in layers)
