from pathlib import Path

import pytest
from zenbench.errors import UserError
from zenbench.zen.network import parse_text
from zenbench.zen.proxies import PROXIES, memory, score

NETWORK = parse_text("SuperConvK3BNRELU(3,8,1,1)SuperResK3K3(8,16,2,8,2)", 32, classes=10)
WITH_PASSES = sorted(set(PROXIES) - {"zen-closed", "entropy", "flops", "params", "random"})


@pytest.mark.parametrize("proxy", [name for name in WITH_PASSES if not name.startswith("synflow")])
def test_too_large_a_batch_is_refused_before_the_pass_and_the_batch_named_fits(
    proxy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9999999 kB\nMemAvailable: 8192 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    with pytest.raises(
        UserError, match=rf"{proxy} of 4000 images needs about .* 0.00839 GB are free"
    ) as caught:
        score(NETWORK, proxy, batch=4000)
    fitting = int(str(caught.value).rsplit("a batch of ", 1)[1].split()[0])
    assert 2 <= fitting < 4000
    assert score(NETWORK, proxy, batch=fitting).value


def test_where_not_even_two_images_fit_the_advice_is_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable: 24 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    with pytest.raises(UserError, match="use a smaller resolution"):
        score(NETWORK, "zen")


def test_a_system_that_tells_nothing_is_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "missing")
    assert score(NETWORK, "zen", batch=2).value > 0


@pytest.mark.parametrize("proxy", WITH_PASSES)
def test_weights_that_do_not_fit_are_refused_before_they_are_made(
    proxy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable: 4096 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    wide = parse_text("SuperConvK3BNRELU(3,400,1,1)SuperConvK3BNRELU(400,400,2,1)", 2, classes=10)
    with pytest.raises(UserError, match="use a narrower network"):
        score(wide, proxy, batch=2)
