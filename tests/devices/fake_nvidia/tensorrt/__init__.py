"""Stands in for TensorRT's Python API in the version that FAKE_TENSORRT_VERSION names.

Files are really parsed (by onnx), engines are really files, and a wrong order, type, address or stream fails
at once. FAKE_TENSORRT makes a build `crash` or `hang`, an engine give `nan`, or a context find no `room`.
"""

import json
import os
import signal
import time
from enum import IntEnum
from math import prod

import numpy as np
import onnx
from cuda.bindings.runtime import MACHINE

__version__ = os.environ.get("FAKE_TENSORRT_VERSION", "10.13.0.35")
_MAJOR = int(__version__.partition(".")[0])
_REFUSED = {"HardSwish"} if os.environ.get("FAKE_TENSORRT") == "refuse" else set()
LAUNCH_MS = 0.02

NetworkDefinitionCreationFlag = IntEnum(
    "NetworkDefinitionCreationFlag",
    {8: {"EXPLICIT_BATCH": 0}, 10: {"EXPLICIT_BATCH": 0, "STRONGLY_TYPED": 1}, 11: {"STRONGLY_TYPED": 0}}.get(
        _MAJOR, {"STRONGLY_TYPED": 0}
    ),
)
BuilderFlag = IntEnum("BuilderFlag", [*(("FP16", "INT8") if _MAJOR < 11 else ()), "TF32"])
MemoryPoolType = IntEnum("MemoryPoolType", {"WORKSPACE": 0})
DataType = IntEnum("DataType", {"FLOAT": 0, "HALF": 1, "INT8": 2, "INT32": 3})
TensorIOMode = IntEnum("TensorIOMode", {"NONE": 0, "INPUT": 1, "OUTPUT": 2})
TensorFormat = IntEnum("TensorFormat", {"LINEAR": 0, "CHW2": 1, "HWC8": 2, "CHW4": 3, "CHW16": 4, "CHW32": 5})
_TYPES = {1: DataType.FLOAT, 10: DataType.HALF, 3: DataType.INT8, 6: DataType.INT32}
_NUMPY = {DataType.FLOAT: "float32", DataType.HALF: "float16", DataType.INT8: "int8", DataType.INT32: "int32"}
_WIDTHS = {"LINEAR": 1, "CHW2": 2, "HWC8": 8, "CHW4": 4, "CHW16": 16, "CHW32": 32}
_FITTING = {
    DataType.FLOAT: {"LINEAR", "CHW32"},
    DataType.HALF: {"LINEAR", "CHW2", "HWC8", "CHW16", "CHW32"},
    DataType.INT8: {"LINEAR", "CHW4", "CHW32"},
    DataType.INT32: {"LINEAR"},
}


class ILogger:
    Severity = IntEnum("Severity", {"INTERNAL_ERROR": 0, "ERROR": 1, "WARNING": 2, "INFO": 3, "VERBOSE": 4})

    def __init__(self):
        self.initialised = True

    def log(self, severity, msg):
        raise AssertionError("a logger without a log of its own")


def _logged(logger):
    assert isinstance(logger, ILogger) and logger.initialised, "the logger's own __init__ was not called"
    assert MACHINE.selected is not None, "TensorRT would work on whichever GPU comes first"
    if os.environ.get("FAKE_TENSORRT") == "old driver":
        logger.log(ILogger.Severity.ERROR, "CUDA initialization failure with error: 35\nmore")
        raise TypeError("pybind11::init(): factory function returned nullptr")
    return logger


class IHostMemory(bytes):
    pass


class ITimingCache:
    def __init__(self, data):
        self.data = data

    def serialize(self):
        return IHostMemory(self.data)


