"""net.config files: layers become units, or are refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from zenbench.bench.networks.reading import read
from zenbench.errors import NetworkError
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.units.mobile import InvertedUnit


def read_record(record: Any, folder: Path, name: str = "network.json") -> Network:
    path = folder / name
    path.write_text(json.dumps(record))
    found = read(str(path))
    assert isinstance(found, Network)
    return found


def conv(in_channels: int, out_channels: int, **other: Any) -> dict[str, Any]:
    layer = {"name": "ConvLayer", "kernel_size": 1, "stride": 1, "dilation": 1, "groups": 1, "bias": False}
    layer |= {"has_shuffle": False, "use_bn": True, "act_func": "h_swish", "ops_order": "weight_bn_act"}
    return layer | {"in_channels": in_channels, "out_channels": out_channels, **other}


def block(unit: InvertedUnit, key: str) -> dict[str, Any]:
    """A record of the unit, as either version of the project writes it."""
    conv = {
        "name": "MBInvertedConvLayer" if key == "mobile_inverted_conv" else "MBConvLayer",
        "in_channels": unit.in_channels,
        "out_channels": unit.out_channels,
        "kernel_size": unit.kernel,
        "stride": unit.stride,
        "expand_ratio": unit.hidden_channels // unit.in_channels,
        "mid_channels": unit.hidden_channels if unit.expands else None,
        "act_func": {"relu": "relu", "relu6": "relu6", "hard-swish": "h_swish"}[unit.activation],
        "use_se": unit.squeezed_channels > 0,
    }
    adds = unit.stride == 1 and unit.in_channels == unit.out_channels
    shortcut = {"name": "IdentityLayer", "in_channels": [unit.in_channels]} if adds else None
    return {"name": "ResidualBlock", key: conv, "shortcut": shortcut}


def classifier(in_features: int) -> dict[str, Any]:
    return {"name": "LinearLayer", "in_features": in_features, "out_features": 1000, "bias": True}


def net_config(network: Network, key: str = "mobile_inverted_conv") -> dict[str, Any]:
    units = [unit for unit in network.blocks if isinstance(unit, InvertedUnit)]
    return {
        "name": "MobileNetV3",
        "bn": {"momentum": 0.1, "eps": 1e-05},
        "first_conv": conv(3, 24, kernel_size=3, stride=2),
        "blocks": [block(unit, key) for unit in units],
        "final_expand_layer": conv(192, 1152),
        "feature_mix_layer": conv(1152, 1536, use_bn=False),
        "classifier": classifier(1536),
    }


@pytest.mark.parametrize("key", ["mobile_inverted_conv", "conv"])
def test_a_net_config_is_read_at_the_size_beside_it(key: str, tmp_path: Path) -> None:
    network = zoo("ofanet-595m")
    (tmp_path / "run.config").write_text('{"image_size": 236}')
    assert read_record(net_config(network, key), tmp_path, "net.config") == network
    other = read_record(net_config(network, key), tmp_path, "other.json")
    assert (other.blocks, other.resolution) == (network.blocks, 224)


def test_a_proxyless_network_without_a_feature_mix_is_read(tmp_path: Path) -> None:
    unit = InvertedUnit(5, 8, 24, 16, 2, "relu6")
    config = {
        "name": "ProxylessNASNets",
        "first_conv": conv(3, 8, kernel_size=3, stride=2, act_func="relu6"),
        "blocks": [block(unit, "mobile_inverted_conv")],
        "feature_mix_layer": None,
        "classifier": classifier(16),
        "resolution": 160,
    }
    found = read_record(config, tmp_path)
    assert found.resolution == 160 and found.blocks[1:] == (unit,)
    empty = {"name": "ResidualBlock", "conv": None, "shortcut": {"name": "IdentityLayer"}}
    config |= {"blocks": [*config["blocks"], empty], "feature_mix_layer": conv(16, 32)}
    config["classifier"] = classifier(32)
    assert str(read_record(config, tmp_path).blocks[-1]).startswith("conv(kernel=1,in_channels=16")


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        (("name",), "OFAMobileNetV3", "of the class 'OFAMobileNetV3'; give one of MobileNetV3"),
        (("blocks",), "none", "has blocks that are no list"),
        (("first_conv", "groups"), 3, "has a first_conv with groups=3"),
        (("first_conv", "act_func"), "tanh", "has a first_conv with act_func='tanh'"),
        (("feature_mix_layer",), None, "has no feature_mix_layer"),
        (("blocks", 1, "mobile_inverted_conv", "groups"), 2, "has a block 2 with groups=2"),
        (("blocks", 1, "mobile_inverted_conv", "mid_channels"), 24, "has a block 2 with mid_channels=24"),
        (("blocks", 1, "mobile_inverted_conv", "name"), "DynamicMBConvLayer", "of the class DynamicMB"),
        (("blocks", 2, "shortcut"), None, "has a block 3 without a shortcut"),
        (("blocks", 2, "shortcut"), {"name": "ConvLayer"}, "has a block 3 whose shortcut is a ConvLayer"),
        (("blocks", 2), 7, "has a block 3 that is no record"),
        (("classifier", "in_features"), 1280, "does not read the 1536 channels before it"),
        (("classifier", "bias"), False, "has a classifier with bias=False"),
    ],
)
def test_what_no_unit_says_is_refused(
    place: tuple[str | int, ...], value: Any, fault: str, tmp_path: Path
) -> None:
    config: Any = net_config(zoo("ofanet-595m"))
    record = config
    for key in place[:-1]:
        record = record[key]
    record[place[-1]] = value
    with pytest.raises(NetworkError, match=fault) as caught:
        read_record(config, tmp_path)
    assert "network.json" in str(caught.value)
