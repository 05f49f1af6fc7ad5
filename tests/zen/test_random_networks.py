"""Relatives of known networks: varied, bounded, none of them known."""

import random
from collections import Counter

import pytest
from zenbench.zen.cost import cost
from zenbench.zen.families import zoo, zoo_names
from zenbench.zen.graph import Activation, Conv
from zenbench.zen.random_networks import MOST_MACS_AT_224, random_relative
from zenbench.zen.units import UNIT_KINDS


@pytest.fixture(scope="module")
def drawn() -> list[object]:
    rng = random.Random(1)
    return [random_relative(resolution, 10, rng) for resolution in (224, 96, 32) * 20]


def test_relatives_are_seeded_and_bounded(drawn) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(1)
    assert drawn[:3] == [random_relative(resolution, 10, rng) for resolution in (224, 96, 32)]
    assert {network.resolution for network in drawn} == {224, 96, 32}
    for network in drawn:
        limit = MOST_MACS_AT_224 * (network.resolution / 224) ** 1.5
        assert limit / 100 <= cost(network).macs <= limit


def test_no_relative_is_a_known_network_or_keeps_its_name(drawn) -> None:  # type: ignore[no-untyped-def]
    known = [zoo(name) for name in zoo_names()]
    assert not {network.text for network in drawn} & {network.text for network in known}
    assert all(network.name is None for network in drawn)


def test_relatives_have_what_the_spaces_lack(drawn) -> None:  # type: ignore[no-untyped-def]
    kinds = Counter(workload.unit.kind for network in drawn for workload in network.workloads())
    assert set(kinds) >= {"dense", "dense_transition", "split_attention", "resnet", "inverted", "max_pool"}
    assert set(kinds) <= set(UNIT_KINDS)
    ops = [op for network in drawn for op in network.graph().ops]
    assert {"swish", "hard-swish", "sigmoid"} <= {op.function for op in ops if isinstance(op, Activation)}
    widths = {op.shape[0] // op.groups for op in ops if isinstance(op, Conv) and op.groups > 1}
    assert {1, 8, 16} <= widths
