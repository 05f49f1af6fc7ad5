"""The host through LiteRT: which kernels run, what it needs, and a terminal that stays clean."""

import os
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from zenbench.bench.export.tflite import write_tflite
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.devices.base import Artifact, SettingRequest, TensorSpec
from zenbench.devices.host import cpu
from zenbench.devices.host.litert import interpreter
from zenbench.devices.inputs import random_inputs
from zenbench.devices.registry import device
from zenbench.errors import DeviceError, UserError
from zenbench.zen.workload import Workload

WORKLOAD = Workload.parse(
    "residual(style=bottleneck,kernel=3,in_channels=16,hidden_channels=8,out_channels=16,"
    "stride=1,projection=0,squeeze_excite=0)@7"
)
RUNTIMES = ("litert", "litert-builtin")


def artifact(folder: Path, precision: str = "fp32") -> Artifact:
    host = device("host", "litert")
    return WorkloadSubject(WORKLOAD).artifact(
        folder, host.setting(SettingRequest(precision=precision)), "tflite"
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_kernels_are_those_that_the_runtime_is_named_after(tmp_path: Path, runtime: str) -> None:
    host = device("host", runtime)
    setting = host.setting(SettingRequest())
    assert setting.runtime == runtime and str(setting).startswith(f"{runtime}/fp32/b1/t1/")
    with closing(host.open(artifact(tmp_path), setting)) as session:
        kinds = {op["op_name"] for op in session._interpreter._get_ops_details()}  # type: ignore[attr-defined]
    assert ("DELEGATE" in kinds) == (runtime == "litert")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_precision_runs(tmp_path: Path, runtime: str, precision: str) -> None:
    host = device("host", runtime)
    setting = host.setting(SettingRequest(precision=precision))
    written = artifact(tmp_path, precision)
    assert written.precision == precision
    with closing(host.open(written, setting)) as session:
        assert len(session.time(3)) == 3


def test_onnxruntime_runs_what_its_files_hold() -> None:
    for precision in ("fp32", "fp16", "int8"):
        assert device("host").setting(SettingRequest(precision=precision)).precision == precision
    with pytest.raises(UserError, match="host through onnxruntime runs fp32, fp16, int8, not 'int4'"):
        device("host").setting(SettingRequest(precision="int4"))


def test_workers_have_the_cores_and_the_priority_of_the_setting(tmp_path: Path) -> None:
    tasks = Path("/proc/self/task")
    host = device("host", "litert-builtin")
    threads = min(2, len(cpu.usable_cores()) or 1)
    setting = host.setting(SettingRequest(threads=threads))
    before = set(tasks.iterdir())
    with closing(host.open(artifact(tmp_path), setting)) as session:
        session.time(5)
        for worker in set(tasks.iterdir()) - before:
            expected = os.SCHED_FIFO if setting.pinning.endswith("realtime") else os.SCHED_OTHER
            assert os.sched_getscheduler(int(worker.name)) == expected
            if setting.pinning != "free":
                assert os.sched_getaffinity(int(worker.name)) <= set(cpu.usable_cores()[-threads:])


def test_the_terminal_stays_clean(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for runtime in RUNTIMES:
        host = device("host", runtime)
        with closing(host.open(artifact(tmp_path), host.setting(SettingRequest()))) as session:
            session.time(1)
    os.write(2, b"what others say is seen\n")
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "what others say is seen\n")


def test_a_run_that_fails_is_a_device_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def invoke(self) -> None:
            raise RuntimeError("node 3 failed\nat some address")

    host = device("host", "litert")
    before = os.sched_getaffinity(0), os.sched_getscheduler(0)
    with closing(host.open(artifact(tmp_path), host.setting(SettingRequest()))) as session:
        with monkeypatch.context() as patch:
            patch.setattr(session, "_interpreter", Broken())
            with pytest.raises(DeviceError, match=r"LiteRT failed: node 3 failed$"):
                session.time(3)
        assert (os.sched_getaffinity(0), os.sched_getscheduler(0)) == before
        assert len(session.time(2)) == 2, "the session survives"


def test_an_input_of_another_name_is_refused(tmp_path: Path) -> None:
    host = device("host", "litert")
    good = artifact(tmp_path)
    (given,) = good.inputs
    wrong = Artifact("tflite", good.path, "", (TensorSpec("image", given.shape),), 1, "fp32")
    with pytest.raises(DeviceError, match=r"LiteRT refused .*image"):
        host.open(wrong, host.setting(SettingRequest()))


def _without_litert(patch: pytest.MonkeyPatch) -> None:
    interpreter.cache_clear()
    patch.setitem(sys.modules, "ai_edge_litert", None)
    patch.delitem(sys.modules, "ai_edge_litert.interpreter", raising=False)


def test_the_older_package_serves_where_litert_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_edge_litert import interpreter as same

    written = artifact(tmp_path)
    older: Any = ModuleType("tflite_runtime")
    older.__path__ = []
    with monkeypatch.context() as patch:
        _without_litert(patch)
        patch.setitem(sys.modules, "tflite_runtime", older)
        patch.setitem(sys.modules, "tflite_runtime.interpreter", same)
        assert interpreter() == ("tflite-runtime", same)
        host = device("host", "litert")
        with closing(host.open(written, host.setting(SettingRequest()))) as session:
            assert len(session.time(2)) == 2
    interpreter.cache_clear()


def test_without_any_package_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = artifact(tmp_path)
    with monkeypatch.context() as patch:
        _without_litert(patch)
        host = device("host", "litert")
        (need,) = host.requirements()
        assert not need.met and need.advice == "pip install ai-edge-litert"
        with pytest.raises(DeviceError, match="pip install ai-edge-litert"):
            host.open(written, host.setting(SettingRequest()))
    interpreter.cache_clear()
    assert device("host", "litert").requirements()[0].met


def test_bytes_are_spread_over_their_range() -> None:
    (given,) = random_inputs([TensorSpec("input", (1, 64, 64, 3), "int8")])
    assert given.dtype == np.int8
    assert given.min() == -128 and given.max() == 127 and 30 < given.std() < 50


def test_written_files_are_loaded_with_the_batch_they_have(tmp_path: Path) -> None:
    graph = WORKLOAD.graph()
    written = write_tflite(graph, timing_weights(graph), tmp_path / "b.tflite", batch=4)
    host = device("host", "litert")
    with closing(host.open(written, host.setting(SettingRequest(batch=4)))) as session:
        assert len(session.time(1)) == 1
