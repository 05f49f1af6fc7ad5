"""Keys of Once-for-All and ProxylessNAS latency tables, and the workloads they stand for.

`expanded_conv-input:112x112x16-output:56x56x24-expand:6-kernel:3-stride:2-idskip:0`: sizes are height x
width x channels. Two dialects:

- `proxyless`: `expand` is the ratio of hidden to input width; activations are ReLU6, gates there are none.
- `mbv3`: `expand` is the hidden width itself, and `-se:0-hs:1` follow. `hs`: hard-swish, else ReLU. `se`: a
  gate of a quarter of the hidden width (a multiple of 8), ReLU inside, hard-sigmoid behind. Convolutions
  outside the blocks have hard-swish.

`Conv` is the first convolution, 3x3; `Conv_1` and `Conv_2` are 1x1; `Logits` is all behind them, pool and
classifier. A convolution's key says neither its kernel nor its activation: these are the tables' own use.

Source: ofa/nas/efficiency_predictor/latency_lookup_table.py of mit-han-lab/once-for-all, and
arXiv 1812.00332 (ProxylessNAS), 1908.09791 (Once-for-All).
"""

from __future__ import annotations

import re
from typing import Literal

from ....errors import NetworkError
from ....zen.families.stages import divisible_by_8
from ....zen.graph import PlainFunction
from ....zen.units.base import MAX_STRIDE
from ....zen.units.mobile import InvertedUnit
from ....zen.units.plain import ConvUnit, HeadUnit
from ....zen.workload import Workload

Dialect = Literal["proxyless", "mbv3"]
ACTIVATIONS: dict[Dialect, PlainFunction] = {"proxyless": "relu6", "mbv3": "hard-swish"}
"""What a key means that does not say its activation."""

_FORM = re.compile(
    r"(?P<kind>\w+)-input:(?P<input>\d[\dx]*)-output:(?P<output>\d[\dx]*)(?P<rest>(-\w+:\d+)*)"
)
_KERNELS = {"Conv": 3, "Conv_1": 1, "Conv_2": 1}
_BLOCK = ("expand", "kernel", "stride", "idskip")
_GATED_BLOCK = (*_BLOCK, "se", "hs")


def is_key(text: str) -> bool:
    """Whether a text has the form of a key, whatever it stands for."""
    return _FORM.fullmatch(text) is not None


def dialect_of(key: str) -> Dialect | None:
    """The dialect that a key shows; None where it could be either."""
    if not key.startswith("expanded_conv-"):
        return None
    return "mbv3" if re.search(r"-(se|hs):", key) else "proxyless"


def workload_of(key: str, activation: PlainFunction) -> Workload:
    """The workload a key stands for; raises NetworkError with the reason where none of ours is the same.

    `activation` is that of keys that do not say theirs.
    """
    match = _FORM.fullmatch(key)
    if match is None:
        raise NetworkError("it is not a key of a block table")
    size, in_channels = _square(match["input"], "input")
    kind, fields = match["kind"], _fields(match["rest"])
    if kind == "Logits":
        unit: HeadUnit | ConvUnit | InvertedUnit = HeadUnit(in_channels, _classes(match["output"]))
    else:
        out_size, out_channels = _square(match["output"], "output")
        if kind == "expanded_conv":
            unit = _inverted(fields, in_channels, out_channels, activation)
        elif kind in _KERNELS:
            stride = _stride(size, out_size)
            unit = ConvUnit(_KERNELS[kind], in_channels, out_channels, stride, activation)
        else:
            raise NetworkError(f"no unit does what {kind} does alone")
        unit.check()
        if unit.output_size(size) != out_size:
            raise NetworkError(f"an input of {size} gives an output of {unit.output_size(size)} here")
    if kind != "expanded_conv" and fields:
        raise NetworkError(f"{kind} has no {', '.join(fields)}")
    unit.check()
    return Workload(unit, size)