class IBuilderConfig:
    def __init__(self):
        self.flags_set, self.workspace, self.cache = {BuilderFlag.TF32}, None, None

    def set_flag(self, flag):
        self.flags_set.add(BuilderFlag(flag))

    def clear_flag(self, flag):
        self.flags_set.discard(BuilderFlag(flag))

    def set_memory_pool_limit(self, pool, pool_size):
        assert pool == MemoryPoolType.WORKSPACE and pool_size >= 2**20
        self.workspace = pool_size

    def create_timing_cache(self, serialized_timing_cache):
        assert isinstance(serialized_timing_cache, bytes)
        return None if serialized_timing_cache[:3] == b"???" else ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache, ignore_mismatch):
        assert isinstance(cache, ITimingCache) and not ignore_mismatch
        if cache.data and cache.data.split(b" ")[0] != __version__.encode():
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class ITensor:
    def __init__(self, value):
        self.name = value.name
        self.dtype = _TYPES[value.type.tensor_type.elem_type]
        self.shape = tuple(extent.dim_value for extent in value.type.tensor_type.shape.dim)
        self.allowed_formats = 1 << TensorFormat.LINEAR


class INetworkDefinition:
    def __init__(self, flags):
        self.flags, self.model, self._inputs, self._outputs = flags, None, [], []

    @property
    def num_inputs(self):
        return len(self._inputs)

    @property
    def num_outputs(self):
        return len(self._outputs)

    def get_input(self, index):
        return self._inputs[index]

    def get_output(self, index):
        return self._outputs[index]


class Builder:
    def __init__(self, logger):
        self._logger = _logged(logger)

    def create_network(self, flags=0):
        wanted = getattr(NetworkDefinitionCreationFlag, "EXPLICIT_BATCH" if _MAJOR == 8 else "STRONGLY_TYPED")
        assert flags == 1 << wanted, "the file's types would not hold"
        return INetworkDefinition(flags)

    def create_builder_config(self):
        return IBuilderConfig()

    def build_serialized_network(self, network, config):
        assert network.model is not None, "nothing was parsed"
        assert config.workspace and config.cache is not None, "no workspace limit or no timing cache"
        assert BuilderFlag.TF32 not in config.flags_set, "fp32 would be cut to TF32"
        match os.environ.get("FAKE_TENSORRT"):
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hang":
                time.sleep(60)
        kinds = {tensor.data_type for tensor in network.model.graph.initializer}
        allowed = {flag.name for flag in config.flags_set}
        if _MAJOR == 8 and (
            (10 in kinds and "FP16" not in allowed) or (3 in kinds and "INT8" not in allowed)
        ):
            self._logger.log(
                ILogger.Severity.ERROR, "Network has types but builder is not configured for them"
            )
            return None
        if _MAJOR > 8:
            assert not allowed, "a strongly typed network takes no types from flags"
        config.cache = ITimingCache(__version__.encode() + b" timings")
        tensors = [
            {
                "name": tensor.name,
                "mode": mode,
                "dtype": int(tensor.dtype),
                "shape": list(tensor.shape),
                "format": _fastest(tensor),
            }
            for mode, group in ((1, network._inputs), (2, network._outputs))
            for tensor in group
        ]
        return IHostMemory(json.dumps({"version": __version__, "tensors": tensors}).encode())


def _fastest(tensor):
    """The widest layout that is allowed, so that a buffer without room for filled-up channels shows."""
    allowed = [one.name for one in TensorFormat if tensor.allowed_formats >> one & 1]
    assert allowed and set(allowed) <= _FITTING[tensor.dtype], f"{allowed} is nothing for {tensor.dtype.name}"
    assert len(tensor.shape) >= 3 or allowed == ["LINEAR"], "only maps have layouts"
    return max(allowed, key=_WIDTHS.__getitem__)


class ParserError:
    def __init__(self, text):
        self._text = text

    def desc(self):
        return self._text


class OnnxParser:
    def __init__(self, network, logger):
        self._network, self._logger, self._errors = network, _logged(logger), []

    @property
    def num_errors(self):
        return len(self._errors)

    def get_error(self, index):
        return self._errors[index]

    def parse(self, model, path=None):
        try:
            found = onnx.load_model_from_string(model)
            onnx.checker.check_model(found)
        except Exception as error:  # noqa: BLE001 - protobuf raises classes of its own
            self._errors.append(ParserError(f"Failed to parse the file\n{error}"))
            return False
        if found.opset_import[0].version > 17 and _MAJOR == 8:
            self._errors.append(ParserError("opset is newer than this parser knows"))
        for node in found.graph.node:
            if node.op_type in _REFUSED or node.domain:
                self._errors.append(ParserError(f"No importer registered for op: {node.op_type}\nat node 3"))
        self._network.model = found
        self._network._inputs = [ITensor(value) for value in found.graph.input]
        self._network._outputs = [ITensor(value) for value in found.graph.output]
        return not self._errors


