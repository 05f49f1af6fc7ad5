"""Modules by name: of timm, of torchvision, and of a factory in one's own file."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from inspect import signature
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import nn

from ....errors import NetworkError, UserError, first_line
from ....zen.graph_network import GraphNetwork
from ....zen.importing.own_module import failing_as
from ....zen.importing.priced_module import price_module
from ....zen.importing.torch_module import read_module
from .names import TIMM, TORCHVISION
from .own_code import made_by_factory
from .packages import model_package

_RESOLUTION = 224
"""Of images, where nothing tells what a module was made for."""


@dataclass(frozen=True, eq=False)
class NamedModule:
    """A module in eval mode with seeded random weights, and the shape of image that it was made for."""

    module: nn.Module
    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ModuleNetwork(GraphNetwork):
    """A network that is a torch module, which runs where its graph is not read whole."""

    module: nn.Module = field(kw_only=True)


def module_network(text: str, resolution: int | None, classes: int | None) -> ModuleNetwork:
    """The network of a module by its name, read at a resolution or at the one that it was made for; priced
    where not all of it can be read.

    Raises UserError as `module_of` does, NetworkError where the module does not run on such images.
    """
    found = module_of(text, classes)
    channels, height, width = found.shape
    shape = (channels, resolution, resolution) if resolution else (channels, height, width)
    try:
        return ModuleNetwork(text, read_module(found.module, shape), module=found.module)
    except NetworkError as error:
        reason = str(error)
    try:
        priced = price_module(found.module, shape)
    except NetworkError as error:
        raise NetworkError(f"{text}: {error}") from None
    # What torch.fx cannot trace may still be read whole, call by call.
    unread = reason if priced.graph.priced else None
    return ModuleNetwork(text, priced, unread=unread, module=found.module)


def module_of(text: str, classes: int | None = None) -> NamedModule:
    """The module that a text names, made with so many classes; nothing is ever downloaded.

    Raises UserError where its package is missing, has no such name or fails to make it, or where the code of
    one's own file fails, by its line.
    """
    with torch.random.fork_rng(devices=[]), catch_warnings():
        simplefilter("ignore")
        torch.manual_seed(0)
        if text.startswith(TIMM):
            found = _of_timm(text.removeprefix(TIMM), classes)
        elif text.startswith(TORCHVISION):
            found = _of_torchvision(text.removeprefix(TORCHVISION), classes)
        else:
            found = NamedModule(made_by_factory(text, classes), (3, _RESOLUTION, _RESOLUTION))
    with failing_as(f"{text} cannot be put in eval mode"):
        found.module.eval()
    return found


def _of_timm(name: str, classes: int | None) -> NamedModule:
    model_package("torchvision")  # which timm imports
    timm = model_package("timm")
    if not timm.is_model(name):  # also of names that timm would look up on a hub
        raise _unknown(TIMM, name, timm.list_models())
    module = _made(TIMM + name, timm.create_model, name, pretrained=False, **_classes(classes))
    told: Any = getattr(module, "pretrained_cfg", None) or {}
    channels, height, width = told.get("input_size", (3, _RESOLUTION, _RESOLUTION))
    return NamedModule(module, (channels, height, width))


def _of_torchvision(name: str, classes: int | None) -> NamedModule:
    models: Any = model_package("torchvision").models
    if name not in models.list_models():
        raise _unknown(TORCHVISION, name, models.list_models())
    builder = models.get_model_builder(name)
    options: dict[str, Any] = {"weights": None} | _classes(classes)
    if "weights_backbone" in signature(builder).parameters:
        options["weights_backbone"] = None  # else it would be downloaded
    module = _made(TORCHVISION + name, builder, **options)
    # Some weights are for larger images than the module takes as it is created.
    sizes = [_crop(weights) for weights in models.get_model_weights(name)]
    size = min([size for size in sizes if size], default=_RESOLUTION)
    return NamedModule(module, (3, size, size))


def _crop(weights: Any) -> int | None:
    """The size of the images that weights were published for."""
    size = getattr(weights.transforms(), "crop_size", None)
    return size[0] if isinstance(size, list) and len(size) == 1 else size if isinstance(size, int) else None


def _classes(classes: int | None) -> dict[str, int]:
    return {} if classes is None else {"num_classes": classes}


def _made(name: str, make: Any, *args: Any, **options: Any) -> nn.Module:
    try:
        found: nn.Module = make(*args, **options)
    except Exception as error:  # noqa: BLE001 - its constructor raises what it likes
        raise UserError(f"{name} cannot be made: {first_line(error)}") from None
    return found


def _unknown(prefix: str, name: str, names: list[str]) -> UserError:
    package = prefix.removesuffix(":")
    near = get_close_matches(name, names, 3, 0.5)
    hint = (
        f"near it are {', '.join(prefix + one for one in near)}" if near else f"see {package}'s list_models()"
    )
    return UserError(f"{package} has no model '{name}'; {hint}")
