"""The window of a convolution or pool as other libraries tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import NetworkError
from ..windows import Padding, reach_of


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or pool says about its window: one number an axis, or one for both.

    `padding` is height then width, or the four ends (top, left, bottom, right), or a word: as much as
    ceil(size / stride) windows need, the larger half of it behind the map ("upper") or before it ("lower").
    """

    kernel: Sequence[int] | int
    stride: Sequence[int] | int
    padding: Sequence[int] | int | Literal["upper", "lower"]
    dilation: Sequence[int] | int = 1

    def square(self, where: str) -> tuple[int, int, int]:
        """Kernel, stride and dilation where they are one number each; NetworkError, naming `where`, else."""
        found = []
        for name in ("kernel", "stride", "dilation"):
            value = getattr(self, name)
            values = {value} if isinstance(value, int) else set(value)
            if len(values) != 1:
                listed = " x ".join(map(str, value))
                raise NetworkError(f"{where} has the {name} {listed}; make it the same on both axes")
            found.append(values.pop())
        if min(found) < 1:
            raise NetworkError(
                f"{where} has kernel {found[0]}, stride {found[1]} and dilation {found[2]}; no runtime can "
                "run it, export it again"
            )
        kernel, stride, dilation = found
        return kernel, stride, dilation

    def ends(self, size: int, where: str) -> Padding:
        """The padding on a map of that size."""
        kernel, stride, dilation = self.square(where)
        if isinstance(self.padding, str):
            needed = max((size - 1) // stride * stride + reach_of(kernel, dilation) - size, 0)
            before = needed // 2 if self.padding == "upper" else needed - needed // 2
            return before, before, needed - before, needed - before
        ends = (self.padding,) * 4 if isinstance(self.padding, int) else tuple(self.padding)
        top, left, bottom, right = ends if len(ends) == 4 else ends * 2
        if min(ends) < 0:
            raise NetworkError(f"{where} has a padding below nought; cut the map before it")
        return top, left, bottom, right
