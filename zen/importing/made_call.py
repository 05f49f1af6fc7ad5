"""MadeCall: a call of torch, taken while it is made."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from .torch_names import FUNCTIONS, METHODS, NAMES, Read

_OPERATORS: dict[str, Any] = {"__getitem__": operator.getitem}


class MadeCall:
    """A call with the tensors that it is given and that it makes or changes."""

    def __init__(self, func: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.func, self.args, self.kwargs = func, args, kwargs
        self.given = list(held_tensors((args, kwargs)))
        self.result: Any = None
        self.made: list[Tensor] = []
        self.changed: list[Tensor] = []
        self.flops = 0

    def run(self) -> Any:
        """Its result."""
        versions = [x._version for x in self.given]
        self.result = self.func(*self.args, **self.kwargs)
        self.changed = [x for x, old in zip(self.given, versions, strict=True) if x._version != old]
        made = list(held_tensors(self.result))
        if made and not self.changed and all(any(x is y for y in self.given) for x in made):
            made = []  # handed on as it is
        self.made = made or self.changed
        return self.result

    @property
    def kind(self) -> str:
        """Its name in torch."""
        name = self.func.__name__
        if name == "__get__":  # of a property
            name = self.func.__self__.__name__
        return str(name).strip("_")

    def read(self) -> Read | None:
        """What reads it, where something does."""
        name = self.func.__name__
        target = self.func if self.func in FUNCTIONS else METHODS.get(name, _OPERATORS.get(name))
        return FUNCTIONS.get(target) or NAMES.get(name)

    def changes_within(self, x: Tensor) -> bool:
        """Whether it changes values of another tensor, which shares them with one that it is given."""
        return any(x is not y and _owner(x) is _owner(y) for y in self.changed)


def _owner(x: Tensor) -> Tensor:
    return x if x._base is None else x._base


def held_tensors(value: Any) -> Iterator[Tensor]:
    """Tensors that a value is or holds."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from held_tensors(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from held_tensors(one)
