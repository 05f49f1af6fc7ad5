"""Files of weights: safetensors with a card, and torch state dicts."""

from pathlib import Path
from warnings import catch_warnings, simplefilter

import pytest
import torch
from toys import STRIDED
from zenbench.bench.export.weights_file import read_weights, write_weights
from zenbench.errors import UserError
from zenbench.zen.module import initialise
from zenbench.zen.network import parse_text

STATE = initialise(parse_text(STRIDED, 32, 10).graph()).state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_tensors_and_their_card_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "weights.safetensors"
    write_weights(path, STATE, {"mean": [0.5, 0.5, 0.5]})
    tensors, card = read_weights(path)
    assert same(tensors, STATE) and card == {"mean": [0.5, 0.5, 0.5]}
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_another_programs_safetensors_have_no_card(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(dict(STATE), tmp_path / "weights.safetensors", {"format": "pt"})
    tensors, card = read_weights(tmp_path / "weights.safetensors")
    assert same(tensors, STATE) and card is None


def test_a_state_dict_is_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "weights.pt")
    tensors, card = read_weights(tmp_path / "weights.pt")
    assert same(tensors, STATE) and card is None


@pytest.mark.parametrize("name", ["none.pt", "none.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"there is no weights file .*{name}"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["folder.pt", "folder.safetensors"])
def test_a_folder_is_no_weights_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 torn", b"\x80\x02}q\x00."])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    for name, advice in (("w.pt", "save it with torch.save"), ("w.safetensors", "write it again")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=advice):
            read_weights(tmp_path / name)


def test_one_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_weights(path, STATE, {})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match="no whole safetensors file"):
        read_weights(path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match=r"weights\.pt .*save it with torch.save"):
        read_weights(path)


def test_a_torchscript_archive_is_refused_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    with catch_warnings():
        simplefilter("ignore")
        torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)), path)
        simplefilter("error")
        with pytest.raises(UserError, match=r"save it with torch\.save"):
            read_weights(path)
