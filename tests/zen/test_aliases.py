"""Names of timm and torchvision: of the same architectures, and found however they are written."""

import csv
from pathlib import Path

import pytest
from places import DATA
from zenbench.bench.comparing.ranking import read_known
from zenbench.bench.networks.reading import read
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.families.aliases import ALIASES, known_as

with (DATA / "timm_networks.csv").open() as file:
    TIMM = [row for row in csv.DictReader(file) if row["timm_name"] in ALIASES]


def test_every_alias_is_of_a_known_network() -> None:
    assert set(ALIASES.values()) <= set(zoo_names())


@pytest.mark.parametrize("row", TIMM, ids=lambda row: f"{row['timm_name']}@{row['resolution']}")
def test_timms_networks_are_ours(row: dict[str, str]) -> None:
    network = read(row["timm_name"], int(row["resolution"]))
    counted = cost(network)  # type: ignore[arg-type]
    assert counted.params / 1e6 == pytest.approx(float(row["params_m"]), abs=0.006)
    # timm counts activations and pools too.
    assert 0.94 < counted.macs / 1e9 / float(row["gmacs"]) < 1.03


def test_timms_table_has_thirty_of_them() -> None:
    assert len(TIMM) == 30


@pytest.mark.parametrize(
    "text", ["resnet50", "ResNet50", "resnet50.a1_in1k", "timm/resnet50.a1_in1k", "tv:resnet50"]
)
def test_names_are_found_however_they_are_written(text: str) -> None:
    assert read(text) == zoo("resnet-50")


@pytest.mark.parametrize(
    "text", ["resnet50d", "resnet50_gn", "resnetv2_50", "efficientnet_b2_pruned", "regnety_008_tv"]
)
def test_what_differs_has_no_alias(text: str) -> None:
    assert known_as(text) is None


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resnet50").write_text("zoo:resnet-18")
    assert read("resnet50") == zoo("resnet-18")


def test_a_public_table_is_read_row_by_row() -> None:
    known, missing = read_known(DATA / "timm_networks.csv", "top1_percent", "timm_name")
    sizes = {(one.network.name, one.network.resolution) for one in known}
    assert {("zoo:resnet-50", 160), ("zoo:resnet-50", 224)} <= sizes
    (same,) = [one for one in missing if "same network" in one.reason]
    assert (same.network, same.reason) == ("tf_efficientnet_b1", "it is the same network as efficientnet_b1")
