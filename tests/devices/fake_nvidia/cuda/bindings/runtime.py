"""Stands in for `cuda.bindings.runtime`: a GPU that does its work when it is waited for.

Calls answer as the real ones do, a tuple that starts with an error. What real hardware would answer with
garbage fails here at once: freed or foreign addresses, events recorded over a reading, work freed before it
is done, streams that are not ours. `MACHINE` has what a test looks at and arranges.
"""

import ctypes
from enum import IntEnum
from itertools import count


class cudaError_t(IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorNotReady = 600
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900
    cudaErrorStreamCaptureInvalidated = 901


class cudaMemcpyKind(IntEnum):
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode(IntEnum):
    cudaStreamCaptureModeThreadLocal = 1


class Handle:
    """What the bindings wrap a pointer in."""

    def __init__(self, number):
        self.number = number

    def __int__(self):
        return self.number


class Stream(Handle):
    def __init__(self, number):
        super().__init__(number)
        self.pending, self.capture, self.invalid = [], None, False

    def put(self, work):
        (self.pending if self.capture is None else self.capture).append(work)


class Event(Handle):
    def __init__(self, number):
        super().__init__(number)
        self.time_ms, self.pending, self.read = None, False, True


class Graph(Handle):
    def __init__(self, number, works):
        super().__init__(number)
        self.works = works


class Machine:
    """The GPU, and everything that was asked of it."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.calls, self.now_ms = [], 0.0
        self.memory, self.live, self.pinned = {}, {}, {}
        self.room_bytes = 2**34
        self.bus_ids, self.selected = [b"00000000:00:04.0"], None
        self.driver_too_old, self.broken = False, False
        self.numbers = count(0x7000)

    def make(self, kind, *rest):
        made = kind(next(self.numbers), *rest)
        self.live[int(made)] = made
        return made

    def stream(self, handle):
        found = self.live.get(int(handle))
        assert isinstance(found, Stream), "not a stream of ours: the default one would time others' work too"
        return found

    def block(self, address, nbytes):
        """The memory from an address on, which must lie in one live buffer."""
        for start, block in self.memory.items():
            if start <= address < start + len(block):
                assert address + nbytes <= start + len(block), "beyond the buffer's end"
                return memoryview(block)[address - start : address - start + nbytes]
        raise AssertionError(f"{address:#x} is in no live buffer")

    def pass_ms(self, ms):
        self.now_ms += ms

    def run(self, stream):
        works, stream.pending = stream.pending, []
        for work in works:
            work()


MACHINE = Machine()
OK = cudaError_t.cudaSuccess


def _called(function):
    def call(*arguments):
        MACHINE.calls.append(function.__name__)
        if MACHINE.driver_too_old:
            return cudaError_t.cudaErrorInsufficientDriver, None
        if MACHINE.broken and function.__name__ not in ("cudaGetDeviceCount",):
            return cudaError_t.cudaErrorIllegalAddress, None
        return function(*arguments)

    call.__name__, call.__wrapped__ = function.__name__, function
    return call


@_called
def cudaGetDeviceCount():
    return OK, len(MACHINE.bus_ids)


@_called
def cudaDeviceGetByPCIBusId(pciBusId):
    assert isinstance(pciBusId, bytes)
    if pciBusId not in MACHINE.bus_ids:
        return cudaError_t.cudaErrorInvalidDevice, None
    return OK, MACHINE.bus_ids.index(pciBusId)


@_called
def cudaSetDevice(device):
    MACHINE.selected = device
    return (OK,)


@_called
def cudaMalloc(size):
    assert MACHINE.selected is not None, "no GPU was chosen"
    if sum(map(len, MACHINE.memory.values())) + size > MACHINE.room_bytes:
        return cudaError_t.cudaErrorMemoryAllocation, None
    address = 0x10_0000 + max((a + len(b) + 512 for a, b in MACHINE.memory.items()), default=0)
    MACHINE.memory[address] = bytearray(size)
    return OK, address


@_called
def cudaFree(devPtr):
    assert devPtr in MACHINE.memory, "freed twice, or never allocated"
    streams = [one for one in MACHINE.live.values() if isinstance(one, Stream)]
    assert not any(one.pending for one in streams), "freed while work on it may be under way"
    del MACHINE.memory[devPtr]
    return (OK,)


@_called
def cudaMallocHost(size):
    block = ctypes.create_string_buffer(size)
    MACHINE.pinned[ctypes.addressof(block)] = block
    return OK, ctypes.addressof(block)


@_called
def cudaFreeHost(ptr):
    del MACHINE.pinned[ptr]
    return (OK,)


@_called
def cudaMemcpyAsync(dst, src, count, kind, stream):
    line = MACHINE.stream(stream)
    pinned = src in MACHINE.pinned or dst in MACHINE.pinned
    line.put(lambda: MACHINE.pass_ms(count * (1e-7 if pinned else 2e-7)))
    if kind == cudaMemcpyKind.cudaMemcpyHostToDevice:
        data = ctypes.string_at(src, count)
        line.put(lambda: MACHINE.block(dst, count).__setitem__(slice(None), data))
    else:
        assert kind == cudaMemcpyKind.cudaMemcpyDeviceToHost
        line.put(lambda: ctypes.memmove(dst, bytes(MACHINE.block(src, count)), count))
    return (OK,)


@_called
def cudaStreamCreateWithFlags(flags):
    assert flags == 1, "a blocking stream waits for whatever others put on the default one"
    return OK, MACHINE.make(Stream)


@_called
def cudaStreamDestroy(stream):
    del MACHINE.live[int(MACHINE.stream(stream))]
    return (OK,)


@_called
def cudaStreamSynchronize(stream):
    line = MACHINE.stream(stream)
    if line.capture is not None:
        line.invalid = True
        return (cudaError_t.cudaErrorStreamCaptureUnsupported,)
    MACHINE.run(line)
    return (OK,)


@_called
def cudaEventCreate():
    return OK, MACHINE.make(Event)


@_called
def cudaEventRecord(event, stream):
    assert not event.pending, "recorded again before it came by"
    assert event.read, "recorded over a time that nobody has read"
    line = MACHINE.stream(stream)
    assert line.capture is None, "an event of the outside in a graph"
    event.pending = True

    def work():
        event.time_ms, event.pending, event.read = MACHINE.now_ms, False, False

    line.put(work)
    return (OK,)


@_called
def cudaEventElapsedTime(start, end):
    if start.pending or end.pending or None in (start.time_ms, end.time_ms):
        return cudaError_t.cudaErrorNotReady, None
    assert start is not end
    start.read = end.read = True
    return OK, end.time_ms - start.time_ms


@_called
def cudaEventDestroy(event):
    del MACHINE.live[int(event)]
    return (OK,)


@_called
def cudaStreamBeginCapture(stream, mode):
    line = MACHINE.stream(stream)
    assert not line.pending, "the work before a graph must be done"
    assert mode == cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    line.capture, line.invalid = [], False
    return (OK,)


@_called
def cudaStreamEndCapture(stream):
    line = MACHINE.stream(stream)
    assert line.capture is not None
    works, line.capture = line.capture, None
    if line.invalid:
        return cudaError_t.cudaErrorStreamCaptureInvalidated, None
    return OK, MACHINE.make(Graph, works)


@_called
def cudaGraphInstantiate(graph, flags):
    assert graph.works, "an empty graph"
    return OK, MACHINE.make(Graph, graph.works)


@_called
def cudaGraphDestroy(graph):
    del MACHINE.live[int(graph)]
    return (OK,)


@_called
def cudaGraphExecDestroy(graphExec):
    del MACHINE.live[int(graphExec)]
    return (OK,)


@_called
def cudaGraphLaunch(graphExec, stream):
    assert int(graphExec) in MACHINE.live, "the graph is gone"
    for work in graphExec.works:
        MACHINE.stream(stream).put(work)
    return (OK,)
