"""Networks of TinyNAS: `structure_info`, a list of blocks, alone or among the `best_structures` of a search.

Source: alibaba/lightweight-neural-architecture-search at 8ccaf88, `tinynas/deploy/cnnnet`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...errors import NetworkError
from ...zen.blocks import MAX_LAYERS
from ...zen.graph import PlainFunction
from ...zen.network import Network
from ...zen.units.base import MAX_STRIDE, MAX_WIDTH, Unit
from ...zen.units.plain import ConvUnit
from ...zen.units.tinynas import TinyNasShortcut, TinyNasStyle, TinyNasUnit


class _Class(NamedTuple):
    """A class of super blocks: the shortcut of a first unit that keeps the width, and of one that changes it.

    Units behind the first add what they read.
    """

    style: TinyNasStyle
    keeping: TinyNasShortcut = "identity"
    changing: TinyNasShortcut = "projection"
    gated: bool = False


_CONV = "ConvKXBNRELU"
_CLASSES = {
    "SuperResKXKX": _Class("kxkx"),
    "SuperResK1KX": _Class("k1kx"),
    "SuperResK1KXK1": _Class("k1kxk1", keeping="projection"),
    "SuperResK1DWK1": _Class("k1dwk1", changing="none"),
    "SuperQuantResK1DWK1": _Class("k1dwk1", changing="none"),
    "SuperResK1DWSEK1": _Class("k1dwk1", changing="none", gated=True),
}
_ACTIVATIONS: Mapping[Any, PlainFunction] = {
    "relu": "relu",
    "relu6": "relu6",
    "swish": "swish",
    "sigmoid": "sigmoid",
}
_SQUEEZED = 0.25
_INSTEAD = "give the network as an ONNX file instead"


def is_structure(data: Any) -> bool:
    if isinstance(data, dict):
        return "best_structures" in data
    return isinstance(data, list) and any(isinstance(block, dict) and "class" in block for block in data)


def structure_network(data: Any) -> Network:
    """The network of a structure_info, at resolution 224 with 1000 classes; of `best_structures` the first,
    which is the best of a search.

    Bit widths are not read: the precision is a setting's. Raises NetworkError, naming the block, where
    zenbench has no unit for it.
    """
    if isinstance(data, dict):
        structures = data["best_structures"]
        if not isinstance(structures, list) or not structures or not isinstance(structures[0], list):
            raise NetworkError(
                "the best_structures of TinyNAS hold no structure_info, which is a list of blocks"
            )
        data = structures[0]
    return Network(
        tuple(unit for number, block in enumerate(data, 1) for unit in _units(_Block(block, number)))
    )


class _Block:
    """One record of a structure_info."""

    def __init__(self, record: Any, number: int) -> None:
        self.record, self.number = record, number
        if not isinstance(record, dict) or not isinstance(record.get("class"), str):
            raise self.error("has no class")

    def whole(self, name: str, most: int, default: int | None = None) -> int:
        value = self.record.get(name, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self.error(f"has {name}={value!r}")
        return value

    def activation(self, default: str) -> PlainFunction:
        given = self.record.get("act", default)
        if not isinstance(given, str) or given not in _ACTIVATIONS:
            raise self.error(f"has the activation {given!r}")
        return _ACTIVATIONS[given]

    def error(self, reason: str) -> NetworkError:
        return NetworkError(
            f"this is TinyNAS's structure_info, whose block {self.number} {reason}; {_INSTEAD}"
        )


def _units(block: _Block) -> Iterator[Unit]:
    name = block.record["class"]
    found = _CLASSES.get(name)
    if found is None and name != _CONV:
        raise block.error(f"is of the class '{name}', which is not among {', '.join((_CONV, *_CLASSES))}")
    kernel, stride = block.whole("k", MAX_WIDTH), block.whole("s", MAX_STRIDE, 1)
    if block.record.get("g", 1) != 1:
        raise block.error(f"has g={block.record['g']!r}, groups, which no unit of zenbench has")
    if block.record.get("p", kernel // 2) != kernel // 2:
        raise block.error(
            f"has the padding p={block.record['p']!r} for k={kernel}, where zenbench pads by half"
        )
    in_channels, out_channels = block.whole("in", MAX_WIDTH), block.whole("out", MAX_WIDTH)
    if found is None:
        yield ConvUnit(kernel, in_channels, out_channels, stride, block.activation("relu"))
        return
    hidden = block.whole("btn", MAX_WIDTH)
    for repeat in range(block.whole("L", MAX_LAYERS)):
        keeping = found.keeping if repeat == 0 else "identity"
        yield TinyNasUnit(
            found.style,
            kernel,
            in_channels,
            hidden,
            out_channels,
            stride,
            keeping if in_channels == out_channels else found.changing,
            block.activation("swish" if found.gated else "relu"),
            squeezed_channels=max(1, round(hidden * _SQUEEZED) // 8) * 8 if found.gated else 0,
        )
        in_channels, stride = out_channels, 1
