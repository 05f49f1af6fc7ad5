"""One tiny network in two forms: ours, and the same layers put together by hand."""

import pytest
from torch import nn
from zenbench.zen.graph import Graph
from zenbench.zen.network import parse_text


@pytest.fixture
def tiny() -> Graph:
    return parse_text("SuperConvK3BNRELU(3,6,2,1)SuperConvK3BNRELU(6,8,1,1)", 8, classes=5).graph()


@pytest.fixture
def twin() -> nn.Sequential:
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, 1, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    nn.init.zeros_(layers[-1].bias)
    return layers
