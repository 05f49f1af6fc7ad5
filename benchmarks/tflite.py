"""The page docs/tflite.md: TFLite files, how exact they are at each precision, and how fast they are written.

`python benchmarks/tflite.py --resolution 96 > docs/tflite.md` (several minutes; networks at their own
resolution take half an hour)
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from time import thread_time

import numpy as np
import torch
from zenbench.bench.cli.profile import RESOLUTIONS
from zenbench.bench.export.onnx import write_onnx
from zenbench.bench.export.parity import check_tflite, gaussian
from zenbench.bench.export.running import tflite_runner
from zenbench.bench.export.tflite import write_tflite
from zenbench.bench.export.tflite_file import read_contents
from zenbench.bench.export.timing_weights import timing_weights
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.profiling.plan import sources, stratified_workloads
from zenbench.devices.base import SettingRequest
from zenbench.devices.registry import device
from zenbench.errors import DeviceError
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.graph import INPUT
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import initialise
from zenbench.zen.workload import Workload

WORKLOADS = 200
CHANNELS = 96
IMAGES = 4
RUNTIMES = ("onnxruntime", "litert", "litert-builtin")
ROUNDS, RUNS = 15, 20

INTRODUCTION = """\
# TFLite files

`zenbench export NETWORK --tflite FILE` writes a graph as a TFLite file, operation by operation, with the
schema that LiteRT ships (`pip install ai-edge-litert`), and checks it against torch. `bench/export/tflite.py`
lowers the operations, `tflite_windows.py` those with windows, `tflite_file.py` holds the file format.

- Maps lie as (N, H, W, C), input and output too. No file has a transpose: weights of a linear layer that
  reads a whole map are permuted instead.
- Batch norm is folded into the convolution before it; one that has none is a depthwise 1x1 (in XNNPACK 1.2 to
  1.8 times as fast as MUL and ADD, and in int8 every channel has its own scale). ReLU and ReLU6 go into the
  operator before them where nothing else reads its output.
- A convolution pads by SAME wherever that is what torch computes. Where a stride of 2 meets an even size it
  is not, and a PAD stands before it: XNNPACK takes it into the convolution, in the same time as an odd size
  by SAME. A kernel enlarged by a row and a column of zeros, which SAME would place right, took 1.7 to 8 times
  as long for kernels of 3 and 5.
- Average pools leave the padding out of the count; max pools are padded by zeros where their input has been
  through a ReLU, else by the lowest number.
- Softmax across two groups is the logistic function of their difference, for int8 has no exponential.
- The file has a signature `serving_default` with `input` and `output`, and zenbench's metadata, by which
  every command reads it back as a network. Other TFLite files can be measured, but not read as networks.
- The same network gives the same bytes.

`--fp16` stores weights in fp16, each with a DEQUANTIZE behind it, as Google's converter does: half the size,
computed in fp32 where the processor has no better. `--int8` quantises after training, by
`ai-edge-quantizer`
(`pip install ai-edge-quantizer`): weights with a scale a channel, activations with one a tensor, input and
output in int8 too. Ranges come from sixteen Gaussian batches, or from `--calibrate`: a
[data set](training.md), or an array of shape (K, C, H, W) in a `.npy` or `.npz` file. A fifth of the images
is kept for the check.

`FILE.json` beside the file holds the check: `relative_error`, ||y - ref|| / ||ref|| against torch on inputs
that nothing was calibrated on, and `snr_db`, the same as a signal-to-noise ratio. The exit code is 1 above a
relative error of 1e-4 (fp32), 0.1 (fp16) or 0.7 (int8: 3 dB; only a broken file is that far off), or of five
times `torch_error` where that is more: torch's own error against torch in fp64, for some networks amplify the
rounding of either. What int8 costs a trained network,
[`zenbench evaluate`](training.md) says.

`python benchmarks/tflite.py --resolution 96 > docs/tflite.md` writes this page; its figures are of a shared
2-core virtual machine (AMD EPYC)."""

NETWORKS = """\
## Known networks

Weights are seeded, input is Gaussian, resolution {resolution}. `fp32` is the file's relative error against
torch. The next two columns hold file and torch against the same network computed in fp64: where the first is
above 1e-5, torch is as far from the truth, so the network amplifies the rounding of either. `fp16` is the
relative error with weights in fp16, `int8` the signal-to-noise ratio, both over {images} images. `written` is
the processor time to write the fp32 file, without making its weights. Refused: `ai-edge-quantizer` 0.10 fails
on convolutions with more than 32 MiB of weights.

| network | operators | MB | written | fp32 | file to fp64 | torch to fp64 | fp16 | int8 |
|---|---|---|---|---|---|---|---|---|"""

DEPTHWISE = """\
## Depthwise convolutions by kernel

