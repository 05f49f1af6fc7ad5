"""A torch module as an ONNX file by torch's own exporter: what is timed of a module that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from ....zen.graph import Shape
from ....zen.importing.own_module import failing_as


def write_module(module: Any, shape: Shape, path: Path, batch: int) -> None:
    """The file of a module on a batch of images of `shape`; NetworkError where torch cannot export it.

    By TorchScript, since the newer exporter needs onnxscript and takes minutes for a large network.
    """
    import torch

    image = torch.zeros(batch, *shape)
    with catch_warnings():
        simplefilter("ignore")
        with failing_as("torch exports it to no ONNX file"):
            torch.onnx.export(module.eval(), (image,), str(path), input_names=["input"], dynamo=False)
