"""torch.export files: read back without our code, they compute what torch computes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from zenbench.bench.export.torch_export import write_torch_export
from zenbench.bench.export.weights import state_arrays
from zenbench.bench.measuring.subjects import WorkloadSubject
from zenbench.devices.base import Setting
from zenbench.zen.families import zoo
from zenbench.zen.graph import INPUT
from zenbench.zen.graph_builder import GraphBuilder
from zenbench.zen.module import initialise
from zenbench.zen.workload import Workload


@pytest.mark.parametrize(("precision", "noise"), [("fp32", 1e-5), ("fp16", 2e-2)])
@pytest.mark.parametrize("name", ["zennet-cifar-0.5m", "resnest-50"])
def test_a_file_computes_what_torch_computes(tmp_path: Path, name: str, precision: str, noise: float) -> None:
    graph = replace(zoo(name), resolution=32).graph()
    module = initialise(graph)
    artifact = write_torch_export(graph, state_arrays(module), tmp_path / "n.pt2", 2, precision)
    (spec,) = artifact.inputs
    loaded = torch.export.load(artifact.path).module()
    x = torch.randn(spec.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        given = x.to(getattr(torch, spec.dtype)).to(memory_format=torch.channels_last)
        y, reference = loaded(given), module(x)
    assert (
        str(y.dtype) == f"torch.{spec.dtype}" == {"fp32": "torch.float32", "fp16": "torch.float16"}[precision]
    )
    assert float((y.float() - reference).norm() / reference.norm()) < noise


def test_flattening_holds_for_maps_that_lie_channels_last(tmp_path: Path) -> None:
    builder = GraphBuilder((3, 4, 4))
    builder.linear(builder.conv(INPUT, 5, 3), 2)
    graph = builder.graph()
    module = initialise(graph)
    artifact = write_torch_export(graph, state_arrays(module), tmp_path / "n.pt2", 2)
    loaded = torch.export.load(artifact.path).module().to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(loaded(x.to(memory_format=torch.channels_last)), module(x), atol=1e-5)


def test_the_input_of_the_trace_is_not_in_the_file(tmp_path: Path) -> None:
    subject = WorkloadSubject(Workload.parse("conv(kernel=3,in_channels=3,out_channels=8,stride=2)@64"))
    settings = [Setting("v100", "torch", "fp32", batch) for batch in (1, 64)]
    sizes = [subject.artifact(tmp_path, setting, "torch-export").path.stat().st_size for setting in settings]
    assert sizes[1] < 1.1 * sizes[0] < 4 * 64 * 3 * 64 * 64
