"""What a block costs as a PyTorch file: `python benchmarks/torch_files.py [BLOCKS]`.

Seconds, medians over blocks of 224-pixel networks at fp16 and batch 64, on one core: writing with
torch.export and loading it, and the same with TorchScript, whose tracing runs the block on one image.
"""

import io
import sys
import warnings
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from zenbench.bench.export.torch_export import write_torch_export
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.profiling.plan import sources, stratified_workloads
from zenbench.zen.graph import Graph
from zenbench.zen.module import initialise


def seconds(graph: Graph, path: Path) -> tuple[float, ...]:
    module = initialise(graph)
    marks = [perf_counter()]
    write_torch_export(graph, state_arrays(module), path, 64, "fp16")
    marks.append(perf_counter())
    torch.export.load(io.BytesIO(path.read_bytes())).module()
    marks.append(perf_counter())
    module.half().to(memory_format=torch.channels_last)
    example = torch.zeros(1, *graph.input_shape, dtype=torch.float16)
    marks.append(perf_counter())
    with torch.no_grad():
        torch.jit.trace(module, example, check_trace=False).save(str(path))
    marks.append(perf_counter())
    torch.jit.load(str(path))
    marks.append(perf_counter())
    return marks[1] - marks[0], marks[2] - marks[1], marks[4] - marks[3], marks[5] - marks[4]


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # TorchScript says at every call that it is deprecated
    blocks = stratified_workloads(sources(), (224,), 0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "block.pt2"
        seconds(next(blocks).graph(), path)  # the first export loads half of torch
        count = int(sys.argv[1]) if sys.argv[1:] else 12
        taken = [seconds(next(blocks).graph(), path) for _ in range(count)]
    names = ("torch.export, write", "load", "TorchScript, write", "load")
    print(
        *(
            f"{name} {median(column):.3f} s"
            for name, column in zip(names, zip(*taken, strict=True), strict=True)
        ),
        sep="; ",
    )


if __name__ == "__main__":
    main()
