"""What a context is for: ONNX Runtime optimises a unit in it as it does inside a network, and not alone."""

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest
from zenbench.bench.measuring.subjects import AloneSubject, NetworkSubject, Subject, WorkloadSubject
from zenbench.devices.base import Setting
from zenbench.zen.families import zoo

SETTING = Setting("host", "onnxruntime")


def optimised(subject: Subject, folder: Path) -> Counter[str]:
    """How many nodes of each type are left once ONNX Runtime has loaded the file."""
    artifact, kept = subject.artifact(folder, SETTING, "onnx"), folder / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(kept), 3
    onnxruntime.InferenceSession(str(artifact.path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(kept).graph.node)


@pytest.mark.parametrize("name", ["resnet-18", "resnet-50"])
def test_the_sum_of_a_residual_unit_is_fused_as_in_its_network(name: str, tmp_path: Path) -> None:
    network = zoo(name)
    identity = network.workloads()[3]
    sums = {"Add", "Sum"}
    assert not sums & optimised(NetworkSubject(network), tmp_path).keys()
    assert not sums & optimised(WorkloadSubject(identity), tmp_path).keys()
    assert sums & optimised(AloneSubject(identity), tmp_path).keys()
