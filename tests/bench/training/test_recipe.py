"""Recipes: the shipped ones, a user's own, and what cannot be."""

from pathlib import Path

import pytest
from zenbench.bench.training.recipe import SHIPPED, TrainingRecipe, open_recipe
from zenbench.errors import UserError


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_ones_can_be_opened_for_small_and_large_images(name: str) -> None:
    small, large = open_recipe(name, 32), open_recipe(name, 224)
    assert small.name == large.name == name
    assert (small.crop, large.crop) == ("pad", "area")


def test_the_paper_is_that_of_zen_nas() -> None:
    small, large = open_recipe("paper", 32), open_recipe("paper", 224)
    assert (small.epochs, large.epochs) == (1440, 480)
    assert (small.weight_decay, large.weight_decay) == (5e-4, 4e-5)
    assert small.learning_rate_per_256 == large.learning_rate_per_256 == 0.1


def test_the_learning_rate_warms_up_and_falls_to_0() -> None:
    recipe = TrainingRecipe("r", epochs=10, batch=128, learning_rate_per_256=0.4, warmup_epochs=2)
    rates = [recipe.learning_rate(epoch / 10) for epoch in range(101)]
    assert rates[0] == 0 and rates[20] == pytest.approx(0.2) and rates[100] == pytest.approx(0, abs=1e-9)
    assert rates[:21] == sorted(rates[:21]) and rates[20:] == sorted(rates[20:], reverse=True)
    short = TrainingRecipe("r", epochs=1, batch=128, learning_rate_per_256=0.4, warmup_epochs=5)
    assert short.learning_rate(0.25) == pytest.approx(0.2) and short.learning_rate(1) == pytest.approx(0)


def test_changes_hold_and_those_that_are_none_do_not() -> None:
    recipe = open_recipe("quick", 32, epochs=3, batch=None)
    assert recipe.epochs == 3 and recipe.batch == open_recipe("quick", 32).batch


def test_a_users_own_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 2\nbatch = 8\nlearning_rate_per_256 = 0.1\n[above_64_pixels]\nepochs = 1\n")
    assert open_recipe(str(path), 32) == TrainingRecipe("mine", 2, 8, 0.1)
    assert open_recipe(str(path), 96).epochs == 1


WHOLE = "epochs = 2\nbatch = 8\nlearning_rate_per_256 = 0.1\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs = 2", "says nothing of batch"),
        ("epochs = 2\nspeed = 1", "a recipe has no 'speed'; it has name, epochs"),
        (
            WHOLE.replace("2", "2.5", 1),
            "epochs is 2.5, which is not of the type int",
        ),
        (WHOLE.replace("2", "true", 1), "epochs is True"),
        (
            WHOLE + "crop = 'all'",
            "crop must be one of none, pad, area",
        ),
        ("epochs = 2\nbatch = 1\nlearning_rate_per_256 = 0.1", "batch is 1; it must be from 2"),
        ("epochs = 2\nbatch = 8\nlearning_rate_per_256 = nan", "learning_rate_per_256 is nan; it must be"),
        ("epochs = ", "is not valid TOML"),
    ],
)
def test_what_cannot_be_is_told(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(UserError, match=sentence):
        open_recipe(str(tmp_path / "r.toml"), 32)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no recipe 'slow'; known are quick, standard, paper"):
        open_recipe("slow", 32)
    with pytest.raises(UserError, match="cannot be read"):
        open_recipe(str(tmp_path / "none.toml"), 32)
