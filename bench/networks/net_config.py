"""Files `net.config` of Once-for-All, ProxylessNAS and MCUNet: a network layer by layer, as JSON.

Source: mit-han-lab/once-for-all at f03b267: the `config` of its networks and layers, and run.config, which
its model zoo keeps beside net.config.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import NetworkError
from ...zen.families.stages import divisible_by_8
from ...zen.graph import PlainFunction
from ...zen.network import Network
from ...zen.units.base import Unit
from ...zen.units.mobile import InvertedUnit
from ...zen.units.plain import ConvUnit
from ...zen.units.pools import PooledConvUnit

_RESOLUTION = 224
_ACTIVATIONS: Mapping[Any, PlainFunction] = {
    "relu": "relu",
    "relu6": "relu6",
    "h_swish": "hard-swish",
    "sigmoid": "sigmoid",
    "h_sigmoid": "hard-sigmoid",
}
_CONV = {
    "name": "ConvLayer",
    "dilation": 1,
    "groups": 1,
    "bias": False,
    "has_shuffle": False,
    "use_se": False,
    "use_bn": True,
    "ops_order": "weight_bn_act",
}
_CLASSIFIER = {"name": "LinearLayer", "bias": True, "use_bn": False, "act_func": None}


def is_net_config(data: Any) -> bool:
    return isinstance(data, dict) and data.keys() >= {"first_conv", "blocks", "classifier"}


def net_config_network(config: Mapping[str, Any], path: Path) -> Network:
    """The network of a net.config, for images of the size in the run.config beside it, else its `resolution`,
    else 224; raises NetworkError where zenbench has no units for one of its layers."""
    name = config.get("name")
    if name not in ("MobileNetV3", "ProxylessNASNets"):
        raise NetworkError(
            f"this net.config of Once-for-All is of the class {name!r}; give one of MobileNetV3 or "
            "ProxylessNASNets, as get_active_subnet() makes of a supernet"
        )
    blocks = config["blocks"]
    if not isinstance(blocks, list):
        raise _config_error("has blocks that are no list")
    units: list[Unit] = [_conv(config, "first_conv")]
    for number, block in enumerate(blocks, 1):
        units += _block(block, f"block {number}")
    if name == "MobileNetV3":
        units += [_conv(config, "final_expand_layer"), _pooled_conv(config, "feature_mix_layer")]
    elif config.get("feature_mix_layer") is not None:
        units.append(_conv(config, "feature_mix_layer"))
    classifier = _Layer(config.get("classifier"), "classifier", _CLASSIFIER)
    if classifier.whole("in_features") != units[-1].out_channels:
        raise _config_error(
            f"has a classifier that does not read the {units[-1].out_channels} channels before it"
        )
    resolution = _image_size(path) or config.get("resolution", _RESOLUTION)
    if type(resolution) is not int:
        raise _config_error(f"has the resolution {resolution!r}; give one whole number")
    return Network(tuple(units), resolution, classifier.whole("out_features"))


class _Layer:
    """The record of one layer, of which `fixed` are the values that our units have."""

    def __init__(self, record: Any, place: str, fixed: Mapping[str, Any]) -> None:
        if not isinstance(record, dict):
            raise _config_error(f"has no {place}")
        self.record, self.place = record, place
        for name, value in fixed.items():
            if (given := record.get(name, value)) != value:
                raise self.error(name, given)

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.record.get(name, default)
        if type(value) is not int:
            raise self.error(name, value)
        return value

    def activation(self, default: str) -> PlainFunction:
        given = self.record.get("act_func", default)
        if not isinstance(given, str) or given not in _ACTIVATIONS:
            raise self.error("act_func", given)
        return _ACTIVATIONS[given]

    def error(self, name: str, value: Any) -> NetworkError:
        return _config_error(f"has a {self.place} with {name}={value!r}")


def _conv(config: Mapping[str, Any], name: str) -> ConvUnit:
    layer = _Layer(config.get(name), name, _CONV)
    return ConvUnit(
        layer.whole("kernel_size", 3),
        layer.whole("in_channels"),
        layer.whole("out_channels"),
        layer.whole("stride", 1),
        layer.activation("relu"),
    )


def _pooled_conv(config: Mapping[str, Any], name: str) -> PooledConvUnit:
    layer = _Layer(config.get(name), name, {**_CONV, "use_bn": False, "kernel_size": 1, "stride": 1})
    return PooledConvUnit(layer.whole("in_channels"), layer.whole("out_channels"), layer.activation("relu"))


def _block(record: Any, place: str) -> Iterator[InvertedUnit]:
    """The unit of a block; none for one that only hands its input on."""
    if not isinstance(record, dict):
        raise _config_error(f"has a {place} that is no record")
    conv, shortcut = record.get("conv", record.get("mobile_inverted_conv")), record.get("shortcut")
    adds = _layer_name(shortcut) == "IdentityLayer"
    if _layer_name(shortcut) not in (None, "ZeroLayer", "IdentityLayer"):
        raise _config_error(f"has a {place} whose shortcut is a {_layer_name(shortcut)}")
    if _layer_name(conv) in (None, "ZeroLayer") and adds:
        return
    if _layer_name(conv) not in ("MBConvLayer", "MBInvertedConvLayer"):
        raise _config_error(f"has a {place} of the class {_layer_name(conv)}")
    layer = _Layer(conv, place, {"groups": None})
    in_channels, out_channels = layer.whole("in_channels"), layer.whole("out_channels")
    stride, expansion = layer.whole("stride", 1), layer.record.get("expand_ratio", 6)
    if type(expansion) not in (int, float) or not 0 < expansion < 1e3:
        raise layer.error("expand_ratio", expansion)
    hidden = layer.record.get("mid_channels")
    hidden = round(in_channels * expansion) if hidden is None else layer.whole("mid_channels")
    if (hidden == in_channels) != (expansion == 1):
        raise layer.error("mid_channels", hidden)
    if adds != (stride == 1 and in_channels == out_channels):
        raise _config_error(f"has a {place} {'with' if adds else 'without'} a shortcut")
    gated = bool(layer.record.get("use_se", False))
    yield InvertedUnit(
        layer.whole("kernel_size", 3),
        in_channels,
        hidden,
        out_channels,
        stride,
        layer.activation("relu6"),
        squeezed_channels=divisible_by_8(hidden // 4) if gated else 0,
        gate="hard-sigmoid" if gated else "sigmoid",
    )


def _layer_name(record: Any) -> str | None:
    return None if record is None else str(record.get("name") if isinstance(record, dict) else record)


def _image_size(path: Path) -> int | None:
    """The size of images in the run.config beside a net.config."""
    try:
        size = json.loads(path.with_name("run.config").read_text("utf-8"))["image_size"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return size if type(size) is int and path.name == "net.config" else None


def _config_error(reason: str) -> NetworkError:
    return NetworkError(
        f"this net.config of Once-for-All {reason}, which zenbench cannot read; "
        "give the network as an ONNX file instead"
    )
