"""Torch works on one thread unless a user asks for more: no other thread takes processor time."""

import json
import os
import subprocess
import sys

import pytest
import torch
from zenbench.errors import UserError
from zenbench.zen.threads import VARIABLE, few_threads

# Seconds of each job, by name, in a process where torch may take all cores: on the clock, of the processor,
# and of the processor in the thread that called.
JOBS = """
import json, time
from functools import partial
from zenbench.zen.network import parse_text
from zenbench.zen.proxies import PROXIES, score

text = "SuperConvK3BNRELU(3,32,1,1)SuperResK3K3(32,64,2,32,3)SuperConvK1BNRELU(64,128,1,1)"
network = parse_text(text, 32, 10)
jobs = {name: partial(score, network, name, batch=16) for name in PROXIES if name != "entropy"}

def export():
    from pathlib import Path
    from tempfile import TemporaryDirectory
    from zenbench.bench.export.checked import export_onnx
    with TemporaryDirectory() as folder:
        export_onnx(network, Path(folder) / "n.onnx")

found = {}
for name, job in {**jobs, "export": export}.items():
    job()  # what is loaded and compiled once does not count
    clocks = time.perf_counter, time.process_time, time.thread_time
    began = [clock() for clock in clocks]
    while time.perf_counter() - began[0] < 0.5:
        job()
    found[name] = [clock() - start for clock, start in zip(clocks, began)]
print(json.dumps(found))
"""


def measured(**environment: str) -> dict[str, list[float]]:
    mine = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", JOBS], capture_output=True, text=True, check=True, env={**mine, **environment}
    )
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has no second thread to spin on")
def test_no_job_takes_more_processor_time_than_passes() -> None:
    found = measured()
    assert {name: seconds for name, seconds in found.items() if seconds[1] > 1.15 * seconds[0]} == {}
    # Beside busy programs there is no second core to take: what other threads took tells then.
    assert {name: seconds for name, seconds in found.items() if seconds[1] > 1.15 * seconds[2]} == {}


def test_threads_that_the_caller_set_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with few_threads():
            assert torch.get_num_threads() == 1
        with pytest.raises(ZeroDivisionError), few_threads():
            raise ZeroDivisionError
        assert torch.get_num_threads() == 2
        monkeypatch.setenv(VARIABLE, "1")
        with few_threads():
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has no second thread to ask for")
def test_a_user_gets_the_threads_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2")
    with few_threads():
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5", "", "99999", "²"])
def test_other_numbers_of_threads_are_refused(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv(VARIABLE, asked)
    with pytest.raises(UserError, match=VARIABLE), few_threads():
        pass
