"""The loopback phone is a phone: Debian's own adb client works with it, and it can be made to fail."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import flatbuffers
import loopback_phone
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from loopback_phone import LoopbackPhone

FOLDER = "/data/local/tmp/zenbench"


class Adb:
    """Debian's adb client with a server, a home and so a key of its own."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self._home = home
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._environment = {
            "HOME": str(home),
            "TMPDIR": str(home),
            "PATH": os.environ["PATH"],
            "ADB_SERVER_SOCKET": f"tcp:localhost:{port}",
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",  # below the first emulator's: look for none
        }
        self("start-server")

    @property
    def public_key(self) -> str:
        return (self._home / ".android/adbkey.pub").read_text()

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["/usr/bin/adb", *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.DEVNULL
        return subprocess.Popen(
            ["/usr/bin/adb", *arguments], env=self._environment, stdin=pipe, stdout=pipe, stderr=pipe
        )

    def connect(self, address: str) -> str:
        self("disconnect")
        return self("connect", address).stdout.splitlines()[0]


@pytest.fixture
def adb(tmp_path: Path) -> Iterator[Adb]:
    adb = Adb(tmp_path / "home")
    yield adb
    adb("kill-server")


@pytest.fixture
def connected(adb: Adb, phone: LoopbackPhone) -> Adb:
    phone.authorise(adb.public_key)
    assert adb.connect(phone.address) == f"connected to {phone.address}"
    return adb


def convolution(path: Path, *, size: int = 16, channels: int = 8) -> Path:
    """Writes a TFLite file with one 3x3 convolution."""
    buffers, tensors = [schema.BufferT()], []

    def tensor(shape: list[int], data: np.ndarray | None = None) -> int:
        made = schema.TensorT()
        made.shape, made.name, made.buffer = shape, f"tensor{len(tensors)}", 0
        if data is not None:
            buffers.append(schema.BufferT())
            buffers[-1].data = np.frombuffer(data.astype("<f4").tobytes(), np.uint8)
            made.buffer = len(buffers) - 1
        tensors.append(made)
        return len(tensors) - 1

    weights = np.random.default_rng(0).normal(size=(channels, 3, 3, channels))
    code, operator, options, graph, model = (
        getattr(schema, name)()
        for name in ("OperatorCodeT", "OperatorT", "Conv2DOptionsT", "SubGraphT", "ModelT")
    )
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    options.strideW = options.strideH = 1
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    shape = [1, size, size, channels]
    operator.inputs = [
        tensor(shape),
        tensor([channels, 3, 3, channels], weights),
        tensor([channels], np.zeros(channels)),
    ]
    operator.outputs = [tensor(shape)]
    graph.tensors, graph.operators, graph.inputs, graph.outputs = (
        tensors,
        [operator],
        operator.inputs[:1],
        operator.outputs,
    )
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


def test_only_a_key_that_the_phone_knows_is_let_in(adb: Adb, phone: LoopbackPhone) -> None:
    assert "failed to authenticate" in adb.connect(phone.address)
    assert f"{phone.address}\tunauthorized" in adb("devices").stdout
    phone.authorise(adb.public_key)
    assert adb.connect(phone.address) == f"connected to {phone.address}"
    assert adb("shell", "echo in").stdout == "in\n"
    phone.withdraw()
    assert adb("shell", "echo still in").stdout == "still in\n"
    assert "failed to authenticate" in adb.connect(phone.address)
    assert adb("shell", "echo in").returncode != 0


def test_two_phones_have_their_own_keys_and_files(
    connected: Adb, phone: LoopbackPhone, tmp_path: Path
) -> None:
    with LoopbackPhone(tmp_path / "other") as other:
        assert connected("-s", phone.address, "shell", f"touch {FOLDER}").returncode == 0
        assert "failed to authenticate" in connected("connect", other.address).stdout
        other.authorise(connected.public_key)
        connected("disconnect", other.address)
        connected("connect", other.address)
        assert connected("-s", other.address, "shell", "ls /data/local/tmp").stdout == ""
        assert (phone.files(), other.files()) == (["zenbench"], [])


def test_shell_keeps_streams_and_exit_status_apart(connected: Adb) -> None:
    answer = connected("shell", "echo out; echo err >&2; exit 7")
    assert (answer.returncode, answer.stdout, answer.stderr) == (7, "out\n", "err\n")
    assert connected("shell", "-tt", "tty").stdout.strip() == "/dev/pts/0"


def test_what_is_pushed_comes_back(connected: Adb, phone: LoopbackPhone, tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(300_000)
    (tmp_path / "here").write_bytes(data)
    name = f"{FOLDER}/a 'b'; rm -r $HOME"
    assert connected("push", str(tmp_path / "here"), name).returncode == 0
    assert phone.files() == ["zenbench/", "zenbench/a 'b'; rm -r $HOME"]
    assert connected("pull", name, str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_bytes() == data


def test_it_is_the_phone_that_it_is_told_to_be(connected: Adb, phone: LoopbackPhone) -> None:
    def shell(command: str) -> str:
        return connected("shell", command).stdout

    zone = "grep -l tsens_tz_sensor7 /sys/class/thermal/*/type"
    clocks = "cat /sys/devices/system/cpu/cpu[07]/cpufreq/scaling_cur_freq"
    assert shell("getprop ro.product.model; getprop ro.product.device") == "Pixel 2\nwalleye\n"
    assert shell(f"cat $(dirname $({zone}))/temp; {clocks}") == "350\n1900800\n2457600\n"
    assert "mWakefulness=Awake" in shell("dumpsys power")
    phone.pixel.set_property("ro.product.model", "Pixel 7 = other")
    phone.pixel.set_temperature(71.5)
    phone.pixel.set_frequency(7, 1_056_000, limit_khz=1_344_000)
    phone.pixel.set_battery(level=12, celsius=41.0)
    phone.pixel.set_screen(on=False)
    assert shell("getprop ro.product.model") == "Pixel 7 = other\n"
    assert "[ro.product.model]: [Pixel 7 = other]\n" in shell("getprop")
    assert shell(f"cat $(dirname $({zone}))/temp; {clocks}") == "715\n1900800\n1056000\n"
    assert "  level: 12\n" in shell("dumpsys battery") and "  temperature: 410\n" in shell("dumpsys battery")
    assert "Display Power: state=OFF" in shell("dumpsys power")


def test_a_core_mask_must_be_one_of_the_phone(connected: Adb) -> None:
    assert connected("shell", "taskset f0 echo big").stdout == "big\n"
    refused = connected("shell", "taskset f00 echo none")
    assert refused.returncode == 1 and "Invalid argument" in refused.stderr


def test_a_full_disk_and_a_read_only_one(adb: Adb, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(2**20))
    with LoopbackPhone(tmp_path / "small", disk_bytes=2**19) as phone:
        phone.authorise(adb.public_key)
        adb.connect(phone.address)
        assert "No space left on device" in adb("push", str(tmp_path / "big"), f"{FOLDER}/big").stdout
        phone.set_read_only(read_only=True)
        assert "Read-only file system" in adb("push", str(tmp_path / "big"), f"{FOLDER}/other").stdout
        phone.set_read_only(read_only=False)
        assert adb("shell", f"rm -r {FOLDER}").returncode == 0
        assert phone.files() == []


def test_the_daemon_dies_and_comes_back_on_its_port(connected: Adb, phone: LoopbackPhone) -> None:
    client = connected.start("shell", "sleep 1000")
    while len(phone.processes()) < 2:
        time.sleep(0.01)
    phone.kill()
    client.wait(20)
    assert phone.processes()[-1].arguments == ["sleep", "1000"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", phone.port))
    phone.restart()
    assert connected.connect(phone.address) == f"connected to {phone.address}"
    assert connected("shell", "pkill sleep").returncode == 0
    while phone.processes():
        time.sleep(0.01)


def test_a_slow_link_slows_every_answer(connected: Adb, phone: LoopbackPhone) -> None:
    def time_s() -> float:
        start = time.monotonic()
        assert connected("shell", "echo there").stdout == "there\n"
        return time.monotonic() - start

    fast_s = time_s()
    with phone.slow(0.1) as address:
        assert connected.connect(address) == f"connected to {address}"
        assert time_s() > max(0.2, fast_s)


@pytest.mark.parametrize("xnnpack", [None, "true", "false"])
def test_the_runner_reports_as_benchmark_model_does(
    connected: Adb, phone: LoopbackPhone, runner: Path, tmp_path: Path, xnnpack: str | None
) -> None:
    model = convolution(tmp_path / "model.tflite")
    connected("push", str(runner), str(model), "/data/local/tmp")
    flags = "--num_threads=1 --num_runs=20 --min_secs=0.0000010 --warmup_min_secs=0"
    flag = "" if xnnpack is None else f" --use_xnnpack={xnnpack}"
    path = "/data/local/tmp/model.tflite"
    answer = connected("shell", f"cd /data/local/tmp && ./benchmark_model --graph={path} {flags}{flag}")
    assert answer.returncode == 0, answer.stderr
    number, statistics = r"[\d.e+-]+", r" p5=\d+ median=\d+ p95=\d+"
    spread = rf"first=\d+ curr=\d+ min=\d+ max=\d+ avg={number} std=\d+"
    running = (
        r"Running benchmark for at least {} iterations and at least {} seconds but terminate if exceeding 150"
    )
    whole = "and the model graph will be completely executed by the delegate."
    explicit = ["XNNPACK delegate created.", f"Explicitly applied XNNPACK delegate, {whole}"]
    expected = [
        "STARTING!",
        r"Log parameter values verbosely: \[0\]",
        r"Min num runs: \[20\]",
        r"Min runs duration \(seconds\): \[1e-06\]",
        r"Num threads: \[1\]",
        r"Min warmup runs duration \(seconds\): \[0\]",
        rf"Graph: \[{path}\]",
        r"Signature to run: \[\]",
        r"#threads used for CPU inference: \[1\]",
        *([] if xnnpack is None else [rf"Use xnnpack: \[{int(xnnpack == 'true')}\]"]),
        f"Loaded model {path}",
        *(explicit if xnnpack == "true" else []),
        rf"The input model file size \(MB\): {model.stat().st_size / 1e6:g}",
        rf"Initialized session in {number}ms\.",
        rf"{running.format(1, 0)} seconds\.",
        rf"count=1 curr=\d+{statistics}",
        rf"{running.format(20, 1e-06)} seconds\.",
        rf"count=20 (curr=\d+\(all same\)|{spread}){statistics}",
        r"Inference timings in us: Init: \d+, First inference: \d+, "
        rf"Warmup \(avg\): {number}, Inference \(avg\): {number}",
        "Note: as the benchmark tool itself affects memory footprint, .*",
        rf"Memory footprint delta from the start of the tool \(MB\): init={number} overall={number}",
    ]
    lines = [line for line in answer.stdout.splitlines() if line]
    assert len(lines) == len(expected), answer.stdout
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(f"INFO: {pattern}", line)
    made = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    assert answer.stderr == ("" if xnnpack == "false" else made)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("--graph=missing.tflite", "Could not open 'missing.tflite'."),
        ("--graph=junk.tflite", "The model is not a valid Flatbuffer buffer"),
        (
            "--graph=junk.tflite --num_runs=many",
            "Failed to parse flag 'num_runs' against argv '--num_runs=many'",
        ),
        ("", "Please specify the name of your TF Lite input file with --graph"),
    ],
)
def test_the_runner_fails_as_benchmark_model_does(
    connected: Adb, runner: Path, tmp_path: Path, flags: str, reason: str
) -> None:
    (tmp_path / "junk.tflite").write_bytes(bytes(range(256)))
    connected("push", str(runner), str(tmp_path / "junk.tflite"), "/data/local/tmp")
    answer = connected("shell", f"cd /data/local/tmp && ./benchmark_model {flags}")
    assert answer.returncode == 1
    assert reason in answer.stderr
    assert answer.stderr.endswith("ERROR: Benchmarking failed.\n")
    assert "count=" not in answer.stdout


def test_the_runner_refuses_a_file_cut_short(connected: Adb, runner: Path, tmp_path: Path) -> None:
    whole = convolution(tmp_path / "whole.tflite").read_bytes()
    cuts = [tmp_path / f"cut{eighth}.tflite" for eighth in range(8)]
    for eighth, cut in enumerate(cuts):
        cut.write_bytes(whole[: len(whole) * eighth // 8])
    connected("push", str(runner), *map(str, cuts), "/data/local/tmp")
    run = "cd /data/local/tmp; for f in cut*; do ./benchmark_model --graph=$f; echo $?; done"
    answer = connected("shell", run)
    assert answer.stdout.splitlines().count("1") == len(cuts), answer.stdout
    assert answer.stderr.count("ERROR: The model allocation is null/empty\n") == 1
    assert answer.stderr.count("ERROR: The model is not a valid Flatbuffer buffer\n") == len(cuts) - 1
    assert answer.stderr.count("ERROR: Benchmarking failed.\n") == len(cuts)


def test_nothing_is_left_of_a_phone(tmp_path: Path) -> None:
    program = (
        "import pathlib, subprocess, sys, loopback_phone\n"
        "phone = loopback_phone.LoopbackPhone(pathlib.Path(sys.argv[1]))\n"
        "print(*(process.pid for process in phone._all_processes()), flush=True)\n"
        "sys.stdin.read()\n"
    )
    mounts = Path("/proc/mounts").read_text()
    command = [sys.executable, "-c", program, str(tmp_path / "phone")]
    environment = os.environ | {"PYTHONPATH": str(Path(loopback_phone.__file__).parent)}
    test = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert test.stdout is not None
    pids = test.stdout.readline().split()
    assert len(pids) == 2
    test.kill()
    test.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "the phone outlives its test"
        time.sleep(0.01)
    assert Path("/proc/mounts").read_text() == mounts


def test_a_phone_that_cannot_be_built_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build.sh").write_text("echo trying; echo no compiler here >&2; exit 3")
    (tmp_path / "runner.cpp").write_text("")
    monkeypatch.setattr(loopback_phone, "ADBD", tmp_path)
    with pytest.raises(RuntimeError, match=r"cannot be built; .*log ends with:\ntrying\nno compiler here"):
        loopback_phone.build()
