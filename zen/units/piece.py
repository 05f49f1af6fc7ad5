"""A piece of a network from elsewhere: its operations spelled out, so that a table can hold its latency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...errors import NetworkError
from ..graph import Operation, Shape
from ..graph_builder import GraphBuilder
from .base import Unit
from .piece_text import made, spelled, whole

_MOST_OPS = 4096


@dataclass(frozen=True, slots=True)
class PieceUnit(Unit):
    """Operations from one tensor to one tensor, spelled out in `ops`.

    One `word:inputs:values` an operation, with `;` between. Inputs are numbers with `+` between, 0 for the
    piece's own input and n for its n-th operation; without any it reads the operation before. Values have `/`
    between. `layers`: convolutions and linear layers. Epsilons are left out: no latency depends on them.
    """

    kind: ClassVar[str] = "piece"
    in_channels: int
    out_channels: int
    ops: str

    @staticmethod
    def of(ops: Sequence[Operation], tensor: str, in_channels: int) -> PieceUnit:
        """The piece of these operations, which read `tensor` and one another."""
        places = {tensor: 0}
        words = []
        for place, op in enumerate(ops, 1):
            inputs = [places[name] for name in op.inputs]
            read = "" if inputs == [place - 1] else "+".join(map(str, inputs))
            word, values = spelled(op)
            words.append(f"{word}:{read}:{values}")
            places[op.name] = place
        return PieceUnit(in_channels, _channels(ops[-1].shape), ";".join(words))

    def output_size(self, size: int) -> int:
        builder = GraphBuilder((self.in_channels, size, size))
        shape = builder.shape(self.lower(builder, "input"))
        return shape[-1] if len(shape) == 3 else 1

    @property
    def layers(self) -> int:
        return sum(word in ("conv", "linear") for word, _, _ in self._parsed())

    @property
    def label(self) -> str:
        parts = self._parsed()
        told = Counter(named for word, _, values in parts if (named := _named(word, values)))
        texts = [f"{count} {named}" if count > 1 else named for named, count in told.items()]
        return f"{' + '.join(texts) or parts[0][0]}, {self.in_channels}>{self.out_channels}"

    def lower(self, builder: GraphBuilder, x: str) -> str:
        tensors = [x]
        for word, inputs, values in self._parsed():
            tensor = made(builder, word, [tensors[place] for place in inputs], values)
            if min(builder.shape(tensor), default=1) < 1:
                raise NetworkError(f"{self.label}: its windows do not fit a map of {builder.shape(x)[-1]}")
            tensors.append(tensor)
        return tensors[-1]

    def check(self, size: int | None = None) -> None:
        super(PieceUnit, self).check(size)  # slots make a second class of it, which a bare super() misses
        if (count := self.ops.count(";") + 1) > _MOST_OPS:
            raise NetworkError(
                f"'{self.ops[:60]}' has {count:,} operations; tables hold no more than {_MOST_OPS:,}"
            )
        builder = GraphBuilder((self.in_channels, size or _ANY_SIZE, size or _ANY_SIZE))
        try:
            channels = _channels(builder.shape(self.lower(builder, "input")))
        except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError):
            raise NetworkError(f"'{self.ops[:60]}' spells no operations") from None
        if channels != self.out_channels:
            raise NetworkError(f"'{self.ops[:60]}' makes {channels} channels, not {self.out_channels}")

    def _parsed(self) -> list[tuple[str, list[int], list[str]]]:
        found = []
        for place, text in enumerate(self.ops.split(";")):
            word, read, values = text.split(":")
            inputs = [whole(one, 0, place) for one in read.split("+")] if read else [place]
            found.append((word, inputs, values.split("/") if values else []))
        return found


_ANY_SIZE = 64
"""Of a map on which a text is checked that has none."""


def _named(word: str, values: Sequence[str]) -> str | None:
    """What people call an operation that tells a piece from others; None of the rest."""
    if word == "conv":
        out_channels, kernel, stride, groups = values[:4]
        kind = "conv" if groups == "1" else "depthwise" if groups == out_channels else "grouped conv"
        return f"{kind} {kernel}x{kernel}{'' if stride == '1' else f' /{stride}'}"
    return word if word in ("pool", "linear") else None


def _channels(shape: Shape) -> int:
    return shape[0] if shape else 1
