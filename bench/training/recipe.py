"""TrainingRecipe: how a network is trained; the shipped ones lie in `recipes/` as TOML."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields, replace
from math import cos, pi
from pathlib import Path
from typing import Any, Literal

from ...errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "recipes"
SHIPPED = ("quick", "standard", "paper")
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}
_LARGE = "above_64_pixels"
"""The table of a recipe that says what is different for larger images."""


@dataclass(frozen=True)
class TrainingRecipe:
    """Stochastic gradient descent with Nesterov momentum and a cosine schedule down to 0.

    The learning rate is that of 256 images a batch and is scaled by the batch (Goyal et al., arXiv
    1706.02677). `images_per_epoch` 0: all. `gradient_norm`: longer gradients are shortened to
    it; 0: none are. Batch norm parameters and biases do not decay. `crop` "pad":
    a random crop of the image padded by an eighth of its size; "area": 8 to 100 % of its area, resized.
    """

    name: str
    epochs: int
    batch: int
    learning_rate_per_256: float
    images_per_epoch: int = 0
    warmup_epochs: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_norm: float = 0.0
    batch_norm_momentum: float = 0.1
    label_smoothing: float = 0.0
    flip: bool = True
    crop: Literal["none", "pad", "area"] = "pad"
    auto_augment: Literal["none", "cifar", "imagenet"] = "none"
    erase: float = 0.0
    mixup: float = 0.0

    def learning_rate(self, epoch: float) -> float:
        """At a point of the training, in epochs: a linear warm-up over a quarter of it at the most,
        then half a cosine."""
        peak = self.learning_rate_per_256 * self.batch / 256
        warmup = min(self.warmup_epochs, self.epochs / 4)
        if epoch < warmup:
            return peak * epoch / warmup
        share = (epoch - warmup) / (self.epochs - warmup)
        return peak * (1 + cos(pi * min(share, 1.0))) / 2

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def open_recipe(name: str, resolution: int, **changes: Any) -> TrainingRecipe:
    """A shipped recipe, or that of a TOML file, for images of a resolution; changes that are not None hold.

    Raises UserError where there is none, or a value cannot be.
    """
    path = FOLDER / f"{name}.toml" if name in SHIPPED else Path(name)
    if name not in SHIPPED and path.suffix != ".toml":
        raise UserError(f"there is no recipe '{name}'; known are {', '.join(SHIPPED)}, or give a .toml file")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the recipe {path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"the recipe {path} is not valid TOML: {error}") from None
    large = values.pop(_LARGE, {})
    if resolution > 64:
        values |= large
    recipe = _checked({"name": path.stem, **values}, str(path))
    given = {key: value for key, value in changes.items() if value is not None}
    return _bounded(replace(recipe, **given), f"recipe {recipe.name}") if given else recipe


def _checked(values: dict[str, Any], source: str) -> TrainingRecipe:
    known = {field.name: field for field in fields(TrainingRecipe)}
    if unknown := sorted(values.keys() - known.keys()):
        raise UserError(f"{source}: a recipe has no '{unknown[0]}'; it has {', '.join(known)}")
    if missing := [name for name in ("epochs", "batch", "learning_rate_per_256") if name not in values]:
        raise UserError(f"{source} says nothing of {missing[0]}")
    choices = {"crop": ("none", "pad", "area"), "auto_augment": ("none", "cifar", "imagenet")}
    for name, value in values.items():
        if name in choices and value not in choices[name]:
            raise UserError(f"{source}: {name} must be one of {', '.join(choices[name])}, not {value!r}")
        wanted = _TYPES.get(str(known[name].type))
        if wanted and type(value) not in wanted:
            raise UserError(f"{source}: {name} is {value!r}, which is not of the type {known[name].type}")
    return _bounded(TrainingRecipe(**values), source)


def _bounded(recipe: TrainingRecipe, source: str) -> TrainingRecipe:
    bounds = {
        "epochs": (1, 100_000),
        "batch": (2, 65_536),
        "learning_rate_per_256": (1e-9, 1e3),
        "images_per_epoch": (0, 1 << 31),
        "warmup_epochs": (0, 1e5),
        "momentum": (0, 0.9999),
        "weight_decay": (0, 1),
        "gradient_norm": (0, 1e6),
        "batch_norm_momentum": (1e-6, 1),
        "label_smoothing": (0, 0.9),
        "erase": (0, 1),
        "mixup": (0, 10),
    }
    for name, (low, high) in bounds.items():
        value = getattr(recipe, name)
        if not low <= value <= high:
            raise UserError(f"{source}: {name} is {value:g}; it must be from {low:g} to {high:g}")
    return recipe
