"""TensorRT's driver against stand-ins that fail on a wrong order, shape, type, stream or freed buffer."""

import json
import os
import re
import subprocess
from collections import Counter
from contextlib import closing, nullcontext
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from toys import SMALL_CONV
from zenbench.bench.cli.main import main
from zenbench.bench.measuring.journal import Journal, read
from zenbench.bench.measuring.recipe import Recipe
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.bench.profiling.profile import profile
from zenbench.bench.profiling.progress import Limits
from zenbench.devices.base import Artifact, Connection, Device, Setting, SettingRequest, TensorSpec
from zenbench.devices.nvidia import tensorrt_build
from zenbench.devices.nvidia.tensorrt import TensorRtSession
from zenbench.devices.nvidia.tensorrt_api import unfit
from zenbench.devices.registry import device
from zenbench.errors import DeviceBrokenError, DeviceError, DeviceUnavailableError
from zenbench.zen.workload import Workload

BLOCK = Workload.parse(
    "residual(style=bottleneck,kernel=3,in_channels=16,hidden_channels=8,out_channels=16,"
    "stride=1,projection=0,squeeze_excite=1)@7"
)
VERSIONS = ("8.6.1", "10.13.0.35", "11.4.0.106")


def t4(runtime: str = "tensorrt") -> Device:
    return device("t4", runtime)


def artifact(folder: Path, setting: Setting, workload: Workload = SMALL_CONV) -> Artifact:
    return WorkloadSubject(workload).artifact(folder, setting, "onnx")


