"""What timm and torchvision call the known networks.

Only names of the same architecture stand here: their parameters are equal to those of ours, and their MACs
differ by what timm counts besides (activations and pools). Its `tf_` networks pad as TensorFlow does and are
equal otherwise. Sources: results and benchmark tables of huggingface/pytorch-image-models (Apache-2.0), the
model pages of torchvision's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

_WIDTHS = {"035": "0.35", "050": "0.5", "075": "0.75", "100": "1.0", "140": "1.4"}

ALIASES: Mapping[str, str] = {
    **{f"resnet{depth}": f"resnet-{depth}" for depth in (18, 34, 50, 101, 152)},
    **{f"densenet{depth}": f"densenet-{depth}" for depth in (121, 161, 169, 201)},
    "resnest50d": "resnest-50",
    "resnest101e": "resnest-101",
    **{f"mobilenetv2_{timm}": f"mobilenetv2-{width}" for timm, width in _WIDTHS.items()},
    "mobilenet_v2": "mobilenetv2-1.0",
    "mnasnet_100": "mnasnet-1.0",
    "mnasnet1_0": "mnasnet-1.0",
    **{
        f"{prefix}efficientnet_b{size}": f"efficientnet-b{size}"
        for prefix in ("", "tf_")
        for size in range(8)
    },
    **{f"regnety_00{size}": f"regnety-{size}00mf" for size in (2, 4, 6, 8)},
    "regnet_y_400mf": "regnety-400mf",
}
"""Name there -> name here, without `zoo:`."""


def known_as(text: str) -> str | None:
    """Our name of a network that timm or torchvision names, with or without timm's tag of its weights."""
    name = text.strip().lower().removeprefix("timm/").removeprefix("tv:").removeprefix("torchvision/")
    return ALIASES.get(name.partition(".")[0])