def key_of(workload: Workload, dialect: Dialect) -> str | None:
    """The key that `workload_of` reads back as this workload; None where the dialect has none."""
    unit, size = workload.unit, workload.size
    if isinstance(unit, HeadUnit):
        return f"Logits-input:{_shape(size, unit.in_channels)}-output:{unit.classes}"
    if isinstance(unit, InvertedUnit):
        key = _inverted_key(unit, dialect)
    elif isinstance(unit, ConvUnit):
        key = {3: "Conv", 1: "Conv_1"}.get(unit.kernel, "")
    else:
        return None
    kind, _, rest = key.partition("-")
    shapes = (
        f"input:{_shape(size, unit.in_channels)}-output:{_shape(workload.output_size, unit.out_channels)}"
    )
    key = "-".join(filter(None, (kind, shapes, rest)))
    try:
        same = workload_of(key, ACTIVATIONS[dialect]) == workload
    except NetworkError:
        same = False
    return key if same else None


def _inverted_key(unit: InvertedUnit, dialect: Dialect) -> str:
    adds = int(unit.stride == 1 and unit.in_channels == unit.out_channels)
    expand = unit.hidden_channels if dialect == "mbv3" else unit.hidden_channels // unit.in_channels
    fields = f"expand:{expand}-kernel:{unit.kernel}-stride:{unit.stride}-idskip:{adds}"
    if dialect == "mbv3":
        gated, hard = int(unit.squeezed_channels > 0), int(unit.activation == "hard-swish")
        fields += f"-se:{gated}-hs:{hard}"
    return f"expanded_conv-{fields}"


def _inverted(
    fields: dict[str, int], in_channels: int, out_channels: int, activation: PlainFunction
) -> InvertedUnit:
    if tuple(fields) not in (_BLOCK, _GATED_BLOCK):
        raise NetworkError(f"a block should have {', '.join(_BLOCK)} and perhaps se, hs")
    flags = [name for name in ("idskip", "se", "hs") if fields.get(name, 0) > 1]
    if flags:
        raise NetworkError(f"{flags[0]} must be 0 or 1")
    stride = fields["stride"]
    if fields["idskip"] != (stride == 1 and in_channels == out_channels):
        raise NetworkError(
            "idskip:1 adds an input of another shape than the output"
            if fields["idskip"]
            else "our block adds its input where the shapes agree, this one (idskip:0) does not"
        )
    if "se" not in fields:
        hidden = in_channels * fields["expand"]
        return InvertedUnit(fields["kernel"], in_channels, hidden, out_channels, stride, activation)
    hidden = fields["expand"]
    return InvertedUnit(
        fields["kernel"],
        in_channels,
        hidden,
        out_channels,
        stride,
        "hard-swish" if fields["hs"] else "relu",
        squeezed_channels=divisible_by_8(hidden / 4) if fields["se"] else 0,
        gate="hard-sigmoid" if fields["se"] else "sigmoid",
    )


def _fields(text: str) -> dict[str, int]:
    pairs = [item.split(":") for item in text.split("-") if item]
    fields = {name: _whole(value) for name, value in pairs}
    if len(fields) < len(pairs):
        raise NetworkError("it names a field twice")
    return fields


def _square(text: str, what: str) -> tuple[int, int]:
    """Size and channels."""
    parts = [_whole(part) for part in text.split("x")]
    if len(parts) != 3 or not all(parts):
        raise NetworkError(f"the {what} should be height x width x channels above zero, not {text}")
    height, width, channels = parts
    if height != width:
        raise NetworkError(f"the {what} of {height}x{width} is not square")
    return height, channels


def _classes(text: str) -> int:
    if "x" in text:
        raise NetworkError(f"the output of Logits should be a number of classes, not {text}")
    return _whole(text)


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise NetworkError(f"'{text}' is not a whole number of at most nine digits")
    return int(text)


def _stride(size: int, out_size: int) -> int:
    """The least stride that takes one size to the other."""
    for stride in range(1, MAX_STRIDE + 1):
        if (size - 1) // stride + 1 == out_size:
            return stride
    raise NetworkError(f"no stride takes a size of {size} to {out_size}")


def _shape(size: int, channels: int) -> str:
    return f"{size}x{size}x{channels}"
