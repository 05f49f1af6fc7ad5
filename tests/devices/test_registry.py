"""Cards and drivers: every card that ships can be used, and wrong names are answered with right ones."""

from pathlib import Path

import pytest
from places import ROOT
from zenbench.devices.base import Connection, Device, SettingRequest
from zenbench.devices.card import DeviceCard, card, cards
from zenbench.devices.registry import device
from zenbench.errors import UserError

CARD = DeviceCard(
    "box",
    "a box",
    {"r": "driver", "q": "driver"},
    {"runtime": "r", "precision": "fp32", "batch": 2, "threads": 3},
    False,
)


@pytest.mark.parametrize("name", list(cards()))
def test_cards_name_drivers_that_exist(name: str) -> None:
    found = card(name)
    assert found.name == name and found.description
    assert found.defaults["runtime"] in found.runtimes
    for runtime in found.runtimes:
        driver = device(name, runtime)
        assert isinstance(driver, Device) and driver.name == name


def test_only_the_host_is_this_computer() -> None:
    assert [name for name, found in cards().items() if found.local] == ["host"]


def test_a_wish_comes_before_the_defaults() -> None:
    setting = CARD.setting(SettingRequest(runtime="q", batch=5), "pinned")
    assert (setting.device, setting.runtime, setting.pinning) == ("box", "q", "pinned")
    assert (setting.precision, setting.batch, setting.threads) == ("fp32", 5, 3)


@pytest.mark.parametrize(
    "asked, option", [(SettingRequest(batch=0), "--batch"), (SettingRequest(threads=-1), "--threads")]
)
def test_a_wish_for_none_is_refused(asked: SettingRequest, option: str) -> None:
    with pytest.raises(UserError, match=f"{option} must be at least 1"):
        CARD.setting(asked, "free")


def test_wrong_names_are_answered_with_right_ones() -> None:
    with pytest.raises(UserError) as caught:
        card("toaster")
    assert all(text in str(caught.value) for text in ("toaster", "zenbench devices", *cards()))
    with pytest.raises(UserError, match="no runtime 'abacus'; it has simulated"):
        device("simulated", "abacus")


def test_a_users_card_is_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path))
    (tmp_path / "cards").mkdir()
    text = (ROOT / "devices/cards/simulated.toml").read_text()
    own = text.replace('name = "simulated"', 'name = "toy"') + "\n[recipe]\nrounds = 9\n[toy]\ncolour = 3\n"
    (tmp_path / "cards/toy.toml").write_text(own)
    assert device("toy").name == "toy"
    assert card("toy").recipe == {"rounds": 9} and card("toy").details == {"toy": {"colour": 3}}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("batch = 1", "batch = true", "defaults.batch, a whole number"),
        ("batch = 1", "", "defaults.batch, a whole number"),
        ("local = false", 'local = "no"', "local, a true or false"),
        ("local = false", "local = false\nrecipe = 5", "recipe, a table"),
        pytest.param("local = false", "local = false\nx = " + 5000 * "[", "cannot be read", id="nested"),
        pytest.param("batch = 1", "batch = " + 5000 * "9", "cannot be read", id="large"),
        ('runtime = "simulated"', 'runtime = "abacus"', "no runtime 'abacus', its default"),
        ('name = "simulated"', "name = ", "cannot be read"),
        ('name = "simulated"', 'name = "../outside"', "has the name '../outside'; use letters"),
        ('name = "simulated"', 'name = ""', "has the name ''; use letters"),
        ("batch = 1", 'batch = 1\npinning = "core-0"', "has the default 'pinning'; it may have runtime"),
        ('simulated = "simulated"', 'simulated = "abacus"', "no known driver: 'abacus'"),
    ],
)
def test_damaged_cards_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, reason: str
) -> None:
    monkeypatch.setenv("ZENBENCH_HOME", str(tmp_path))
    (tmp_path / "cards").mkdir()
    text = (ROOT / "devices/cards/simulated.toml").read_text()
    (tmp_path / "cards/bad.toml").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=reason):
        device("simulated")


def test_what_needs_no_reaching_refuses_it() -> None:
    with pytest.raises(UserError, match="without --serial"):
        device("simulated", connection=Connection(serial="1"))
    with pytest.raises(UserError, match="leave --cpu-mask out"):
        device("simulated").setting(SettingRequest(cpu_mask="f0"))