class Runtime:
    def __init__(self, logger):
        self._logger = _logged(logger)

    def deserialize_cuda_engine(self, serialized_engine):
        try:
            plan = json.loads(serialized_engine)
        except ValueError:
            self._logger.log(ILogger.Severity.ERROR, "magicTag did not match")
            return None
        if plan["version"] != __version__:
            self._logger.log(
                ILogger.Severity.ERROR, "The engine plan file is not compatible with this version"
            )
            return None
        return ICudaEngine(plan, self)


class ICudaEngine:
    def __init__(self, plan, runtime):
        self._tensors, self._runtime = plan["tensors"], runtime

    @property
    def num_io_tensors(self):
        return len(self._tensors)

    def get_tensor_name(self, index):
        return self._tensors[index]["name"]

    def get_tensor_mode(self, name):
        return TensorIOMode(self._tensor(name)["mode"])

    def get_tensor_dtype(self, name):
        return DataType(self._tensor(name)["dtype"])

    def get_tensor_shape(self, name):
        return tuple(self._tensor(name)["shape"])

    def get_tensor_vectorized_dim(self, name):
        return -1 if self._width(name) == 1 else 1

    def get_tensor_components_per_element(self, name):
        return -1 if self._width(name) == 1 else self._width(name)

    def create_execution_context(self):
        return None if os.environ.get("FAKE_TENSORRT") == "room" else IExecutionContext(self)

    def _tensor(self, name):
        return next(tensor for tensor in self._tensors if tensor["name"] == name)

    def _width(self, name):
        return _WIDTHS[self._tensor(name)["format"]]

    def _nbytes(self, name):
        shape, width = list(self.get_tensor_shape(name)), self._width(name)
        if width > 1:
            shape[1] = -(-shape[1] // width) * width
        return prod(shape) * np.dtype(_NUMPY[self.get_tensor_dtype(name)]).itemsize


class IProfiler:
    def __init__(self):
        self.initialised = True

    def report_layer_time(self, layer_name, ms):
        raise AssertionError("a profiler without a report of its own")


class IExecutionContext:
    def __init__(self, engine):
        self._engine, self._addresses, self._ran = engine, {}, False
        self._profiler = self._stream = None

    @property
    def profiler(self):
        return self._profiler

    @profiler.setter
    def profiler(self, profiler):
        assert isinstance(profiler, IProfiler) and profiler.initialised
        assert self._stream is None or not self._stream.pending, "an earlier run is still under way"
        self._profiler = profiler

    def set_tensor_address(self, name, memory):
        MACHINE.block(memory, self._engine._nbytes(name))
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        assert isinstance(stream_handle, int)
        stream = self._stream = MACHINE.stream(stream_handle)
        assert len(self._addresses) == self._engine.num_io_tensors, "a tensor has no address"
        if stream.capture is not None and not self._ran:
            stream.invalid = True
            self._engine._runtime._logger.log(
                ILogger.Severity.ERROR, "first run while the stream is captured"
            )
            return False
        self._ran = True
        if stream.capture is None:
            stream.put(lambda: MACHINE.pass_ms(LAUNCH_MS))
        stream.put(self._work)
        return True

    def _work(self):
        if self._profiler is not None:
            for layer, ms in (("conv1", 0.75), ("relu1", 0.25)):
                self._profiler.report_layer_time(layer, ms)
            MACHINE.pass_ms(1.0)  # being profiled takes time
        for name, address in self._addresses.items():
            data = MACHINE.block(address, self._engine._nbytes(name))
            values = np.frombuffer(data, _NUMPY[self._engine.get_tensor_dtype(name)])
            if self._engine.get_tensor_mode(name) == TensorIOMode.INPUT:
                assert len(np.unique(values)) > min(20, len(values) // 2), "zeros are faster than numbers"
                MACHINE.pass_ms(1e-6 * len(values))
            else:
                nan = os.environ.get("FAKE_TENSORRT") == "nan" and values.dtype.kind == "f"
                data[:] = np.full(values.shape, np.nan if nan else 1, values.dtype).tobytes()