def times(
    found: Device, folder: Path, asked: SettingRequest, runs: int = 4, workload: Workload = SMALL_CONV
) -> list[float]:
    setting = found.setting(asked)
    with closing(found.open(artifact(folder, setting, workload), setting)) as session:
        return [sample.ms for sample in session.time(runs)]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_builds_and_runs_every_precision(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, precision: str
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_VERSION", version)
    readings = times(t4(), tmp_path, SettingRequest(precision=precision, batch=2), 5, BLOCK)
    assert len(readings) == 5 and min(readings) > 0


def test_runs_are_put_on_the_stream_in_a_row_between_their_own_events(
    nvidia: SimpleNamespace, tmp_path: Path
) -> None:
    found = t4()
    setting = found.setting(SettingRequest(batch=1))
    with closing(found.open(artifact(tmp_path, setting), setting)) as session:
        session.time(3)
        nvidia.machine.calls.clear()
        session.time(3)
        calls = [call for call in nvidia.machine.calls if call != "cudaGetDeviceCount"]
    assert calls == [
        *["cudaEventRecord"] * 6,
        "cudaStreamSynchronize",
        *["cudaEventElapsedTime"] * 3,
    ], "no allocation, no copy and one wait, at the end"


def test_a_graph_replays_runs_without_their_launches(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    plain, graph = (
        times(t4(name), tmp_path, SettingRequest(batch=1)) for name in ("tensorrt", "tensorrt-graph")
    )
    assert median(graph) < median(plain)
    counts = Counter(nvidia.machine.calls)
    assert counts["cudaStreamBeginCapture"] == counts["cudaGraphInstantiate"] == 1
    assert counts["cudaGraphLaunch"] >= 4


def test_layers_are_timed_in_a_context_of_their_own(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    found = t4("tensorrt-graph")
    setting = found.setting(SettingRequest(batch=1))
    with closing(found.open(artifact(tmp_path, setting), setting)) as session:
        assert isinstance(session, TensorRtSession)
        before = session.time(2)
        assert session.layers(3) == {"conv1": 0.75, "relu1": 0.25}
        assert [s.ms for s in session.time(2)] == pytest.approx([s.ms for s in before])


def test_transfers_are_timed_apart_and_leave_the_inputs_as_they_were(
    nvidia: SimpleNamespace, tmp_path: Path
) -> None:
    found = t4()
    setting = found.setting(SettingRequest(batch=4, precision="fp32"))
    with closing(found.open(artifact(tmp_path, setting), setting)) as session:
        assert isinstance(session, TensorRtSession)
        up, down = session.transfers(3)
        given, result = 4 * 4 * 3 * 16 * 16, 4 * 4 * 16 * 8 * 8
        assert [sample.ms for sample in up] == pytest.approx([1e-7 * given] * 3)
        assert [sample.ms for sample in down] == pytest.approx([1e-7 * result] * 3)
        assert session.time(1), "zeros would be found out"


def test_measure_shows_layers_and_transfers_on_request(
    nvidia: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = "SuperConvK3BNRELU(3,8,2,1)"
    options = [
        "--device",
        "t4",
        "--batch",
        "2",
        "--resolution",
        "16",
        "--layers",
        "--out",
        f"{tmp_path}/m.csv",
    ]
    for style in ("json", "table"):
        with pytest.raises(SystemExit) as caught:
            main(["measure", network, *options, "--format", style])
        assert not caught.value.code
        if style == "json":
            (row,) = json.loads(capsys.readouterr().out)
            assert row["layers"] == {"conv1": 0.75, "relu1": 0.25}
            assert 0 < row["download_ms"] < row["upload_ms"], "the image is larger than the scores"
    shown = capsys.readouterr().out
    assert re.search(r"conv1 +750 us +75.0%", shown) and "upload" in shown


def test_larger_batches_take_longer(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    one, many = (
        median(times(t4("tensorrt-graph"), tmp_path, SettingRequest(batch=batch, precision="fp32")))
        for batch in (1, 8)
    )
    assert many == pytest.approx(8 * one, rel=0.01)


def test_an_engine_is_built_once_a_file_and_version(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    built: list[str] = []
    real = subprocess.run

    def run(command: Any, **options: Any) -> Any:
        built.append(command[-1])
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    asked = SettingRequest(batch=1)
    for _ in range(2):
        times(t4(), tmp_path, asked)
    times(t4("tensorrt-graph"), tmp_path, asked)
    assert len(built) == 1
    times(t4(), tmp_path, SettingRequest(batch=2))
    assert len(built) == 2
    (kept,) = (tmp_path / "home/engines").glob("*.timing")
    assert kept.read_bytes().startswith(b"10.13"), "timings serve later builds"


def test_a_kept_engine_that_does_not_load_is_built_again(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    times(t4(), tmp_path, SettingRequest(batch=1))
    (engine,) = (tmp_path / "home/engines").glob("*.engine")
    (timing,) = (tmp_path / "home/engines").glob("*.timing")
    for damaged in (b"{}", engine.read_bytes().replace(b"10.13", b"10.12")):
        engine.write_bytes(damaged if damaged != b"{}" else b"?")
        timing.write_bytes(b"???" if damaged == b"{}" else b"9.0 of another version")
        assert times(t4(), tmp_path, SettingRequest(batch=1))
    assert timing.read_bytes().startswith(b"10.13")


@pytest.mark.parametrize(
    ("trouble", "precision", "sentence"),
    [
        ("crash", "int8", r"TensorRT crashed as it built \w+\.onnx \(signal 11\)$"),
        ("hang", "int8", r"still building \w+\.onnx after 5 s and was stopped$"),
        ("room", "int8", r"out of GPU memory: \w+\.onnx does not fit at batch 3; give a smaller --batch$"),
        ("nan", "fp16", r"'\w+' of \w+\.onnx holds NaN or infinity; its precision does not carry it$"),
    ],
)
def test_trouble_with_one_file_is_one_sentence(
    nvidia: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
    precision: str,
    sentence: str,
) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FAKE_TENSORRT", trouble)
    if trouble == "hang":
        patched = tensorrt_build.build
        monkeypatch.setattr("zenbench.devices.nvidia.tensorrt.build", lambda request: patched(request, 5))
    with pytest.raises(DeviceError, match=sentence) as caught:
        times(t4(), tmp_path, SettingRequest(precision=precision, batch=3))
    assert not isinstance(caught.value, DeviceUnavailableError), "other blocks go on"


def foreign(path: Path, node: Any, shape: list[int]) -> Artifact:
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy")
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", [x], [y]), opset_imports=opsets, ir_version=8
    )
    path.write_bytes(model.SerializeToString())
    return Artifact("onnx", path, str(path), (TensorSpec("x", tuple(shape)),), shape[0], "fp32")


def test_an_operation_that_tensorrt_refuses_is_named(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    node = onnx.helper.make_node("Whatever", ["x"], ["y"], domain="own")
    found = foreign(tmp_path / "f.onnx", node, [1, 8])
    with pytest.raises(DeviceError, match=r"TensorRT refused f\.onnx: No importer .*: Whatever$"):
        t4().open(found, t4().setting(SettingRequest(precision="fp32", batch=1)))


def test_files_of_others_need_fixed_shapes_and_types_that_can_be_filled(
    nvidia: SimpleNamespace, tmp_path: Path
) -> None:
    setting = t4().setting(SettingRequest(precision="fp32", batch=1))
    relu = onnx.helper.make_node("Relu", ["x"], ["y"])
    with pytest.raises(DeviceError, match="'x' has no fixed shape"):
        t4().open(foreign(tmp_path / "a.onnx", relu, [0, 8]), setting)
    cast = onnx.helper.make_node("Cast", ["x"], ["y"], to=onnx.TensorProto.INT32)
    found = foreign(tmp_path / "b.onnx", cast, [1, 64])
    model = onnx.load(str(found.path))
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    found.path.write_bytes(model.SerializeToString())
    with pytest.raises(DeviceError, match=r"'y' of b\.onnx is INT32"):
        t4().open(found, setting)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("8.5.3", "too old, 8.6 is the first that will do"),
        ("7", "too old"),
        ("12.0.1", "newer than zenbench knows.*'tensorrt<12'"),
    ],
)
def test_versions_that_will_not_do(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, sentence: str
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_VERSION", version)
    with pytest.raises(DeviceUnavailableError, match=sentence):
        times(t4(), tmp_path, SettingRequest(batch=1))
    (need,) = [need for need in t4().requirements() if need.name == "tensorrt"]
    assert not need.met and "pip install" in need.advice


def test_versions_that_do() -> None:
    assert [unfit(version) for version in (*VERSIONS, "8.6", "9.3.0.post12", "10")] == [None] * 6


def test_tensorrt_that_does_not_start_with_the_driver_is_told(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT", "old driver")
    with pytest.raises(DeviceUnavailableError, match=r"does not start \(CUDA init.* 35\); update the driver"):
        times(t4(), tmp_path, SettingRequest(batch=1))


def test_a_buffer_without_room_blames_the_batch_and_others_go_on(
    nvidia: SimpleNamespace, tmp_path: Path
) -> None:
    nvidia.machine.room_bytes = 20_000
    with pytest.raises(DeviceError, match="does not fit at batch 8") as caught:
        times(t4(), tmp_path, SettingRequest(batch=8))
    assert not isinstance(caught.value, DeviceUnavailableError)
    assert times(t4(), tmp_path, SettingRequest(batch=1))


def test_a_gpu_that_failed_ends_the_sitting(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    found = t4()
    setting = found.setting(SettingRequest(batch=1))
    with closing(found.open(artifact(tmp_path, setting), setting)) as session:
        nvidia.machine.broken = True
        with pytest.raises(DeviceUnavailableError, match="cudaErrorIllegalAddress; run the command again"):
            session.time(1)
        nvidia.machine.broken = False
        nvidia.machine.calls.clear()
        for line in list(nvidia.machine.live.values()):
            getattr(line, "pending", None) and nvidia.machine.run(line)


def test_a_block_that_breaks_the_gpu_is_recorded_and_the_next_sitting_goes_on(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = t4()
    setting = found.setting(SettingRequest(batch=1))
    real = TensorRtSession.time
    breaking = artifact(tmp_path, setting, SMALL_CONV).path.name

    def time(session: TensorRtSession, runs: int) -> Any:
        if session._name == breaking:
            raise DeviceBrokenError("CUDA failed with cudaErrorIllegalAddress; run the command again")
        return real(session, runs)

    monkeypatch.setattr(TensorRtSession, "time", time)
    path, recipe = tmp_path / "j.jsonl", Recipe(rounds=2, round_ms=1, max_runs=3)
    for session in (1, 2):
        with Journal(path) as journal, pytest.raises(DeviceBrokenError) if session == 1 else nullcontext():
            profile(found, setting, [SMALL_CONV, BLOCK], journal, recipe, Limits())
    errors = {one.subject: one.error for one in read(path).measurements}
    assert "cudaErrorIllegalAddress" in str(errors[str(SMALL_CONV)]) and errors[str(BLOCK)] is None


def test_a_gpu_that_is_not_reached_blames_no_block(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    found = t4()
    setting = found.setting(SettingRequest(batch=1))
    file = artifact(tmp_path, setting)
    nvidia.machine.broken = True
    with pytest.raises(DeviceUnavailableError, match=r"does not reach the GPU .*nvidia-smi") as caught:
        found.open(file, setting)
    assert not isinstance(caught.value, DeviceBrokenError)


def test_the_first_session_settles_the_clock_and_no_other(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    asked: list[int] = []
    real = nvidia.nvml.nvmlDeviceGetClockInfo

    def counted(handle: Any, type: int) -> int:  # noqa: A002 - the name is NVML's
        asked.append(type)
        return int(real(handle, type))

    nvidia.nvml.nvmlDeviceGetClockInfo = counted
    found = t4()
    setting = found.setting(SettingRequest(batch=1))
    file = artifact(tmp_path, setting)
    for expected in (5, 5):
        found.open(file, setting).close()
        assert len(asked) == expected
    nvidia.nvml.nvmlDeviceGetClockInfo = real


def test_a_profile_goes_on_after_a_block_that_crashes_the_build(
    nvidia: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path / "home"))
    found = t4()
    setting = found.setting(SettingRequest(batch=1))
    real = tensorrt_build.build
    crashing = artifact(tmp_path, setting, SMALL_CONV).path.name

    def build(request: Any) -> None:
        with monkeypatch.context() as patch:
            if Path(request.onnx).name == crashing:
                patch.setenv("FAKE_TENSORRT", "crash")
            real(request)

    monkeypatch.setattr("zenbench.devices.nvidia.tensorrt.build", build)
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        recipe = Recipe(rounds=2, round_ms=0.1, min_runs=2, max_runs=3, window=2)
        profile(found, setting, [SMALL_CONV, BLOCK], journal, recipe, Limits(workloads=2))
    found_errors = {one.subject: one.error for one in read(path).measurements}
    assert "crashed" in str(found_errors[str(SMALL_CONV)]) and found_errors[str(BLOCK)] is None
    states = [one.before for one in read(path).measurements if one.timing is not None]
    assert states and all(state.cores_mhz == {"sm": 1590, "memory": 5001} for state in states)


def test_the_oldest_engines_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(tensorrt_build, "KEPT_BYTES", 250)
    (tmp_path / "engines").mkdir()
    for age in range(4):
        file = tmp_path / f"engines/{age}.engine"
        file.write_bytes(bytes(100))
        os.utime(file, (1000 - age, 1000 - age))
    tensorrt_build._forget_the_oldest()
    assert sorted(file.name for file in (tmp_path / "engines").iterdir()) == ["0.engine", "1.engine"]


def test_an_access_chooses_among_gpus(nvidia: SimpleNamespace, tmp_path: Path) -> None:
    nvidia.nvml.GPUS.append(nvidia.nvml.Gpu(bus_id="00000000:00:05.0", uuid="GPU-3"))
    nvidia.machine.bus_ids.append(b"00000000:00:05.0")
    times(device("t4", connection=Connection(serial="1")), tmp_path, SettingRequest(batch=1))
    assert nvidia.machine.selected == 1
