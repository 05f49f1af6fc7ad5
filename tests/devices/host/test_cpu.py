"""Quiet cores: threads started while pinned stay there, and the process gets back what it had."""

import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.devices.base import Setting, SettingRequest
from zenbench.devices.host import cpu
from zenbench.devices.registry import device
from zenbench.errors import DeviceError
from zenbench.zen.workload import Workload

SMALL = (
    "residual(style=bottleneck,kernel=3,in_channels=16,hidden_channels=8,out_channels=16,"
    "stride=1,projection=0,squeeze_excite=0)@7"
)


def scheduling() -> tuple[object, ...]:
    return os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


def test_the_last_cores_are_taken_and_all_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = {0, 1, 2, 3}

    def set_mask(pid: int, cores: Iterable[int]) -> None:
        mask.clear()
        mask.update(cores)

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(mask))
    monkeypatch.setattr(os, "sched_setaffinity", set_mask)
    for threads, cores in ((1, {3}), (2, {2, 3}), (9, {0, 1, 2, 3})):
        with pytest.raises(ZeroDivisionError), cpu.pinned(threads):
            assert mask == cores
            raise ZeroDivisionError
        assert mask == {0, 1, 2, 3}


def test_a_thread_started_while_pinned_stays_on_the_last_core() -> None:
    before = cpu.usable_cores()
    seen: list[set[int]] = []
    with cpu.pinned(1):
        thread = Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
    assert seen == [{before[-1]}]
    assert cpu.usable_cores() == before


def test_the_best_pinning_is_one_that_this_process_can_take() -> None:
    best = cpu.pinning()
    before = scheduling()
    with cpu.pinned(1):
        assert len(cpu.usable_cores()) == 1
    if best == "pinned+realtime":
        with pytest.raises(ZeroDivisionError), cpu.realtime():
            assert os.sched_getscheduler(0) == os.SCHED_FIFO
            raise ZeroDivisionError
    else:
        with pytest.raises(PermissionError), cpu.realtime():
            pass
    assert scheduling() == before


def test_a_run_that_fails_leaves_the_process_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = device("host")
    setting = host.setting(SettingRequest())
    graph = Workload.parse(SMALL).graph()
    before, inside = scheduling(), []
    with closing(
        host.open(write_onnx(graph, timing_weights(graph), tmp_path / "s.onnx"), setting)
    ) as session:

        class Broken:
            def run_with_iobinding(self, binding: object) -> None:
                inside.append(scheduling())
                raise RuntimeError("out of memory\nat some address")

        with monkeypatch.context() as patch:
            patch.setattr(session, "_session", Broken())
            with pytest.raises(DeviceError, match=r"failed: out of memory$"):
                session.time(3)
        assert scheduling() == before
        assert (inside != [before]) == pins(setting, len(cpu.usable_cores()))
        assert len(session.time(2)) == 2, "the session survives"


def pins(setting: Setting, cores: int) -> bool:
    """Whether timing changes what the process may use."""
    return setting.pinning == "pinned+realtime" or (setting.pinning == "pinned" and cores > 1)


def test_identity_holds_still_while_the_state_may_change() -> None:
    identity = dict(cpu.identity())
    assert identity.keys() == {"cpu", "cores"} and all(identity.values())
    cpu.identity.cache_clear()
    assert dict(cpu.identity()) == identity


def test_the_last_cache_is_the_largest_that_the_system_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert 0 < cpu.last_cache_mb() <= 64
    monkeypatch.setattr(cpu, "_CACHES", tmp_path)
    assert cpu.last_cache_mb() == 32, "a usual one where nothing is told"
    for number, size in enumerate(("32K", "1024K", "16384K", "none")):
        (tmp_path / f"index{number}").mkdir()
        (tmp_path / f"index{number}" / "size").write_text(size)
    assert cpu.last_cache_mb() == 16
    (tmp_path / "index2" / "size").write_text("524288K")
    assert cpu.last_cache_mb() == 64, "of a large server's cache a guest has a share"
