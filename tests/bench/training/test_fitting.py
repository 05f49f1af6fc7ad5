"""Out of memory: the batch that fits is told."""

from dataclasses import replace

import pytest
from toy_images import toy_data, toy_network
from zenbench.bench.training.fitting import enough_memory
from zenbench.bench.training.precision import Place
from zenbench.bench.training.recipe import TrainingRecipe
from zenbench.bench.training.training import Training, TrainingTask
from zenbench.errors import UserError

TASK = TrainingTask(
    toy_network(), toy_data(), TrainingRecipe("toy", 1, 64, 0.1), seed=0, where=Place("cpu", "fp32")
)
FULL = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: 12 bytes"
)


@pytest.mark.parametrize(("most", "advice"), [(16, "give --batch 16"), (1, "take a smaller network")])
def test_the_largest_half_that_fits_is_told(most: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(training: Training) -> None:
        if training.task.recipe.batch > most:
            raise FULL

    monkeypatch.setattr(Training, "_take_step", step)
    with (
        pytest.raises(UserError, match=f"a batch of 64 images does not fit into memory; {advice}"),
        enough_memory(TASK),
    ):
        Training(TASK).run()


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="something else"), enough_memory(replace(TASK, seed=1)):
        raise RuntimeError("something else")
