"""Archives that are damaged, old, hostile or hold pickles: one sentence, nothing unpickled or inflated."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from zenbench.bench.networks.pt2.program import read_exported_program
from zenbench.errors import NetworkError, UserError

GRAPH, CONFIG = "net/models/model.json", "net/data/weights/model_weights_config.json"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torch writes it."""
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.export.save(torch.export.export(nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),)), str(path))
    return path


def changed(
    source: Path, path: Path, changes: dict[str, bytes | None], packing: int = zipfile.ZIP_STORED
) -> Path:
    """The archive with entries replaced, added or, by None, left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", packing) as new:
        entries = {name: old.read(name) for name in old.namelist()} | changes
        for name, data in entries.items():
            if data is not None:
                new.writestr(name, data)
    return path


def edited(source: Path, name: str, edit: Callable[[Any], Any]) -> dict[str, bytes | None]:
    with zipfile.ZipFile(source) as archive:
        record = json.loads(archive.read(name))
    edit(record)
    return {name: json.dumps(record).encode()}


def test_an_archive_packed_by_another_tool_is_read(plain: Path, tmp_path: Path) -> None:
    wanted = read_exported_program(plain).state()
    found = read_exported_program(changed(plain, tmp_path / "net.pt2", {})).state()
    assert all((found[name] == wanted[name]).all() for name in wanted)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(plain: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(plain.read_bytes()[: int(share * plain.stat().st_size)])
    with pytest.raises(NetworkError, match="no exported program, or "):
        read_exported_program(path)


def test_a_missing_file_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_exported_program(tmp_path / "none.pt2")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "net.pt2")
    with pytest.raises(
        NetworkError, match=r"holds no exported program, or is cut off; write it with torch\.export\.save"
    ):
        read_exported_program(tmp_path / "net.pt2")


def test_a_graph_that_is_no_json_or_of_another_form_is_refused(plain: Path, tmp_path: Path) -> None:
    for graph in (b"{", b"[" * 100_000, b"[]", b'{"graph_module": {"graph": {}, "signature": {}}}', b"\xff"):
        path = changed(plain, tmp_path / "net.pt2", {GRAPH: graph})
        with pytest.raises(NetworkError, match="is damaged"):
            read_exported_program(path)


def test_a_graph_that_would_inflate_without_end_is_not_inflated(plain: Path, tmp_path: Path) -> None:
    bomb = b" " * (65 << 20)
    path = changed(plain, tmp_path / "net.pt2", {GRAPH: bomb}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < len(bomb) // 100
    with pytest.raises(NetworkError, match="claims to be of 68,157,440 bytes; no more than"):
        read_exported_program(path)


def test_the_graph_is_read_where_weights_are_pickled_but_no_weight_is(plain: Path, tmp_path: Path) -> None:
    """As torch 2.7 and 2.8 wrote them."""
    with zipfile.ZipFile(plain) as archive:
        graph = archive.read(GRAPH)
    old = {GRAPH: None, CONFIG: None, "net/serialized_exported_program.json": graph}
    for changes in (old, {CONFIG: None}):
        read = read_exported_program(changed(plain, tmp_path / "net.pt2", dict(changes)))
        assert read.graph == read_exported_program(plain).graph
        with pytest.raises(NetworkError, match=r"'weight' in .* is missing or pickled"):
            read.state()


def _offset(config: Any) -> None:
    config["config"]["weight"]["tensor_meta"]["storage_offset"] = {"as_int": 1}


def _stride(config: Any) -> None:
    config["config"]["weight"]["tensor_meta"]["strides"][0] = {"as_int": 1 << 40}


def _negative(config: Any) -> None:
    config["config"]["weight"]["tensor_meta"]["strides"][0] = {"as_int": -27}


def _spread(config: Any) -> None:
    meta = config["config"]["weight"]["tensor_meta"]
    meta["sizes"][0], meta["strides"][0] = {"as_int": 1 << 30}, {"as_int": 0}


def _place(config: Any) -> None:
    config["config"]["weight"]["path_name"] = "../../../etc/passwd"


def _pickled(config: Any) -> None:
    config["config"]["weight"]["use_pickle"] = True


def _shape(config: Any) -> None:
    config["config"]["weight"]["tensor_meta"]["sizes"] = [{"as_int": 27}, {"as_int": 4}]
    config["config"]["weight"]["tensor_meta"]["strides"] = [{"as_int": 4}, {"as_int": 1}]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_offset, "is damaged"),
        (_stride, "is damaged"),
        (_negative, "is damaged"),
        (_spread, "is damaged"),
        (_place, "is damaged"),
        (_pickled, "pickles are never opened"),
        (_shape, r"holds 'weight' as \[27, 4\] and reads it as \[4, 3, 3, 3\]"),
    ],
)
def test_a_weight_lies_inside_its_bytes(
    plain: Path, tmp_path: Path, edit: Callable[[Any], None], reason: str
) -> None:
    read = read_exported_program(changed(plain, tmp_path / "net.pt2", edited(plain, CONFIG, edit)))
    with pytest.raises(NetworkError, match=reason):
        read.state()


def test_a_weight_beyond_the_end_of_the_file_is_refused(plain: Path, tmp_path: Path) -> None:
    """By a table of contents that says so."""
    data = bytearray(plain.read_bytes())
    entry = data.rindex(b"net/data/weights/weight_0") - 46
    data[entry + 20 : entry + 28] = struct.pack("<II", 1 << 30, 1 << 30)
    path = tmp_path / "net.pt2"
    path.write_bytes(data)
    read = read_exported_program(path)
    with pytest.raises(NetworkError, match="the file ends before it"):
        read.state()


def test_a_compressed_weight_is_not_inflated(plain: Path, tmp_path: Path) -> None:
    read = read_exported_program(changed(plain, tmp_path / "net.pt2", {}, zipfile.ZIP_DEFLATED))
    with pytest.raises(NetworkError, match="compressed or encrypted"):
        read.state()


def _unknown_operator(record: Any) -> None:
    record["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def _unknown_value(record: Any) -> None:
    record["graph_module"]["graph"]["nodes"][0]["inputs"][0]["arg"] = {"as_tensor": {"name": "elsewhere"}}


def _other_shape(record: Any) -> None:
    record["graph_module"]["graph"]["tensor_values"]["p_weight"]["sizes"][1] = {"as_int": 5}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_unknown_operator, "'from_file', a call of from_file, cannot be read"),
        (_unknown_value, "is damaged .KeyError: 'elsewhere'"),
        (_other_shape, "cannot be traced"),
    ],
)
def test_a_graph_that_does_not_hold_together_is_refused(
    plain: Path, tmp_path: Path, edit: Callable[[Any], None], reason: str
) -> None:
    with pytest.raises(NetworkError, match=reason):
        read_exported_program(changed(plain, tmp_path / "net.pt2", edited(plain, GRAPH, edit)))
