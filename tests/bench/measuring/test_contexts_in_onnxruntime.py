"""What a context is for: ONNX Runtime optimises a unit in it as it does inside a network, and not alone."""

from pathlib import Path

import pytest
from toys import optimised
from zenbench.bench.measuring.subjects import AloneSubject, NetworkSubject, Subject, WorkloadSubject
from zenbench.devices.base import Setting
from zenbench.zen.families import zoo

SETTING = Setting("host", "onnxruntime")


@pytest.mark.parametrize("name", ["resnet-18", "resnet-50"])
def test_the_sum_of_a_residual_unit_is_fused_as_in_its_network(name: str, tmp_path: Path) -> None:
    def left_of(subject: Subject) -> set[str]:
        return set(optimised(subject.artifact(tmp_path, SETTING, "onnx").path, tmp_path))

    network = zoo(name)
    identity = network.workloads()[3]
    sums = {"Add", "Sum"}
    assert not sums & left_of(NetworkSubject(network))
    assert not sums & left_of(WorkloadSubject(identity))
    assert sums & left_of(AloneSubject(identity))
