"""timm and torchvision, which are imported where somebody names a model of theirs."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

from ...errors import UserError, first_line

_OPERATORS = ("nms", "qnms")
"""Those that torchvision describes to torch while it is imported, whether its own library has them or not."""

_defined: list[Any] = []
"""The object that defined them, without which they go."""


def model_package(name: str) -> ModuleType:
    """The package, imported; UserError where it or one that it needs is missing or fails."""
    try:
        if name == "torchvision":
            return _torchvision()
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = (error.name or name).partition(".")[0]
        raise UserError(
            f"models of {name} need the package {missing}; install it with pip install {missing}"
        ) from None
    except Exception as error:  # noqa: BLE001 - of a package that does not fit another one
        raise UserError(
            f"the package {name} cannot be imported ({first_line(error)}); install a version that fits torch "
            f"{torch.__version__}"
        ) from None


def _torchvision() -> ModuleType:
    """torchvision; beside a build of torch that it was not built for, without its operators on boxes."""
    try:
        return import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _defined:
            raise
    for module in [one for one in sys.modules if one.partition(".")[0] == "torchvision"]:
        del sys.modules[module]
    library: Any = torch.library.Library
    _defined.append(library("torchvision", "FRAGMENT"))
    for name in _OPERATORS:
        _defined[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return import_module("torchvision")
