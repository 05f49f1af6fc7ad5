"""Reading networks in every form the command line takes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toys import PLAIN
from zenbench.bench.export.checked import export_onnx
from zenbench.bench.networks.model_file import FileSubject
from zenbench.bench.networks.reading import as_networks, networks_only, read, read_all
from zenbench.errors import NetworkError, UserError
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.graph_network import GraphNetwork
from zenbench.zen.network import Network, parse_text


def test_text_file_json_result_and_name_agree(tmp_path: Path) -> None:
    network = parse_text(PLAIN, 32, 10)
    (tmp_path / "plain.txt").write_text(f"{PLAIN}\n")
    (tmp_path / "network.json").write_text(json.dumps(network.to_json()))
    result = {"network": PLAIN, "resolution": 32, "classes": 10, "score": 1.0}
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert read(PLAIN, 32, 10) == read(str(tmp_path / "plain.txt"), 32, 10) == network
    assert read(str(tmp_path / "network.json")) == read(str(tmp_path / "result.json")) == network
    assert read(PLAIN) == parse_text(PLAIN, 224, 1000)


def test_zoo_brings_its_resolution_unless_another_is_asked_for() -> None:
    found = read("zoo:ZenNet-CIFAR-1M")
    assert isinstance(found, Network)
    assert (found.resolution, found.classes, found.name) == (32, 100, "zoo:zennet-cifar-1m")
    assert read("zoo:zennet-cifar-1m", 64, 10) == replace(found, resolution=64, classes=10)
    with pytest.raises(NetworkError, match=r"did you mean zoo:zennet-0\.1ms"):
        read("zoo:zennet-01ms")


def test_a_cell_names_a_network(tmp_path: Path) -> None:
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|"
    (tmp_path / "cell.txt").write_text(f"{cell}\n")
    found = read(cell)
    assert isinstance(found, Network)
    assert found == read(str(tmp_path / "cell.txt")) == read_all([], tmp_path / "cell.txt", None, None)[0]
    assert str(found) == cell and (found.resolution, found.classes) == (32, 10)
    assert read(cell, 64, 100) == replace(found, resolution=64, classes=100)


def test_squeeze_excite_survives_a_result_file(tmp_path: Path) -> None:
    network = zoo("zennet-400m-se")
    (tmp_path / "result.json").write_text(
        json.dumps({"network": str(network), "resolution": 224, "classes": 1000, "score": 1.0})
    )
    assert read(str(tmp_path / "result.json")) == network


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"# two networks\n{PLAIN}\n\nzoo:zennet-0.1ms\n")
    assert read_all([], tmp_path / "list.txt", None, None) == [parse_text(PLAIN), zoo("zennet-0.1ms")]
    assert len(read_all(["zoo:all"], None, None, None)) == len(zoo_names())
    with pytest.raises(UserError, match="name at least one network"):
        read_all([], None, None, None)


def test_a_csv_file_lists_networks_with_their_sizes(tmp_path: Path) -> None:
    file = tmp_path / "front.csv"
    file.write_text(f'score,network,resolution,classes\n1.5,"{PLAIN}",16,10\n2.5,zoo:zennet-0.1ms,,\n')
    assert read_all([], file, None, None) == [parse_text(PLAIN, 16, 10), zoo("zennet-0.1ms")]
    assert read_all([PLAIN], file, 32, None)[:2] == [parse_text(PLAIN, 32), parse_text(PLAIN, 32, 10)]
    for text in (
        "",
        "score\n1\n",
        "network,resolution\n,16\n",
        f'network,classes\n"{PLAIN}",ten\n',
        "network\n",
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=r"front\.csv"):
            read_all([], file, None, None)


def test_an_exported_file_knows_its_network_and_a_foreign_one_does_not(tmp_path: Path) -> None:
    network = parse_text(PLAIN, 16, 10)
    export_onnx(network, tmp_path / "ours.onnx")
    ours = read(str(tmp_path / "ours.onnx"))
    assert isinstance(ours, FileSubject)
    assert networks_only([ours], "predicted") == [network]
    import onnx

    model = onnx.load(str(tmp_path / "ours.onnx"))
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "foreign.onnx"))
    foreign = read(str(tmp_path / "foreign.onnx"))
    with pytest.raises(UserError, match="cannot be trained: only what a structure string spells"):
        networks_only([foreign], "trained")
    (read_as,) = as_networks([foreign])
    assert isinstance(read_as, GraphNetwork) and read_as.digest == foreign.digest
    assert cost(read_as).macs == cost(network).macs and read_as.layers == 4


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("missing.json", None, "there is no file"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", "{}", "must be a JSON object"),
        ("a.json", '{"format": "zenbench-network/1", "blocks": "x"}', "list of block strings"),
        ("a.json", '{"format": "zenbench-network/1", "blocks": [], "resolution": "8"}', "whole number"),
        ("a.txt", "SuperConvK3BNRELU(3,8,1,1", "unclosed bracket"),
        ("a.txt", "", "empty"),
        ("a.onnx", "garbage", "not an ONNX file"),
        ("a.pt", b"\x80\x02", "give FILE.py:NAME or what torch.export.save writes"),
        ("net.py", "import torch", "name the function or class that makes the network, as .*net.py:NAME"),
    ],
)
def test_bad_files_are_named_with_the_reason(
    tmp_path: Path, name: str, content: str | bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=reason) as caught:
        read(str(path))
    assert name in str(caught.value)