One depthwise convolution of 96 channels with batch norm and ReLU, stride 1, in ms, median of {rounds}
rounds of {runs} runs, one thread. XNNPACK (`litert`) takes many times as long for 7x7 as for 5x5 on this
processor, the others do not: a table belongs to its runtime.

| size | kernel | {runtimes} |
|---|---|{rules}|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=int, help="of the networks; default each one's own")
    resolution = parser.parse_args().resolution
    networks = NETWORKS.format(images=IMAGES, resolution=resolution or "each network's own")
    print(INTRODUCTION, blocks(), networks, sep="\n\n")
    for name in zoo_names():
        print(network_row(name, resolution), flush=True)
        print(name, file=sys.stderr)
    print()
    rules = "---|" * (len(RUNTIMES) - 1) + "---"
    print(DEPTHWISE.format(rounds=ROUNDS, runs=RUNS, runtimes=" | ".join(RUNTIMES), rules=rules))
    for size in (28, 56):
        for kernel in (3, 5, 7):
            print(f"| {size} | {kernel} | {' | '.join(depthwise(size, kernel))} |")


def blocks() -> str:
    """How long writing a block takes, without making its weights."""
    chosen = islice(stratified_workloads(sources(), RESOLUTIONS, 0), WORKLOADS)
    took = sorted(write_times_ms(chosen))
    return (
        f"Writing a block takes {median(took):.1f} ms of processor time (median over {WORKLOADS} blocks of\n"
        f"the search spaces, weights given; nine in ten take less than {took[int(0.9 * len(took))]:.1f} ms)."
    )


def write_times_ms(workloads: Iterator[Workload]) -> Iterator[float]:
    with tempfile.TemporaryDirectory() as folder:
        for workload in workloads:
            graph = workload.graph()
            weights = timing_weights(graph)
            write_tflite(graph, weights, Path(folder) / "warm.tflite")
            start = thread_time()
            write_tflite(graph, weights, Path(folder) / "block.tflite")
            yield 1e3 * (thread_time() - start)


def network_row(name: str, resolution: int | None) -> str:
    network = replace(zoo(name), resolution=resolution or zoo(name).resolution)
    graph = network.graph()
    module = initialise(graph)
    weights = state_arrays(module)
    x = gaussian((1, *graph.input_shape))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.tflite"
        start = thread_time()
        write_tflite(graph, weights, path, network=network)
        seconds = thread_time() - start
        size, operators = path.stat().st_size, len(read_contents(path.read_bytes()).operators)
        y = tflite_runner(path)(x)
        images = gaussian((IMAGES, *graph.input_shape))
        half = check_tflite(write_tflite(graph, weights, path, precision="fp16").path, module, images, "fp16")
        try:
            write_tflite(graph, weights, path, precision="int8")
            noise = f"{check_tflite(path, module, images, 'int8').snr_db:.1f} dB"
        except DeviceError:
            noise = "refused"
    with torch.no_grad():
        own = module(torch.from_numpy(x)).numpy()
        exact = deepcopy(module).double()(torch.from_numpy(x).double()).numpy()
    errors = [distance(y, own), distance(y, exact), distance(own, exact), half.relative_error]
    cells = [f"`{name}`", operators, f"{size / 1e6:.1f}", f"{1e3 * seconds:.0f} ms"]
    cells += [f"{error:.1e}" for error in errors]
    return f"| {' | '.join(map(str, cells))} | {noise} |"


def distance(y: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(y - reference) / np.linalg.norm(reference))


def depthwise(size: int, kernel: int) -> list[str]:
    """Median ms on each runtime, rounds interleaved."""
    builder = GraphBuilder((CHANNELS, size, size))
    builder.activation(builder.batch_norm(builder.conv(INPUT, CHANNELS, kernel, groups=CHANNELS)), "relu")
    graph = builder.graph()
    weights = timing_weights(graph)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = {
            "onnx": write_onnx(graph, weights, Path(folder) / "d.onnx"),
            "tflite": write_tflite(graph, weights, Path(folder) / "d.tflite"),
        }
        hosts = [device("host", runtime) for runtime in RUNTIMES]
        sessions = [
            stack.enter_context(closing(host.open(files[host.accepts[0]], host.setting(SettingRequest()))))
            for host in hosts
        ]
        rounds = [
            [median(sample.ms for sample in session.time(RUNS)) for session in sessions]
            for _ in range(ROUNDS)
        ]
    return [f"{median(column):.3f}" for column in zip(*rounds, strict=True)]


if __name__ == "__main__":
    main()
