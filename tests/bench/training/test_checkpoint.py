"""Checkpoints: whole or not at all, and of one training."""

from pathlib import Path

import pytest
import torch
from zenbench.bench.training import checkpoint
from zenbench.errors import UserError

TASK = {"digest": "a", "seed": 0}


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    assert checkpoint.resume(tmp_path, TASK) is None
    checkpoint.save(tmp_path, TASK, {"epoch": 3, "module": {"weight": torch.ones(2)}})
    state = checkpoint.resume(tmp_path, TASK)
    assert state is not None and state["epoch"] == 3 and torch.equal(state["module"]["weight"], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]
    checkpoint.discard(tmp_path)
    assert checkpoint.resume(tmp_path, TASK) is None


def test_another_training_is_refused_by_what_differs(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, TASK, {"epoch": 3})
    with pytest.raises(UserError, match="holds a training with another seed"):
        checkpoint.resume(tmp_path, {**TASK, "seed": 1})


@pytest.mark.parametrize(
    "data", [b"", b"no checkpoint", b"PK\x03\x04 cut short", b"longer than a digest" * 9]
)
def test_a_damaged_one_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / checkpoint.NAME).write_bytes(data)
    with pytest.raises(UserError, match="is damaged; delete it"):
        checkpoint.resume(tmp_path, TASK)


def test_one_that_was_cut_short_is_told(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, TASK, {"module": {"weight": torch.ones(1000)}})
    path = tmp_path / checkpoint.NAME
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="is damaged; delete it"):
        checkpoint.resume(tmp_path, TASK)


def test_a_single_changed_byte_is_told(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, TASK, {"module": {"weight": torch.ones(1000)}})
    path = tmp_path / checkpoint.NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged; delete it"):
        checkpoint.resume(tmp_path, TASK)
