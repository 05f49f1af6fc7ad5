"""The stand-ins of NVIDIA's libraries hold nothing that the real ones do not, and fail on wrong use.

tests/data/nvidia_api.json holds names and arguments read from the real packages, TensorRT in three versions.
"""

import ast
import inspect
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from places import DATA, ROOT, TESTS

API = json.loads((DATA / "nvidia_api.json").read_text())
FAKES = TESTS / "devices" / "fake_nvidia"
PRELUDE = "import json, inspect, tensorrt as trt\n"


def of_version(version: str, expression: str) -> Any:
    """What an expression gives with the stand-in of that version of TensorRT."""
    environment = {"PYTHONPATH": f"{FAKES}:{':'.join(sys.path)}", "FAKE_TENSORRT_VERSION": version}
    code = f"{PRELUDE}print(json.dumps({expression}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SIGNATURES = """{
    name: {
        key: "property" if isinstance(value, property) else list(inspect.signature(value).parameters)[1:]
        for key, value in vars(kind).items()
        if (inspect.isfunction(value) or isinstance(value, property)) and (key[0] != "_" or key == "__init__")
    }
    for name, kind in vars(trt).items() if inspect.isclass(kind) and kind.__module__ == "tensorrt"
    and not hasattr(kind, "__members__")
}"""
ENUMS = """{
    kind.__name__: {member.name: int(member) for member in kind}
    for kind in [*vars(trt).values(), trt.ILogger.Severity] if hasattr(kind, "__members__")
    and kind.__name__ != "IntEnum"
}"""
MADE_BY_TENSORRT = {
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "INetworkDefinition",
    "ITensor",
    "ITimingCache",
    "ParserError",
}
"""Classes whose objects come from methods alone, so that their __init__ is nobody's business."""


@pytest.mark.parametrize("real", API["tensorrt"], ids=[real["version"] for real in API["tensorrt"]])
def test_tensorrt_has_these_methods_and_members(real: dict[str, Any]) -> None:
    for name, methods in of_version(real["version"], SIGNATURES).items():
        for key, arguments in methods.items():
            if key == "__init__" and name in MADE_BY_TENSORRT:
                continue
            assert real["classes"][name][key] in (arguments, "any"), f"{name}.{key}"
    for name, members in of_version(real["version"], ENUMS).items():
        if name in ("BuilderFlag",):  # its numbers are never used
            assert set(members) == set(real["enums"][name])
        else:
            assert members == real["enums"][name], name


def test_cuda_has_these_functions_and_members(nvidia: SimpleNamespace) -> None:
    from cuda.bindings import runtime

    real = API["cuda"]
    called = {name for name in vars(runtime) if name.startswith("cuda") and callable(getattr(runtime, name))}
    enums = {name for name in called if hasattr(getattr(runtime, name), "__members__")}
    for name in called - enums:
        found = list(inspect.signature(getattr(runtime, name)).parameters)
        assert found == real["functions"][name], name
    for name in enums:
        assert {m.name: int(m) for m in getattr(runtime, name)}.items() <= real["enums"][name].items()


def test_nvml_has_these_functions_and_constants(nvidia: SimpleNamespace) -> None:
    real = API["nvml"]
    for name, value in vars(nvidia.nvml).items():
        if name.startswith("nvml") and callable(value):
            assert list(inspect.signature(value).parameters) == real["functions"][name], name
        elif name.startswith(("NVML_", "nvml")):
            assert value == real["constants"][name], name


def test_the_drivers_call_nothing_else(nvidia: SimpleNamespace) -> None:
    from cuda.bindings import runtime

    root = ROOT / "devices" / "nvidia"
    texts = [root / name for name in ("cuda.py", "gpu.py", "tensorrt.py", "tensorrt_api.py")]
    words = {
        node.attr if isinstance(node, ast.Attribute) else node.value
        for text in texts
        for node in ast.walk(ast.parse(text.read_text()))
        if isinstance(node, ast.Attribute) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    }
    calls = {
        word
        for word in words
        if word.startswith(("cuda", "nvmlDevice", "nvmlSystem")) and word.isidentifier()
    }
    known = {*dir(runtime), *dir(nvidia.nvml), *dir(runtime.cudaError_t)}
    known |= {*dir(runtime.cudaMemcpyKind), *dir(runtime.cudaStreamCaptureMode)}
    assert {call for call in calls if call[4:5].isupper()} - {"cudaErrorStreamCapture"} <= known, "a prefix"


def cuda(nvidia: SimpleNamespace) -> Any:
    from cuda.bindings import runtime

    runtime.cudaSetDevice(0)
    return runtime


def test_the_stand_in_fails_on_what_hardware_would_let_pass(nvidia: SimpleNamespace) -> None:
    runtime = cuda(nvidia)
    _, stream = runtime.cudaStreamCreateWithFlags(1)
    _, start = runtime.cudaEventCreate()
    _, end = runtime.cudaEventCreate()
    runtime.cudaEventRecord(start, stream)
    runtime.cudaEventRecord(end, stream)
    assert runtime.cudaEventElapsedTime(start, end)[0] == runtime.cudaError_t.cudaErrorNotReady
    with pytest.raises(AssertionError, match="before it came by"):
        runtime.cudaEventRecord(start, stream)
    runtime.cudaStreamSynchronize(stream)
    with pytest.raises(AssertionError, match="nobody has read"):
        runtime.cudaEventRecord(start, stream)
    _, address = runtime.cudaMalloc(64)
    values = np.ones(16, np.float32)
    kind = runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
    runtime.cudaMemcpyAsync(address, values.ctypes.data, 64, kind, stream)
    with pytest.raises(AssertionError, match="under way"):
        runtime.cudaFree(address)
    runtime.cudaStreamSynchronize(stream)
    runtime.cudaFree(address)
    with pytest.raises(AssertionError, match="freed twice"):
        runtime.cudaFree(address)
    with pytest.raises(AssertionError, match="not a stream of ours"):
        runtime.cudaStreamSynchronize(0)
    for event in (start, end):
        runtime.cudaEventDestroy(event)
    runtime.cudaStreamDestroy(stream)
