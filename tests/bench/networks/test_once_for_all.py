"""Sub-networks of Once-for-All, held to figures that others published."""

import json
from pathlib import Path
from typing import Any

import pytest
from zenbench.bench.networks.reading import read
from zenbench.errors import NetworkError
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo
from zenbench.zen.network import Network
from zenbench.zen.units.mobile import InvertedUnit

SubNetwork = dict[str, Any]

MACS_LIMIT, PARAMS_LIMIT = 0.0015, 0.006  # figures of three digits and of two
PUBLISHED = {  # README of mit-han-lab/once-for-all; layers from the net.config of the network of that name
    "389M": (
        389e6,
        8.4e6,
        {
            "ks": [3, 3, 0, 0, 5, 5, 3, 0, 5, 5, 3, 0, 5, 5, 3, 3, 3, 3, 7, 3],
            "e": [3, 3, 0, 0, 3, 6, 3, 0, 4, 4, 3, 0, 6, 4, 4, 4, 6, 6, 6, 3],
            "d": [2, 3, 3, 4, 4],
            "wid": 1.2,
            "r": [224],
        },
    ),
    "482M": (
        482e6,
        9.1e6,
        {
            "ks": [5, 3, 3, 5, 3, 5, 3, 5, 5, 3, 3, 5, 7, 3, 5, 7, 3, 3, 3],
            "e": [3, 3, 3, 4, 4, 4, 3, 4, 6, 3, 3, 6, 6, 6, 4, 6, 6, 6, 3],
            "d": [3, 4, 4, 4, 4],
            "width": 1.2,
            "resolution": 224,
        },
    ),
    "595M": (
        595e6,
        9.1e6,
        {
            "ks": [3, 5, 3, None, 5, 5, 3, 5, 7, 5, 3, 5, 3, 5, 7, 3, 3, 3, 5, 3],
            "e": [3, 4, 3, None, 4, 4, 6, 3, 6, 6, 3, 4, 6, 6, 6, 4, 6, 6, 6, 3],
            "d": [3, 4, 4, 4, 4],
            "w": 1.2,
            "image_size": 236,
        },
    ),
}
MEASURED = (  # a search of the network of width 1.2: test_nas.py of intel/neural-compressor (Apache-2.0)
    (
        "{'wid': 1.2, 'ks': [7, 7, 3, 3, 5, 7, 7, 3, 5, 5, 3, 3, 7, 3, 5, 5, 5, 7, 5, 7], "
        "'e': [3, 4, 4, 4, 4, 6, 6, 4, 4, 3, 4, 4, 3, 6, 4, 3, 4, 6, 3, 3], 'd': [2, 4, 4, 2, 3], "
        "'r': [224]}",
        391_813_792,
    ),
    (
        "{'wid': 1.2, 'ks': [7, 7, 5, 5, 7, 5, 3, 3, 3, 5, 7, 3, 7, 7, 5, 5, 3, 7, 3, 7], "
        "'e': [6, 3, 6, 3, 4, 3, 3, 3, 4, 3, 6, 4, 3, 3, 6, 4, 4, 3, 4, 3], 'd': [4, 4, 3, 4, 4], "
        "'r': [224]}",
        518_341_312,
    ),
)
SMALLEST: SubNetwork = {"ks": 3, "e": 3, "d": 2, "wid": 1.0}


def read_record(record: Any, folder: Path, name: str = "network.json") -> Network:
    path = folder / name
    path.write_text(record if isinstance(record, str) else json.dumps(record))
    found = read(str(path))
    assert isinstance(found, Network)
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sub_networks_have_their_published_size(name: str, tmp_path: Path) -> None:
    macs, params, record = PUBLISHED[name]
    counted = cost(read_record(record, tmp_path))
    assert counted.macs == pytest.approx(macs, rel=MACS_LIMIT)
    assert counted.params == pytest.approx(params, rel=PARAMS_LIMIT)


def test_the_known_one_is_the_network_of_the_zoo(tmp_path: Path) -> None:
    assert read_record(PUBLISHED["595M"][2], tmp_path) == zoo("ofanet-595m")


@pytest.mark.parametrize(("text", "macs"), MEASURED)
def test_a_record_as_python_writes_it_has_the_macs_counted_there(
    text: str, macs: int, tmp_path: Path
) -> None:
    assert cost(read_record(text, tmp_path, "sub.txt")).macs == macs


def test_one_value_is_for_all_units_and_the_width_is_the_supernets(tmp_path: Path) -> None:
    small = read_record(SMALLEST, tmp_path)
    spelled = {**SMALLEST, "ks": [3] * 10, "e": [3] * 20, "d": [2] * 5, "wid": 1, "r": 224}
    assert small == read_record(spelled, tmp_path)
    wide = read_record({**SMALLEST, "wid": 1.2}, tmp_path)
    widths = [unit.out_channels for unit in wide.blocks if isinstance(unit, InvertedUnit)]
    assert widths == [24, 32, 32, 48, 48, 96, 96, 136, 136, 192, 192]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"wid": None}, 'does not say the width of its supernet; add "wid": 1.0'),
        ({"wid": 1.3}, r"has the width 1.3; the supernets have 1.0 and 1.2"),
        ({"ks": [3] * 21}, "has 21 values 'ks'; give 20, 4 a stage, or 10, one a unit"),
        ({"e": [3] * 19 + [5], "d": 4}, "has 5 in 'e'; the supernets have 3, 4 and 6"),
        ({"e": "3"}, "has '3' in 'e'"),
        ({"d": [2] * 6}, "has 6 depths 'd'; give 5"),
        ({"d": [2, 2, 2, 2, True]}, "has True in 'd'"),
        ({"r": [160, 224]}, r"has the resolution \[160, 224\]"),
    ],
)
def test_what_is_no_sub_network_is_refused(change: SubNetwork, fault: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=fault):
        read_record({**SMALLEST, **change}, tmp_path)
