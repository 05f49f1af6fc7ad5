"""The known networks against their published sizes."""

import csv
import subprocess
import sys

import pytest
from places import DATA, ROOT
from zenbench.quantities import parse_count
from zenbench.zen.cost import cost
from zenbench.zen.families import FAMILIES, zennets, zoo, zoo_names
from zenbench.zen.workload import Workload

with (DATA / "published_networks.csv").open() as file:
    PUBLISHED = list(csv.DictReader(file))


def agrees(counted: int, printed: str) -> bool:
    """Within 1 % or what rounding hides; `1.8G` may be anything from 1.75G to 1.85G."""
    number = printed.rstrip("GM")
    decimals = len(number.partition(".")[2])
    rounding = 0.5 * 10.0**-decimals * parse_count("1" + printed.removeprefix(number))
    published = parse_count(printed)
    return abs(counted - published) <= max(0.01 * published, rounding)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['network']}, {row['source']}")
def test_sizes_are_the_published_ones_or_a_note_says_why(row: dict[str, str]) -> None:
    counted = cost(zoo(row["network"]))
    for what, ours in (("params", counted.params), ("macs", counted.macs)):
        if printed := row[what]:
            assert agrees(ours, printed) is not bool(row[f"{what}_note"]), what


def test_every_known_network_has_a_published_size() -> None:
    assert set(zoo_names()) == {row["network"] for row in PUBLISHED} | set(zennets.names())


def test_the_page_of_networks_is_what_its_script_writes() -> None:

    written = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "zen" / "networks.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ROOT / "docs" / "networks.md").read_text() == written.stdout


def test_parameters_are_those_of_torchvision_to_the_last_one() -> None:
    exact = {row["network"]: int(row["params"]) for row in PUBLISHED if row["source"] == "torchvision"}
    assert exact == {name: cost(zoo(name)).params for name in exact}


@pytest.mark.parametrize("name", ["resnet-18", "resnet-152", "densenet-121", "densenet-201"])
def test_layers_are_those_in_the_name(name: str) -> None:
    assert zoo(name).layers == int(name.rpartition("-")[2])


def test_every_name_belongs_to_one_family() -> None:
    assert len(set(zoo_names())) == len(zoo_names()) == sum(len(family.names()) for family in FAMILIES)
    assert all(zoo(name).name == f"zoo:{name}" for name in zoo_names())


@pytest.mark.parametrize("name", zoo_names())
def test_every_workload_is_found_again_by_its_key(name: str) -> None:
    workloads = zoo(name).workloads()
    assert [Workload.parse(str(workload)) for workload in workloads] == list(workloads)


@pytest.mark.parametrize("name", zoo_names())
def test_units_say_the_shape_that_their_graph_has(name: str) -> None:
    *workloads, _head = zoo(name).workloads()
    for workload in workloads:
        size = workload.output_size
        assert workload.graph().output_shape == (workload.unit.out_channels, size, size)
        assert not set(workload.label) & set("=(,"), "a label is for people"


def test_efficientnets_come_at_their_own_resolutions() -> None:
    assert [zoo(f"efficientnet-b{index}").resolution for index in range(8)] == [
        *(224, 240, 260, 300),
        *(380, 456, 528, 600),
    ]
