"""Weights by a module's own names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

CODE = """
from torch import nn

def make(num_classes=5):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, num_classes))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """Of the file net.py in the working directory, whose weights w.pt holds."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(CODE)
    torch.manual_seed(3)
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    torch.save(made.state_dict(), "w.pt")
    return made.eval()


@torch.no_grad()
def test_an_export_keeps_them(module: nn.Module, run: Callable[..., Any]) -> None:
    sized = ("net.py:make", "--resolution", "16")
    assert run("export", *sized, "--onnx", "n.onnx", "--weights", "w.pt").code == 0
    x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession("n.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert np.allclose(found, module(x).numpy(), atol=1e-6)
    # Measured with them, under a key of its own.
    (row,) = run("measure", *sized, "--weights", "w.pt", "--format", "json").json()
    assert row["latency_ms"] > 0


def test_those_of_another_module_are_refused(module: nn.Module, run: Callable[..., Any]) -> None:
    state = module.state_dict()
    torch.save({**state, "4.weight": torch.zeros(2, 4)}, "other.pt")
    refused = run("export", "net.py:make", "--resolution", "16", "--onnx", "n.onnx", "--weights", "other.pt")
    assert refused.code == 2 and "other.pt does not fit net.py:make: '4.weight', missing" in refused.err
    assert not Path("n.onnx").exists()
