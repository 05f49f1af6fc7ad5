"""TensorRT engines: built from an ONNX file in a process of their own, and kept.

A build can crash or hang, and what a block does to TensorRT must not end the profile. The process is this
module; it leaves the engine in a file, or says on its last line of standard error why there is none.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ...atomic import make_folder, write_bytes
from ...errors import DeviceError, ZenbenchError
from ...home import home
from . import cuda, tensorrt_api

DEADLINE_S = 600.0
WORKSPACE_MIB = 2048
KEPT_BYTES = 4 * 2**30
"""Engines are kept up to this, those built last before the others."""


@dataclass(frozen=True)
class Request:
    """What to build, for the GPU of `bus_id`, and where to leave it. All of it is text, for the process."""

    onnx: str
    precision: str
    bus_id: str
    engine: str
    timing_cache: str


def engine_path(onnx: Path, precision: str, gpu: str, version: str) -> Path:
    """Where the engine of a file lies once it is built; other contents, GPUs and TensorRTs have others."""
    content = hashlib.sha256(onnx.read_bytes()).hexdigest()
    key = hashlib.sha256(json.dumps([content, precision, gpu, version]).encode()).hexdigest()[:24]
    return _folder() / f"{key}.engine"


def timing_cache_path(gpu: str, version: str) -> Path:
    """How fast TensorRT found its kernels: it saves most of the time of later builds."""
    key = hashlib.sha256(json.dumps([gpu, version]).encode()).hexdigest()[:24]
    return _folder() / f"{key}.timing"


def build(request: Request, deadline_s: float = DEADLINE_S) -> None:
    """Builds in a process of its own; raises DeviceError where that refuses, crashes or takes too long."""
    name = Path(request.onnx).name
    command = [sys.executable, "-m", __name__, json.dumps(asdict(request))]
    make_folder(_folder())
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, errors="replace", timeout=deadline_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"TensorRT was still building {name} after {deadline_s:g} s and was stopped"
        ) from None
    if done.returncode < 0:
        raise DeviceError(f"TensorRT crashed as it built {name} (signal {-done.returncode})")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise DeviceError(f"TensorRT refused {name}: {lines[-1]}")
    _forget_the_oldest()


def build_here(request: Request) -> None:
    """The process's work; raises DeviceError with what TensorRT said."""
    trt = tensorrt_api.library()
    cuda.select(request.bus_id)
    log = tensorrt_api.logger(trt)
    builder = tensorrt_api.started(trt, "Builder", log)
    network = tensorrt_api.create_network(trt, builder)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(Path(request.onnx).read_bytes()):
        reasons = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise DeviceError(reasons[0].strip().splitlines()[0] if reasons else "no ONNX file that it can read")
    tensorrt_api.allow_layouts(trt, network, request.precision)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_MIB * 2**20)
    tensorrt_api.allow_types(trt, config, request.precision)
    kept = Path(request.timing_cache)
    cache = config.create_timing_cache(kept.read_bytes() if kept.exists() else b"")
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):  # it is damaged
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise DeviceError(tensorrt_api.last_error(log, "it built no engine and gave no reason"))
    write_bytes(Path(request.engine), bytes(plan))
    write_bytes(kept, bytes(config.get_timing_cache().serialize()))


def _forget_the_oldest() -> None:
    files = sorted(_folder().glob("*.engine"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > KEPT_BYTES and file != files[0]:
            file.unlink(missing_ok=True)


def _folder() -> Path:
    return home() / "engines"


if __name__ == "__main__":
    try:
        build_here(Request(**json.loads(sys.argv[1])))
    except ZenbenchError as error:
        sys.exit(str(error))
