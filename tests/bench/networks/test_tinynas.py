"""TinyNAS's structure_info, held to what its own code counts and what its README prints."""

import json
from pathlib import Path
from typing import Any

import pytest
from zenbench.bench.networks.reading import read
from zenbench.errors import NetworkError
from zenbench.zen.cost import cost
from zenbench.zen.network import Network
from zenbench.zen.units.tinynas import TinyNasUnit


def conv(in_channels: int, out_channels: int, stride: int = 1, kernel: int = 1) -> dict[str, Any]:
    return {"class": "ConvKXBNRELU", "in": in_channels, "out": out_channels, "s": stride, "k": kernel}


def stage(
    name: str, in_channels: int, out_channels: int, btn: int, repeats: int, **more: int
) -> dict[str, Any]:
    record = {"class": name, "in": in_channels, "out": out_channels, "s": 2, "k": 3, "L": repeats, "btn": btn}
    return record | more


def bottlenecks(*arguments: int, **more: int) -> dict[str, Any]:
    return stage("SuperResK1KXK1", *arguments, **more)


# Structures of the models folder, alibaba/lightweight-neural-architecture-search at 8ccaf88 (Apache-2.0);
# parameters and MACs are those of the modules that its code makes of them.
R18_LIKE = [
    conv(3, 40, 2, 3),
    bottlenecks(40, 256, 64, 2),
    bottlenecks(256, 360, 88, 3),
    bottlenecks(360, 512, 128, 6),
    bottlenecks(512, 512, 176, 4),
    bottlenecks(512, 512, 176, 12, s=1),
]
DEEPMAD_29M = [
    conv(3, 40, 2, 3),
    stage("SuperResK1DWSEK1", 40, 40, 240, 2, k=5, s=1),
    stage("SuperResK1DWSEK1", 40, 85, 512, 4, k=5),
    stage("SuperResK1DWSEK1", 85, 134, 800, 6, k=5),
    stage("SuperResK1DWSEK1", 134, 201, 1208, 6, k=5),
    stage("SuperResK1DWSEK1", 201, 312, 1872, 5, k=5),
    conv(312, 1792),
]
MIXED_7D0G = [
    conv(3, 8, 2, 3),
    stage("SuperQuantResK1DWK1", 8, 32, 64, 3, k=5),
    stage("SuperQuantResK1DWK1", 32, 64, 128, 3, k=5),
    stage("SuperQuantResK1DWK1", 64, 64, 224, 3, k=5),
    stage("SuperQuantResK1DWK1", 64, 96, 336, 3, k=5, s=1),
    stage("SuperQuantResK1DWK1", 96, 192, 672, 3, k=5),
    conv(192, 1280),
]
SMALL = [
    conv(3, 16, 2, 3),
    stage("SuperResK1DWK1", 16, 24, 48, 1),
    stage("SuperResK1DWK1", 24, 48, 96, 2, k=5),
    conv(48, 320),
]


def read_record(record: Any, folder: Path) -> Network:
    path = folder / "structure.txt"
    path.write_text(record if isinstance(record, str) else json.dumps(record))
    found = read(str(path))
    assert isinstance(found, Network)
    return found


@pytest.mark.parametrize(
    ("structure", "params", "macs"),
    [
        (R18_LIKE, 10_882_384, 1_680_404_480),
        (DEEPMAD_29M, 28_669_956, 4_323_768_752),
        (MIXED_7D0G, 2_690_368, 238_175_008),
        (SMALL, 361_944, 54_209_024),
    ],
)
def test_published_structures_have_the_size_of_their_modules(
    structure: list[dict[str, Any]], params: int, macs: int, tmp_path: Path
) -> None:
    counted = cost(read_record(structure, tmp_path))
    assert (counted.params, counted.macs) == (params, macs)


def test_the_best_structure_of_a_search_is_read_as_python_writes_it(tmp_path: Path) -> None:
    text = repr({"best_structures": [R18_LIKE, SMALL], "space_arch": "CnnNet"})
    network = read_record(f"{text} \n", tmp_path)
    assert network == read_record(R18_LIKE, tmp_path)
    assert cost(network).params == pytest.approx(10.8e6, rel=0.01)  # as printed there
    assert cost(network).macs == pytest.approx(1.7e9, rel=0.02)


def test_shortcuts_follow_the_class_of_the_block(tmp_path: Path) -> None:
    def shortcuts(name: str, out_channels: int) -> list[str]:
        blocks = [conv(3, 8, 2, 3), stage(name, 8, out_channels, 8, 2)]
        units = read_record(blocks, tmp_path).blocks[1:]
        return [unit.shortcut for unit in units if isinstance(unit, TinyNasUnit)]

    assert shortcuts("SuperResK1KXK1", 8) == shortcuts("SuperResK1KXK1", 16) == ["projection", "identity"]
    for name in ("SuperResKXKX", "SuperResK1KX"):
        assert shortcuts(name, 8) == ["identity", "identity"]
        assert shortcuts(name, 16) == ["projection", "identity"]
    assert shortcuts("SuperResK1DWK1", 8) == ["identity", "identity"]
    assert shortcuts("SuperResK1DWK1", 16) == ["none", "identity"]


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        (
            {"class": "Conv3DKXBNRELU"},
            "block 2 is of the class 'Conv3DKXBNRELU', which is not among ConvKXBNRELU",
        ),
        ({**SMALL[1], "g": 2}, "block 2 has g=2"),
        ({**SMALL[1], "p": 0}, "block 2 has the padding p=0 for k=3"),
        ({**SMALL[1], "act": "gelu"}, "block 2 has the activation 'gelu'"),
        ({**SMALL[1], "L": 0}, "block 2 has L=0"),
        ({**SMALL[1], "btn": None}, "block 2 has btn=None"),
        ({"in": 16}, "block 2 has no class"),
        (7, "block 2 has no class"),
    ],
)
def test_what_no_unit_says_is_refused(block: Any, fault: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="TinyNAS's structure_info, whose " + fault) as caught:
        read_record([SMALL[0], block], tmp_path)
    assert "; give the network as an ONNX file instead" in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="best_structures of TinyNAS hold no structure_info"):
        read_record({"best_structures": []}, tmp_path)
    with pytest.raises(NetworkError, match="must be a JSON object"):
        read_record("[1, 2]", tmp_path)
    with pytest.raises(NetworkError, match="not valid JSON"):
        read_record("[1, open('x')]", tmp_path)
